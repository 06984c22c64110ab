// SPDX-License-Identifier: MIT
import test from 'ava';
import { type Socket, udpSocket } from '../agent';
import { capture } from '../capture';
import { closeFixture, gtpIn, links, scratch, sessions, sharing } from '../fixture';
import { must, within } from '../run';
import { ends, innerMtu, keptMachines, mtuOf, outer, ping, twoMachines, user } from '../topology';
import { complaints, dissect } from '../tshark';

test.after.always(closeFixture);

const inMachines = sharing(twoMachines, keptMachines);

for (const family of [4, 6] as const) {
  const [local, remote] = outer[family];

  test.serial(
    `IPv${family} outer: seq numbers packets from 0 on, over all prefixes of the session, by tshark`,
    inMachines(async (t, m) => {
      const peer = await udpSocket(m.m2, remote, 2152);
      await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${user(0)} route default`);
      await gtpIn(m.m1, `session add dev gtp0 ${ends(1, 2, remote)} ue 10.45.0.2 ue 10.46.0.0/16 ue fd45::2 seq`);
      const wire = await capture(m.m2, 'ul', `${scratch}/seq.pcap`);
      const v4 = await udpSocket(m.ue1, '10.45.0.1', 0);
      const v6 = await udpSocket(m.ue1, 'fd45::1', 0);
      const to = async (socket: Socket, address: string) => {
        await socket.send(Buffer.from('numbered'), [address, 9]);
        t.is((await peer.receive({ contains: 'numbered' })).length, 1);
      };
      for (const address of ['10.45.0.2', '10.46.7.7', '10.45.0.2']) await to(v4, address);
      await to(v6, 'fd45::2');
      t.is(await wire.count(), 4);
      t.deepEqual(await complaints(wire.file), []);
      const fields = ['gtp.flags', 'gtp.seq_number', 'gtp.teid', 'gtp.message', 'gtp.length'] as const;
      const list = await dissect(wire.file, ...fields);
      t.deepEqual(
        list.map((frame) => Number(frame['gtp.seq_number'][0])),
        [0, 1, 2, 3],
      );
      t.true(list.every((frame) => frame['gtp.flags'][0] === '0x32' && frame['gtp.message'][0] === '0xff'));
      t.deepEqual(
        list.map((frame) => Number(frame['gtp.length'][0])),
        [4 + 36, 4 + 36, 4 + 36, 4 + 56],
      );
    }),
  );

  test.serial(
    `IPv${family} outer: the inner MTU knows the four octets of seq, and of seq with qfi`,
    inMachines(async (t, m) => {
      const mtu = innerMtu[family];
      await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${user(0)} ${ends(1, 2, remote)} seq`);
      t.is(await mtuOf(m.ue1), mtu - 4);
      t.is((await links(m.m1))[0]?.mtu, mtu - 4);
      t.regex(await gtpIn(m.m1, '-d session show'), new RegExp(`mtu 1500 .* - 12 GTP-U with S = ${mtu - 4}`));
      await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 qfi 9');
      t.is(await mtuOf(m.ue1), mtu - 8);
      t.regex(await gtpIn(m.m1, '-d session show'), /- 16 GTP-U with S and QFI/);
      await gtpIn(m.m1, `session replace dev gtp0 local-teid 1 remote-teid 2 noseq remote ${remote}`);
      t.is(await mtuOf(m.ue1), mtu);
    }),
  );

  test.serial(
    `IPv${family} outer: seq is changed on a live session, counted on by the other end, and shown`,
    inMachines(async (t, m) => {
      await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${user(0)} ${ends(1, 2, remote)} seq qfi 5`);
      await gtpIn(m.m2, `link add gtp0 local ${remote} netns ${m.ue2} ${user(1)} ${ends(2, 1, local)} role sgsn`);
      const wire = await capture(m.m2, 'ul', `${scratch}/seq.pcap`, `udp port 2152 and src host ${local}`);
      t.is(await ping(m.ue1, '10.45.0.2', 2), 2);
      await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 noseq');
      t.is(await ping(m.ue1, '10.45.0.2', 1), 1);
      await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 seq');
      t.is(await ping(m.ue1, '10.45.0.2', 1), 1);
      t.is(await wire.count(), 4);
      t.deepEqual(await complaints(wire.file), []);
      const list = await dissect(wire.file, 'gtp.flags', 'gtp.seq_number', 'gtp.ext_hdr.pdu_ses_con.qos_flow_id');
      t.deepEqual(
        list.map((frame) => frame['gtp.flags'][0]),
        ['0x36', '0x36', '0x34', '0x36'],
      );
      const numbers = list.map((frame) => Number(frame['gtp.seq_number'][0] ?? 0));
      t.deepEqual([numbers[0], numbers[1], numbers[3]], [0, 1, 2], 'it goes on where it was');
      t.true(list.every((frame) => frame['gtp.ext_hdr.pdu_ses_con.qos_flow_id'][0] === '5'));
      const [record] = JSON.parse(await gtpIn(m.m1, '-j session show')) as { seq: boolean }[];
      t.is(record?.seq, true);
      t.regex(await gtpIn(m.m1, 'session show'), / seq$/m);
      t.deepEqual((await sessions(m.m2))[0]?.stats.decap.packets, 4);
    }),
  );
}

const SENDER = `import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(2000):
    s.sendto(b'numbered', ('10.45.0.2', 9))
`;

test.serial(
  'packets that two CPUs send at once have numbers of their own, and none is left out (G10)',
  inMachines(async (t, m) => {
    const [local, remote] = outer[4];
    await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${user(0)} ${ends(1, 2, remote)} seq`);
    const peer = await udpSocket(m.m2, remote, 2152);
    await (await udpSocket(m.ue1, '10.45.0.1', 0)).send(Buffer.from('first'), ['10.45.0.2', 9]);
    t.is((await peer.receive({ contains: 'first' })).length, 1);
    const wire = await capture(m.m2, 'ul', `${scratch}/seq.pcap`, 'udp dst port 2152');
    const send = (cpu: string) => must(within(m.ue1, 'taskset', '-c', cpu, '/usr/bin/python3', '-c', SENDER));
    await Promise.all(['0', '1'].map(send));
    const numbers = (await wire.stop()).map((frame) => frame.readUInt16BE(14 + 28 + 8)).sort((a, b) => a - b);
    t.true(numbers.length > 2000, `${numbers.length}`);
    t.deepEqual(
      numbers,
      numbers.map((_, i) => i + 1),
    );
  }),
);
