// SPDX-License-Identifier: MIT
import { createReadStream, statSync } from 'node:fs';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { isatty } from 'node:tty';
import { batchLines, batchWords } from './cli/batch';
import { STATUS } from './cli/failure';
import { type Batch, type Parsed, parse } from './cli/parse';
import { KernelError } from './errors';
import { clearProgress, flushed, say, showProgress } from './output';
import { closeOpened } from './scope';
import { heardEndings } from './signals';

/** Carries out one command, prints what it says, and gives its status. */
export type Attempt = (read: () => Parsed) => Promise<number>;

/**
 * Carries out the commands of a batch one after another. Each is done or undone by itself; the first that fails ends the batch, and
 * those before it stay. A signal ends it between two of them. Gives the status of those that failed, 1 if that differs.
 */
export async function runBatch(batch: Batch, attempt: Attempt): Promise<number> {
  const signals = catchSignals();
  try {
    const failed = await carryOut(batch, attempt, signals);
    if (signals.caught !== undefined) return signals.end();
    return failed.size > 1 ? STATUS.usage : ([...failed][0] ?? STATUS.done);
  } finally {
    clearProgress();
    signals.release();
  }
}

// The statuses of what failed.
async function carryOut({ file, options, force }: Batch, attempt: Attempt, signals: Signals): Promise<Set<number>> {
  const failed = new Set<number>();
  const input = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: CHUNK });
  const tellProgress = isatty(2) ? progressOf(input, file) : () => undefined;
  for await (const { number, text } of batchLines(charactersOf(input, file))) {
    tellProgress(number);
    signals.busy = true;
    const status = await attempt(() => parse(batchWords(text), options));
    closeOpened();
    if (status !== STATUS.done) {
      say(`Command failed ${file}:${number}\n`);
      failed.add(status);
    }
    await turn(); // signals come by the event loop, which commands do not let run
    signals.busy = false;
    signals.after = `${file}:${number}`;
    if (signals.caught !== undefined || (failed.size > 0 && !force)) break;
  }
  return failed;
}

/** Signals that are to end a batch. While it waits for its next line they do so at once, by themselves. */
type Signals = {
  busy: boolean;
  /** The last command that was carried out. */
  after: string | undefined;
  caught: NodeJS.Signals | undefined;
  end(): Promise<number>;
  release(): void;
};

function catchSignals(): Signals {
  const endings = heardEndings();
  const signals: Signals = {
    busy: false,
    after: undefined,
    caught: undefined,
    // So that a shell sees what it was; where it has no effect (the init process of a container) by the status of shells.
    end: async () => {
      const { caught = 'SIGINT' } = signals;
      clearProgress();
      if (signals.after !== undefined) say(`Note: ${caught} ended the batch after ${signals.after}\n`);
      await flushed();
      signals.release();
      process.kill(process.pid, caught);
      return 128 + constants.signals[caught];
    },
    release: () => {
      for (const signal of endings) process.off(signal, listen);
    },
  };
  const listen = (signal: NodeJS.Signals): void => {
    signals.caught = signal;
    if (!signals.busy) void signals.end();
  };
  for (const signal of endings) process.on(signal, listen);
  return signals;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function* charactersOf(input: Readable, file: string): AsyncGenerator<string> {
  try {
    for await (const chunk of input.setEncoding('utf8')) yield chunk;
  } catch (cause) {
    const { errno = 0 } = cause as NodeJS.ErrnoException;
    throw new KernelError(`read batch ${file}`, { errno: Math.abs(errno), cause });
  }
}

// Octets that are read at a time: few, as they tell how far a batch is.
const CHUNK = 4096;
const SOON_MS = 1000;
const OFTEN_MS = 100;

function progressOf(input: { readonly bytesRead: number }, file: string): (number: number) => void {
  let next = performance.now() + SOON_MS;
  let size: number | undefined;
  return (number) => {
    const now = performance.now();
    if (now < next) return;
    next = now + OFTEN_MS;
    size ??= statSync(file === '-' ? '/dev/stdin' : file, { throwIfNoEntry: false })?.size ?? 0;
    const part = size === 0 ? '' : ` (${Math.min(100, Math.floor((100 * input.bytesRead) / size))}%)`;
    showProgress(`line ${number}${part}`);
  };
}
