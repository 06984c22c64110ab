// SPDX-License-Identifier: MIT
import test from 'ava';
import { buildOne, packetSocket, transfer, udpSocket } from '../agent';
import { ODD } from '../asker';
import { closeFixture, gtpIn, linkStats, using } from '../fixture';
import { gpdu, gtpFrame, type Sum } from '../gtp-frame';
import { echoRequest } from '../messages';
import { dropped } from '../records';
import { must, within } from '../run';
import { ends, type Family, inner, join, macOf, outer, type TwoMachines, twoMachines, user } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const inside = (mark: string): string => `IP(src='10.45.0.2',dst='10.45.0.1')/UDP(sport=1,dport=2)/b'${mark}'`;

/** What the UDP header says of the checksum (scapy fills in the right one), and whether that is taken: over IPv4, over IPv6. */
const sums = [
  ['the right checksum', '', undefined, undefined],
  ['a wrong checksum', ',chksum=0x1234', 'bad_checksum', 'bad_checksum'],
  ['a checksum of all ones', ',chksum=0xffff', 'bad_checksum', 'bad_checksum'],
  ['no checksum', ',chksum=0', undefined, 'zero_checksum'],
] as const;

for (const family of [4, 6] as const)
  test.serial(
    `over IPv${family}, the UDP checksum that another program sent is verified`,
    inMachines(async (t, m) => {
      await joined(m, family);
      const { send, delivered } = await raw(m, family);
      const expected: Record<string, number> = {};
      for (const [name, udp, ...reasons] of sums) {
        const reason = reasons[family === 4 ? 0 : 1];
        await send(udp, name);
        t.is(await delivered(name), reason === undefined, name);
        if (reason !== undefined) expected[reason] = (expected[reason] ?? 0) + 1;
      }
      t.deepEqual(dropped(await linkStats(m.m1)), expected);
    }),
  );

test.serial(
  'over IPv6, no checksum is taken after noudpcsum, and refused again after udpcsum; a wrong one always is',
  inMachines(async (t, m) => {
    await joined(m, 6);
    const { send, delivered } = await raw(m, 6);
    const isTaken = async (udp: string, mark: string): Promise<boolean> => {
      await send(udp, mark);
      return delivered(mark);
    };
    t.false(await isTaken(',chksum=0', 'one'));
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 noudpcsum');
    t.true(await isTaken(',chksum=0', 'two'));
    t.false(await isTaken(',chksum=1', 'three'));
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 udpcsum');
    t.false(await isTaken(',chksum=0', 'four'));
    t.deepEqual(dropped(await linkStats(m.m1)), { zero_checksum: 2, bad_checksum: 1 });
  }),
);

for (const family of [4, 6] as const)
  for (const offload of ['on', 'off'] as const)
    test.serial(
      `over IPv${family}, what a peer with tx checksum offload ${offload} sends is taken, and the answer's sum is right`,
      inMachines(async (t, m) => {
        const [local, remote] = outer[family];
        await joined(m, family);
        await must(within(m.m2, 'ethtool', '-K', 'ul', 'tx', offload));
        const [near, far] = [await packetSocket(m.m1, 'ul'), await packetSocket(m.m2, 'ul')];
        const tap = await packetSocket(m.ue1, 'eth0');
        const peer = await udpSocket(m.m2, remote, ODD);
        const onWire = async (to: typeof near, mark: string | Buffer): Promise<Sum | undefined> => {
          const [got] = await to.receive({ contains: mark });
          return got === undefined ? undefined : gtpFrame(got.data)?.outer.payloadSum;
        };
        await peer.send(gpdu(1, await buildOne(inside('partial'))), [local, 2152]);
        t.is(await onWire(near, 'partial'), offload === 'on' ? 'wrong' : 'right', 'the sum that the stack left open');
        t.is((await tap.receive({ contains: 'partial' })).length, 1);
        await peer.send(echoRequest(0x7a7a), [local, 2152]);
        t.is(await onWire(far, Buffer.from('7a7a00000e00', 'hex')), 'right', 'the Echo Response');
        await peer.send(gpdu(0xdead0001, Buffer.alloc(20)), [local, 2152]);
        t.is(await onWire(far, Buffer.from('10dead0001', 'hex')), 'right', 'the Error Indication');
        t.deepEqual(dropped(await linkStats(m.m1)), {});
      }),
    );

async function joined(m: TwoMachines, family: Family): Promise<void> {
  const [local, remote] = outer[family];
  await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${user(0)} ${ends(1, 2, remote)}`);
}

/** G-PDUs from scapy around a marked packet, and whether the user got the mark. */
async function raw(m: TwoMachines, family: Family) {
  const [local, remote] = outer[family];
  const [wire, tap] = [await packetSocket(m.m2, 'ul'), await packetSocket(m.ue1, 'eth0')];
  const ether = `Ether(src='${await macOf(m.m2, 'ul')}',dst='${await macOf(m.m1, 'ul')}')`;
  const ip = `${family === 4 ? 'IP' : 'IPv6'}(src='${remote}',dst='${local}')`;
  return {
    send: async (udp: string, mark: string): Promise<void> => {
      const expression = `${ether}/${ip}/UDP(sport=${ODD},dport=2152${udp})/GTP_U_Header(teid=1)/${inside(mark)}`;
      await wire.send(await buildOne(expression));
    },
    delivered: async (mark: string): Promise<boolean> =>
      (await tap.receive({ contains: mark, timeout: 0.2 })).length === 1,
  };
}

for (const family of [4, 6] as const)
  test.serial(
    `over IPv${family}, a checksum whose inner one is still open is right: gso keep with udpcsum carries TCP and UDP (X11)`,
    inMachines(async (t, m) => {
      await join(m, family, { m1: 'gso keep udpcsum', m2: 'gso keep udpcsum' });
      for (const version of [4, 6] as const) {
        const whole = { equal: true, received: 100_000 };
        t.deepEqual(await transfer({ from: m.ue1, to: m.ue2, address: inner[version][1], size: 100_000 }), whole);
        const [alice, bob] = [
          await udpSocket(m.ue1, inner[version][0], 0),
          await udpSocket(m.ue2, inner[version][1], 7000),
        ];
        for (const length of [1, 2, 99, 1400]) {
          await alice.send(Buffer.alloc(length, 'a'), [inner[version][1], 7000]);
          t.is((await bob.receive())[0]?.data.length, length);
        }
        await Promise.all([alice.close(), bob.close()]);
      }
      t.deepEqual(dropped(await linkStats(m.m2)), {});
    }),
  );
