// SPDX-License-Identifier: MIT
import { gtpIn } from '../fixture';
import { must, within } from '../run';
import { ends, type TwoMachines, twoMachines } from '../topology';

/** A command, and those that come before it; on m1 of `machines`. */
export interface Scenario {
  readonly before: (m: TwoMachines) => readonly string[];
  readonly command: (m: TwoMachines) => string;
}

/** Two machines; m1 has a second underlay `other` and a second address on `ul`. */
export async function machines(): Promise<TwoMachines> {
  const m = await twoMachines();
  const lines = [
    'link add other type veth peer name far',
    ...['addr add 2001:db8:9::1/64 dev other nodad', 'addr add 192.0.2.11/24 dev ul'],
    ...['link set other up', 'link set far up'],
  ];
  await must(['ip', '-n', m.m1, '-b', '-'], { input: `${lines.join('\n')}\n` });
  // An inner end of frames would talk, and what is counted of that would count as a change.
  await must(within(m.ue1, 'sysctl', '-qw', 'net.ipv6.conf.default.addr_gen_mode=1'));
  await gtpIn(m.m1, 'link show'); // the fixture flushes where a gtp has been
  return m;
}

const there = '192.0.2.2';
const one = (m: TwoMachines): string =>
  `link add gtp0 local 192.0.2.1 netns ${m.ue1} address 10.45.0.1/24 ${ends(1, 2, there)} ue 10.45.0.1 name one`;
const three = `session add dev gtp0 ${ends(3, 4, there)} ue 10.45.0.3 ue 10.47.0.0/16 ue fd47::/64 name three`;
const zero = `session add dev gtp0 version 0 tid 3 remote ${there} ue 10.45.0.3`;
const own = `session add dev gtp0 ${ends(5, 6, '127.0.0.7')} local 127.0.0.5 ue 10.45.0.5`;

const frames = (m: TwoMachines): string =>
  `link add gtp0 type vxlan local 192.0.2.1 dev ul netns ${m.ue1} vni 1 remote ${there} from 10.0.0.1 to 10.0.0.2 name one`;
const mac = 'lladdr 02:00:00:00:00:2e';
const l2tp = `session add dev gtp0 type l2tp session_id 3 peer_session_id 4 remote ${there} cookie 00112233 peer_cookie 44556677 ue 10.45.0.3 ${mac} name three`;

/** A link that keeps programs and maps there while others come and go; to load them takes most of a first command's time. */
export const keeper = (m: TwoMachines): string => `link add keeper local 192.0.2.1 netns ${m.ue2} inner eth9`;

/** What fails or is killed at each of its steps. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  'link add, the first one': {
    before: () => [],
    command: (m) =>
      `link add gtp0 local 192.0.2.1 netns ${m.ue1} address 10.45.0.1/24 address fd45::1/64 route default ${ends(1, 2, there)} name one`,
  },
  'link add, the second one': {
    before: (m) => [one(m)],
    command: (m) => `link add gtp1 local 192.0.2.1 netns ${m.ue2} address 10.46.0.1/24 vrf 77`,
  },
  'link add towards this machine': {
    before: (m) => [one(m)],
    command: (m) => `link add gtp1 local 127.0.0.1 netns ${m.ue2} ${ends(1, 2, '127.0.0.2')}`,
  },
  'link add on another underlay': {
    before: (m) => [one(m)],
    command: (m) => `link add gtp1 local 2001:db8:9::1 dev other netns ${m.ue2} xdp on`,
  },
  'link set local and port': {
    before: (m) => [one(m), three],
    command: () => 'link set gtp0 local 192.0.2.11 port 2153',
  },
  'link set dev and xdp': { before: (m) => [one(m)], command: () => 'link set gtp0 dev other xdp on' },
  'link set xdp off': {
    before: (m) => [one(m), 'link set gtp0 dev other xdp on'],
    command: () => 'link set gtp0 xdp off',
  },
  'link set role, ttl, tos and echo': {
    before: (m) => [one(m), three],
    command: () => 'link set gtp0 role sgsn ttl 9 tos 8 echo off deliver bulk',
  },
  'link set down, mtu, lladdr, address and route': {
    before: (m) => [one(m)],
    command: () =>
      'link set gtp0 down mtu 1300 lladdr 02:00:00:00:00:77 address 10.99.0.1/24 address fd99::1/64 route 10.98.0.0/16',
  },
  'link set vrf': {
    before: (m) => [`${one(m)} address fd45::1/64 route 10.98.0.0/16 route fd98::/64`],
    command: () => 'link set gtp0 vrf 77 address 10.99.0.1/24',
  },
  'session add': { before: (m) => [one(m)], command: () => three },
  'session add with a local address of its own': { before: (m) => [one(m)], command: () => own },
  'session change': {
    before: (m) => [one(m), three],
    command: () => 'session change dev gtp0 local-teid 3 remote-teid 9 ue 10.45.0.3 ue 10.48.0.0/16 qfi 5 name drei',
  },
  'session change of the far end': {
    before: (m) => [one(m), three],
    command: () => 'session change dev gtp0 local-teid 3 remote-teid 9 remote 192.0.2.77 ue 10.45.0.3',
  },
  'session change of its only ue': {
    before: (m) => [one(m), `session add dev gtp0 ${ends(3, 4, there)} ue 10.45.0.3`],
    command: () => 'session change dev gtp0 local-teid 3 ue 10.45.0.9',
  },
  'session add to a TEID that another sends to': {
    before: (m) => [one(m)],
    command: () => `session add dev gtp0 ${ends(3, 2, there)} ue 10.45.0.3`,
  },
  'session del of the one that an Error Indication means': {
    before: (m) => [one(m), `session add dev gtp0 ${ends(3, 2, there)} ue 10.45.0.3`],
    command: () => 'session del dev gtp0 local-teid 1',
  },
  'session add of version 0': { before: (m) => [one(m)], command: () => zero },
  'session del of version 0': { before: (m) => [one(m), zero], command: () => 'session del dev gtp0 tid 3' },
  'link add with an inner end that stays here': {
    before: (m) => [one(m)],
    command: () => 'link add gtp1 local 192.0.2.1',
  },
  'session replace': {
    before: (m) => [one(m), three],
    command: () => `session replace dev gtp0 ${ends(3, 4, there)} ue fd48::/64`,
  },
  'session del': { before: (m) => [one(m), three], command: () => 'session del dev gtp0 local-teid 3' },
  'session del of one with a local address of its own': {
    before: (m) => [one(m), own],
    command: () => 'session del dev gtp0 local 127.0.0.5 local-teid 5',
  },
  'link add of type vlan': {
    before: (m) => [keeper(m)],
    command: (m) => `link add gtp0 type vlan dev ul netns ${m.ue1} id 100 ue 10.46.0.0/16`,
  },
  'session add of l2tp on a link of packets': { before: (m) => [one(m)], command: () => l2tp },
  'session del of l2tp on a link of packets': {
    before: (m) => [one(m), l2tp],
    command: () => 'session del dev gtp0 session_id 3',
  },
  'session add on a link of frames': {
    before: (m) => [frames(m)],
    command: () => `session add dev gtp0 vni 3 remote ${there} ${mac} ue 10.0.0.3 from 10.0.0.3 to 10.0.0.4`,
  },
  'session change of the remote in the key': {
    before: (m) => [frames(m), `session add dev gtp0 vni 3 remote ${there} ${mac} name three`],
    command: () => 'session change dev gtp0 vni 3 remote 192.0.2.77 ttl 9 name drei',
  },
  'session change of what stands in details': {
    before: (m) => [one(m), l2tp],
    command: () => 'session change dev gtp0 session_id 3 cookie 0011223344556677 encap ip',
  },
  'session del on a link of frames': {
    before: (m) => [frames(m), `session add dev gtp0 vni 3 remote ${there} ${mac}`],
    command: () => 'session del dev gtp0 vni 3',
  },
  'session flush': { before: (m) => [one(m), three, own], command: () => 'session flush dev gtp0' },
};

/** Those that cannot be undone: after their first step there is only the way ahead. */
export const removals: Readonly<Record<string, Scenario>> = {
  'link del': {
    before: (m) => [keeper(m), one(m), three],
    command: () => 'link del gtp0',
  },
  'link del of the last one': { before: (m) => [one(m), own], command: () => 'link del gtp0' },
};
