// SPDX-License-Identifier: MIT
import type { ExecutionContext } from 'ava';
import { gtpIn, sessions } from '../fixture';
import { dropped, type PathRecord } from '../records';
import { joinAll, type Ping, pings } from './joints';
import type { Kernel } from './kernels';
import { type Case, l2tp, made, type Tunnel } from './kinds';
import { openSite, siteOf } from './sites';
import type { Beside } from './topology';

const site = siteOf(4);
const udp: Tunnel = { id: 41, family: 4, encap: 'udp', ports: [1701, 1741] };
const ip: Tunnel = { id: 42, family: 6, encap: 'ip' };
const [right, wrong] = ['0011223344556677', '0011223344556670'];

/** What their packets are dropped for, and at which type and port of our address where they name no session. */
type Stranger = Case & { readonly reason: string; readonly at?: readonly [type: string, port: number | null] };
type EndpointRecord = Omit<PathRecord, 'port'> & { readonly type: string | null; readonly port: number | null };

/** As given, but our session is with somebody else. */
const withOther = (each: Case): Case => ({
  ...each,
  title: `${each.title}, with another peer`,
  link: each.link.replace(/ remote \S+/, ' remote 192.0.2.99'),
});

const LINK: readonly Stranger[] = [
  { reason: 'unknown_vni', at: ['geneve', 6081], ...made(site, 4, 'geneve vni 41', 'geneve id 42') },
  { reason: 'unknown_vni', at: ['vxlan', 4789], ...made(site, 4, 'vxlan vni 41', 'vxlan id 42 dstport 4789') },
  {
    reason: 'unknown_vni',
    at: ['vxlan', 4789],
    ...withOther(made(site, 4, 'vxlan vni 43', 'vxlan id 43 dstport 4789')),
  },
  { reason: 'unknown_key', at: ['gre', null], ...made(site, 4, 'gre key 1', 'gre key 2') },
  { reason: 'unknown_key', at: ['gre', null], ...made(site, 4, 'gre key 3', 'gre') },
  { reason: 'unknown_key', at: ['gre', null], ...made(site, 4, 'gre key 4', 'gretap key 4') },
  { reason: 'unknown_key', at: ['gre', null], ...made(site, 6, 'gre ikey 5 okey 6', 'ip6gre ikey 5 okey 6') },
  { reason: 'no_sequence', ...made(site, 4, 'gre key 7 iseq', 'gre key 7') },
];

const L2TP: readonly Stranger[] = [
  { reason: 'bad_cookie', ...l2tp(site, udp, 411, `peer_cookie ${right}`, `cookie ${wrong}`) },
  { reason: 'bad_cookie', ...l2tp(site, udp, 412, `peer_cookie ${right}`, 'cookie 00112233') },
  { reason: 'wrong_peer', ...withOther(l2tp(site, udp, 415, '', '')) },
  { reason: 'no_sequence', ...l2tp(site, udp, 413, 'seq recv', '') },
  { reason: 'unknown_session', at: ['l2tp', 1701], ...l2tp(site, udp, 414, '', 'peer_session_id 77') },
  { reason: 'bad_cookie', ...l2tp(site, ip, 421, `peer_cookie ${right}`, `cookie ${wrong}`) },
  { reason: 'unknown_session', at: ['l2tp', null], ...l2tp(site, ip, 422, '', 'peer_session_id 77') },
];

/** Packets with a wrong key, number or cookie. */
export async function strangers(t: ExecutionContext, world: Beside, kernel: Kernel): Promise<void> {
  await openSite(world, site);
  const cases = [...LINK, ...(kernel.l2tp ? L2TP : [])];
  const joints = await joinAll(world, site, cases);
  const requests = joints.map(({ users: [ours, theirs] }): Ping => [theirs[4], ours[4], 84]);
  const answers = await pings(world.guest.must, requests, 0.2);
  t.deepEqual(new Set(answers), new Set([0]), 'nobody is answered');

  const all = await sessions(world.m1);
  const endpoints = JSON.parse(await gtpIn(world.m1, '-j -s path show')) as EndpointRecord[];
  for (const [index, { title, reason, at, link }] of cases.entries()) {
    const session = all.find(({ dev }) => dev === joints[index]?.link);
    t.is(session?.stats.decap.packets, 0, title);
    const isAt = ({ local, remote, type, port }: EndpointRecord): boolean =>
      remote === null && type === at?.[0] && port === at?.[1] && link.includes(` local ${local} `);
    const place = at === undefined ? session : endpoints.find(isAt);
    t.true(place !== undefined && reason in dropped(place.stats), `${title}: ${JSON.stringify(place)}`);
  }
}
