// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { linkInfo, objGet } from '../../src/bindings/bpf-fd';
import { attached } from '../../src/datapath/object';
import { list } from '../../src/datapath/pins';
import { stream } from '../agent';
import { closeFixture, gtpTry, linkStats, links, using } from '../fixture';
import { dropped, type LinkRecord } from '../records';
import { waitFor } from '../run';
import { dirOf } from '../state/snapshot';
import { ends, inner, outer, ping, type TwoMachines, twoMachines, user } from '../topology';
import { keptRelease, type Release } from './release';

test.after.always(closeFixture);

test.serial(
  'links of the last release get the programs of this one: no packet is lost either way, counters go on, maps are kept',
  using(twoMachines)(async (t, m) => {
    const last = keptRelease('0.1.0');
    const note = /^Note: programs of an earlier gtp were replaced by those of \S+\n$/;
    await goesOver(t, m, last, note);
  }),
);

/** Links of an older version carry numbered packets both ways while the command under test takes them over. */
async function goesOver(t: ExecutionContext, m: TwoMachines, old: Release, note: RegExp): Promise<void> {
  await joinBy(old, m);
  const machines = [m.m1, m.m2];
  for (const ns of machines) t.is((await links(ns)).length, 1, 'to look changes nothing');
  const was = machines.map(hooksOf);
  const there = await stream(m.ue1, inner[4][0], m.ue2, inner[4][1]);
  const back = await stream(m.ue2, inner[6][1], m.ue1, inner[6][0]);
  const going = async (): Promise<number> => Math.min(await there.sent(), await back.sent());
  for (const ns of machines) {
    await flows(going);
    const before = await statsBy(old, ns);
    const { status, stderr } = await gtpTry(ns, `session add dev gtp0 ${ends(9, 9, '192.0.2.77')} ue 10.45.0.77`);
    t.is(status, 0, stderr);
    t.regex(stderr, note);
    const after = await linkStats(ns);
    t.true(after.encap.packets >= before.encap.packets && after.decap.packets >= before.decap.packets, ns);
    await flows(going);
    t.is((await gtpTry(ns, 'session del dev gtp0 local-teid 9')).stderr, '', 'only once');
  }
  const ended = [await there.end(), await back.end()];
  for (const { sent, received, twice, refused } of ended) t.deepEqual([received, twice, refused], [sent, 0, 0]);
  const counts = await Promise.all(machines.map((ns) => linkStats(ns)));
  t.deepEqual(counts.map(dropped), [{}, {}]);
  t.deepEqual(
    counts.map(({ encap, decap }) => [encap.packets, decap.packets]),
    [ended.map(({ sent }) => sent), ended.map(({ sent }) => sent).reverse()],
  );
  t.is(await ping(m.ue1, inner[4][1], 2), 2);
  for (const [i, ns] of machines.entries()) checkPins(t, ns, was[i] ?? []);
}

async function flows(going: () => Promise<number>): Promise<void> {
  const before = await going();
  await waitFor(going, (sent) => sent > before + 500);
}

async function joinBy(old: Release, { m1, m2, ue1, ue2 }: TwoMachines): Promise<void> {
  const [a, b] = outer[4];
  await old.in(m1, `link add gtp0 local ${a} netns ${ue1} ${user(0)} ${ends(0x101, 0x202, b)}`);
  await old.in(m2, `link add gtp0 local ${b} netns ${ue2} ${user(1)} ${ends(0x202, 0x101, a)}`);
}

async function statsBy(old: Release, ns: string): Promise<LinkRecord['stats']> {
  const [record] = JSON.parse(await old.in(ns, '-j -s link show gtp0')) as LinkRecord[];
  if (record === undefined) throw new Error('no link');
  return record.stats;
}

interface Hook {
  readonly pin: string;
  readonly program: number;
}

// By the programs' ids: what they are called tells nothing.
function hooksOf(ns: string): Hook[] {
  const dir = dirOf(ns);
  return list(`${dir}/hooks`).map((pin) => {
    const fd = objGet(`${dir}/hooks/${pin}`);
    if (fd === undefined) throw new Error(`no hook ${pin}`);
    return { pin, program: linkInfo(fd).programId };
  });
}

/** All hooks that were there run programs of this version, which are pinned in the only place; nothing else is left. */
function checkPins(t: ExecutionContext, ns: string, was: readonly Hook[]): void {
  const dir = dirOf(ns);
  const is = hooksOf(ns);
  t.deepEqual(
    is.map(({ pin }) => pin),
    was.map(({ pin }) => pin),
  );
  for (const [i, { pin, program }] of is.entries()) t.not(program, was[i]?.program, pin);
  t.true(attached(dir).every(({ program }) => program !== undefined));
  t.deepEqual(
    list(dir).map((name) => name.replace(/^(made-by)-.*/, '$1')),
    ['hooks', 'made-by', 'maps', 'programs'],
  );
}
