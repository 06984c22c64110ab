// SPDX-License-Identifier: MIT
// What tshark reads in packets of every kind, field by field.
import test, { type ExecutionContext } from 'ava';
import { transfer } from '../agent';
import { capture } from '../capture';
import { addressStats, closeFixture, linkStats, scratch, sharing } from '../fixture';
import { dropped } from '../records';
import { must, within } from '../run';
import { type Family, inner, keptMachines, outer, ping, type TwoMachines, twoMachines } from '../topology';
import { complaints, type dissect, dissectWith } from '../tshark';
import {
  addEnd,
  familiesOf,
  type Kind,
  kindOf,
  LINK,
  OPTIONS,
  type TunnelType,
  titleOf,
  unequalCookies,
} from '../tunnel-kinds';

test.after.always(closeFixture);

const inMachines = sharing(twoMachines, keptMachines);

/** Fields that each packet of one direction has, and the field that counts up. */
interface Way {
  readonly fields: Readonly<Record<string, string>>;
  readonly numbers?: string | undefined;
  /** Of L2TP: octets of the cookie, and whether there is a sublayer. */
  readonly cookie?: 0 | 4 | 8;
  readonly sublayer?: boolean;
}

interface Case {
  readonly kind: Kind;
  readonly ways: readonly [Way, Way];
  /** More words for the links. */
  readonly more?: string;
}

const same = (fields: Readonly<Record<string, string>>, numbers?: string): readonly [Way, Way] => [
  { fields, numbers },
  { fields, numbers },
];

const plainUdp = { 'udp.checksum.status': '3' } as const;
const summedUdp = { 'udp.checksum.status': '1' } as const;
const greBits = (proto: string, bits: string, more: Record<string, string> = {}): Record<string, string> => ({
  'gre.proto': proto,
  'gre.flags_and_version': bits,
  ...more,
});
const frame = '0x6558';

const greCases = (['gre', 'gretap'] as const).flatMap((type): Case[] => {
  const has = (bits: string, more: Record<string, string> = {}): Record<string, string> =>
    type === 'gretap' ? greBits(frame, bits, more) : { 'gre.flags_and_version': bits, ...more };
  const numbers = 'gre.sequence_number';
  return [
    { kind: kindOf(type), ways: same(has('0x0000')) },
    { kind: kindOf(type, 'with a key'), ways: same(has('0x2000', { 'gre.key': '0xc0a80107' })) },
    {
      kind: kindOf(type, 'with a key each way'),
      ways: [
        { fields: has('0x2000', { 'gre.key': '0xffffffff' }) },
        { fields: has('0x2000', { 'gre.key': '0x00000005' }) },
      ],
    },
    { kind: kindOf(type, 'with checksums'), ways: same(has('0x8000', { 'gre.checksum.status': '1' })) },
    { kind: kindOf(type, 'with numbers'), ways: same(has('0x1000'), numbers) },
    {
      kind: kindOf(type, 'with everything'),
      ways: same(has('0xb000', { 'gre.key': '0x00000007', 'gre.checksum.status': '1' }), numbers),
    },
  ];
});

const genevePlain = {
  'geneve.version': '0',
  'geneve.flags': '0x00',
  'geneve.reserved': '0x00',
  'geneve.proto_type': frame,
  'udp.dstport': '6081',
};
const geneveCases: readonly Case[] = [
  { kind: kindOf('geneve'), ways: same({ ...genevePlain, ...summedUdp, 'geneve.vni': '0x000064' }) },
  {
    kind: kindOf('geneve', 'with options'),
    ways: same({
      ...genevePlain,
      ...summedUdp,
      'geneve.vni': '0xabcdef',
      'geneve.options': OPTIONS,
      'geneve.flags.critical': '0',
    }),
  },
  { kind: kindOf('geneve', 'with noudpcsum'), ways: same({ ...genevePlain, ...plainUdp, 'geneve.vni': '0xffffff' }) },
  { kind: kindOf('geneve', 'with udpcsum'), ways: same({ ...genevePlain, ...summedUdp, 'geneve.vni': '0x000001' }) },
];

const vxlanPlain = { 'vxlan.flags': '0x0800', 'vxlan.reserved8': '0', 'udp.dstport': '4789' };
const vxlanCases: readonly Case[] = [
  { kind: kindOf('vxlan'), ways: same({ ...vxlanPlain, 'vxlan.vni': '11259375' }) },
  { kind: kindOf('vxlan', 'with udpcsum'), ways: same({ ...vxlanPlain, ...summedUdp, 'vxlan.vni': '100' }) },
  { kind: kindOf('vxlan', 'with noudpcsum'), ways: same({ ...vxlanPlain, ...plainUdp, 'vxlan.vni': '100' }) },
];

const cookied = (value: string, cookie: 0 | 4 | 8, sid: string): Way => ({
  fields: { 'l2tp.sid': sid, ...(cookie === 0 ? {} : { 'l2tp.cookie': value }), 'l2tp.l2_spec_s': '0' },
  cookie,
  sublayer: true,
});
const sids = ['0xfedcba98', '0x00000101'] as const;
const bothSids = (make: (sid: string) => Way): readonly [Way, Way] => [make(sids[0]), make(sids[1])];

const l2tpCases: readonly Case[] = ['', 'by IP'].flatMap((suffix): Case[] => {
  const kind = (title: string): Kind => kindOf('l2tp', `${title} ${suffix}`.trim());
  return [
    { kind: kind(''), ways: bothSids((sid) => cookied('', 0, sid)) },
    {
      kind: kind('without a sublayer'),
      ways: bothSids((sid) => ({ fields: { 'l2tp.sid': sid }, cookie: 0, sublayer: false })),
    },
    {
      kind: kind('with cookies of 8 octets'),
      ways: [cookied('0102030405060708', 8, sids[0]), cookied('f1f2f3f4f5f6f7f8', 8, sids[1])],
    },
    {
      kind: kind('with cookies of 4 octets'),
      ways: [cookied('11223344', 4, sids[0]), cookied('55667788', 4, sids[1])],
    },
    {
      kind: kind('with numbers'),
      ways: bothSids((sid) => ({
        fields: { 'l2tp.sid': sid, 'l2tp.l2_spec_s': '1' },
        numbers: 'l2tp.l2_spec_sequence',
        cookie: 0,
        sublayer: true,
      })),
    },
  ];
});

const unequalCases: readonly Case[] = unequalCookies.map((kind) => ({
  kind,
  ways: [
    cookied('0102030405060708', 8, sids[0]),
    kind.title.includes('none') ? cookied('', 0, sids[1]) : cookied('55667788', 4, sids[1]),
  ],
}));

const vlanCases: readonly Case[] = [
  { kind: kindOf('vlan', '802.1Q'), ways: same({ 'vlan.id': '5', 'vlan.priority': '0' }) },
  { kind: kindOf('vlan', '802.1ad'), ways: same({ 'ieee8021ad.id': '4094', 'ieee8021ad.priority': '0' }) },
];

const cases: readonly Case[] = [
  ...greCases,
  ...geneveCases,
  ...vxlanCases,
  ...l2tpCases,
  ...unequalCases,
  ...vlanCases,
];

/** Those with most to read; test/bpf has every field of every kind, octet by octet. */
const isTelling = ({ type, title }: Kind): boolean =>
  type === 'vlan' || /each way|everything|options|with udpcsum|sublayer$|cookie of|8 octets by IP/.test(title);

for (const each of cases.filter(({ kind }) => isTelling(kind)))
  for (const family of familiesOf(each.kind))
    test.serial(
      `${titleOf(each.kind, family)}: every field is right and tshark has nothing to complain about`,
      inMachines(async (t, m) => {
        const file = await recorded(m, each.kind, family, each.more);
        for (const way of [0, 1] as const) await judged(t, file, each, family, way);
      }),
    );

test.serial(
  'geneve with a critical option: the C bit is set, and an end that does not know the option drops it (N3)',
  inMachines(async (t, m) => {
    const words = 'vni 100 opt 0102:81:00112233 opt 0102:01:';
    const kind: Kind = { ...kindOf('geneve'), words: [words, 'vni 100'] };
    const seen = await capture(m.m2, 'ul', `${scratch}/critical.pcap`, 'udp dst port 6081');
    await addEnd(m, kind, 4, 0);
    await addEnd(m, kind, 4, 1);
    t.is(await ping(m.ue1, inner[4][1], 2, '-W', '0.2'), 0);
    await seen.stop();
    const fields = ['geneve.flags.critical', 'geneve.options'] as const;
    const list = await dissectWith('-Y', `ip.src==${outer[4][0]}`)(seen.file, ...fields);
    t.true(list.length > 0);
    for (const packet of list) t.deepEqual(Object.values(packet), [['1'], ['010281010011223301020100']]);
    const drops = dropped(await addressStats(m.m2, outer[4][1], 6081));
    t.true((drops['unknown_option'] ?? 0) > 0);
    t.is((await linkStats(m.m2, LINK)).decap.packets, 0);
  }),
);

/** A capture of all that two users exchange, from the first packet of the sessions on. */
async function recorded(m: TwoMachines, kind: Kind, family: Family, more = ''): Promise<string> {
  // Else a capture has checksums that are not summed yet, and packets that are not cut.
  for (const ns of [m.m1, m.m2]) await must(within(ns, 'ethtool', '-K', 'ul', 'tx', 'off', 'tso', 'off', 'gso', 'off'));
  const seen = await capture(m.m2, 'ul', `${scratch}/fields.pcap`, kind.filter);
  await addEnd(m, kind, family, 0, more);
  await addEnd(m, kind, family, 1, more);
  for (const version of [4, 6] as const) {
    await ping(m.ue1, inner[version][1], 2);
    const { equal } = await transfer({ from: m.ue1, to: m.ue2, address: inner[version][1], size: 200_001 });
    if (!equal) throw new Error('TCP did not arrive whole');
  }
  await seen.stop();
  return seen.file;
}

const COOKIES = { 0: 'None', 4: '4 Byte Cookie', 8: '8 Byte Cookie' } as const;

function wordsFor(type: TunnelType, { cookie = 0, sublayer = false }: Way): string[] {
  if (type !== 'l2tp') return ['-o', 'udp.ignore_ipv6_zero_checksum:TRUE'];
  const specific = sublayer ? 'Default L2-Specific' : 'None';
  const decode = ['-d', 'l2tp.pw_type==0,eth'];
  return [...decode, '-o', `l2tp.cookie_size:${COOKIES[cookie]}`, '-o', `l2tp.l2_specific:${specific}`];
}

async function judged(t: ExecutionContext, file: string, each: Case, family: Family, way: 0 | 1): Promise<void> {
  const { kind } = each;
  const want = each.ways[way];
  const name = family === 4 ? 'ip' : 'ipv6';
  const chosen = kind.type === 'vlan' ? [] : ['-Y', `${name}.src==${outer[family][way]}`];
  const read = dissectWith(...wordsFor(kind.type, want), ...chosen);
  t.deepEqual(await complaints(file, read), []);
  const fields = Object.keys(want.fields);
  const list = await read(file, ...fields, ...(want.numbers === undefined ? [] : [want.numbers]));
  t.true(list.length > (way === 0 ? 250 : 10), `${list.length} packets`);
  for (const field of fields) {
    const values = [...new Set(list.map((packet) => packet[field]?.[0]))];
    t.deepEqual(values, [want.fields[field]], field);
  }
  if (want.numbers !== undefined) {
    const numbers = list.map((packet) => Number(packet[want.numbers ?? '']?.[0]));
    t.deepEqual(
      numbers.sort((a, b) => a - b),
      numbers.map((_, at) => at),
      'from 0 on, none left out',
    );
  }
  if (kind.type !== 'vlan') await outerHeader(t, file, name, chosen);
  await insides(t, read, file);
}

async function outerHeader(t: ExecutionContext, file: string, name: 'ip' | 'ipv6', chosen: string[]): Promise<void> {
  const fields = name === 'ip' ? ['ip.ttl', 'ip.dsfield.dscp', 'ip.flags.df'] : ['ipv6.hlim', 'ipv6.tclass.dscp'];
  const wanted = name === 'ip' ? ['64', '0', '1'] : ['64', '0'];
  const list = await dissectWith(...chosen)(file, ...fields);
  for (const [at, field] of fields.entries())
    t.deepEqual([...new Set(list.map((packet) => packet[field]?.[0]))], [wanted[at]], `outer ${field}`);
}

/** TCP, ping and their like of both families are inside. */
async function insides(t: ExecutionContext, read: typeof dissect, file: string): Promise<void> {
  const list = await read(file, 'frame.protocols');
  const inside = new Set(list.map((packet) => (packet['frame.protocols'][0] ?? '').split(':').slice(-2).join(':')));
  for (const wanted of ['ip:tcp', 'ipv6:tcp', 'icmp:data', 'icmpv6:data'])
    t.true(inside.has(wanted), `${wanted} among ${[...inside].join(' ')}`);
}
