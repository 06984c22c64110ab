// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { transfer, udpSocket } from '../agent';
import { capture } from '../capture';
import { closeFixture, gtpIn, linkStats, namespace, scratch, using, wire } from '../fixture';
import { dropped } from '../records';
import { must, within } from '../run';
import { inner, join, joinHairpin, oneMachine, type TwoMachines, twoMachines } from '../topology';

test.after.always(closeFixture);

const size = 6_000_000;

for (const words of ['deliver bulk', 'deliver small', 'gso split', 'gso keep', 'gso keep deliver small udpcsum']) {
  test.serial(
    `${words}: TCP, and UDP that the device is to cut, arrive whole`,
    using(twoMachines)(async (t, m) => {
      await join(m, 4, { m1: words, m2: words });
      await everything(t, m);
      await join6(m, words);
      await everything(t, m);
    }),
  );
}

test.serial(
  'on one machine super-packets stay whole from one user to the other',
  using(oneMachine)(async (t, m) => {
    await joinHairpin(m, 4, 'mtu 1400');
    const seen = await capture(m.ue2, 'eth0', `${scratch}/hairpin.pcap`, 'tcp and greater 20000', 100);
    const { equal } = await transfer({ from: m.ue1, to: m.ue2, address: inner[4][1], size });
    t.true(equal);
    t.true((await seen.count()) > 20);
    t.deepEqual(dropped(await linkStats(m.m1, 'gtp1')), {});
  }),
);

for (const words of ['', 'gso keep']) {
  test.serial(
    `a user that is itself a router passes on what came out of the tunnel${words && ` (${words})`}`,
    using(twoMachines)(async (t, m) => {
      await join(m, 4, { m1: words, m2: `route 10.50.0.0/24 route fd50::/64 ${words}`.trim() });
      const host = await namespace('host');
      await wire(
        { ns: m.ue1, dev: 'lan', addresses: ['10.50.0.1/24', 'fd50::1/64'] },
        { ns: host, dev: 'lan', addresses: ['10.50.0.2/24', 'fd50::2/64'] },
      );
      for (const ns of [m.ue1, host]) await must(within(ns, 'ethtool', '-K', 'lan', 'tso', 'off'));
      await must(within(m.ue1, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'));
      for (const gateway of ['10.50.0.1', 'fd50::1']) {
        const family = gateway.includes(':') ? '-6' : '-4';
        await must(['ip', '-n', host, family, 'route', 'add', 'default', 'via', gateway]);
      }
      for (const [near, far] of [
        [inner[4][1], '10.50.0.2'],
        [inner[6][1], 'fd50::2'],
      ] as const) {
        t.deepEqual(await transfer({ from: m.ue2, to: host, address: far, size }), { equal: true, received: size });
        t.deepEqual(await transfer({ from: host, to: m.ue2, address: near, size }), { equal: true, received: size });
      }
    }),
  );
}

async function join6(m: TwoMachines, words: string): Promise<void> {
  await Promise.all([gtpIn(m.m1, 'link del gtp0'), gtpIn(m.m2, 'link del gtp0')]);
  await join(m, 6, { m1: words, m2: words });
}

async function everything(t: ExecutionContext, m: TwoMachines): Promise<void> {
  for (const version of [4, 6] as const) {
    const [near, far] = inner[version];
    const there = await transfer({ from: m.ue1, to: m.ue2, address: far, size });
    const back = await transfer({ from: m.ue2, to: m.ue1, address: near, size, chunk: 5000, nodelay: true });
    t.deepEqual(
      [there, back],
      [
        { equal: true, received: size },
        { equal: true, received: size },
      ],
    );
    const [sender, receiver] = [await udpSocket(m.ue1, near, 0), await udpSocket(m.ue2, far, 7000)];
    await sender.setOption(17, 103, 1000); // SOL_UDP, UDP_SEGMENT
    for (const length of [20_000, 20_001, 2000, 1001]) {
      t.is(await sender.send(Buffer.alloc(length, 'u'), [far, 7000]), undefined);
      const count = Math.ceil(length / 1000);
      const got = (await receiver.receive({ count })).map(({ data }) => data.length);
      t.deepEqual(
        got,
        Array.from({ length: count }, (_, i) => Math.min(1000, length - 1000 * i)),
        `${length} octets`,
      );
    }
    await sender.close();
    await receiver.close();
  }
  for (const machine of [m.m1, m.m2]) t.deepEqual(dropped(await linkStats(machine)), {});
}
