// SPDX-License-Identifier: MIT
import test from 'ava';
import { transfer } from '../agent';
import { capture, faultless, faults, judgeFrames } from '../capture';
import { closeFixture, gtpIn, gtpTry, linkStats, links, scratch, using, wire } from '../fixture';
import { dropped } from '../records';
import { must, run, within } from '../run';
import { ends, inner, join, outer, ping, twoMachines, user } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const size = 2_000_000;

/** The cable beside the first one: `v1` on both machines. */
const second = async (m: { m1: string; m2: string }): Promise<void> => {
  await wire(
    { ns: m.m1, dev: 'v1', addresses: ['198.51.100.1/24'] },
    { ns: m.m2, dev: 'v1', addresses: ['198.51.100.2/24'] },
  );
  const loose = ['net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.v1.rp_filter=0', 'net.ipv4.conf.ul.rp_filter=0'];
  for (const ns of [m.m1, m.m2]) await must(within(ns, 'sysctl', '-qw', ...loose));
};

for (const deliver of ['auto', 'bulk', 'small'])
  test.serial(
    `an inner end that stays with the machine gets every kind of packet, deliver ${deliver}`,
    inMachines(async (t, m) => {
      await gtpIn(m.m1, `link add gtp0 local ${outer[4][0]} netns ${m.ue1} ${user(0)} ${ends(1, 2, outer[4][1])}`);
      await gtpIn(m.m2, `link add gtp0 local ${outer[4][1]} deliver ${deliver} ${user(1)} ${ends(2, 1, outer[4][0])}`);
      for (const version of [4, 6] as const) t.is(await ping(m.ue1, inner[version][1]), 3);
      const moved = await transfer({ from: m.ue1, to: m.m2, address: inner[4][1], size });
      t.deepEqual(moved, { equal: true, received: size });
      t.is(await ping(m.m2, inner[4][0]), 3);
      t.deepEqual(dropped(await linkStats(m.m2)), {});
    }),
  );

test.serial(
  'over a hairpin, an inner end that stays with the machine is reached, too',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 local 127.0.0.2 netns ${m.ue1} ${user(0)} ${ends(1, 2, '127.0.0.3')}`);
    await gtpIn(m.m1, `link add gtp1 local 127.0.0.3 ${user(1)} ${ends(2, 1, '127.0.0.2')}`);
    t.is(await ping(m.ue1, inner[4][1]), 3);
    t.is(await ping(m.m1, inner[6][0]), 3);
    const moved = await transfer({ from: m.ue1, to: m.m1, address: inner[4][1], size });
    t.deepEqual(moved, { equal: true, received: size });
  }),
);

test.serial(
  'where the route leaves by a device that nobody listens on, every segment is right all the same',
  inMachines(async (t, m) => {
    await second(m);
    await gtpIn(m.m1, `link add gtp0 local ${outer[4][0]} netns ${m.ue1} ${user(0)} ${ends(1, 2, outer[4][1])}`);
    await gtpIn(
      m.m2,
      `link add gtp0 local ${outer[4][1]} dev ul dev v1 netns ${m.ue2} ${user(1)} ${ends(2, 1, outer[4][0])}`,
    );
    await must(['ip', '-n', m.m1, 'route', 'add', `${outer[4][1]}/32`, 'via', '198.51.100.2']);
    const seen = await capture(m.m2, 'v1', `${scratch}/elsewhere.pcap`, 'udp dst port 2152');
    const moved = await transfer({ from: m.ue1, to: m.ue2, address: inner[4][1], size });
    t.deepEqual(moved, { equal: true, received: size });
    const report = judgeFrames(await seen.stop());
    t.deepEqual(faults(report), faultless);
    t.is(report.octets, size);
  }),
);

test.serial(
  '::/0 as ue takes every IPv6 address and no IPv4 one',
  inMachines(async (t, m) => {
    await gtpIn(
      m.m1,
      `link add gtp0 local ${outer[4][0]} netns ${m.ue1} ${user(0)} ${ends(1, 2, outer[4][1])} ue ::/0`,
    );
    await run(within(m.ue1, 'ping', '-c', '1', '-W', '1', inner[4][1]));
    const { drops, encap } = await linkStats(m.m1);
    t.true((drops['no_session'] ?? 0) >= 1);
    t.is(encap.packets, 0);
  }),
);

test.serial(
  'a device that takes the index of an underlay that has gone is left alone',
  inMachines(async (t, m) => {
    await join(m, 4);
    const listed = JSON.parse(await must(['ip', '-n', m.m1, '-j', 'link', 'show', 'ul'])) as { ifindex: number }[];
    await must(['ip', '-n', m.m1, 'link', 'del', 'ul']);
    const index = `${listed[0]?.ifindex}`;
    await must(['ip', '-n', m.m1, 'link', 'add', 'str', 'index', index, 'type', 'veth', 'peer', 'name', 'str1']);
    await must(within(m.m1, 'ethtool', '-K', 'str', 'tx', 'off'));
    t.deepEqual((await links(m.m1))[0]?.dev, ['lo']);
    t.is((await gtpTry(m.m1, 'link set gtp0 ttl 6')).status, 0);
    await gtpIn(m.m1, 'link del gtp0');
    t.regex(await must(within(m.m1, 'ethtool', '-k', 'str')), /^\ttx-checksum-ip-generic: off/m);
  }),
);
