// SPDX-License-Identifier: MIT
import { type ChildProcess, spawn } from 'node:child_process';
import { checkAnswer } from './schema';

/** What a program left behind; the status of one that a signal ended is 128 plus the number. */
export interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** How long it may take; a minute if not given. */
  readonly seconds?: number;
}

/** Runs a program to its end. JSON that the command under test answers with has to be as docs/schema has it. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<Result> {
  const [program = '', ...words] = command;
  const child = spawn(program, words, { env: options.env ?? process.env, timeout: (options.seconds ?? 60) * 1000 });
  child.stdin.on('error', () => undefined); // a program may end without reading its input
  child.stdin.end(options.input ?? '');
  const result = await finished(child);
  checkAnswer(command, result.stdout);
  return result;
}

/** As run, but everything other than status 0 throws with the command and what it said. */
export async function must(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(command, options);
  if (result.status !== 0)
    throw new Error(`${command.join(' ')}: status ${result.status}\n${result.stderr}${result.stdout}`);
  return result.stdout;
}

/** The words that run a program in a named network namespace, in this mount namespace (pins stay visible). */
export const within = (ns: string, ...command: readonly string[]): string[] => [
  'nsenter',
  `--net=/run/netns/${ns}`,
  ...command,
];

/** A program in the background. */
export interface Background {
  /** Ends it by SIGINT, or another signal, and gives what it wrote. */
  stop(signal?: NodeJS.Signals): Promise<Result>;
  /** Waits until it ends by itself. */
  ended(): Promise<Result>;
  /** Sends a signal and gives what it writes next that matches. */
  ask(signal: NodeJS.Signals, answer: RegExp): Promise<RegExpExecArray>;
}

const started = new Set<Background>();

/** Starts a program and waits until it has written `ready`, to stdout or stderr, if that is given. */
export async function background(
  command: readonly string[],
  ready?: RegExp,
  env: NodeJS.ProcessEnv = {},
): Promise<Background> {
  const [program = '', ...words] = command;
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const end = finished(child);
  const handle: Background = {
    stop: (signal = 'SIGINT') => {
      child.kill(signal);
      return handle.ended();
    },
    ended: () => end.finally(() => started.delete(handle)),
    ask: (signal, answer) => {
      const heard = said(child, answer, command);
      child.kill(signal);
      return heard;
    },
  };
  started.add(handle);
  if (ready !== undefined) await said(child, ready, command);
  return handle;
}

/** Ends what a test left running; gives how many there were. */
export async function stopAll(): Promise<number> {
  const left = [...started];
  for (const each of left) await each.stop();
  return left.length;
}

/** Asks again until the answer is as wanted; gives the last answer when the time (ms) is over, for the test to judge. */
export async function waitFor<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean, timeout = 4000): Promise<T> {
  const end = Date.now() + timeout;
  let answer = await ask();
  while (!wanted(answer) && Date.now() < end) answer = await ask();
  return answer;
}

function finished(child: ChildProcess): Promise<Result> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (part: Buffer) => out.push(part));
  child.stderr?.on('data', (part: Buffer) => err.push(part));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) =>
      resolve({
        status: code ?? (signal === null ? 255 : 128),
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      }),
    );
  });
}

function said(child: ChildProcess, wanted: RegExp, command: readonly string[]): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = '';
    const listen = (part: Buffer): void => {
      text += part.toString();
      const found = wanted.exec(text);
      if (found === null) return;
      for (const stream of [child.stdout, child.stderr]) stream?.off('data', listen);
      child.off('close', tooSoon);
      child.off('error', reject);
      resolve(found);
    };
    const tooSoon = (): void => reject(new Error(`${command.join(' ')} ended too soon: ${text}`));
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', listen);
    child.once('error', reject);
    child.once('close', tooSoon);
  });
}
