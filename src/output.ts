// SPDX-License-Identifier: MIT
// The only file that prints.
import { writeSync } from 'node:fs';
import { KernelError } from './errors';

/** Prints an answer on stdout. Tells whether somebody still reads: a reader that went away is nobody's error. */
export function answer(text: string): boolean {
  const refused = write(1, text);
  if (refused !== undefined && refused.code !== 'EPIPE') {
    throw new KernelError('write the answer', { errno: Math.abs(refused.errno ?? 0), cause: refused });
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

function write(fd: 1 | 2, text: string): NodeJS.ErrnoException | undefined {
  if (text !== '') clearProgress();
  return put(fd, text);
}

// Not process.stdout: its streams cost start-up time. They serve a pipe that is full and does not block.
function put(fd: 1 | 2, text: string): NodeJS.ErrnoException | undefined {
  const bytes = Buffer.from(text);
  let at = 0;
  try {
    while (at < bytes.length) at += writeSync(fd, bytes, at);
  } catch (error) {
    const refused = error as NodeJS.ErrnoException;
    if (refused.code !== 'EAGAIN') return refused;
    const stream = fd === 1 ? process.stdout : process.stderr;
    stream.on('error', () => undefined).write(bytes.subarray(at));
  }
  return undefined;
}
