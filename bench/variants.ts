// SPDX-License-Identifier: MIT
import { must, within } from '../test/run';
import { bareObject } from './tools';
import { ethtool, gtp, ip, namespace, veth } from './world';

/** Two users' namespaces that reach each other, by whatever lies between. */
export interface Ends {
  readonly client: string;
  readonly server: string;
  /** The server's. */
  readonly address: string;
}

/** The users of a session, and who floods which address of whose machine. */
export interface FloodedEnds extends Ends {
  readonly flooder: string;
  readonly machine: string;
  readonly local: string;
}

export interface Variant {
  readonly title: string;
  make(): Promise<Ends>;
}

/**
 * What is measured side by side, each in namespaces of its own. Of tunnels over a wire: with `kept` super-packets and open checksums
 * go over the veth pair as they are; wire-like, the sender cuts; summed, it completes the inner checksums as well, as we do.
 */
export const variants = {
  raw: { title: 'raw veth', make: () => rawVeth('raw', 'on') },
  rawCut: { title: 'raw veth, TSO off', make: () => rawVeth('cut', 'off') },
  rawSeen: { title: 'raw veth, XDP looks on', make: rawSeen },
  vxlan: { title: 'kernel VXLAN, GSO kept', make: () => vxlan('vxl') },
  vxlanWire: { title: 'kernel VXLAN, wire-like', make: () => vxlan('vxw', ...CUT) },
  vxlanSummed: { title: 'kernel VXLAN, summed', make: () => vxlan('vxs', ...CUT, 'tx') },
  hairpin: { title: 'ours, hairpin', make: () => hairpin('gtp') },
  wire: { title: 'ours, wire', make: () => wire('gtp') },
  wireXdp: { title: 'ours, wire, XDP', make: () => wire('gtp', 'xdp on') },
  greWire: { title: 'ours, GRE wire', make: () => wire('gre') },
  gretapWire: { title: 'ours, gretap wire', make: () => wire('gretap') },
  geneveWire: { title: 'ours, Geneve wire', make: () => wire('geneve') },
  vxlanOurs: { title: 'ours, VXLAN wire', make: () => wire('vxlan') },
  l2tpWire: { title: 'ours, L2TP wire', make: () => wire('l2tp') },
  greKept: { title: 'ours, GRE kept', make: () => wire('gre', 'gso keep') },
  gretapKept: { title: 'ours, gretap kept', make: () => wire('gretap', 'gso keep') },
  geneveKept: { title: 'ours, Geneve kept', make: () => wire('geneve', 'gso keep') },
  vxlanKept: { title: 'ours, VXLAN kept', make: () => wire('vxlan', 'gso keep') },
  l2tpKept: { title: 'ours, L2TP kept', make: () => wire('l2tp', 'gso keep') },
  greHairpin: { title: 'ours, GRE hairpin', make: () => hairpin('gre') },
  gretapHairpin: { title: 'ours, gretap hairpin', make: () => hairpin('gretap') },
  geneveHairpin: { title: 'ours, Geneve hairpin', make: () => hairpin('geneve') },
  vxlanHairpin: { title: 'ours, VXLAN hairpin', make: () => hairpin('vxlan') },
  l2tpHairpin: { title: 'ours, L2TP hairpin', make: () => hairpin('l2tp') },
} as const satisfies Record<string, Variant>;

export type VariantName = keyof typeof variants;

// What makes a veth cut super-packets before they leave, tunnelled or not, as a card without these offloads.
const CUT = ['tso', 'tx-udp_tnl-segmentation', 'tx-udp_tnl-csum-segmentation', 'tx-udp-segmentation'] as const;

const MTU_IN_VXLAN = 1450;

async function users(label: string): Promise<[string, string]> {
  return [await namespace(`${label}-u1`), await namespace(`${label}-u2`)];
}

async function rawVeth(label: string, tso: 'on' | 'off'): Promise<Ends> {
  const [client, server] = await users(label);
  await veth({ ns: client, dev: 'eth0', address: '10.9.0.1/24' }, { ns: server, dev: 'eth0', address: '10.9.0.2/24' });
  for (const ns of [client, server]) await ethtool(ns, 'eth0', 'tso', tso);
  return { client, server, address: '10.9.0.2' };
}

// What an XDP program at a link's end would begin with that encapsulates what the user sends: it passes all, and the checksums that it could
// not fill in are filled in by the sender.
async function rawSeen(): Promise<Ends> {
  const ends = await rawVeth('seen', 'on');
  await ethtool(ends.client, 'eth0', 'tx', 'off');
  await must(within(ends.server, 'ip', 'link', 'set', 'eth0', 'xdpdrv', 'obj', bareObject, 'sec', 'xdp'));
  return ends;
}

async function machines(label: string): Promise<[string, string]> {
  const [m1, m2] = [await namespace(`${label}-m1`), await namespace(`${label}-m2`)];
  await veth({ ns: m1, dev: 'ul', address: '192.0.2.1/24' }, { ns: m2, dev: 'ul', address: '192.0.2.2/24' });
  return [m1, m2];
}

async function vxlan(label: string, ...cut: readonly string[]): Promise<Ends> {
  const [[client, server], [m1, m2]] = [await users(label), await machines(label)];
  const sides = [
    { user: client, machine: m1, own: 1, far: 2 },
    { user: server, machine: m2, own: 2, far: 1 },
  ];
  for (const { user, machine, own, far } of sides) {
    const near = { ns: machine, dev: 'pa', address: `10.9.${own}.1/24` };
    await veth({ ns: user, dev: 'eth0', address: `10.9.${own}.2/24` }, near, MTU_IN_VXLAN);
    await ip(user, `route add default via 10.9.${own}.1`);
    await ip(
      machine,
      `link add vx type vxlan id 7 local 192.0.2.${own} remote 192.0.2.${far} dstport 4789 dev ul`,
      `addr add 10.8.0.${own}/24 dev vx`,
      `link set vx mtu ${MTU_IN_VXLAN} up`,
      `route add 10.9.${far}.0/24 via 10.8.0.${far}`,
    );
    await must(within(machine, 'sysctl', '-qw', 'net.ipv4.ip_forward=1'));
    if (cut.length > 0) await ethtool(machine, 'ul', ...cut.flatMap((feature) => [feature, 'off']));
  }
  return { client, server, address: '10.9.2.2' };
}

async function hairpin(kind: Kind): Promise<Ends> {
  const [client, server] = await users(`h-${kind}`);
  const machine = await namespace(`h-${kind}-m`);
  await veth(
    { ns: machine, dev: 'ul', address: '192.0.2.1/24' },
    { ns: machine, dev: 'ul-far', address: '192.0.2.9/24' },
  );
  await ip(machine, 'addr add 192.0.2.2/24 dev ul');
  await gtp(machine, linkAdd(1, client, kind));
  await gtp(machine, linkAdd(2, server, kind));
  return { client, server, address: '10.9.0.2' };
}

async function wire(kind: Kind, words = ''): Promise<Ends> {
  const label = `${words.charAt(0) || 'w'}-${kind}`;
  const [[client, server], [m1, m2]] = [await users(label), await machines(label)];
  await gtp(m1, `${linkAdd(1, client, kind)} ${words}`.trim());
  await gtp(m2, `${linkAdd(2, server, kind)} ${words}`.trim());
  return { client, server, address: '10.9.0.2' };
}

/** `wire`, and a third machine that reaches the server's by another device. */
export async function floodedWire(): Promise<FloodedEnds> {
  const [[client, server], [m1, m2]] = [await users('flood'), await machines('flood')];
  const flooder = await namespace('flood-m3');
  await veth({ ns: flooder, dev: 'fl', address: '198.51.100.1/24' }, { ns: m2, dev: 'fl', address: '198.51.100.2/24' });
  await ip(flooder, 'route add 192.0.2.2/32 via 198.51.100.2');
  await gtp(m1, linkAdd(1, client, 'gtp'));
  await gtp(m2, `${linkAdd(2, server, 'gtp')} dev ul dev fl`);
  return { client, server, address: '10.9.0.2', flooder, machine: m2, local: '192.0.2.2' };
}

const IDS = {
  gtp: (own: number, far: number) => `local-teid ${own} remote-teid ${far}`,
  gre: () => 'key 7',
  gretap: () => 'key 7',
  geneve: () => 'vni 7 noudpcsum',
  vxlan: () => 'vni 7',
  l2tp: (own: number, far: number) => `session_id ${own} peer_session_id ${far} noudpcsum`,
} as const;
type Kind = keyof typeof IDS;

function linkAdd(own: 1 | 2, user: string, kind: Kind): string {
  const far = 3 - own;
  const session = `${IDS[kind](100 + own, 100 + far)} remote 192.0.2.${far}`;
  return `link add ${kind}${own} type ${kind} local 192.0.2.${own} netns ${user} address 10.9.0.${own}/24 ${session}`;
}
