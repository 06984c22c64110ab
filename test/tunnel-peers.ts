// SPDX-License-Identifier: MIT
// Other people's ends: this machine's kernel, or a switch made of packet sockets.
import { spawnSync } from 'node:child_process';
import { tagger } from './agent';
import { gtpIn } from './fixture';
import { must, within } from './run';
import { type Family, inner, outer, type TwoMachines, user } from './topology';
import { LINK } from './tunnel-kinds';

/** Why this machine's kernel has no VLAN devices, nor bridges that know VLANs; undefined: it has. */
export const noVlanDevice = missing('vlan');

/** Turns off, on a device, all that would put off checksums or cutting. */
export const plainDevice = (ns: string, dev: string): Promise<string> =>
  must(within(ns, 'ethtool', '-K', dev, 'tx', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off'));

/** A VXLAN device of the kernel as eth0 of ue2, whose underlay is that of m2; more words of `ip link add`. */
export async function kernelVxlan(m: TwoMachines, family: Family, words: string): Promise<void> {
  const [remote, local] = outer[family];
  const make = `link add vx0 type vxlan local ${local} remote ${remote} ${words}`;
  await must(['ip', '-n', m.m2, ...make.split(' ')]);
  await userDevice(m.m2, 'vx0', m.ue2);
  await must(['ip', '-n', m.ue2, 'link', 'set', 'eth0', 'mtu', `${family === 4 ? 1450 : 1430}`]);
}

/** Our link at m1 for the same. */
export function vxlanLink(m: TwoMachines, family: Family, words: string): Promise<string> {
  const [local, remote] = outer[family];
  return gtpIn(m.m1, `link add ${LINK} type vxlan local ${local} netns ${m.ue1} ${user(0)} remote ${remote} ${words}`);
}

/** How VLAN frames get to a user behind m2. */
export interface VlanPeer {
  readonly title: string;
  readonly missing?: string | undefined;
  make(m: TwoMachines, protocol: '802.1Q' | '802.1ad', id: number): Promise<void>;
}

/** A VLAN device of the kernel, a bridge of it, and a switch in user space. */
export const vlanPeers: readonly VlanPeer[] = [
  {
    title: 'a switch in user space',
    make: async (m, protocol, id) => {
      const add = ['link', 'add', 'port', 'type', 'veth', 'peer', 'name', 'inside'];
      await must(['ip', '-n', m.m2, ...add]);
      await must(['ip', '-n', m.m2, 'link', 'set', 'port', 'up']);
      await userDevice(m.m2, 'inside', m.ue2);
      // Packet sockets see frames as they are: uncut, and with checksums that are still open.
      for (const [ns, dev] of [
        [m.m1, 'ul'],
        [m.m2, 'ul'],
        [m.ue2, 'eth0'],
      ] as const)
        await plainDevice(ns, dev);
      // A packet socket may send four octets more for a tag of 802.1Q alone.
      await must(['ip', '-n', m.m2, 'link', 'set', 'ul', 'mtu', '1504']);
      await tagger(m.m2, 'port', 'ul', protocol === '802.1Q' ? 0x8100 : 0x88a8, id);
    },
  },
  {
    title: "the kernel's VLAN device",
    missing: noVlanDevice,
    make: async (m, protocol, id) => {
      const add = `link add link ul name v0 type vlan protocol ${protocol} id ${id}`;
      await must(['ip', '-n', m.m2, ...add.split(' ')]);
      await userDevice(m.m2, 'v0', m.ue2);
    },
  },
  {
    title: 'a bridge with vlan_filtering',
    missing: noVlanDevice,
    make: async (m, protocol, id) => {
      const lines = [
        `link add br0 type bridge vlan_filtering 1 vlan_protocol ${protocol} mcast_snooping 0`,
        'link add port type veth peer name inside',
        'link set ul master br0',
        'link set port master br0',
        'link set port up',
        'link set br0 up',
      ];
      await must(['ip', '-n', m.m2, '-b', '-'], { input: `${lines.join('\n')}\n` });
      await userDevice(m.m2, 'inside', m.ue2);
      const vlans = [`dev ul vid ${id}`, `dev port vid ${id} pvid untagged`];
      for (const words of vlans) await must(['bridge', '-n', m.m2, 'vlan', 'add', ...words.split(' ')]);
    },
  },
];

async function userDevice(ns: string, dev: string, ue: string): Promise<void> {
  await must(['ip', '-n', ns, 'link', 'set', dev, 'netns', ue, 'name', 'eth0']);
  const lines = [
    `addr add ${inner[4][1]}/24 dev eth0`,
    `addr add ${inner[6][1]}/64 dev eth0 nodad`,
    'link set eth0 up',
  ];
  await must(['ip', '-n', ue, '-b', '-'], { input: `${lines.join('\n')}\n` });
}

// Nothing is made: the words say too little, which a kernel that knows the type is the first to say.
function missing(type: string): string | undefined {
  const { stderr } = spawnSync('ip', ['link', 'add', 'name', 'never', 'type', type], { encoding: 'utf8' });
  return /Unknown device type|not supported/.test(stderr)
    ? `NO ${type.toUpperCase()} DEVICES: ${stderr.trim()}`
    : undefined;
}
