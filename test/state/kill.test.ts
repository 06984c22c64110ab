// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { activeRx, activeTx } from '../../src/datapath/sessions';
import { closeFixture, gtpIn, gtpTry, links, sessions, using } from '../fixture';
import type { TwoMachines } from '../topology';
import { changesOf, faulty } from './fault';
import { machines, removals, scenarios } from './scenarios';
import { isLoaded, snapshot, withMaps } from './snapshot';

test.after.always(closeFixture);

const chosen = [
  ...['link add, the first one', 'link add, the second one', 'link set local and port', 'session add'],
  ...['session change', 'session replace', 'session del', 'link del', 'link del of the last one'],
];

for (const what of chosen) {
  const scenario = { ...scenarios, ...removals }[what];
  if (scenario === undefined) throw new Error(`no scenario ${what}`);
  const { before, command } = scenario;
  test.serial(
    `${what}, killed at any step: no later command trips over it, and link flush takes all of it away`,
    using(machines)(async (t, m) => {
      const empty = await world(m);
      for (const words of before(m)) await gtpIn(m.m1, words);
      const changes = await changesOf(m.m1, command(m));
      for (const n of changes) {
        await gtpIn(m.m1, 'link flush');
        for (const words of before(m)) await gtpIn(m.m1, words);
        const { call, status } = await faulty(m.m1, command(m), n, 'kill');
        t.is(status, 128, call);
        await checkTargets(t, m, `${n} ${call}`);
        await again(t, m, command(m), `${n} ${call}`);
        if (n % 2 === 1) continue;
        await gtpIn(m.m1, 'link flush');
        t.deepEqual(await world(m), empty, `${n} ${call}`);
      }
    }),
  );
}

const world = (m: TwoMachines): Promise<object> => snapshot(m.m1, [m.ue1, m.ue2]);

/** The same command does what it was to do, or says that it is done already; the commands that only look never fail. */
async function again(t: ExecutionContext, m: TwoMachines, command: string, what: string): Promise<void> {
  const wholeLinks = (await links(m.m1)).map(({ ifname }) => ifname);
  const wholeSessions = (await sessions(m.m1)).map(({ local_teid }) => local_teid);
  const { status, stderr } = await gtpTry(m.m1, command);
  const [object, verb] = command.split(' ');
  const isDone =
    object === 'link'
      ? wholeLinks.includes(command.split(' ')[2] ?? '') === (verb === 'add')
      : wholeSessions.includes(3) === (verb === 'add');
  if (status === 0) return void t.pass();
  t.true(isDone && (verb === 'add' || verb === 'del'), `${what}: ${stderr}`);
  t.regex(stderr, /File exists|No such/, what);
}

/** Whatever is in the maps leads to the link that it was made for: gtp0 has the TEIDs of these tests, gtp1 has none. */
async function checkTargets(t: ExecutionContext, m: TwoMachines, what: string): Promise<void> {
  if (!isLoaded(m.m1)) return;
  const index = (await links(m.m1)).find(({ ifname }) => ifname === 'gtp0')?.ifindex;
  withMaps(m.m1, (maps) => {
    const targets = [
      ...[...maps.rx.entries()].map(([, rx]) => activeRx(rx).ifindex),
      ...[...maps.tx.entries()].filter(([, tx]) => activeTx(tx).local_teid !== 0).map(([key]) => key.ifindex),
      ...[...maps.tx_prefix.entries()].map(([key]) => key.ifindex),
    ];
    // One whose device has gone is nobody's: the map `devices` has no such index any more.
    const alive = targets.filter((ifindex) => maps.devices.get(ifindex) !== undefined);
    t.true(alive.every((ifindex) => index === undefined || ifindex === index), what);
  });
}
