// SPDX-License-Identifier: MIT
import test from 'ava';
import { buildOne, packetSocket, type Socket, transfer, udpSocket } from '../agent';
import { closeFixture, gtpIn, linkStats, links, using } from '../fixture';
import { packet } from '../gtp-frame';
import { dropped } from '../records';
import { must, waitFor } from '../run';
import { type Family, inner, innerMtu, join, mtuOf, ping, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const doNotFragment = { 4: [0, 10, 2], 6: [41, 23, 2] } as const;
const knownMtu = { 4: [0, 14], 6: [41, 24] } as const;

for (const family of [4, 6] as const) {
  for (const version of [4, 6] as const) {
    test.serial(
      `IPv${family} outer: a user's device with too large an MTU is told the tunnel's by ${version === 4 ? 'frag-needed' : 'Packet Too Big'}`,
      inMachines(async (t, m) => {
        await join(m, family);
        await must(['ip', '-n', m.ue1, 'link', 'set', 'eth0', 'mtu', '1500']);
        const sender = await unfragmented(m.ue1, version);
        const receiver = await udpSocket(m.ue2, inner[version][1], 7000);
        await sender.connect(inner[version][1], 7000);
        const headers = version === 4 ? 28 : 48;
        const largest = innerMtu[family] - headers;
        t.is(await sender.send(Buffer.alloc(largest, 'x')), undefined);
        t.is((await receiver.receive())[0]?.data.length, largest);
        const refused = await waitFor(
          () => sender.send(Buffer.alloc(1500 - headers, 'x')),
          (failure) => failure === 'EMSGSIZE',
        );
        t.is(refused, 'EMSGSIZE', 'the error reaches the socket');
        t.is(await sender.send(Buffer.alloc(largest + 1, 'x')), 'EMSGSIZE');
        t.is(await sender.getOption(knownMtu[version][0], knownMtu[version][1]), innerMtu[family]);
        t.true((dropped(await linkStats(m.m1)).too_big ?? 0) > 0);
        t.deepEqual(await receiver.receive({ timeout: 0 }), []);
      }),
    );
  }
}

test.serial(
  'frag-needed quotes the packet, comes from its destination side and has right checksums',
  inMachines(async (t, m) => {
    await join(m, 4);
    await must(['ip', '-n', m.ue1, 'link', 'set', 'eth0', 'mtu', '1500']);
    const tap = await packetSocket(m.ue1, 'eth0');
    const large = await buildOne(
      `IP(src='10.45.0.1',dst='10.45.0.2',flags='DF',id=77)/UDP(sport=5,dport=6)/(b'x'*1472)`,
    );
    t.is(await tap.send(Buffer.concat([Buffer.from('0200000000020200000000010800', 'hex'), large])), undefined);
    const [got] = await tap.receive({ contains: large.subarray(0, 28) });
    const icmp = packet(got?.data.subarray(14) ?? Buffer.alloc(20));
    t.deepEqual([icmp.destination, icmp.protocol, icmp.headerSum, icmp.payloadSum], ['10.45.0.1', 1, 'right', 'right']);
    t.deepEqual([icmp.payload[0], icmp.payload[1], icmp.payload.readUInt16BE(6)], [3, 4, innerMtu[4]]);
    t.deepEqual(icmp.payload.subarray(8, 36), large.subarray(0, 28));
  }),
);

test.serial(
  'Packet Too Big has a right checksum and at most 1280 octets',
  inMachines(async (t, m) => {
    await join(m, 6);
    await must(['ip', '-n', m.ue1, 'link', 'set', 'eth0', 'mtu', '1500']);
    const tap = await packetSocket(m.ue1, 'eth0');
    const large = await buildOne(`IPv6(src='fd45::1',dst='fd45::2')/UDP(sport=5,dport=6)/(b'y'*1438)`);
    t.is(await tap.send(Buffer.concat([Buffer.from('02000000000202000000000186dd', 'hex'), large])), undefined);
    const [got] = await tap.receive({ contains: large.subarray(0, 48) });
    const icmp = packet(got?.data.subarray(14) ?? Buffer.alloc(40));
    t.deepEqual([icmp.destination, icmp.protocol, icmp.payloadSum], ['fd45::1', 58, 'right']);
    t.deepEqual([icmp.payload[0], icmp.payload[1], icmp.payload.readUInt32BE(4)], [2, 0, innerMtu[6]]);
    t.true(icmp.length <= 1280);
    t.deepEqual(icmp.payload.subarray(8), large.subarray(0, icmp.payload.length - 8));
  }),
);

test.serial(
  'TCP of a user with too large an MTU still arrives whole',
  inMachines(async (t, m) => {
    await join(m, 4);
    await must(['ip', '-n', m.ue1, 'link', 'set', 'eth0', 'mtu', '1500']);
    await must(['ip', '-n', m.ue2, 'link', 'set', 'eth0', 'mtu', '1500']);
    t.deepEqual(await transfer({ from: m.ue1, to: m.ue2, address: '10.45.0.2', size: 3_000_000 }), {
      equal: true,
      received: 3_000_000,
    });
  }),
);

test.serial(
  'an explicit mtu is never touched, and a smaller underlay gives a smaller one',
  inMachines(async (t, m) => {
    await join(m, 4, { m1: 'mtu 1300' });
    t.is(await mtuOf(m.ue1), 1300);
    t.is((await links(m.m1))[0]?.mtu, 1300);
    await gtpIn(m.m1, 'link del gtp0');
    await gtpIn(m.m2, 'link del gtp0');
    for (const ns of [m.m1, m.m2]) await must(['ip', '-n', ns, 'link', 'set', 'ul', 'mtu', '1400']);
    await join(m, 6);
    t.is(await mtuOf(m.ue1), 1344);
    t.is(await ping(m.ue1, '10.45.0.2', 1, '-M', 'do', '-s', `${1344 - 28}`), 1);
  }),
);

test.serial(
  'the MTU follows the sessions of the link: the least counts, and it comes back',
  inMachines(async (t, m) => {
    const v6 = 'remote 2001:db8:2::2 local 2001:db8:2::1';
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1} address 10.45.0.1/24`);
    t.is(await mtuOf(m.ue1), 1464);
    await gtpIn(m.m1, 'session add dev gtp0 local-teid 1 remote-teid 2 remote 192.0.2.2 ue 10.45.1.1');
    t.is(await mtuOf(m.ue1), 1464);
    await gtpIn(m.m1, `session add dev gtp0 local-teid 3 remote-teid 4 ${v6} ue 10.45.1.2`);
    t.is(await mtuOf(m.ue1), 1444);
    await gtpIn(m.m1, 'session del dev gtp0 local-teid 3 local 2001:db8:2::1');
    t.is(await mtuOf(m.ue1), 1464);
  }),
);

async function unfragmented(ns: string, version: Family): Promise<Socket> {
  const sender = await udpSocket(ns, inner[version][0], 7001);
  const [level, name, value] = doNotFragment[version];
  await sender.setOption(level, name, value);
  return sender;
}
