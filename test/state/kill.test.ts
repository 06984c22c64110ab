// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { activeRx } from '../../src/datapath/sessions';
import { closeFixture, gtpIn, gtpTry, linkStats, links, sessions, using } from '../fixture';
import { dropped } from '../records';
import { ends, inner, join, outer, ping, type TwoMachines, twoMachines } from '../topology';
import { ALL_STEPS, changesOf, faulty, STEPS } from './fault';
import { keeper, machines, removals, scenarios } from './scenarios';
import { indexOf, isLoaded, snapshot, withMaps } from './snapshot';

test.after.always(closeFixture);

const inMachines = using(machines);
const chosen = [
  'link add with an inner end that stays here',
  ...['session change of the far end', 'session change of its only ue'],
  ...['session del of version 0', 'link add of type vlan', 'session add of l2tp on a link of packets'],
  ...['session add on a link of frames', 'session change of the remote in the key', 'session del on a link of frames'],
  ...['link add, the second one', 'link add on another underlay', 'link set local and port', 'session add'],
  ...['session replace', 'session del', 'link del'],
];

for (const what of chosen) {
  const scenario = { ...scenarios, ...removals }[what];
  if (scenario === undefined) throw new Error(`no scenario ${what}`);
  const before = (m: TwoMachines) => scenario.before(m).filter((words) => words !== keeper(m));
  const { command } = scenario;
  test.serial(
    `${what}, killed at ${STEPS}: no later command trips over it, and nothing of it stays behind`,
    inMachines(async (t, m) => {
      t.timeout(120_000);
      const empty = world(m);
      await gtpIn(m.m1, keeper(m));
      const kept = world(m);
      for (const words of before(m)) await gtpIn(m.m1, words);
      const changes = await changesOf(m.m1, command(m));
      for (const n of some(changes, 2)) {
        await clear(m);
        t.deepEqual(world(m), kept, `before step ${n}`);
        for (const words of before(m)) await gtpIn(m.m1, words);
        const { call, status } = await faulty(m.m1, command(m), n, 'kill');
        t.is(status, 128, call);
        checkTargets(t, m, `${n} ${call}`);
        if (n % 2 > 0) await again(t, m, command(m), `${n} ${call}`);
      }
      await gtpIn(m.m1, 'link flush');
      t.deepEqual(world(m), empty);
    }),
  );
}

test.serial(
  `the first link add and the last link flush, killed at ${STEPS}: the same words work, and flush takes all away`,
  inMachines(async (t, m) => {
    t.timeout(240_000);
    const empty = world(m);
    const { command } = scenarios['link add, the first one'] as (typeof scenarios)[string];
    for (const n of some(await changesOf(m.m1, command(m)), 4)) {
      await gtpTry(m.m1, 'link flush');
      t.deepEqual(world(m), empty, `before step ${n}`);
      const { call } = await faulty(m.m1, command(m), n, 'kill');
      if (n % 4 === 0) await again(t, m, command(m), `${n} ${call}`);
    }
    await again(t, m, command(m), 'at last');
    for (const n of some(await changesOf(m.m1, 'link flush'), 4)) {
      await gtpIn(m.m1, command(m));
      await faulty(m.m1, 'link flush', n, 'kill');
      await gtpIn(m.m1, 'link show');
      await gtpIn(m.m1, 'link flush');
      t.deepEqual(world(m), empty, `${n}`);
    }
  }),
);

test.serial(
  'the only session of a link gets a ue, killed at any step: it is found, and its packets go both ways',
  using(twoMachines)(async (t, m) => {
    t.timeout(120_000);
    await join(m, 4);
    const change = `session change dev gtp0 local-teid 0x101 ue ${inner[4][1]}`;
    const before = `session replace dev gtp0 ${ends(0x101, 0x202, outer[4][1])}`;
    const goesOn = async (what: string): Promise<void> => {
      t.is((await sessions(m.m1)).length, 1, what);
      t.deepEqual([await ping(m.ue1, inner[4][1]), await ping(m.ue2, inner[4][0])], [3, 3], what);
    };
    const changes = await changesOf(m.m1, change);
    await goesOn('changed');
    for (const n of changes) {
      await gtpIn(m.m1, before);
      const { call } = await faulty(m.m1, change, n, 'kill');
      await goesOn(`${n} ${call}`);
    }
    t.deepEqual(dropped(await linkStats(m.m1)), {});
  }),
);

const world = (m: TwoMachines): object => snapshot(m.m1, [m.ue1, m.ue2], ['ul', 'other', 'far']);

/** About `count` of them, evenly; with ALL_STEPS every one. */
function some(changes: readonly number[], count: number): number[] {
  if (ALL_STEPS) return [...changes];
  const step = Math.max(1, Math.round(changes.length / count));
  return changes.filter((_, at) => at % step === 0);
}

/** Removes every link but the keeper, and with the last command whatever is no link yet or no more. */
async function clear(m: TwoMachines): Promise<void> {
  const names = (await links(m.m1)).map(({ ifname }) => ifname).filter((name) => name !== 'keeper');
  for (const name of names) await gtpIn(m.m1, `link del ${name}`);
  if (names.length === 0) await gtpIn(m.m1, 'session flush dev keeper');
}

/** The same command does what it was to do, or says that it is done already; the commands that only look never fail. */
async function again(t: ExecutionContext, m: TwoMachines, command: string, what: string): Promise<void> {
  const [object, verb, name = ''] = command.split(' ');
  const isThere =
    object === 'link'
      ? (await links(m.m1)).some(({ ifname }) => ifname === name)
      : (await sessions(m.m1)).some((one) => IDS.some((id) => id in one && one[id as keyof typeof one] === 3));
  const { status, stderr } = await gtpTry(m.m1, command);
  if (status === 0) return;
  t.true((verb === 'add' && isThere) || (verb === 'del' && !isThere), `${what}: ${stderr}`);
  t.regex(stderr, /File exists|No such/, what);
}

const IDS = ['local_teid', 'vni', 'session_id'];

/** Whatever is received leads to the link that it was made for: gtp0 alone has sessions in these tests. */
function checkTargets(t: ExecutionContext, m: TwoMachines, what: string): void {
  if (!isLoaded(m.m1)) return;
  const index = indexOf(m.m1, 'gtp0');
  withMaps(m.m1, (maps) => {
    const targets = [...maps.rx.entries()].map(([, rx]) => activeRx(rx).ifindex);
    // One whose device has gone is nobody's: the map `devices` has no such index any more.
    const alive = targets.filter((ifindex) => maps.devices.get(ifindex) !== undefined);
    t.true(
      alive.every((ifindex) => ifindex === index),
      what,
    );
  });
}
