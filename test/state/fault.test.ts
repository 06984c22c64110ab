// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { closeFixture, gtpIn, links, using } from '../fixture';
import type { TwoMachines } from '../topology';
import { ALL_STEPS, changesOf, faulty, STEPS, stride } from './fault';
import { machines, removals, type Scenario, scenarios } from './scenarios';
import { snapshot } from './snapshot';

test.after.always(closeFixture);

const inMachines = using(machines);

for (const [what, scenario] of Object.entries(scenarios)) {
  test.serial(
    `${what}: ${STEPS} refused, and nothing has changed`,
    inMachines(async (t, m) => {
      t.timeout(120_000);
      const { before, command } = scenario;
      for (const words of before(m)) await gtpIn(m.m1, words);
      const was = world(m);
      const step = stride();
      // Not the same steps of each scenario.
      let n = ALL_STEPS ? 1 : 1 + (what.length % 8);
      for (let call = await refused(t, m, scenario, n); call !== undefined; call = await refused(t, m, scenario, n)) {
        t.deepEqual(world(m), was, `step ${n} ${call}`);
        n += step(call);
      }
      t.notDeepEqual(world(m), was, `at last: ${command(m)}`);
    }),
  );
}

for (const [what, scenario] of Object.entries(removals)) {
  test.serial(
    `${what}: ${STEPS} refused, the link is there as it was, or what is left of it goes with the next change`,
    inMachines(async (t, m) => {
      t.timeout(120_000);
      const { before, command } = scenario;
      const empty = world(m);
      for (const words of before(m)) await gtpIn(m.m1, words);
      const changes = await changesOf(m.m1, command(m));
      for (const n of changes.filter((_, at) => ALL_STEPS || at < 4 || at % 8 === 0)) {
        await gtpIn(m.m1, 'link flush');
        t.deepEqual(world(m), empty, `before step ${n}`);
        for (const words of before(m)) await gtpIn(m.m1, words);
        const was = world(m);
        t.not(await refused(t, m, scenario, n), undefined);
        const isThere = (await links(m.m1)).some(({ ifname }) => ifname === 'gtp0');
        if (isThere) t.deepEqual(world(m), was, `step ${n}`);
      }
    }),
  );
}

const world = (m: TwoMachines): object => snapshot(m.m1, [m.ue1, m.ue2], ['ul', 'other', 'far']);

/** Runs a scenario's command with its n-th step refused; gives that step, or undefined when it has fewer and so was done. */
async function refused(
  t: ExecutionContext,
  m: TwoMachines,
  { command }: Scenario,
  n: number,
): Promise<string | undefined> {
  const { call, status, stdout, stderr } = await faulty(m.m1, command(m), n, 'refuse');
  t.is(status, call === undefined ? 0 : 2, `${n} ${call}: ${stderr}`);
  t.is(stdout, '', call);
  if (call !== undefined)
    t.regex(stderr, /^(Note: .*\n)?Error: .*: Input\/output error\n(Hint: .*\n)?$/, `${n} ${call}`);
  return call;
}
