// SPDX-License-Identifier: MIT
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ExecutionContext } from 'ava';
import { resetAgent, stopAgent } from './agent';
import { addUp, type LinkRecord, type PathRecord, type SessionRecord, type Stats } from './records';
import { must, type Result, run, stopAll, waitFor, within } from './run';

/** Starts the names of everything that this test process makes. */
export const prefix = `gt${process.pid}`;

/** A bpffs of this test process alone, so that every pin in it is one of its own. */
export const bpffs = `/run/${prefix}-bpf`;

/** A folder for captures; gone with the fixture. */
export const scratch = `/tmp/${prefix}`;

/** The command under test. */
export const command = resolve(process.env.GTP_COMMAND ?? 'dist/gtp.cjs');

export interface GtpOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
}

/** Runs `gtp WORDS`, whatever its status. */
export function gtp(words: string, { env = {}, ...options }: GtpOptions = {}): Promise<Result> {
  return run([process.execPath, command, ...words.split(/\s+/)], {
    ...options,
    env: { ...process.env, GTP_BPFFS: bpffs, ...env },
  });
}

/** Runs `gtp -n NS WORDS` and wants status 0; gives what it printed. */
export async function gtpIn(ns: string, words: string): Promise<string> {
  served.add(ns);
  const { status, stdout, stderr } = await gtp(`-n ${ns} ${words}`);
  if (status !== 0) throw new Error(`gtp -n ${ns} ${words}: status ${status}\n${stderr}`);
  return stdout;
}

/** Runs `gtp -n NS WORDS` where it may fail. */
export function gtpTry(ns: string, words: string, options?: GtpOptions): Promise<Result> {
  served.add(ns);
  return gtp(`-n ${ns} ${words}`, options);
}

/** The records of `gtp -n NS -j -s link show`. */
export const links = async (ns: string, words = ''): Promise<LinkRecord[]> =>
  JSON.parse(await gtpIn(ns, `-j -s link show ${words}`.trim()));

/** The records of `gtp -n NS -j -s session show`. */
export const sessions = async (ns: string, words = ''): Promise<SessionRecord[]> =>
  JSON.parse(await gtpIn(ns, `-j -s session show ${words}`.trim()));

/** The counters of one link. */
export async function linkStats(ns: string, name = 'gtp0'): Promise<Stats> {
  const [record] = await links(ns, name);
  if (record === undefined) throw new Error(`no record of ${name}`);
  return record.stats;
}

/** The counters of one link once they are as wanted, or as they are after some seconds. */
export const linkStatsWhen = (ns: string, wanted: (stats: Stats) => boolean, name = 'gtp0'): Promise<Stats> =>
  waitFor(() => linkStats(ns, name), wanted);

/** What came to a local address (port 2152 unless said otherwise) and belongs to no session. */
export async function addressStats(ns: string, local: string, port = 2152): Promise<Stats> {
  const records = JSON.parse(await gtpIn(ns, '-j -s path show')) as PathRecord[];
  const own = records.find((each) => each.local === local && each.port === port && each.remote === null);
  if (own === undefined) throw new Error(`no path record of ${local} port ${port}: ${JSON.stringify(records)}`);
  return own.stats;
}

/** All counters of a machine: its links, and what came to its local addresses and belongs to no link (`gtp path show`). */
export async function machineStats(ns: string): Promise<Stats> {
  const paths = await gtpIn(ns, '-j -s path show');
  const more = (JSON.parse(paths) as PathRecord[]).map(({ stats }) => stats);
  return addUp([...(await links(ns)).map(({ stats }) => stats), ...more]);
}

/** Makes a network namespace with `lo` up; gives its whole name. */
export async function namespace(label: string, ...sysctls: readonly string[]): Promise<string> {
  const name = `${prefix}-${label}`;
  namespaces.add(name);
  await must(['ip', 'netns', 'add', name]);
  await must(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
  if (sysctls.length > 0) await must(within(name, 'sysctl', '-qw', ...sysctls));
  return name;
}

/** Deletes a namespace before the test's end. */
export async function deleteNamespace(name: string): Promise<void> {
  await must(['ip', 'netns', 'del', name]);
  namespaces.delete(name);
  served.delete(name);
}

/** Joins two namespaces with a veth pair of IPv4 and IPv6 addresses (PREFIX words, no DAD); both ends carry at return. */
export async function wire(left: WireEnd, right: WireEnd): Promise<void> {
  await must([
    'ip',
    '-n',
    left.ns,
    'link',
    'add',
    left.dev,
    'type',
    'veth',
    'peer',
    'name',
    right.dev,
    'netns',
    right.ns,
  ]);
  for (const { ns, dev, addresses } of [left, right]) {
    const lines = [
      ...addresses.map((each) => `addr add ${each} dev ${dev}${each.includes(':') ? ' nodad' : ''}`),
      `link set ${dev} up`,
    ];
    await must(['ip', '-n', ns, '-b', '-'], { input: `${lines.join('\n')}\n` });
  }
  for (const end of [left, right]) await isUp(end);
}

export interface WireEnd {
  readonly ns: string;
  readonly dev: string;
  readonly addresses: readonly string[];
}

/** A test body in a topology: everything is taken down afterwards, and nothing may be left. */
export function using<World>(make: () => Promise<World>) {
  return (body: (t: ExecutionContext, world: World) => Promise<void>) => async (t: ExecutionContext) => {
    t.timeout(60_000);
    let failed = true;
    try {
      mountBpffs();
      await body(t, await make());
      failed = false;
    } finally {
      if (failed) for (const ns of served) t.log(ns, (await gtpTry(ns, '-s link show')).stdout);
      const leaks = await takeDown();
      if (failed) t.log('left behind:', leaks);
      else t.deepEqual(leaks, [], 'nothing is left');
    }
  };
}

/**
 * The same in one topology for all tests of a file, for tests that change nothing but links of ours, which go after each: a link
 * at these addresses that no test looks at keeps the programs loaded.
 */
export function sharing<World>(
  make: () => Promise<World>,
  machinesOf: (world: World) => Readonly<Record<string, string>>,
) {
  let shared: Promise<World> | undefined;
  const start = async (): Promise<World> => {
    mountBpffs();
    const world = await make();
    for (const [ns, local] of Object.entries(machinesOf(world))) await gtpIn(ns, `link add ${KEEPER} local ${local}`);
    return world;
  };
  return (body: (t: ExecutionContext, world: World) => Promise<void>) => async (t: ExecutionContext) => {
    t.timeout(60_000);
    shared ??= start();
    const world = await shared;
    try {
      await body(t, world);
    } finally {
      const forgotten = (await stopAll()) + (await resetAgent());
      for (const ns of Object.keys(machinesOf(world)))
        for (const { ifname } of await links(ns)) if (ifname !== KEEPER) await gtpIn(ns, `link del ${ifname}`);
      t.is(forgotten, 0, 'programs or streams that were still running');
    }
  };
}

const KEEPER = 'zz-keeper';

/** For `test.after.always`: ends what the tests of a file share. */
export async function closeFixture(): Promise<void> {
  const leaks = namespaces.size > 0 ? await takeDown() : [];
  endFixture();
  if (leaks.length > 0) throw new Error(`left behind: ${leaks.join(', ')}`);
}

function endFixture(): void {
  stopAgent();
  unmountBpffs();
  rmSync(scratch, { recursive: true, force: true });
}

/** The pins below a bpffs, as paths. */
export function pins(root = bpffs): string[] {
  const folder = `${root}/gtp`;
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`);
}

// The kernel's work queue, not `link set up`, gives a device the queue that sends: a packet before that is lost.
async function isUp({ ns, dev }: WireEnd): Promise<void> {
  const show = ['ip', '-n', ns, '-j', 'link', 'show', 'dev', dev, 'up'];
  const state = await waitFor(
    () => must(show),
    (text) => text.includes('"operstate":"UP"'),
  );
  if (!state.includes('"operstate":"UP"')) throw new Error(`${dev} in ${ns} does not come up: ${state}`);
}

const namespaces = new Set<string>();
const served = new Set<string>();

async function takeDown(): Promise<string[]> {
  const leaks: string[] = [];
  const forgotten = (await stopAll()) + (await resetAgent());
  if (forgotten > 0) leaks.push(`${forgotten} programs or streams were still running`);
  leaks.push(...(await Promise.all([...served].map(flush))).flat());
  served.clear();
  leaks.push(...pins().map((pin) => `pin ${pin}`));
  for (const ns of namespaces) leaks.push(...(await removeNamespace(ns)));
  namespaces.clear();
  const links = (await must(['ip', '-o', 'link'])).split('\n').filter((line) => line.includes(prefix));
  return [...leaks, ...links.map((line) => `link ${line}`)];
}

async function flush(ns: string): Promise<string[]> {
  const { status, stderr } = await gtp(`-n ${ns} link flush`);
  return status === 0 ? [] : [`link flush in ${ns}: status ${status} ${stderr}`];
}

async function removeNamespace(ns: string): Promise<string[]> {
  // One that was killed needs a moment to end.
  const list = async (): Promise<string> => (await must(['ip', 'netns', 'pids', ns])).trim();
  const processes = await waitFor(list, (text) => text === '');
  await must(['ip', 'netns', 'del', ns]);
  return processes === '' ? [] : [`processes in ${ns}: ${processes.replace(/\s+/g, ' ')}`];
}

function mountBpffs(): void {
  mkdirSync(scratch, { recursive: true });
  if (existsSync(bpffs)) return;
  mkdirSync(bpffs);
  execFileSync('mount', ['-t', 'bpf', 'bpf', bpffs]);
}

function unmountBpffs(): void {
  if (!existsSync(bpffs)) return;
  execFileSync('umount', [bpffs]);
  rmdirSync(bpffs);
}

// A test process that dies early (a time-out of ava, Ctrl-C) has no time for promises.
process.once('exit', () => {
  for (const ns of namespaces) execFileSync('ip', ['netns', 'del', ns]);
  endFixture();
});
