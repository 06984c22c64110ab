// SPDX-License-Identifier: MIT
import type { ExecutionContext } from 'ava';
import { sessions } from '../fixture';
import { dropped } from '../records';
import { failuresOf, joinAll } from './joints';
import { type Kernel, quickKernels } from './kernels';
import { type Case, l2tp, made, type Tunnel } from './kinds';
import { siteOf } from './sites';
import type { Beside } from './topology';

const site = siteOf(0);
const v4 = (words: string, theirWords: string): Case => made(site, 4, words, theirWords);
const v6 = (words: string, theirWords: string): Case => made(site, 6, words, theirWords);

const GENEVE: readonly Case[] = [
  v4('geneve vni 1', 'geneve id 1'),
  v4('geneve vni 16777215 noudpcsum', 'geneve id 16777215 udpcsum'),
  v4('geneve vni 2 opt 0102:03:aabbccdd opt ffff:7f:0011223344556677', 'geneve id 2 ttl 7 tos 0x10'),
  v6('geneve vni 1', 'geneve id 1'),
  v6('geneve vni 2 port 6082 dstport 6082 noudpcsum', 'geneve id 2 dstport 6082 udp6zerocsumtx udp6zerocsumrx'),
  {
    title: 'IPv4: geneve without Ethernet, on a link of packets',
    link: `type gre local ${site.ends[4][0]}`,
    session: `type geneve vni 3 payload ip remote ${site.ends[4][1]}`,
    theirs: [`link add DEV type geneve id 3 remote ${site.ends[4][0]} innerprotoinherit`],
  },
];

const VXLAN: readonly Case[] = [
  v4('vxlan vni 1', 'vxlan id 1 dstport 4789'),
  v4('vxlan vni 2 udpcsum', 'vxlan id 2 dstport 4789 udpcsum'),
  v6('vxlan vni 3', 'vxlan id 3 dstport 4789'),
];

/** Over IPv6 their packets have a tunnel encapsulation limit unless told otherwise (R8). */
const GRE: readonly Case[] = [
  v4('gre', 'gre'),
  v4('gre key 1', 'gre key 1'),
  v4('gre ikey 0xfffffffe okey 3', 'gre okey 4294967294 ikey 3'),
  v4('gre key 4 csum', 'gre key 4 csum'),
  v4('gre key 5 csum iseq oseq', 'gre key 5 csum seq'),
  v4('gretap', 'gretap'),
  v4('gretap key 1', 'gretap key 1'),
  v4('gretap key 6 csum iseq oseq', 'gretap key 6 csum seq'),
  v6('gre', 'ip6gre'),
  v6('gre key 1', 'ip6gre key 1 encaplimit none'),
  v6('gre key 2 csum iseq oseq', 'ip6gre key 2 csum seq'),
  v6('gretap', 'ip6gretap'),
  v6('gretap key 1 csum', 'ip6gretap key 1 csum encaplimit none'),
];

const VLAN: readonly Case[] = [
  { title: 'vlan', link: 'type vlan dev ul id 5', theirs: ['link add link ul name DEV type vlan id 5'] },
  {
    title: 'vlan 802.1ad',
    link: 'type vlan dev ul id 4094 protocol 802.1ad',
    theirs: ['link add link ul name DEV type vlan protocol 802.1ad id 4094'],
  },
];

const udp4: Tunnel = { id: 1, family: 4, encap: 'udp' };
const other4: Tunnel = { id: 2, family: 4, encap: 'udp', ports: [1702, 1703], words: 'udp_csum on' };
const ip4: Tunnel = { id: 3, family: 4, encap: 'ip' };
const udp6: Tunnel = { id: 4, family: 6, encap: 'udp' };
const zero6: Tunnel = {
  id: 5,
  family: 6,
  encap: 'udp',
  ports: [1704, 1704],
  words: 'udp6_csum_tx off udp6_csum_rx off',
};
const ip6: Tunnel = { id: 6, family: 6, encap: 'ip' };
const [a4, b4, a8, b8] = ['00112233', 'aabbccdd', '0011223344556677', '8899aabbccddeeff'];

/** Either end sends what it calls `cookie`, and expects what it calls `peer_cookie` (L4). */
const L2TP: readonly Case[] = [
  l2tp(site, udp4, 11, '', ''),
  l2tp(site, udp4, 12, `cookie ${a4} peer_cookie ${b4}`, `cookie ${b4} peer_cookie ${a4}`),
  l2tp(site, udp4, 13, `cookie ${a8} l2spec_type none`, `peer_cookie ${a8} l2spec_type none`),
  l2tp(site, other4, 21, `peer_cookie ${a4} cookie ${b8} seq both`, `cookie ${a4} peer_cookie ${b8} seq both`),
  l2tp(site, ip4, 31, 'l2spec_type none', 'l2spec_type none'),
  l2tp(site, ip4, 32, `cookie ${a8} peer_cookie ${b8}`, `cookie ${b8} peer_cookie ${a8}`),
  l2tp(site, ip4, 33, `cookie ${a4} peer_cookie ${b8} seq send`, `cookie ${b8} peer_cookie ${a4} seq recv`),
  l2tp(site, udp6, 41, `cookie ${a4} peer_cookie ${b8}`, `cookie ${b8} peer_cookie ${a4}`),
  l2tp(site, udp6, 42, 'l2spec_type none', 'l2spec_type none'),
  l2tp(site, zero6, 51, `noudpcsum cookie ${a8} peer_cookie ${b4}`, `cookie ${b4} peer_cookie ${a8}`),
  l2tp(site, ip6, 61, '', ''),
  l2tp(site, ip6, 62, `cookie ${a8} peer_cookie ${b8} seq both`, `cookie ${b8} peer_cookie ${a8} seq both`),
];

/** An emulated kernel shows what the same release cannot as User Mode Linux. */
const casesOf = (kernel: Kernel): readonly Case[] => {
  const isShown = kernel.boots !== 'uml' && quickKernels.some(({ release }) => release === kernel.release);
  return [...(isShown ? [] : [...GENEVE, ...VXLAN, ...GRE, ...VLAN]), ...(kernel.l2tp ? L2TP : [])];
};

/** Tunnels of all kinds between users here and there. */
export async function carrying(t: ExecutionContext, world: Beside, kernel: Kernel): Promise<void> {
  const joints = await joinAll(world, site, casesOf(kernel));
  t.deepEqual(await failuresOf(world, joints), {});
  const ours = (await sessions(world.m1)).filter(({ dev }) => joints.some(({ link }) => link === dev));
  for (const { dev, stats } of ours) t.deepEqual(dropped(stats), {}, dev);
}
