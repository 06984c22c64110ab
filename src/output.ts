// SPDX-License-Identifier: MIT
// The only file that prints.
import { writeSync } from 'node:fs';
import { KernelError } from './errors';

/**
 * Prints an answer on stdout. Tells whether somebody still reads: a reader that went away is nobody's error. Throws KernelError with
 * that hint where it cannot be written.
 */
export function answer(text: string, hint?: string): boolean {
  const refused = write(1, text);
  if (refused !== undefined && refused.code !== 'EPIPE') {
    throw new KernelError('write the answer', {
      errno: Math.abs(refused.errno ?? 0),
      cause: refused,
      ...(hint === undefined ? {} : { hint }),
    });
  }
  return refused === undefined;
}

/** Prints everything else, on stderr. */
export function say(text: string): void {
  write(2, text);
}

/** Shows how far something is, on a line of stderr that gives way to the next thing that is printed; stderr has to be a terminal. */
export function showProgress(text: string): void {
  put(2, `${ERASE}${text}`);
  isShown = true;
}

/** Takes it away. */
export function clearProgress(): void {
  if (isShown) put(2, ERASE);
  isShown = false;
}

const ERASE = '\r\x1b[K';
let isShown = false;

function write(fd: Fd, text: string): NodeJS.ErrnoException | undefined {
  if (text !== '') clearProgress();
  return put(fd, text);
}

/** Waits until all that was printed has left, or nobody takes it any more. */
export async function flushed(): Promise<void> {
  await Promise.all([...queues.values()].map((queue) => queue.drained()));
}

type Fd = 1 | 2;

/** Takes what a pipe that is full and does not block takes later: all that follows, so that it stays in order. */
type Queue = {
  put(bytes: Buffer): NodeJS.ErrnoException | undefined;
  drained(): Promise<void>;
};

const queues = new Map<Fd, Queue>();

// Gives why it was refused.
function put(fd: Fd, text: string): NodeJS.ErrnoException | undefined {
  const bytes = Buffer.from(text);
  const queue = queues.get(fd);
  if (queue !== undefined) return queue.put(bytes);
  let at = 0;
  try {
    while (at < bytes.length) at += writeSync(fd, bytes, at);
  } catch (error) {
    const refused = error as NodeJS.ErrnoException;
    if (refused.code !== 'EAGAIN') return refused;
    const made = queueOf(fd);
    queues.set(fd, made);
    return made.put(bytes.subarray(at));
  }
  return undefined;
}

// Node's streams cost start-up time, so that nothing else is printed by them.
function queueOf(fd: Fd): Queue {
  const stream = fd === 1 ? process.stdout : process.stderr;
  let refused: NodeJS.ErrnoException | undefined;
  stream.on('error', (error) => {
    refused = error;
  });
  return {
    put: (bytes) => {
      if (refused === undefined) stream.write(bytes);
      return refused;
    },
    drained: () => new Promise((resolve) => void stream.write('', () => resolve())),
  };
}
