// SPDX-License-Identifier: MIT
// L2TPv3 from a peer that bends the rules (L1 to L10): what is taken, what is left, what is dropped, by which name.
import test from 'ava';
import { closeFixture, sharing } from '../fixture';
import { type Family, keptMachines, twoMachines } from '../topology';
import { type Deviation, named, rawPeer, sessionDrops, tried, wanted } from '../tunnel-raw';

test.after.always(closeFixture);

const inMachines = sharing(twoMachines, keptMachines);
const drop = (reason: string) => ({ drop: reason }) as const;
const stranger = { 4: '192.0.2.99', 6: '2001:db8:2::99' } as const;
const ce = { 4: 'tos=3', 6: 'tc=3' } as const;

interface Over {
  readonly title: string;
  readonly words: string;
  /** A packet from what follows the session's header (hex), the word in front of the session ID (UDP only) and the ID. */
  packet(rest: string, session?: string, first?: string, udp?: string): Deviation['packet'];
  /** The same without a frame in it. */
  bare(hex: string): Deviation['packet'];
}

const overUdp: Over = {
  title: 'UDP',
  words: 'session_id 0x101 peer_session_id 2',
  packet:
    (rest, session = '00000101', first = '00030000', udp = 'sport=1701') =>
    (inner) =>
      `UDP(dport=1701,${udp})/plain('${first} ${session} ${rest}')/${inner}`,
  bare: (hex) => () => `UDP(sport=1701,dport=1701)/plain('00030000 ${hex}')`,
};

const overIp: Over = {
  title: 'IP',
  words: 'encap ip session_id 0x101 peer_session_id 2',
  packet:
    (rest, session = '00000101') =>
    (inner) =>
      `plain('${session} ${rest}')/${inner}`,
  bare: (hex) => () => `plain('${hex}')`,
};

const sublayer = '00000000';

/** Those of both encapsulations, to a session without cookie and with the default sublayer. */
const common = (over: Over, family: Family): readonly Deviation[] =>
  (
    [
      { name: 'as agreed', packet: over.packet(sublayer), becomes: 'delivered' },
      { name: 'a number that nobody asked for', packet: over.packet('40000009'), becomes: 'delivered' },
      { name: 'an older number', packet: over.packet('40000001'), becomes: 'delivered' },
      { name: 'reserved bits of the sublayer', packet: over.packet('bf000000'), becomes: 'delivered' },
      { name: 'another session', packet: over.packet(sublayer, '00000102'), becomes: drop('unknown_session') },
      { name: 'another source', packet: over.packet(sublayer), from: stranger[family], becomes: drop('wrong_peer') },
      {
        name: 'thirteen octets',
        packet: over.bare(`00000101 ${sublayer} ${'ab'.repeat(13)}`),
        becomes: drop('bad_frame'),
      },
      { name: 'no sublayer', packet: over.bare('00000101 0000'), becomes: drop('bad_length') },
      { name: 'congestion marked', packet: over.packet(sublayer), ip: ce[family], becomes: drop('ecn') },
    ] satisfies readonly Deviation[]
  ).map((each) => withProtocol(each, over, family));

/** Those that only UDP makes possible. */
const udpAlone = (family: Family): readonly Deviation[] => [
  { name: 'a control message', packet: overUdp.packet(sublayer, '00000101', '80030000'), becomes: 'left' },
  { name: 'version 2', packet: overUdp.packet(sublayer, '00000101', '00020000'), becomes: 'left' },
  { name: 'a control message of version 2', packet: overUdp.packet(sublayer, '00000101', 'c8020014'), becomes: 'left' },
  { name: 'reserved bits', packet: overUdp.packet(sublayer, '00000101', '7ff3ffff'), becomes: 'delivered' },
  {
    name: 'another source port',
    packet: overUdp.packet(sublayer, '00000101', '00030000', 'sport=40000'),
    becomes: 'delivered',
  },
  {
    name: 'a wrong checksum',
    packet: overUdp.packet(sublayer, '00000101', '00030000', 'sport=1701,chksum=0x1234'),
    becomes: drop('bad_checksum'),
  },
  {
    name: 'no checksum',
    packet: overUdp.packet(sublayer, '00000101', '00030000', 'sport=1701,chksum=0'),
    becomes: family === 4 ? 'delivered' : drop('zero_checksum'),
  },
];

for (const family of [4, 6] as const) {
  for (const over of [overUdp, overIp]) {
    test.serial(
      `l2tp by ${over.title} over IPv${family}: every deviation is taken, left or dropped for its own reason, once`,
      inMachines(async (t, m) => {
        const raw = await rawPeer(m, 'l2tp', family, over.words);
        const ip: readonly Deviation[] = [
          { name: 'session 0 is control', packet: over.packet(sublayer, '00000000'), becomes: 'left' },
        ];
        const list = [
          ...common(over, family),
          ...(over.title === 'UDP' ? udpAlone(family) : ip.map((each) => withProtocol(each, over, family))),
        ];
        t.deepEqual(await tried(m.m1, raw, 'l2tp', list), wanted(list));
        t.like(await sessionDrops(m.m1), { wrong_peer: 1, ecn: 1, bad_frame: 1 });
      }),
    );

    for (const [octets, cookie] of [
      [4, '11223344'],
      [8, '1122334455667788'],
    ] as const)
      test.serial(
        `l2tp by ${over.title} over IPv${family}: a cookie of ${octets} octets is compared whole (L4)`,
        inMachines(async (t, m) => {
          const raw = await rawPeer(m, 'l2tp', family, `${over.words} peer_cookie ${cookie} l2spec_type none`);
          const flip = (at: number): string => {
            const changed = Buffer.from(cookie, 'hex');
            changed[at] = (changed[at] ?? 0) ^ 1;
            return changed.toString('hex');
          };
          const wrongs = Array.from(
            { length: octets },
            (_, at): Deviation => ({
              name: `octet ${at} differs`,
              packet: over.packet(flip(at)),
              becomes: drop('bad_cookie'),
            }),
          );
          const list = [
            { name: 'as agreed', packet: over.packet(cookie), becomes: 'delivered' } as const,
            ...wrongs,
            { name: 'none', packet: over.packet(''), becomes: drop('bad_cookie') },
            { name: 'backwards', packet: over.packet(reversed(cookie)), becomes: drop('bad_cookie') },
            { name: 'zero', packet: over.packet('00'.repeat(octets)), becomes: drop('bad_cookie') },
          ].map((each) => withProtocol(each, over, family));
          t.deepEqual(await tried(m.m1, raw, 'l2tp', list), wanted(list));
          t.deepEqual(await sessionDrops(m.m1), { bad_cookie: octets + 3 });
        }),
      );

    test.serial(
      `l2tp by ${over.title} over IPv${family} with seq recv: numbers must be there, and new (L6)`,
      inMachines(async (t, m) => {
        const raw = await rawPeer(m, 'l2tp', family, `${over.words} seq recv`);
        const numbered = (name: string, number: number, becomes: Deviation['becomes']): Deviation => ({
          name: `${name} ${number}`,
          packet: over.packet(`40${number.toString(16).padStart(6, '0')}`),
          becomes,
        });
        const list = [
          numbered('the first', 5, 'delivered'),
          numbered('the next', 6, 'delivered'),
          numbered('some later', 10, 'delivered'),
          numbered('again', 10, drop('out_of_order')),
          numbered('an older', 7, drop('out_of_order')),
          { name: 'none', packet: over.packet(sublayer), becomes: drop('no_sequence') },
          numbered('half a round on', 0x7fffff, 'delivered'),
          numbered('near the end', 0xfffff0, 'delivered'),
          numbered('the last', 0xffffff, 'delivered'),
          numbered('over the end', 0, 'delivered'),
          numbered('before the end', 0xffffff, drop('out_of_order')),
          numbered('then', 1, 'delivered'),
        ].map((each) => withProtocol(each, over, family));
        t.deepEqual(await tried(m.m1, raw, 'l2tp', list), wanted(list));
        t.deepEqual(await sessionDrops(m.m1), { out_of_order: 3, no_sequence: 1 });
      }),
    );
  }
}

const reversed = (hex: string): string => Buffer.from(hex, 'hex').reverse().toString('hex');

// Over IP nothing but the outer header says that this is L2TP.
const withProtocol = (each: Deviation, over: Over, family: Family): Deviation =>
  over.title === 'UDP' ? each : named(each, family, 115);
