// SPDX-License-Identifier: MIT
import test from 'ava';
import { buildOne, udpSocket } from '../agent';
import { closeFixture, gtpIn, linkStats, using } from '../fixture';
import { gpdu, gtp, packet } from '../gtp-frame';
import { dropped } from '../records';
import { ends, type OneMachine, oneMachine, twoMachines } from '../topology';

test.after.always(closeFixture);

/** local address, the socket's address */
const peers = [
  ['127.0.0.1', '127.0.0.2'],
  ['127.0.0.1', '127.0.0.1'],
  ['192.0.2.1', '192.0.2.11'],
  ['192.0.2.1', '192.0.2.1'],
  ['::1', '::1'],
  ['2001:db8:2::1', '2001:db8:2::11'],
  ['2001:db8:2::1', '2001:db8:2::1'],
] as const;

for (const [local, remote] of peers) {
  test.serial(
    `a plain UDP socket of this machine on ${remote} is the peer of ${local}, both directions`,
    using(oneMachine)(async (t, m) => {
      const peer = await udpSocket(m.m1, remote, 2152);
      await gtpIn(
        m.m1,
        `link add gtp0 local ${local} netns ${m.ue1} address 10.45.0.1/24 address fd45::1/64 ${ends(0x11, 0x22, remote)}`,
      );
      const user4 = await udpSocket(m.ue1, '10.45.0.1', 7000);
      const user6 = await udpSocket(m.ue1, 'fd45::1', 7000);
      await user4.send(Buffer.from('up 4'), ['10.45.0.2', 53]);
      await user6.send(Buffer.from('up 6'), ['fd45::2', 53]);
      const up = await peer.receive({ count: 2 });
      t.deepEqual(
        up.map(({ data, from }) => [from[0], from[1], gtp(data).type, gtp(data).teid]),
        [
          [local, 2152, 255, 0x22],
          [local, 2152, 255, 0x22],
        ],
      );
      for (const { data } of up) {
        const { inner, length } = gtp(data);
        t.is(length, data.length - 8);
        t.is(packet(inner).length, inner.length);
        t.is(packet(inner).payloadSum, 'right', 'a program cannot fill in a partial checksum');
      }
      const down4 = await buildOne(`IP(src='10.45.0.2',dst='10.45.0.1')/UDP(sport=53,dport=7000)/b'down 4'`);
      const down6 = await buildOne(`IPv6(src='fd45::2',dst='fd45::1')/UDP(sport=53,dport=7000)/b'down 6'`);
      await peer.send(gpdu(0x11, down4), [local, 2152]);
      await peer.send(gpdu(0x11, down6), [local, 2152]);
      t.is((await user4.receive())[0]?.data.toString(), 'down 4');
      t.is((await user6.receive())[0]?.data.toString(), 'down 6');
      const stats = await linkStats(m.m1);
      t.deepEqual([stats.encap.packets, stats.decap.packets, dropped(stats)], [2, 2, {}]);
    }),
  );
}

test.serial(
  'a socket bound to the wildcard address is a peer too',
  using(oneMachine)(async (t, m) => {
    const peer = await udpSocket(m.m1, '0.0.0.0', 2152);
    await joinSocket(m, '127.0.0.1', '127.0.0.2');
    const user = await udpSocket(m.ue1, '10.45.0.1', 7000);
    await user.send(Buffer.from('up'), ['10.45.0.2', 53]);
    t.is((await peer.receive()).length, 1);
  }),
);

test.serial(
  'a TEID that is not ours goes to the program that lives on that address and port',
  using(oneMachine)(async (t, m) => {
    const other = await udpSocket(m.m1, '192.0.2.1', 2152);
    const sender = await udpSocket(m.m1, '192.0.2.11', 2152);
    await joinSocket(m, '192.0.2.1', '192.0.2.11');
    await sender.send(gpdu(0x99, Buffer.from('not an IP packet')), ['192.0.2.1', 2152]);
    const [got] = await other.receive();
    t.is(got === undefined ? undefined : gtp(got.data).teid, 0x99);
    await sender.send(Buffer.from('320100040000000000010000', 'hex'), ['192.0.2.1', 2152]);
    t.is((await other.receive())[0]?.data[1], 1, 'an Echo Request as well');
  }),
);

test.serial(
  'packets that are not GTP, and those for other addresses, are left to the stack',
  using(twoMachines)(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1} address 10.45.0.1/24 ${ends(1, 2, '192.0.2.2')}`);
    const sender = await udpSocket(m.m2, '192.0.2.2', 2152);
    for (const [address, port] of [
      ['192.0.2.1', 2153],
      ['2001:db8:2::1', 2152],
    ] as const) {
      const from = address.includes(':') ? await udpSocket(m.m2, '2001:db8:2::2', 2152) : sender;
      const program = await udpSocket(m.m1, address, port);
      await from.send(gpdu(1, Buffer.from('for a program')), [address, port]);
      t.is((await program.receive()).length, 1, `${address} ${port}`);
    }
  }),
);

async function joinSocket(m: OneMachine, local: string, remote: string): Promise<void> {
  await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} address 10.45.0.1/24 ${ends(0x11, 0x22, remote)}`);
}
