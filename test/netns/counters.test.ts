// SPDX-License-Identifier: MIT
import test from 'ava';
import { build, packetSocket, transfer, udpSocket } from '../agent';
import { closeFixture, gtpIn, linkStats, linkStatsWhen, machineStats, sessions, using } from '../fixture';
import { dropped, handled, type Stats } from '../records';
import { must, waitFor } from '../run';
import { ends, join, macOf, ping, type TwoMachines, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);

/** An inner packet of 38 octets from the far user to the near one; the near user is 10.45.0.1. */
const inside = `IP(src='10.45.1.7',dst='10.45.0.1')/UDP(sport=1,dport=9)/b'0123456789'`;

/** What happens to a datagram that reaches port 2152 of a link's local address: a drop reason, or where else it is counted. */
const arriving: Record<string, readonly [payload: string, outcome: string]> = {
  'a plain G-PDU': [`GTP_U_Header(teid=1)/${inside}`, 'decap'],
  'one with a sequence number': [`GTP_U_Header(teid=1,S=1,seq=7)/${inside}`, 'decap'],
  'one with an N-PDU number': [`GTP_U_Header(teid=1,PN=1,npdu=7)/${inside}`, 'decap'],
  'one with a PDU Session Container': [
    `GTP_U_Header(teid=1,E=1)/GTPPDUSessionContainer(type=1,QFI=9)/${inside}`,
    'decap',
  ],
  'one with two extension headers': [`plain('34ff003200000001'+'00000040'+'01abcd85'+'01100900')/${inside}`, 'decap'],
  'one with octets after its Length': [
    `GTP_U_Header(teid=1,gtp_type=255,length=38)/plain(bytes(${inside}).hex())/b'surplus'`,
    'decap',
  ],
  'an unknown TEID': [`GTP_U_Header(teid=99)/${inside}`, 'unknown_teid'],
  'TEID 0': [`GTP_U_Header(teid=0)/${inside}`, 'unknown_teid'],
  'a Length beyond the datagram': [`GTP_U_Header(teid=1,length=39)/${inside}`, 'bad_length'],
  'flags that announce what the Length leaves out': [`plain('32ff000200000001'+'0000')`, 'bad_length'],
  'an extension header of length 0': [`plain('34ff002e00000001'+'00000085'+'00000000')/${inside}`, 'bad_extension'],
  'an unknown extension that must be comprehended': [
    `plain('34ff002e00000001'+'000000bf'+'01000000')/${inside}`,
    'unknown_extension',
  ],
  'an unknown extension that may be skipped': [`plain('34ff002e00000001'+'0000003f'+'01000000')/${inside}`, 'decap'],
  'an inner packet of version 5': [`GTP_U_Header(teid=1,gtp_type=255)/b'${'\\x55'.repeat(30)}'`, 'bad_inner'],
  'an inner source that is not the UE': [`GTP_U_Header(teid=1)/${inside.replace('1.7', '1.8')}`, 'antispoof'],
};

for (const family of [4, 6] as const) {
  test.serial(
    `IPv${family} outer: every frame that arrives is counted exactly once, and dropped for the right reason`,
    inMachines(async (t, m) => {
      const { send } = await receiver(m, family);
      await udpSocket(m.ue1, '0.0.0.0', 9); // else the user answers by ICMP
      const expected: Record<string, number> = {};
      for (const [what, [payload, outcome]] of Object.entries(arriving)) {
        const before = await machineStats(m.m1);
        await send(payload, 3);
        const after = await waitFor(
          () => machineStats(m.m1),
          (stats) => handled(stats) >= handled(before) + 3,
        );
        expected[outcome] = (expected[outcome] ?? 0) + 3;
        t.deepEqual(summary(after), expected, what);
        t.is(handled(after), handled(before) + 3, what);
      }
    }),
  );
}

/** What happens to a frame that a user's namespace sends. */
const leaving: Record<string, readonly [frame: string, outcome: string]> = {
  'an IPv4 packet': [`IP(src='10.45.0.1',dst='10.45.1.7')/UDP()/b'x'`, 'encap'],
  'an IPv6 packet': [`IPv6(src='fd45::1',dst='fd45::1:7')/UDP()/b'x'`, 'encap'],
  'a packet for nobody': [`IP(src='10.45.0.1',dst='10.99.0.1')/UDP()/b'x'`, 'no_session'],
  'an IPv4 packet above the MTU with DF': [
    `IP(src='10.45.0.1',dst='10.45.1.7',flags='DF')/UDP()/(b'x'*1437)`,
    'too_big',
  ],
};

test.serial(
  'every frame that leaves is counted exactly once, in the link and in its session',
  inMachines(async (t, m) => {
    await gateway(m, 4);
    await (await udpSocket(m.m1, '192.0.2.1', 0)).send(Buffer.from('neighbour'), ['192.0.2.2', 9]);
    const tap = await packetSocket(m.ue1, 'eth0');
    await must(['ip', '-n', m.ue1, 'link', 'set', 'eth0', 'mtu', '1500']);
    const expected: Record<string, number> = {};
    for (const [what, [frame, outcome]] of Object.entries(leaving)) {
      const before = await linkStats(m.m1);
      await tap.send(await build(`Ether(src='02:00:00:00:00:01',dst='02:00:00:00:00:02')/${frame}`), undefined, 5);
      const after = await linkStatsWhen(m.m1, (stats) => handled(stats) >= handled(before) + 5);
      expected[outcome] = (expected[outcome] ?? 0) + 5;
      t.deepEqual(summary(after), expected, what);
    }
    const [session] = await sessions(m.m1);
    t.deepEqual(session?.stats.encap, { packets: 10, bytes: 5 * (29 + 49) });
  }),
);

test.serial(
  'a super-packet counts as its segments: both ends of a TCP transfer agree',
  inMachines(async (t, m) => {
    await join(m, 4);
    t.is(await ping(m.ue1, '10.45.0.2'), 3);
    t.true((await transfer({ from: m.ue1, to: m.ue2, address: '10.45.0.2', size: 10_000_000 })).equal);
    const [near, far] = [await linkStats(m.m1), await linkStats(m.m2)];
    t.deepEqual([near.encap, near.decap], [far.decap, far.encap]);
    t.deepEqual([dropped(near), dropped(far)], [{}, {}]);
    t.true(near.encap.packets > 10_000_000 / 1424);
    t.true(near.encap.bytes > 10_000_000);
  }),
);

test.serial(
  'a link adds up its sessions',
  inMachines(async (t, m) => {
    const { send } = await receiver(m, 4);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(5, 6, '192.0.2.2')} ue 10.45.2.0/24`);
    await send(`GTP_U_Header(teid=1)/${inside}`, 4);
    await send(`GTP_U_Header(teid=5)/${inside.replace('1.7', '2.9')}`, 3);
    const stats = await linkStatsWhen(m.m1, ({ decap }) => decap.packets >= 7);
    t.deepEqual(stats.decap, { packets: 7, bytes: 7 * 38 });
    const list = await sessions(m.m1);
    t.deepEqual(list.map((each) => [each.local_teid, each.stats.decap.packets]).sort(), [
      [1, 4],
      [5, 3],
    ]);
    await gtpIn(m.m1, 'session del dev gtp0 local-teid 5');
    t.is((await sessions(m.m1)).length, 1);
  }),
);

/** The counters that are not 0, packets only. */
function summary({ encap, decap, ...stats }: Stats): Record<string, number> {
  const both = { encap: encap.packets, decap: decap.packets };
  return {
    ...Object.fromEntries(Object.entries(both).filter(([, n]) => n !== 0)),
    ...dropped({ encap, decap, ...stats }),
  };
}

async function gateway(m: TwoMachines, family: 4 | 6): Promise<void> {
  const [local, remote] = family === 4 ? ['192.0.2.1', '192.0.2.2'] : ['2001:db8:2::1', '2001:db8:2::2'];
  const words = `${ends(1, 2, remote)} ue 10.45.1.7 ue fd45::1:0/112`;
  await gtpIn(
    m.m1,
    `link add gtp0 local ${local} netns ${m.ue1} address 10.45.0.1/16 address fd45::1/64 route default ${words}`,
  );
}

/** A gateway link on m1, and raw datagrams to its port from m2 whose payload scapy makes. */
async function receiver(m: TwoMachines, family: 4 | 6) {
  await gateway(m, family);
  const wire = await packetSocket(m.m2, 'ul');
  const ethernet = `Ether(src='${await macOf(m.m2, 'ul')}',dst='${await macOf(m.m1, 'ul')}')`;
  const ip = family === 4 ? `IP(src='192.0.2.2',dst='192.0.2.1')` : `IPv6(src='2001:db8:2::2',dst='2001:db8:2::1')`;
  const send = async (payload: string, count: number) => {
    const frames = await build(`${ethernet}/${ip}/UDP(sport=2152,dport=2152)/${payload}`);
    await wire.send(frames, undefined, count);
  };
  return { send };
}
