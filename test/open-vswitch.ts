// SPDX-License-Identifier: MIT
// Open vSwitch with its datapath in user space, as the other end of a tunnel.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { scratch } from './fixture';
import { background, must, within } from './run';
import { type Family, inner, macOf, mtuOf, outer, type TwoMachines } from './topology';
import { plainDevice } from './tunnel-peers';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

/** Why Open vSwitch cannot run on this machine; undefined: it can. */
export const noOpenVSwitch = missing();

/** The switch of m2: the user behind it is its port `user`, the tunnel to m1 its port `tun`. */
export interface OpenVSwitch {
  /** Makes the port `tun`, or makes it anew; words of `options:`, such as `key=5`. */
  tunnel(type: 'geneve' | 'gre', family: Family, ...options: readonly string[]): Promise<void>;
  /** Replaces what it does with packets, which else is what a bridge does; lines of ovs-ofctl. */
  flows(...lines: readonly string[]): Promise<void>;
  /** The Geneve options that its flows know, as `tun_metadata0` and so on. */
  options(map: string): Promise<void>;
  /** Ends it: its programs, and with them its devices. */
  end(): Promise<void>;
}

/** Starts a switch of its own in m2, which takes over the wire and the outer addresses of m2, and is joined to eth0 of ue2. */
export async function openVSwitch(m: TwoMachines): Promise<OpenVSwitch> {
  const folder = mkdtempSync(`${scratch}/ovs-`);
  const env = Object.fromEntries(['RUN', 'LOG', 'DB', 'SYSCONF'].map((name) => [`OVS_${name}DIR`, folder]));
  const [database, bridge] = [`unix:${folder}/db.sock`, `unix:${folder}/br-int.mgmt`];
  await userPort(m);
  // It reads and writes frames by packet sockets: uncut, and with checksums that are still open.
  await plainDevice(m.m1, 'ul');
  await plainDevice(m.ue2, 'eth0');
  await must(['ovsdb-tool', 'create', `${folder}/conf.db`, SCHEMA]);
  const start = (ready: RegExp, ...command: readonly string[]) =>
    background(within(m.m2, ...command, '-vsyslog:off', '-vconsole:info'), ready, env);
  const store = await start(/ovsdb-server \(Open/, 'ovsdb-server', `${folder}/conf.db`, `--remote=p${database}`);
  const daemon = await start(/: connected/, 'ovs-vswitchd', database);
  const configure = (words: string): Promise<string> =>
    must(['ovs-vsctl', '--timeout=20', `--db=${database}`, ...words.split(' ')]);
  await configure(`${bridgeWords('br-phy', 'ul')} -- ${bridgeWords('br-int', 'user')}`);
  await moveAddresses(m);
  return {
    tunnel: async (type, family, ...options) => {
      const words = [`remote_ip="${outer[family][0]}"`, ...options].map((each) => `options:${each}`);
      const set = `set interface tun type=${type} ${words.join(' ')}`;
      await configure(`--if-exists del-port tun -- add-port br-int tun -- ${set}`);
    },
    flows: async (...lines) => {
      const replace = ['ovs-ofctl', '-O', 'OpenFlow15', 'replace-flows', bridge, '-'];
      await must(replace, { input: `${lines.join('\n')}\n` });
    },
    options: async (map) => void (await must(['ovs-ofctl', 'add-tlv-map', bridge, map])),
    end: async () => {
      for (const each of [daemon, store]) await each.stop('SIGTERM');
    },
  };
}

/** Gives the user behind m2 the MTU of the one behind m1: frames do not know what a tunnel leaves. */
export async function sameMtu(m: TwoMachines): Promise<number> {
  const mtu = await mtuOf(m.ue1);
  await must(['ip', '-n', m.ue2, 'link', 'set', 'eth0', 'mtu', `${mtu}`]);
  return mtu;
}

/** Flows for a tunnel of packets without Ethernet headers; the user of m2 resolves nothing. */
export async function routeFlows(m: TwoMachines, ovs: OpenVSwitch): Promise<void> {
  const far = '02:00:00:00:00:01';
  const neighbours = [inner[4][0], inner[6][0]].map((each) => `neigh replace ${each} dev eth0 lladdr ${far}`);
  await must(['ip', '-n', m.ue2, '-b', '-'], { input: `${neighbours.join('\n')}\n` });
  const own = await macOf(m.ue2, 'eth0');
  await ovs.flows(
    `in_port=tun,actions=set_field:${far}->eth_src,set_field:${own}->eth_dst,output:user`,
    'in_port=user,ip,actions=output:tun',
    'in_port=user,ipv6,actions=output:tun',
  );
}

const bridgeWords = (name: string, port: string): string =>
  `add-br ${name} -- set bridge ${name} datapath_type=netdev -- add-port ${name} ${port}`;

async function userPort({ m2, ue2 }: TwoMachines): Promise<void> {
  await must(['ip', '-n', m2, ...`link add user type veth peer name eth0 netns ${ue2}`.split(' ')]);
  await must(['ip', '-n', m2, 'link', 'set', 'user', 'up']);
  const lines = [
    `addr add ${inner[4][1]}/24 dev eth0`,
    `addr add ${inner[6][1]}/64 dev eth0 nodad`,
    'link set eth0 up',
  ];
  await must(['ip', '-n', ue2, '-b', '-'], { input: `${lines.join('\n')}\n` });
}

// The kernel of m2 sees the frames of `ul` as well, and must not answer for addresses that are the bridge's.
async function moveAddresses({ m2 }: TwoMachines): Promise<void> {
  await must(within(m2, 'sysctl', '-qw', 'net.ipv4.conf.ul.arp_ignore=1'));
  const lines = [
    'addr flush dev ul',
    `addr add ${outer[4][1]}/24 dev br-phy`,
    `addr add ${outer[6][1]}/64 dev br-phy nodad`,
    'link set br-phy up',
    'link set br-int up',
  ];
  await must(['ip', '-n', m2, '-b', '-'], { input: `${lines.join('\n')}\n` });
}

function missing(): string | undefined {
  for (const file of [SCHEMA, '/dev/net/tun']) if (!existsSync(file)) return `NO OPEN VSWITCH: ${file} is not there`;
  const { error, status, stderr } = spawnSync('ovs-vswitchd', ['--version'], { encoding: 'utf8' });
  return status === 0 ? undefined : `NO OPEN VSWITCH: ${error?.message ?? stderr.trim()}`;
}
