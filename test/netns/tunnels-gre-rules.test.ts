// SPDX-License-Identifier: MIT
// GRE from a peer that bends the rules (R1 to R9): what is taken, what is dropped, by which name.
import test from 'ava';
import { closeFixture, gtpIn, sessions, sharing } from '../fixture';
import { keptMachines, outer, twoMachines } from '../topology';
import { type Deviation, datagram, named, rawPeer, sessionDrops, tried, wanted } from '../tunnel-raw';

test.after.always(closeFixture);

const inMachines = sharing(twoMachines, keptMachines);
const drop = (reason: string) => ({ drop: reason }) as const;

const over = (list: readonly Deviation[], family: 4 | 6): Deviation[] => list.map((each) => named(each, family, 47));

/** A GRE header by scapy, whose fields are words. */
const gre =
  (words: string): Deviation['packet'] =>
  (inner) =>
    `GRE(${words})/${inner}`;

/** A GRE header by hand. */
const octets =
  (hex: string): Deviation['packet'] =>
  (inner) =>
    `plain('${hex}')/${inner}`;

const keyed = 'key_present=1,key=7';

/** To a session with key 7 that carries packets. */
const deviations = (proto: string, version: 4 | 6): readonly Deviation[] => [
  { name: 'as agreed', packet: gre(`${keyed},proto=${proto}`), becomes: 'delivered' },
  { name: 'a number', packet: octets(`3000${proto.slice(2)} 00000007 00000009`), becomes: 'delivered' },
  { name: 'an older number', packet: octets(`3000${proto.slice(2)} 00000007 00000001`), becomes: 'delivered' },
  { name: 'a right checksum', packet: gre(`${keyed},chksum_present=1,proto=${proto}`), becomes: 'delivered' },
  {
    name: 'a wrong checksum',
    packet: gre(`${keyed},chksum_present=1,chksum=0x1234,proto=${proto}`),
    becomes: drop('bad_checksum'),
  },
  {
    name: 'a checksum of 0 is a value',
    packet: octets(`a000${proto.slice(2)} 00000000 00000007`),
    becomes: drop('bad_checksum'),
  },
  { name: 'routing present', packet: octets(`6000${proto.slice(2)} 00000007`), becomes: drop('bad_header') },
  { name: 'strict source route', packet: octets(`2800${proto.slice(2)} 00000007`), becomes: drop('bad_header') },
  { name: 'recursion control', packet: octets(`2400${proto.slice(2)} 00000007`), becomes: drop('bad_header') },
  { name: 'reserved bits', packet: octets(`23f8${proto.slice(2)} 00000007`), becomes: 'delivered' },
  { name: 'version 1', packet: octets('2001880b 00000007'), becomes: 'left' },
  { name: 'another key', packet: gre(`key_present=1,key=8,proto=${proto}`), becomes: drop('unknown_key') },
  { name: 'key 0', packet: gre(`key_present=1,key=0,proto=${proto}`), becomes: drop('unknown_key') },
  { name: 'no key', packet: gre(`proto=${proto}`), becomes: drop('unknown_key') },
  {
    name: 'another source',
    packet: gre(`${keyed},proto=${proto}`),
    from: version === 4 ? '192.0.2.99' : '2001:db8:2::99',
    becomes: drop('unknown_key'),
  },
  {
    name: 'an unknown protocol',
    packet: gre(`${keyed},proto=0x88be`),
    // What are no frames is looked for among sessions that carry packets.
    becomes: drop(proto === '0x6558' ? 'unknown_key' : 'bad_protocol'),
  },
  { name: 'a header cut short', packet: () => `plain('2000${proto.slice(2)}0000')`, becomes: drop('bad_length') },
];

for (const family of [4, 6] as const) {
  test.serial(
    `gre over IPv${family}: every deviation is taken, left or dropped for its own reason, once`,
    inMachines(async (t, m) => {
      const raw = await rawPeer(m, 'gre', family, 'key 7');
      const list: readonly Deviation[] = [
        ...deviations('0x0800', family),
        {
          name: 'IPv6 inside',
          packet: () => `GRE(${keyed},proto=0x86dd)/${datagram('<IPv6 inside>', { version: 6 })}`,
          becomes: 'delivered',
        },
        {
          name: 'IPv6 that is called IPv4',
          packet: () => `GRE(${keyed},proto=0x0800)/${datagram('<IPv6 that is called IPv4>', { version: 6 })}`,
          becomes: drop('bad_inner'),
        },
        { name: 'nothing inside', packet: () => `plain('20000800 00000007')`, becomes: drop('empty') },
        { name: 'congestion marked', packet: gre(`${keyed},proto=0x800`), ip: ce(family), becomes: drop('ecn') },
      ];
      t.deepEqual(await tried(m.m1, raw, 'gre', over(list, family)), wanted(list));
      t.is((await sessionDrops(m.m1))['ecn'], 1);
    }),
  );

  test.serial(
    `gretap over IPv${family}: every deviation is taken, left or dropped for its own reason, once`,
    inMachines(async (t, m) => {
      const raw = await rawPeer(m, 'gretap', family, 'key 7');
      const list: readonly Deviation[] = [
        ...deviations('0x6558', family),
        {
          name: 'thirteen octets',
          packet: () => `plain('20006558 00000007 ${'ab'.repeat(13)}')`,
          becomes: drop('bad_frame'),
        },
        { name: 'congestion marked', packet: gre(`${keyed},proto=0x6558`), ip: ce(family), becomes: drop('ecn') },
      ];
      t.deepEqual(await tried(m.m1, raw, 'gretap', over(list, family)), wanted(list));
    }),
  );

  test.serial(
    `gre over IPv${family} without a key: what has one is nobody's (R4)`,
    inMachines(async (t, m) => {
      const raw = await rawPeer(m, 'gre', family, '');
      const list: readonly Deviation[] = [
        { name: 'no key', packet: gre('proto=0x800'), becomes: 'delivered' },
        { name: 'a key', packet: gre(`${keyed},proto=0x800`), becomes: drop('unknown_key') },
        { name: 'key 0', packet: gre('key_present=1,key=0,proto=0x800'), becomes: drop('unknown_key') },
      ];
      t.deepEqual(await tried(m.m1, raw, 'gre', over(list, family)), wanted(list));
    }),
  );

  test.serial(
    `gre over IPv${family} with iseq: numbers must be there, and new (R5)`,
    inMachines(async (t, m) => {
      const raw = await rawPeer(m, 'gre', family, 'iseq');
      const numbered = (name: string, number: number, becomes: Deviation['becomes']): Deviation => ({
        name: `${name} ${number}`,
        packet: octets(`10000800${(number >>> 0).toString(16).padStart(8, '0')}`),
        becomes,
      });
      const list: readonly Deviation[] = [
        numbered('the first', 5, 'delivered'),
        numbered('the next', 6, 'delivered'),
        numbered('some later', 10, 'delivered'),
        numbered('again', 10, drop('out_of_order')),
        numbered('an older', 7, drop('out_of_order')),
        { name: 'none', packet: gre('proto=0x800'), becomes: drop('no_sequence') },
        numbered('half a round on', 0x7fffffff, 'delivered'),
        numbered('near the end', 0xffff_fff0, 'delivered'),
        numbered('the last', 0xffff_ffff, 'delivered'),
        numbered('over the end', 0, 'delivered'),
        numbered('before the end', 0xffff_ffff, drop('out_of_order')),
        numbered('then', 1, 'delivered'),
      ];
      t.deepEqual(await tried(m.m1, raw, 'gre', over(list, family)), wanted(list));
      t.deepEqual(await sessionDrops(m.m1), { out_of_order: 3, no_sequence: 1 });
    }),
  );

  test.serial(
    `gre over IPv${family} with peer any: any source may send (R7)`,
    inMachines(async (t, m) => {
      const raw = await rawPeer(m, 'gre', family, 'key 7 peer any');
      const from = family === 4 ? '192.0.2.99' : '2001:db8:2::99';
      const list: readonly Deviation[] = [
        { name: 'the remote', packet: gre(`${keyed},proto=0x800`), becomes: 'delivered' },
        { name: 'somebody', packet: gre(`${keyed},proto=0x800`), from, becomes: 'delivered' },
        { name: 'another key', packet: gre('key_present=1,key=8,proto=0x800'), from, becomes: drop('unknown_key') },
      ];
      t.deepEqual(await tried(m.m1, raw, 'gre', over(list, family)), wanted(list));
    }),
  );
}

test.serial(
  'gre over IPv6: a Tunnel Encapsulation Limit, as Linux sends it, is skipped (R8)',
  inMachines(async (t, m) => {
    const raw = await rawPeer(m, 'gre', 6, 'key 7');
    const limited: Deviation = {
      name: 'limited',
      packet: (inner) =>
        `IPv6ExtHdrDestOpt(nh=47,options=[HBHOptUnknown(otype=4,optlen=1,optdata=b'\\x04'),PadN(optdata=b'\\x00')])/GRE(${keyed},proto=0x800)/${inner}`,
      becomes: 'delivered',
    };
    t.deepEqual(await tried(m.m1, raw, 'gre', [limited]), wanted([limited]));
  }),
);

test.serial(
  'gre: one key serves several remotes, each with a session of its own (R7)',
  inMachines(async (t, m) => {
    const raw = await rawPeer(m, 'gre', 4, 'key 7 ue 10.45.0.2');
    await gtpIn(m.m1, `session add dev t0 key 7 remote 192.0.2.3 ue 10.45.0.3 noantispoof`);
    const list: readonly Deviation[] = [
      { name: 'first', packet: gre(`${keyed},proto=0x800`), becomes: 'delivered' },
      { name: 'second', packet: gre(`${keyed},proto=0x800`), from: '192.0.2.3', becomes: 'delivered' },
      { name: 'third', packet: gre(`${keyed},proto=0x800`), from: '192.0.2.4', becomes: drop('unknown_key') },
    ];
    t.deepEqual(await tried(m.m1, raw, 'gre', over(list, 4)), wanted(list));
    const each = (await sessions(m.m1)).map(({ remote, stats }) => [remote, stats.decap.packets]);
    t.deepEqual(each.sort(), [
      [outer[4][1], 1],
      ['192.0.2.3', 1],
    ]);
  }),
);

function ce(family: 4 | 6): string {
  return family === 4 ? 'tos=3' : 'tc=3';
}
