// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { closeFixture, gtpIn, links, using } from '../fixture';
import type { TwoMachines } from '../topology';
import { changesOf, faulty } from './fault';
import { machines, removals, type Scenario, scenarios } from './scenarios';
import { snapshot } from './snapshot';

test.after.always(closeFixture);

const inMachines = using(machines);

for (const [what, scenario] of Object.entries(scenarios)) {
  test.serial(
    `${what}: whichever step is refused, nothing has changed`,
    inMachines(async (t, m) => {
      const changes = await changesIn(m, scenario);
      const was = await world(m);
      for (const n of changes) {
        const call = await refuse(t, m, scenario, n);
        t.deepEqual(await world(m), was, call);
      }
      await gtpIn(m.m1, scenario.command(m));
    }),
  );
}

for (const [what, scenario] of Object.entries(removals)) {
  test.serial(
    `${what}: whichever step is refused, the link is there as it was, or what is left of it goes with the next change`,
    inMachines(async (t, m) => {
      const empty = await world(m);
      const changes = await changesIn(m, scenario);
      for (const n of changes) {
        const was = await world(m);
        const call = await refuse(t, m, scenario, n);
        const isThere = (await links(m.m1)).some(({ ifname }) => ifname === 'gtp0');
        if (isThere) t.deepEqual(await world(m), was, call);
        await gtpIn(m.m1, 'link flush');
        t.deepEqual(await world(m), empty, call);
        for (const words of scenario.before(m)) await gtpIn(m.m1, words);
      }
    }),
  );
}

const world = (m: TwoMachines): Promise<object> => snapshot(m.m1, [m.ue1, m.ue2]);

/** The steps of a command; leaves what there is in front of it. */
async function changesIn(m: TwoMachines, { before, command }: Scenario): Promise<number[]> {
  for (const words of before(m)) await gtpIn(m.m1, words);
  const changes = await changesOf(m.m1, command(m));
  await gtpIn(m.m1, 'link flush');
  for (const words of before(m)) await gtpIn(m.m1, words);
  return changes;
}

async function refuse(t: ExecutionContext, m: TwoMachines, { command }: Scenario, n: number): Promise<string> {
  const { call, status, stdout, stderr } = await faulty(m.m1, command(m), n, 'refuse');
  t.is(status, 2, `${n} ${call}: ${stderr}`);
  t.is(stdout, '', call);
  t.regex(stderr, /^(Note: .*\n)?Error: .*: Input\/output error\n(Hint: .*\n)?$/, `${n} ${call}`);
  return `${n} ${call}`;
}
