// SPDX-License-Identifier: MIT
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { bpffs, command, scratch } from '../fixture';
import { type Result, run } from '../run';

/** What came of a command whose n-th change was hit; `call` is undefined when it has fewer. */
export interface Hit extends Result {
  readonly call: string | undefined;
}

/**
 * Runs `gtp -n NS WORDS` with its n-th change of the kernel's state refused (EIO), or the process killed in its place; with `call` the
 * n-th of those calls.
 */
export async function faulty(ns: string, words: string, n: number, how: 'refuse' | 'kill', call = ''): Promise<Hit> {
  const { result, calls } = await withFaults(ns, words, {
    FAULT: `${n}`,
    FAULT_CALL: call,
    ...(how === 'kill' ? { FAULT_KILL: '1' } : {}),
  });
  return { ...result, call: calls[0] };
}

/**
 * The numbers of the changes that a command makes, by running it; of many alike in a row (one pin for each map) only the
 * first and the last.
 */
export async function changesOf(ns: string, words: string): Promise<number[]> {
  const { result, calls } = await withFaults(ns, words, { FAULT: '0' });
  if (result.status !== 0) throw new Error(`${words}: ${result.stderr}`);
  const kind = (at: number): string | undefined => calls[at]?.split(' ')[0];
  const isInside = (at: number): boolean => [-3, -2, -1, 1, 2, 3].every((by) => kind(at + by) === kind(at));
  return calls.flatMap((_, at) => (isInside(at) ? [] : [at + 1]));
}

/** Every step of a command is tried; else a choice, as that takes long. */
export const ALL_STEPS = process.env.STEPS === 'all';

/** What is tried, for titles. */
export const STEPS = ALL_STEPS ? 'every step' : 'some of its steps';

/** How far to go on from a step: every eighth is tried, and every 14th where many are alike in a row; with ALL_STEPS each. */
export function stride(): (call: string) => number {
  let last = '';
  let alike = 0;
  return (call) => {
    const [kind = ''] = call.split(' ');
    alike = kind === last ? alike + 1 : 0;
    last = kind;
    if (ALL_STEPS) return 1;
    return alike < 2 ? 8 : 14;
  };
}

async function withFaults(
  ns: string,
  words: string,
  faults: NodeJS.ProcessEnv,
): Promise<{ result: Result; calls: string[] }> {
  const log = `${scratch}/faults`;
  rmSync(log, { force: true });
  const preload = ['--require', resolve('test/state/fault.cjs')];
  const result = await run([process.execPath, ...preload, command, '-n', ns, ...words.split(/\s+/)], {
    env: { ...process.env, GTP_BPFFS: bpffs, FAULT_LOG: log, ...faults },
  });
  const calls = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
  return { result, calls };
}
