// SPDX-License-Identifier: MIT
import test from 'ava';
import { stream } from '../agent';
import { closeFixture, gtpIn, linkStats, using } from '../fixture';
import { dropped } from '../records';
import { must, waitFor } from '../run';
import { ends, inner, ping, type Routed, routeBy, routed, user } from '../topology';

test.after.always(closeFixture);

const far = { 4: ['192.0.2.1', '198.51.100.2'], 6: ['2001:db8:2::1', '2001:db8:198::2'] } as const;
const targets = { 4: ['198.51.100.0/24', '192.0.2.253'], 6: ['2001:db8:198::/64', '2001:db8:2::253'] } as const;

for (const family of [4, 6] as const) {
  test.serial(
    `IPv${family} outer: the tunnel works behind a router and follows a change of the route`,
    using(routed)(async (t, m) => {
      await joinFar(m, family);
      t.is(await ping(m.ue1, inner[4][1]), 3);
      t.is(await ping(m.ue2, inner[6][0]), 3);
      const moving = await stream(m.ue1, inner[4][0], m.ue2, inner[4][1]);
      await waitFor(moving.sent, (sent) => sent > 200);
      const before = await arrived(m.r2, 'sw1');
      await routeBy(m.m1, targets[family][0], targets[family][1]);
      const after = await waitFor(
        () => arrived(m.r2, 'sw1'),
        (frames) => frames > before + 200,
      );
      const { sent, received, refused } = await moving.end();
      t.true(after > before + 200, `${after - before} frames by the new router`);
      t.is(refused, 0);
      t.is(received, sent, 'no datagram is lost by the change');
      t.is((await linkStats(m.m2)).decap.packets, sent + 6);
    }),
  );

  test.serial(
    `IPv${family} outer: a gateway that gets another MAC address is found again`,
    using(routed)(async (t, m) => {
      await joinFar(m, family);
      t.is(await ping(m.ue1, inner[4][1]), 3);
      await must(['ip', '-n', m.r1, 'link', 'set', 'sw1', 'address', '02:00:00:00:77:01']);
      await must(['ip', '-n', m.m1, 'neigh', 'flush', 'dev', 'ul']);
      t.is(await ping(m.ue1, inner[4][1]), 3);
    }),
  );
}

test.serial(
  'a route that goes away is a drop with a name, and coming back it carries again',
  using(routed)(async (t, m) => {
    await joinFar(m, 4);
    t.is(await ping(m.ue1, inner[4][1]), 3);
    await must(['ip', '-n', m.m1, 'route', 'del', targets[4][0]]);
    const answered = await waitFor(
      () => ping(m.ue1, inner[4][1], 1, '-W', '0.2'),
      (answers) => answers === 0,
    );
    t.is(answered, 0);
    const stats = await linkStats(m.m1);
    t.deepEqual(dropped(stats), { no_route: 1 });
    t.is((await linkStats(m.m2)).decap.packets, stats.encap.packets);
    await routeBy(m.m1, targets[4][0], '192.0.2.254');
    const again = await waitFor(
      () => ping(m.ue1, inner[4][1], 1, '-W', '0.2'),
      (answers) => answers === 1,
    );
    t.is(again, 1);
  }),
);

test.serial(
  'a route over another device that the link listens on is followed',
  using(routed)(async (t, m) => {
    await must(['ip', '-n', m.m1, 'link', 'add', 'second', 'type', 'veth', 'peer', 'name', 'second', 'netns', m.r2]);
    await must(['ip', '-n', m.m1, '-b', '-'], { input: 'addr add 203.0.113.1/24 dev second\nlink set second up\n' });
    await must(['ip', '-n', m.r2, '-b', '-'], { input: 'addr add 203.0.113.253/24 dev second\nlink set second up\n' });
    await joinFar(m, 4, 'dev ul dev second');
    t.is(await ping(m.ue1, inner[4][1]), 3);
    await routeBy(m.m1, targets[4][0], '203.0.113.253');
    await must(['ip', '-n', m.r2, 'route', 'replace', '192.0.2.1/32', 'via', '203.0.113.1']);
    await routeBy(m.m2, '192.0.2.0/24', '198.51.100.253');
    const before = await arrived(m.r2, 'second');
    const pinged = async () => [await ping(m.ue1, inner[4][1], 5), (await arrived(m.r2, 'second')) - before] as const;
    const [answers, frames] = await waitFor(pinged, ([, seen]) => seen >= 5);
    t.is(answers, 5);
    t.true(frames >= 5, 'requests leave by the other device');
    t.is(await ping(m.ue2, inner[6][0]), 3, 'and what comes in there is ours');
  }),
);

/** Frames that a device has received. */
async function arrived(ns: string, dev: string): Promise<number> {
  const [link] = JSON.parse(await must(['ip', '-n', ns, '-j', '-s', 'link', 'show', 'dev', dev])) as {
    stats64: { rx: { packets: number } };
  }[];
  return link?.stats64.rx.packets ?? 0;
}

async function joinFar(m: Routed, family: 4 | 6, words = ''): Promise<void> {
  const [a, b] = far[family];
  await Promise.all([
    gtpIn(
      m.m1,
      `link add gtp0 local ${a} ${words} netns ${m.ue1} ${user(0)} ${ends(0x101, 0x202, b)}`.replace(/ +/g, ' '),
    ),
    gtpIn(m.m2, `link add gtp0 local ${b} netns ${m.ue2} ${user(1)} ${ends(0x202, 0x101, a)}`),
  ]);
}
