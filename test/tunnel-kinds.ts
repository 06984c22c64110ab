// SPDX-License-Identifier: MIT
import { gtpIn } from './fixture';
import { dropped, type Stats } from './records';
import { type Family, type OneMachine, outer, ownAddresses, type TwoMachines, user } from './topology';

export type TunnelType = 'gtp' | 'gre' | 'gretap' | 'geneve' | 'vxlan' | 'l2tp' | 'vlan';

/** A kind of session with certain words, between two links of its type. */
export interface Kind {
  readonly type: TunnelType;
  /** What stands in titles beside the type. */
  readonly title: string;
  /** The words of the session at m1 and at m2, without `remote`. */
  readonly words: readonly [string, string];
  /** Octets between the outer IP header and the inner packet; those of frames include their Ethernet header. */
  readonly octets: number;
  /** What a pcap filter calls these packets. */
  readonly filter: string;
}

/** The name of the link at both ends. */
export const LINK = 't0';

/** The families of the outer header to test a kind over: one or the other by turns, `all` of them the plain ones; a VLAN has none. */
export function familiesOf(kind: Kind, all?: 'all'): readonly Family[] {
  if (kind.type === 'vlan') return [4];
  if (all !== undefined && plainKinds.includes(kind)) return [4, 6];
  return kinds.indexOf(kind) % 2 === 0 ? [4] : [6];
}

/** Whether links of this type carry Ethernet frames. */
export const carriesFrames = (type: TunnelType): boolean => type !== 'gtp' && type !== 'gre';

/** What the inner end has to get as its MTU over a wire of 1500 octets. */
export const mtuOver = ({ type, octets }: Kind, family: Family): number =>
  type === 'vlan' ? 1500 : 1500 - (family === 4 ? 20 : 40) - octets;

/** Whether its packets have numbers that the receiver looks at. */
export const hasNumbers = ({ title }: Pick<Kind, 'title'>): boolean => /numbers|everything/.test(title);

/** What was dropped, but for a few of numbered packets: two that two CPUs send at once may pass each other, and who wants their order drops one (R5). */
export function faultsOf({ title }: Pick<Kind, 'title'>, stats: Stats): Record<string, number> {
  const { out_of_order = 0, ...others } = dropped(stats);
  return hasNumbers({ title }) && out_of_order < 10 ? others : dropped(stats);
}

/** A kind in the words of a title. */
export const titleOf = ({ type, title }: Kind, family?: Family): string =>
  [type, title, family === undefined || type === 'vlan' ? '' : `over IPv${family}`].filter(Boolean).join(' ');

const both = (words: string): readonly [string, string] => [words, words];

const gre = (type: 'gre' | 'gretap', title: string, words: readonly [string, string], octets: number): Kind => ({
  type,
  title,
  words,
  octets: octets + (type === 'gretap' ? 14 : 0),
  filter: 'proto 47',
});

const greKinds = (type: 'gre' | 'gretap'): readonly Kind[] => [
  gre(type, '', both(''), 4),
  gre(type, 'with a key', both('key 0xc0a80107'), 8),
  gre(type, 'with a key each way', ['ikey 5 okey 0xffffffff', 'ikey 0xffffffff okey 5'], 8),
  gre(type, 'with checksums', both('csum'), 8),
  gre(type, 'with numbers', both('iseq oseq'), 8),
  gre(type, 'with everything', both('key 7 csum iseq oseq'), 16),
];

const udpKind = (type: 'geneve' | 'vxlan', title: string, words: string, more = 0, port = 0): Kind => ({
  type,
  title,
  words: both(words),
  octets: 8 + 8 + more + 14,
  filter: `udp dst port ${port || (type === 'geneve' ? 6081 : 4789)}`,
});

/** The options of the kind below, as they go on the wire. */
export const OPTIONS = '0102210112345678fff0060211223344aabbccdd';

const optionWords = 'opt 0102:21:12345678 opt fff0:06:11223344aabbccdd';

const geneveKinds: readonly Kind[] = [
  udpKind('geneve', '', 'vni 100'),
  udpKind('geneve', 'with options', `vni 0xabcdef ${optionWords}`, 20),
  udpKind('geneve', 'with udpcsum', 'vni 1 udpcsum'),
  udpKind('geneve', 'with noudpcsum', 'vni 0xffffff noudpcsum'),
  udpKind('geneve', 'with another port', 'vni 100 port 7000 dstport 7000', 0, 7000),
];

const vxlanKinds: readonly Kind[] = [
  udpKind('vxlan', '', 'vni 0xabcdef'),
  udpKind('vxlan', 'with udpcsum', 'vni 100 udpcsum'),
  udpKind('vxlan', 'with noudpcsum', 'vni 100 noudpcsum'),
  udpKind('vxlan', 'with another port', 'vni 100 port 8472 dstport 8472', 0, 8472),
];

const ids = (words = ''): readonly [string, string] => [
  `session_id 0x101 peer_session_id 0xfedcba98 ${words}`.trim(),
  `session_id 0xfedcba98 peer_session_id 0x101 ${words}`.trim(),
];

const cookies = (own: string, peer: string): readonly [string, string] => {
  const [a, b] = ids();
  const word = (name: string, value: string): string => (value === '' ? '' : ` ${name} ${value}`);
  return [
    `${a}${word('cookie', own)}${word('peer_cookie', peer)}`,
    `${b}${word('cookie', peer)}${word('peer_cookie', own)}`,
  ];
};

/** `octets`: of cookie and sublayer, where it is the same both ways; else the larger. */
const l2tp = (title: string, words: readonly [string, string], octets: number, port = 1701): Kind => ({
  type: 'l2tp',
  title,
  words,
  octets: 16 + octets + 14,
  filter: `udp port ${port}`,
});

const overIp = (kind: Kind): Kind => ({
  ...kind,
  title: `${kind.title} by IP`.trim(),
  words: [`${kind.words[0]} encap ip`, `${kind.words[1]} encap ip`],
  octets: kind.octets - 12,
  filter: 'proto 115',
});

const l2tpPlain: readonly Kind[] = [
  l2tp('', ids(), 4),
  l2tp('without a sublayer', ids('l2spec_type none'), 0),
  l2tp('with cookies of 8 octets', cookies('0102030405060708', 'f1f2f3f4f5f6f7f8'), 12),
  l2tp('with cookies of 4 octets', cookies('11223344', '55667788'), 8),
  l2tp('with numbers', ids('seq both'), 4),
];

const l2tpKinds: readonly Kind[] = [
  ...l2tpPlain,
  l2tp(
    'with other ports',
    [`${ids()[0]} udp_sport 5000 udp_dport 6000`, `${ids()[1]} udp_sport 6000 udp_dport 5000`],
    4,
    5000,
  ),
  ...l2tpPlain.map(overIp),
];

/** L2TP whose cookies differ in length: the octets are those that m1 sends. */
export const unequalCookies: readonly Kind[] = [
  l2tp('with a cookie of 8 octets there and 4 back', cookies('0102030405060708', '55667788'), 12),
  overIp(l2tp('with a cookie of 8 octets there and none back', cookies('0102030405060708', ''), 12)),
];

const vlanKinds: readonly Kind[] = [
  { type: 'vlan', title: '802.1Q', words: both('id 5'), octets: 4, filter: 'vlan' },
  { type: 'vlan', title: '802.1ad', words: both('id 4094 protocol 802.1ad'), octets: 4, filter: 'vlan' },
];

/** Every kind with its words. */
export const kinds: readonly Kind[] = [
  ...greKinds('gre'),
  ...greKinds('gretap'),
  ...geneveKinds,
  ...vxlanKinds,
  ...l2tpKinds,
  ...vlanKinds,
];

/** The first of each type, and L2TP over IP. */
export const plainKinds: readonly Kind[] = kinds.filter(({ title }) => ['', 'by IP', '802.1Q'].includes(title));

/** One kind by type and title. */
export function kindOf(type: TunnelType, title = ''): Kind {
  const found = kinds.find((each) => each.type === type && each.title === title);
  if (found === undefined) throw new Error(`no kind ${type} ${title}`);
  return found;
}

/** Joins ue1 and ue2 of two machines by a session of a kind; more words for both ends. */
export async function joinKind(m: TwoMachines, kind: Kind, family: Family, more = ''): Promise<void> {
  await Promise.all([addEnd(m, kind, family, 0, more), addEnd(m, kind, family, 1, more)]);
}

/** The link of m1 (0) or m2 (1) with its session. */
export function addEnd(m: TwoMachines, kind: Kind, family: Family, which: 0 | 1, more = ''): Promise<string> {
  const [machine, ue] = which === 0 ? [m.m1, m.ue1] : [m.m2, m.ue2];
  const [local, remote] = [outer[family][which], outer[family][1 - which]];
  const way = kind.type === 'vlan' ? 'dev ul' : `local ${local} remote ${remote}`;
  const words = `${way} netns ${ue} ${user(which)} ${kind.words[which]} ${more}`;
  return gtpIn(machine, `link add ${LINK} type ${kind.type} ${words.trim()}`);
}

/** Joins ue1 and ue2 of one machine: t1 on the address .1 and t2 on .11. */
export async function joinOnOne(m: OneMachine, kind: Kind, family: Family, more = ''): Promise<void> {
  const [a, b] = ownAddresses[family];
  const add = (name: string, local: string, remote: string, rest: string): Promise<string> =>
    gtpIn(m.m1, `link add ${name} type ${kind.type} local ${local} remote ${remote} ${rest} ${more}`.trim());
  await add('t1', a, b, `netns ${m.ue1} ${user(0)} ${kind.words[0]}`);
  await add('t2', b, a, `netns ${m.ue2} ${user(1)} ${kind.words[1]}`);
}
