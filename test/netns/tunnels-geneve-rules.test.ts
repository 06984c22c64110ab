// SPDX-License-Identifier: MIT
// Geneve and VXLAN from a peer that bends the rules (N1 to N10): what is taken, what is dropped, by which name.
import test from 'ava';
import { addressStats, closeFixture, gtpIn, sessions, sharing } from '../fixture';
import { dropped } from '../records';
import { type Family, keptMachines, outer, twoMachines, user } from '../topology';
import { type Deviation, datagram, rawPeer, rawPeerOf, sessionDrops, tried, wanted } from '../tunnel-raw';

test.after.always(closeFixture);

const inMachines = sharing(twoMachines, keptMachines);
const drop = (reason: string) => ({ drop: reason }) as const;
const stranger = { 4: '192.0.2.99', 6: '2001:db8:2::99' } as const;
const ce = { 4: 'tos=3', 6: 'tc=3' } as const;

/** UDP to a port, then a header by hand: hex of its octets. */
const to =
  (port: number, hex: string, udp = ''): Deviation['packet'] =>
  (inner) =>
    `UDP(sport=50000,dport=${port}${udp && `,${udp}`})/plain('${hex}')/${inner}`;

const without =
  (port: number, hex: string): Deviation['packet'] =>
  () =>
    `UDP(sport=50000,dport=${port})/plain('${hex}')`;

const geneve = (hex: string, udp = ''): Deviation['packet'] => to(6081, hex, udp);
const vxlan = (hex: string, udp = ''): Deviation['packet'] => to(4789, hex, udp);

/** VNI 0x000064 = 100. */
const plain = '00 00 6558 000064 00';

const geneveDeviations = (family: Family): readonly Deviation[] => [
  { name: 'as agreed', packet: geneve(plain), becomes: 'delivered' },
  {
    name: 'by another implementation',
    packet: (inner) => `UDP(sport=1,dport=6081)/GENEVE(vni=100)/${inner}`,
    becomes: 'delivered',
  },
  { name: 'version 1', packet: geneve('40 00 6558 000064 00'), becomes: drop('bad_version') },
  { name: 'version 3', packet: geneve('c0 00 6558 000064 00'), becomes: drop('bad_version') },
  { name: 'reserved bits', packet: geneve('00 3f 6558 000064 ff'), becomes: 'delivered' },
  { name: 'a control packet', packet: geneve('00 80 6558 000064 00'), becomes: drop('control') },
  { name: 'an option', packet: geneve('02 00 6558 000064 00 0102 01 01 aabbccdd'), becomes: 'delivered' },
  {
    name: 'an option with reserved bits',
    packet: geneve('02 00 6558 000064 00 0102 01 e1 aabbccdd'),
    becomes: 'delivered',
  },
  {
    name: 'a critical option',
    packet: geneve('02 40 6558 000064 00 0102 81 01 aabbccdd'),
    becomes: drop('unknown_option'),
  },
  {
    name: 'a critical option behind another',
    packet: geneve('03 40 6558 000064 00 0102 01 00 0102 81 01 aabbccdd'),
    becomes: drop('unknown_option'),
  },
  {
    name: 'C without a critical option',
    packet: geneve('02 40 6558 000064 00 0102 01 01 aabbccdd'),
    becomes: 'delivered',
  },
  { name: 'C without options', packet: geneve('00 40 6558 000064 00'), becomes: 'delivered' },
  {
    name: 'a critical option without C',
    packet: geneve('02 00 6558 000064 00 0102 81 01 aabbccdd'),
    becomes: 'delivered',
  },
  {
    name: 'an option longer than all',
    packet: geneve('02 40 6558 000064 00 0102 01 02 aabbccdd'),
    becomes: drop('bad_option'),
  },
  {
    name: '252 octets of options',
    packet: geneve(`3f 00 6558 000064 00 ${'0102 01 02 1122334455667788'.repeat(21)}`),
    becomes: 'delivered',
  },
  {
    name: '252 octets of options and C',
    packet: geneve(`3f 40 6558 000064 00 ${'0102 01 00'.repeat(63)}`),
    becomes: 'delivered',
  },
  {
    name: '252 octets with a critical one at the end',
    packet: geneve(`3f 40 6558 000064 00 ${'0102 01 00'.repeat(62)} 0102 ff 00`),
    becomes: drop('unknown_option'),
  },
  {
    name: 'options beyond the datagram',
    packet: without(6081, '3f 00 6558 000064 00 01020100'),
    becomes: drop('bad_length'),
  },
  { name: 'a header cut short', packet: without(6081, '00 00 6558 0000'), becomes: drop('bad_length') },
  { name: 'another VNI', packet: geneve('00 00 6558 000065 00'), becomes: drop('unknown_vni') },
  { name: 'a VNI of the upper octet', packet: geneve('00 00 6558 640000 00'), becomes: drop('unknown_vni') },
  { name: 'another source', packet: geneve(plain), from: stranger[family], becomes: drop('unknown_vni') },
  { name: 'an unknown protocol', packet: geneve('00 00 1234 000064 00'), becomes: drop('bad_protocol') },
  { name: 'thirteen octets', packet: without(6081, `${plain} ${'ab'.repeat(13)}`), becomes: drop('bad_frame') },
  { name: 'a wrong checksum', packet: geneve(plain, 'chksum=0x1234'), becomes: drop('bad_checksum') },
  {
    name: 'no checksum',
    packet: geneve(plain, 'chksum=0'),
    becomes: family === 4 ? 'delivered' : drop('zero_checksum'),
  },
  { name: 'congestion marked', packet: geneve(plain), ip: ce[family], becomes: drop('ecn') },
];

/** Deviations of VXLAN, whose header has one bit that matters. */
const vxlanDeviations = (family: Family): readonly Deviation[] => [
  { name: 'as agreed', packet: vxlan('08 000000 000064 00'), becomes: 'delivered' },
  {
    name: 'by another implementation',
    packet: (inner) => `UDP(sport=1,dport=4789)/VXLAN(vni=100,flags=8)/${inner}`,
    becomes: 'delivered',
  },
  { name: 'reserved bits', packet: vxlan('ff ffffff 000064 ff'), becomes: 'delivered' },
  { name: 'no I flag', packet: vxlan('00 000000 000064 00'), becomes: drop('bad_header') },
  { name: 'all other flags', packet: vxlan('f7 000000 000064 00'), becomes: drop('bad_header') },
  { name: 'another VNI', packet: vxlan('08 000000 000065 00'), becomes: drop('unknown_vni') },
  {
    name: 'another source',
    packet: vxlan('08 000000 000064 00'),
    from: stranger[family],
    becomes: drop('unknown_vni'),
  },
  { name: 'a header cut short', packet: without(4789, '08 000000 0000'), becomes: drop('bad_length') },
  {
    name: 'thirteen octets',
    packet: without(4789, `08 000000 000064 00 ${'ab'.repeat(13)}`),
    becomes: drop('bad_frame'),
  },
  { name: 'a wrong checksum', packet: vxlan('08 000000 000064 00', 'chksum=0x1234'), becomes: drop('bad_checksum') },
  {
    name: 'no checksum',
    packet: vxlan('08 000000 000064 00', 'chksum=0'),
    becomes: family === 4 ? 'delivered' : drop('zero_checksum'),
  },
  { name: 'congestion marked', packet: vxlan('08 000000 000064 00'), ip: ce[family], becomes: drop('ecn') },
];

for (const family of [4, 6] as const) {
  for (const [type, list, port] of [
    ['geneve', geneveDeviations(family), 6081],
    ['vxlan', vxlanDeviations(family), 4789],
  ] as const) {
    test.serial(
      `${type} over IPv${family}: every deviation is taken or dropped for its own reason, once`,
      inMachines(async (t, m) => {
        const raw = await rawPeer(m, type, family, 'vni 100');
        t.deepEqual(await tried(m.m1, raw, type, list), wanted(list));
        t.is((await sessionDrops(m.m1))['ecn'], 1, 'at the session');
        const unknown = wanted(list).drops['unknown_vni'];
        t.is(dropped(await addressStats(m.m1, outer[family][0], port))['unknown_vni'], unknown, 'at the address');
      }),
    );
  }

  test.serial(
    `geneve over IPv${family} with payload ip sends packets, and takes what packets say that they are (N5)`,
    inMachines(async (t, m) => {
      const [local, remote] = outer[family];
      await gtpIn(m.m1, `link add t0 local ${local} netns ${m.ue1} ${user(0)}`);
      await gtpIn(m.m1, `session add dev t0 type geneve vni 100 payload ip remote ${remote}`);
      const raw = await rawPeerOf(m, family);
      const inside = (mark: string, version: Family): (() => string) => {
        const type = version === 4 ? '0800' : '86dd';
        return () => `UDP(sport=1,dport=6081)/plain('0000 ${type} 000064 00')/${datagram(`<${mark}>`, { version })}`;
      };
      const list: readonly Deviation[] = [
        { name: 'IPv4', packet: inside('IPv4', 4), becomes: 'delivered' },
        { name: 'IPv6', packet: inside('IPv6', 6), becomes: 'delivered' },
        {
          name: 'a frame',
          packet: (inner) => `UDP(sport=1,dport=6081)/plain('${plain}')/Ether()/${inner}`,
          becomes: 'delivered',
        },
        { name: 'an unknown protocol', packet: without(6081, '0000 0801 000064 00'), becomes: drop('bad_protocol') },
        { name: 'nothing', packet: without(6081, '0000 0800 000064 00'), becomes: drop('empty') },
      ];
      t.deepEqual(await tried(m.m1, raw, 'gtp', list), wanted(list));
      const sent = await raw.out(`Ether()/${datagram('<out>', { back: false })}`, '<out>');
      t.is(sent.payload.subarray(8, 16).toString('hex'), '0000080000006400');
    }),
  );
}

for (const type of ['geneve', 'vxlan'] as const)
  test.serial(
    `${type} over IPv6 with noudpcsum: no checksum is taken, a wrong one is not (N8)`,
    inMachines(async (t, m) => {
      const raw = await rawPeer(m, type, 6, 'vni 100 noudpcsum');
      const header = type === 'geneve' ? plain : '08 000000 000064 00';
      const port = type === 'geneve' ? 6081 : 4789;
      const list: readonly Deviation[] = [
        { name: 'none', packet: to(port, header, 'chksum=0'), becomes: 'delivered' },
        { name: 'the right one', packet: to(port, header), becomes: 'delivered' },
        { name: 'a wrong one', packet: to(port, header, 'chksum=0x1234'), becomes: drop('bad_checksum') },
      ];
      t.deepEqual(await tried(m.m1, raw, type, list), wanted(list));
    }),
  );

test.serial(
  'one VNI serves several remotes, each with a session of its own, and any remote with peer any',
  inMachines(async (t, m) => {
    const raw = await rawPeer(m, 'geneve', 4, 'vni 100 ue 10.45.0.2');
    await gtpIn(m.m1, 'session add dev t0 vni 100 remote 192.0.2.3 ue 10.45.0.3 noantispoof');
    const list: readonly Deviation[] = [
      { name: 'first', packet: geneve(plain), becomes: 'delivered' },
      { name: 'second', packet: geneve(plain), from: '192.0.2.3', becomes: 'delivered' },
      { name: 'third', packet: geneve(plain), from: '192.0.2.4', becomes: drop('unknown_vni') },
    ];
    t.deepEqual(await tried(m.m1, raw, 'geneve', list), wanted(list));
    const each = (await sessions(m.m1)).map(({ remote, stats }) => [remote, stats.decap.packets]);
    t.deepEqual(each.sort(), [
      ['192.0.2.2', 1],
      ['192.0.2.3', 1],
    ]);
    await gtpIn(m.m1, 'link del t0');
    const any = await rawPeer(m, 'geneve', 4, 'vni 100 peer any');
    const all: readonly Deviation[] = list.map((one) => ({ ...one, becomes: 'delivered' }));
    t.deepEqual((await tried(m.m1, any, 'geneve', all)).delivered, ['first', 'second', 'third']);
  }),
);

test.serial(
  'a VNI is known by the port, the kind and the address that it comes to',
  inMachines(async (t, m) => {
    const raw = await rawPeer(m, 'geneve', 4, 'vni 100 port 7000');
    const list: readonly Deviation[] = [
      { name: 'at the port', packet: to(7000, plain), becomes: 'delivered' },
      { name: 'at the usual port', packet: to(6081, plain), becomes: 'left' },
      { name: 'as VXLAN', packet: to(4789, '08 000000 000064 00'), becomes: 'left' },
      { name: 'as VXLAN at the port', packet: to(7000, '08 000000 000064 00'), becomes: drop('bad_protocol') },
    ];
    t.deepEqual((await tried(m.m1, raw, 'geneve', list)).delivered, ['at the port']);
  }),
);
