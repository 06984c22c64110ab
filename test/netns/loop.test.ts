// SPDX-License-Identifier: MIT
import test from 'ava';
import { closeFixture, gtpIn, gtpTry, links, sessions, using } from '../fixture';
import { must } from '../run';
import { indexOf, snapshot, withMaps } from '../state/snapshot';
import { ends, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);

test.serial(
  'a session whose remote is reached through its own link is refused (X12)',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, 'link add gtp0 local 192.0.2.1 address 10.45.0.1/24 route 203.0.113.0/24');
    await must(['ip', '-n', m.m1, 'route', 'add', '203.0.113.128/25', 'dev', 'gtp0']);
    const refused = async (words: string, tunnel: string): Promise<void> => {
      const { status, stderr } = await gtpTry(m.m1, words);
      t.is(status, 2, words);
      t.regex(
        stderr,
        new RegExp(`^Error: reach 203\\.0\\.113\\.\\d+: the route leads into the tunnel ${tunnel}\nHint: .*underlay`),
      );
    };
    await refused(`session add dev gtp0 ${ends(1, 2, '203.0.113.7')}`, 'gtp0i');
    await refused(`session add dev gtp0 ${ends(1, 2, '203.0.113.200')}`, 'gtp0');
    await refused(`link add gtp1 local 192.0.2.1 route 203.0.113.9 ${ends(1, 2, '203.0.113.9')}`, 'gtp1i');
    t.deepEqual(
      (await links(m.m1)).map(({ ifname }) => ifname),
      ['gtp0'],
    );
    await gtpIn(m.m1, `session add dev gtp0 ${ends(1, 2, '192.0.2.2')}`);
    await refused('session change dev gtp0 local-teid 1 remote 203.0.113.7', 'gtp0i');
    await gtpIn(m.m1, `link add gtp1 local 10.45.0.1 netns ${m.ue1} ${ends(3, 4, '203.0.113.7')}`);
    t.is((await sessions(m.m1, 'dev gtp1'))[0]?.state, 'up', 'through another link is a tunnel in a tunnel');
  }),
);

test.serial(
  'words of link set that would make a loop are refused, and nothing has changed (X12)',
  inMachines(async (t, m) => {
    await must(['ip', '-n', m.m1, 'route', 'add', '203.0.113.0/24', 'via', '192.0.2.2']);
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 ${ends(1, 2, '203.0.113.7')} ue 10.45.0.1`);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 4, '192.0.2.2')} ue 10.45.0.3`);
    const was = snapshot(m.m1, []);
    for (const words of ['route 203.0.113.7/32', 'ttl 9 address 203.0.113.1/25']) {
      const { status, stderr } = await gtpTry(m.m1, `link set gtp0 ${words}`);
      t.is(status, 2, words);
      t.regex(stderr, /^Error: reach 203\.0\.113\.7: the route leads into the tunnel gtp0i\nHint: .*underlay/);
      t.deepEqual(snapshot(m.m1, []), was, words);
    }
    await gtpIn(m.m1, 'link set gtp0 route 203.0.113.128/25 address 10.99.0.1/24');
    await must(['ip', '-n', m.m1, 'route', 'add', '203.0.113.7/32', 'dev', 'gtp0i']);
    await gtpIn(m.m1, 'link set gtp0 route 10.98.0.0/16');
    t.is((await sessions(m.m1))[0]?.state, 'no_route', 'a loop that was there before is not of these words');
  }),
);

test.serial(
  'a way that leads into the link later is told as no_route, and its words can still be changed',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 address 10.45.0.1/24 ${ends(1, 2, '192.0.2.2')}`);
    t.is((await sessions(m.m1))[0]?.state, 'up');
    await must(['ip', '-n', m.m1, 'route', 'add', '192.0.2.2/32', 'dev', 'gtp0i']);
    t.is((await sessions(m.m1))[0]?.state, 'no_route');
    const path = async (options: string) => gtpIn(m.m1, `${options} path show remote 192.0.2.2`);
    t.is((JSON.parse(await path('-j')) as { state: string }[])[0]?.state, 'no_route');
    t.is(await path('-o'), 'local 192.0.2.1 remote 192.0.2.2 sessions 1\\    state no_route\n');
    await gtpIn(m.m1, `link add gtp1 local 192.0.2.1 netns ${m.ue1} ${ends(3, 4, '192.0.2.3')}`);
    await must(['ip', '-n', m.m1, 'route', 'add', '192.0.2.3/32', 'dev', 'gtp0i']);
    t.regex(await gtpIn(m.m1, '-br path show remote 192.0.2.3'), / up /, 'a tunnel in a tunnel');
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 name loop');
    await gtpIn(m.m1, 'link set gtp0 ttl 9');
    await gtpIn(m.m1, '-d session show');
  }),
);

test.serial(
  'an inner end is known to stay as long as it does',
  inMachines(async (t, m) => {
    const known = () => withMaps(m.m1, (maps) => [...maps.inner_ends.entries()]);
    await gtpIn(m.m1, `link add gtp1 local 192.0.2.1 netns ${m.ue1}`);
    t.deepEqual(known(), []);
    await gtpIn(m.m1, 'link add gtp0 local 192.0.2.1');
    const pair = [[indexOf(m.m1, 'gtp0i'), indexOf(m.m1, 'gtp0')]];
    t.deepEqual(known(), pair as [number, number][]);
    await must(['ip', '-n', m.m1, 'link', 'set', 'gtp0i', 'netns', m.ue2]);
    await gtpIn(m.m1, 'link set gtp0 ttl 9');
    t.deepEqual(known(), []);
    await gtpIn(m.m1, 'link add gtp2 local 192.0.2.1');
    await must(['ip', '-n', m.m1, 'link', 'del', 'gtp2']);
    await gtpIn(m.m1, 'link set gtp0 ttl 10');
    t.deepEqual(known(), [], 'swept with its link');
  }),
);
