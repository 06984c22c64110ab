// SPDX-License-Identifier: MIT
import { renameSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { linkInfo, objGet } from '../../src/bindings/bpf-fd';
import { lookup, nextKey, rawMap, update } from '../../src/bindings/bpf-map';
import { attachedFilters, filterPins } from '../../src/datapath/filters';
import { attached, pinnedProgram } from '../../src/datapath/object';
import { list } from '../../src/datapath/pins';
import { shapeOf } from '../../src/datapath/shape';
import { stream, udpSocket } from '../agent';
import { addressStats, closeFixture, gtpIn, gtpTry, linkStats, using } from '../fixture';
import { dropped, type LinkRecord } from '../records';
import { waitFor } from '../run';
import { faulty } from '../state/fault';
import { dirOf } from '../state/snapshot';
import { ends, inner, outer, ping, type TwoMachines, twoMachines, user } from '../topology';
import { OTHER_LAYOUT, olderRelease } from './older';
import { keptRelease, type Release, releaseIn } from './release';

test.after.always(closeFixture);

test.serial(
  'links of the last release get the programs of this one: no packet is lost either way, and counters go on',
  using(twoMachines)(async (t, m) => {
    t.timeout(180_000);
    const last = keptRelease('0.1.0');
    await joinBy(last, m);
    const was = [m.m1, m.m2].map(hooksOf);
    for (const ns of [m.m1, m.m2]) {
      const { status, stderr } = await gtpTry(ns, 'link show');
      t.true(status === 0 || /^Hint: made by an earlier gtp: .* takes it over/m.test(stderr), stderr);
    }
    t.deepEqual([m.m1, m.m2].map(hooksOf), was, 'to look changes nothing');
    await goesOver(
      t,
      m,
      last,
      /^Note: programs of an earlier gtp were replaced by those of [^,\s]+(, and maps .*)?\n$/,
    );
  }),
);

test.serial(
  'links of a version with other layouts: words, sessions, drops are what they were; no packet and no count is lost',
  using(twoMachines)(async (t, m) => {
    t.timeout(180_000);
    const older = await otherLayout();
    await joinBy(older, m, 'echo off udpcsum ttl 33');
    await older.in(
      m.m1,
      `session add dev gtp0 ${ends(3, 4, '192.0.2.3')} ue 10.45.0.3 ue 10.47.0.0/16 name three qfi 5`,
    );
    await older.in(m.m1, `session add dev gtp0 version 0 tid 7 remote 192.0.2.3 ue 10.45.0.7 noudpcsum`);
    await older.in(m.m1, `session add dev gtp0 type gre key 8 remote 192.0.2.3 from 10.45.0.1 to 10.45.0.8 oseq`);
    const stranger = await udpSocket(m.m2, outer[4][1], 0);
    await stranger.send(Buffer.from('30ff0004deadbeef00000000', 'hex'), [outer[4][0], 2152]);
    const refused = await gtpTry(m.m1, 'link show');
    t.is(refused.status, 2);
    t.regex(
      refused.stderr,
      /^Error: use map link_words: .*link_words\.ttl: .*\nHint: made by gtp 0\.0\.9: .*gtp link set/,
    );
    const was = await recordsBy(older, m.m1);
    await goesOver(
      t,
      m,
      older,
      /^Note: programs of gtp 0\.0\.9 were replaced by those of \S+, .*: [a-z_, ]*\brx\b.*\n$/,
    );
    t.deepEqual(await recordsBy(releaseIn('dist'), m.m1), was);
    t.deepEqual(dropped(await addressStats(m.m1, outer[4][0])), { unknown_teid: 1 });
    await gtpIn(m.m1, `session change dev gtp0 local-teid 3 name ${'x'.repeat(60)}`);
  }),
);

test.serial(
  'killed at a step, the next command completes it; refused at one, or by a value that does not fit, nothing has changed',
  using(twoMachines)(async (t, m) => {
    t.timeout(180_000);
    const older = await otherLayout();
    await joinBy(older, m);
    const was = hooksOf(m.m1);
    const moving = await stream(m.ue1, inner[4][0], m.ue2, inner[4][1]);
    for (const [n, call] of KILLED) {
      t.like(await faulty(m.m1, CHANGE, n, 'kill', call), { status: 128 }, call);
      await flows(moving.sent);
    }
    t.regex((await gtpTry(m.m1, CHANGE)).stderr, /^Note: programs of gtp \S+ are in place now: .*interrupted\n$/);
    checkPins(t, m.m1, was);
    await refusals(t, m.m2, older);
    const { sent, received } = await moving.end();
    t.is(received, sent);
    t.is((await linkStats(m.m1)).encap.packets, sent);
    const refused = await older.try(m.m1, CHANGE);
    t.is(refused.status, 2);
    t.regex(
      refused.stderr,
      /^Error: use program control: .*rx_key\..*\nHint: made by gtp \S+, this is 0\.0\.9: use that\n$/,
    );
    const signature = list(dirOf(m.m1)).find((name) => name.startsWith('made-by')) ?? '';
    renameSync(`${dirOf(m.m1)}/${signature}`, `${dirOf(m.m1)}/made-by-99_0_0-0123456789ab`);
    const now = hooksOf(m.m1);
    t.is((await gtpTry(m.m1, CHANGE)).stderr, '', 'a later version, whose layouts are ours');
    t.deepEqual(hooksOf(m.m1), now);
  }),
);

test.serial(
  'hooks that are filters of clsact qdiscs get the programs of this version, too: no packet is lost',
  using(twoMachines)(async (t, m) => {
    t.timeout(180_000);
    const older = await otherLayout();
    process.env['GTP_HOOKS'] = 'clsact';
    await joinBy(older, m).finally(() => {
      delete process.env['GTP_HOOKS'];
    });
    const was = filtersOf(m.m1);
    t.true(was.length >= 3);
    const moving = await stream(m.ue1, inner[4][0], m.ue2, inner[4][1]);
    t.like(await faulty(m.m1, CHANGE, 2, 'kill', 'renameSync'), { status: 128 });
    await flows(moving.sent);
    t.is((await gtpTry(m.m1, CHANGE)).status, 0);
    await flows(moving.sent);
    const { sent, received } = await moving.end();
    t.is(received, sent);
    t.is((await linkStats(m.m1)).encap.packets, sent);
    await gtpIn(m.m2, 'link set gtp0 up'); // or nobody knows of it
    const is = filtersOf(m.m1);
    t.deepEqual(
      is.map(({ pin }) => pin),
      was.map(({ pin }) => pin),
    );
    for (const [i, { pin, program }] of is.entries()) t.not(program, was[i]?.program, pin);
    t.true(attachedFilters(dirOf(m.m1)).every(({ program }) => program !== undefined));
    t.deepEqual(
      list(`${dirOf(m.m1)}/filters`),
      ['egress', 'ingress'].filter((side) => was.some(({ pin }) => pin.startsWith(side))),
    );
  }),
);

function filtersOf(ns: string): Hook[] {
  const dir = dirOf(ns);
  return filterPins(dir).map(({ pin, side }) => ({
    pin: `${side} ${pin}`,
    program: pinnedProgram(`${dir}/filters/${side}/${pin}`),
  }));
}

const CHANGE = `session change dev gtp0 remote 192.0.2.2 local-teid 0x101`;

// Amid the copying; with a hook that runs the new program; amid the counters; amid the pins. Each goes on where the last one ended.
const KILLED: readonly [number, string][] = [
  [2, 'bpf_map_update_batch'],
  [2, 'bpf_link_update'],
  [1, 'bpf_prog_test_run_opts'],
  [9, 'renameSync'],
];

async function refusals(t: ExecutionContext, ns: string, older: Release): Promise<void> {
  const change = CHANGE.replace('192.0.2.2', '192.0.2.1').replace('0x101', '0x202');
  const was = [hooksOf(ns), list(dirOf(ns))];
  const same = (what: string): void => void t.deepEqual([hooksOf(ns), list(dirOf(ns))], was, what);
  const right = setTtl(ns, 300);
  const unfit = await gtpTry(ns, change);
  t.is(unfit.status, 2);
  t.regex(
    unfit.stderr,
    /^Error: bring map link_words into .*: link_words\.ttl: 300 does not fit u8\nHint: .*gtp 0\.0\.9/,
  );
  same('unfit');
  setTtl(ns, right);
  for (const [n, call] of [
    [2, 'bpf_map_create'],
    [3, 'bpf_link_update'],
    [2, 'renameSync'],
  ] as const) {
    t.like(await faulty(ns, change, n, 'refuse', call), { status: 2 }, call);
    same(call);
  }
  t.like(await faulty(ns, change, 2, 'kill', 'bpf_link_update'), { status: 128 });
  await older.in(ns, change);
  same('taken back by the version whose programs are there');
}

/** Sets the ttl of the only link as the pinned map has it; gives what it was. */
function setTtl(ns: string, ttl: number): number {
  const fd = objGet(`${dirOf(ns)}/maps/link_words`);
  if (fd === undefined) throw new Error('no map');
  const map = rawMap(fd);
  const type = shapeOf(map).value;
  const field = type?.form === 'struct' ? type.fields.find(({ name }) => name === 'ttl') : undefined;
  const key = nextKey(map, undefined);
  const value = key && lookup(map, key);
  if (field === undefined || key === undefined || value === undefined) throw new Error('no link');
  const was = value.readUInt16LE(field.at);
  value.writeUInt16LE(ttl, field.at);
  update(map, key, value);
  return was;
}

/** Links of an older version carry numbered packets both ways while the command under test takes them over. */
async function goesOver(t: ExecutionContext, m: TwoMachines, old: Release, note: RegExp): Promise<void> {
  const machines = [m.m1, m.m2];
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

let made: Promise<Release> | undefined;

function otherLayout(): Promise<Release> {
  made ??= olderRelease('0.0.9', OTHER_LAYOUT);
  return made;
}

async function flows(going: () => Promise<number>): Promise<void> {
  const before = await going();
  await waitFor(going, (sent) => sent > before + 500);
}

async function joinBy(old: Release, { m1, m2, ue1, ue2 }: TwoMachines, words = ''): Promise<void> {
  const [a, b] = outer[4];
  await old.in(m1, `link add gtp0 local ${a} netns ${ue1} ${user(0)} ${ends(0x101, 0x202, b)} ${words}`.trim());
  await old.in(m2, `link add gtp0 local ${b} netns ${ue2} ${user(1)} ${ends(0x202, 0x101, a)}`);
}

/** What the user said, as it is told. */
async function recordsBy(release: Release, ns: string): Promise<object> {
  const [shown, sessions] = [await release.in(ns, '-j link show'), await release.in(ns, '-j session show')];
  return { links: JSON.parse(shown), sessions: JSON.parse(sessions) };
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
