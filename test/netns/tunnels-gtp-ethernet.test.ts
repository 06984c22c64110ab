// SPDX-License-Identifier: MIT
// GTP-U that carries Ethernet frames (PDU sessions of type Ethernet).
import test from 'ava';
import { buildOne, packetSocket, transfer, udpSocket } from '../agent';
import { capture } from '../capture';
import { closeFixture, gtpIn, linkStats, scratch, sessions, using } from '../fixture';
import { gpdu, gtp } from '../gtp-frame';
import { dropped } from '../records';
import { must, within } from '../run';
import {
  type Family,
  inner,
  macOf,
  mtuOf,
  oneMachine,
  outer,
  ownAddresses,
  ping,
  twoMachines,
  user,
} from '../topology';
import { dissect } from '../tshark';
import { LINK } from '../tunnel-kinds';
import { frameOut, MAC, payloadOf } from '../tunnel-raw';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const size = 2_000_001;
const teids = (own: number, peer: number): string => `type gtp payload ethernet local-teid ${own} remote-teid ${peer}`;

for (const words of ['', 'qfi 9', 'seq'])
  for (const family of [4, 6] as const)
    test.serial(
      `between two links of frames over IPv${family}${words && `, ${words}`}: ARP, ND, ping and TCP, both ways`,
      inMachines(async (t, m) => {
        for (const ns of [m.m1, m.m2])
          await must(within(ns, 'ethtool', '-K', 'ul', 'tx', 'off', 'tso', 'off', 'gso', 'off'));
        const wire = await capture(m.m2, 'ul', `${scratch}/ethernet.pcap`, 'udp port 2152');
        for (const [at, ns, ue] of [
          [0, m.m1, m.ue1],
          [1, m.m2, m.ue2],
        ] as const) {
          const [local, remote] = [outer[family][at], outer[family][1 - at]];
          await gtpIn(ns, `link add ${LINK} type vxlan local ${local} netns ${ue} ${user(at)}`);
          await gtpIn(ns, `session add dev ${LINK} ${teids(at + 1, 2 - at)} remote ${remote} ${words}`.trim());
        }
        const header = (family === 4 ? 36 : 56) + (words === '' ? 0 : words === 'seq' ? 4 : 8) + 14;
        t.is(await mtuOf(m.ue1), 1500 - header);
        for (const version of [4, 6] as const) {
          t.is(await ping(m.ue1, inner[version][1]), 3);
          t.is(await ping(m.ue2, inner[version][0]), 3);
          const whole = { equal: true, received: 200_001 };
          t.deepEqual(await transfer({ from: m.ue1, to: m.ue2, address: inner[version][1], size: 200_001 }), whole);
          t.deepEqual(await transfer({ from: m.ue2, to: m.ue1, address: inner[version][0], size: 200_001 }), whole);
        }
        for (const ns of [m.m1, m.m2]) t.deepEqual(await drops(ns), {});
        await wire.stop();
        const list = await dissect(
          wire.file,
          'gtp.length',
          'udp.length',
          'gtp.message',
          'gtp.ext_hdr.pdu_ses_con.qos_flow_id',
        );
        t.true(list.length > 300);
        t.true(list.every((frame) => Number(frame['gtp.length'][0]) === Number(frame['udp.length'][0]) - 16));
        if (words === 'qfi 9') t.true(list.every((frame) => frame['gtp.ext_hdr.pdu_ses_con.qos_flow_id'][0] === '9'));
      }),
    );

test.serial(
  'octets of a frame in GTP by hand, sent and received; packets are not taken for frames',
  inMachines(async (t, m) => {
    const [local, remote] = outer[4];
    await gtpIn(m.m1, `link add ${LINK} type geneve local ${local} netns ${m.ue1} ${user(0)}`);
    await gtpIn(m.m1, `session add dev ${LINK} ${teids(1, 2)} remote ${remote}`);
    const [peer, tap] = [await udpSocket(m.m2, remote, 2152), await packetSocket(m.ue1, 'eth0')];
    const frame = await buildOne(frameOut('<frame>'));
    await tap.send(frame);
    const [got] = await peer.receive({ contains: '<frame>' });
    const message = gtp(got?.data ?? Buffer.alloc(8));
    t.deepEqual([message.flags, message.type, message.teid, message.length], [0x30, 255, 2, frame.length]);
    t.is(message.inner.toString('hex'), frame.toString('hex'));
    const back = await buildOne(payloadOf('geneve', '<back>'));
    await peer.send(gpdu(1, back), [local, 2152]);
    t.deepEqual(
      (await tap.receive({ contains: '<back>' })).map(({ data }) => data.toString('hex')),
      [back.toString('hex')],
    );
    await peer.send(gpdu(1, back.subarray(0, 13)), [local, 2152]);
    await peer.send(gpdu(1, Buffer.alloc(0)), [local, 2152]);
    const other = await buildOne(`Ether(src='${MAC.far}',dst='${MAC.near}',type=0x88b5)/b'<other>'`);
    await peer.send(gpdu(1, other), [local, 2152]);
    t.is((await tap.receive({ contains: '<other>' })).length, 1);
    t.deepEqual(await drops(m.m1), { bad_frame: 1, empty: 1 });
  }),
);

for (const family of [4, 6] as Family[])
  test.serial(
    `between two links of packets over IPv${family}: each makes the Ethernet header for the other's end`,
    inMachines(async (t, m) => {
      for (const [at, ns, ue] of [
        [0, m.m1, m.ue1],
        [1, m.m2, m.ue2],
      ] as const)
        await gtpIn(ns, `link add ${LINK} local ${outer[family][at]} netns ${ue} ${user(at)}`);
      const [mac1, mac2] = [await macOf(m.ue1, 'eth0'), await macOf(m.ue2, 'eth0')];
      await gtpIn(m.m1, `session add dev ${LINK} ${teids(1, 2)} remote ${outer[family][1]} lladdr ${mac2}`);
      await gtpIn(m.m2, `session add dev ${LINK} ${teids(2, 1)} remote ${outer[family][0]} lladdr ${mac1}`);
      const wire = await capture(m.m2, 'ul', `${scratch}/made.pcap`, 'udp port 2152', 70000);
      for (const version of [4, 6] as const) {
        t.is(await ping(m.ue1, inner[version][1]), 3);
        const whole = { equal: true, received: size };
        t.deepEqual(await transfer({ from: m.ue2, to: m.ue1, address: inner[version][0], size }), whole);
      }
      const start = 14 + (family === 4 ? 28 : 48) + 8;
      const headers = new Set((await wire.stop()).map((frame) => frame.subarray(start, start + 14).toString('hex')));
      const [one, two] = [mac1.replaceAll(':', ''), mac2.replaceAll(':', '')];
      t.deepEqual(
        [...headers].sort(),
        ['0800', '86dd'].flatMap((type) => [`${one}${two}${type}`, `${two}${one}${type}`]).sort(),
      );
      t.is(await mtuOf(m.ue1), 1500 - (family === 4 ? 50 : 70));
    }),
  );

test.serial(
  'on one machine, by the short cut and without it',
  using(oneMachine)(async (t, m) => {
    const [a, b] = ownAddresses[4];
    for (const hairpin of ['on', 'off']) {
      await gtpIn(m.m1, `link add t1 type geneve local ${a} netns ${m.ue1} ${user(0)} hairpin ${hairpin}`);
      await gtpIn(m.m1, `link add t2 type geneve local ${b} netns ${m.ue2} ${user(1)} hairpin ${hairpin}`);
      await gtpIn(m.m1, `session add dev t1 ${teids(1, 2)} remote ${b}`);
      await gtpIn(m.m1, `session add dev t2 ${teids(2, 1)} remote ${a}`);
      for (const version of [4, 6] as const) {
        t.is(await ping(m.ue1, inner[version][1]), 3);
        const whole = { equal: true, received: size };
        t.deepEqual(await transfer({ from: m.ue1, to: m.ue2, address: inner[version][1], size }), whole);
      }
      t.is((await sessions(m.m1)).length, 2);
      await gtpIn(m.m1, 'link flush');
    }
  }),
);

/** What the link dropped, besides what the user's kernel said to all before there was a session. */
async function drops(ns: string): Promise<Record<string, number>> {
  const { no_session, ...others } = dropped(await linkStats(ns, LINK));
  return others;
}
