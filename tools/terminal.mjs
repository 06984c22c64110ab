// SPDX-License-Identifier: MIT
// A terminal that types by itself: prose, prompt lines, and what the commands answer. The commands find the built `gtp`
// under its own name. Ctrl-C ends the one that is under way and makes every later one fail, until calm() is called.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { delimiter, dirname, resolve } from 'node:path';

const PATIENCE_MS = 20_000;

/** Where the built command stands as `gtp`. */
export const bin = resolve('dist/bin');

/** The environment of commands: `gtp`, this Node, and what a user's PATH may lack. */
export const env = {
  ...process.env,
  PATH: [bin, dirname(process.execPath), process.env.PATH, '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter),
};

const running = new Set();
let isInterrupted = false;
let isCalm = false;
let isProseLast = false;

/** Puts the built command on the path, and from now on hears signals. */
export function openTerminal() {
  mkdirSync(bin, { recursive: true });
  if (!existsSync(`${bin}/gtp`)) symlinkSync('../gtp.cjs', `${bin}/gtp`);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupt);
  process.stdout.on('error', interrupt); // whoever read this has gone
}

/** Whether a signal came. */
export function wasInterrupted() {
  return isInterrupted;
}

/** From now on nothing is interrupted: for cleaning up. */
export function calm() {
  isCalm = true;
}

/** Prints prose as a paragraph. */
export function say(text) {
  write(`\n${text}\n`);
  isProseLast = true;
}

/** Prints a line behind a prompt, runs it, and gives what it said. Any status but 0 is an error. */
export async function type(line) {
  write(`${isProseLast ? '\n' : ''}${indented(bold(`$ ${line}`))}\n`);
  isProseLast = false;
  const { status, text } = await run(line, indentedWriter());
  if (isInterrupted && !isCalm) throw new Error('interrupted');
  if (status !== 0) throw new Error(`status ${status}: ${line}`);
  return text;
}

/** Runs a line unseen, whatever becomes of it. */
export async function tryQuietly(line) {
  await run(line);
}

/** Runs a line unseen, again and again, until what it says matches. */
export async function until(line, pattern) {
  const end = Date.now() + PATIENCE_MS;
  while (!pattern.test((await run(line)).text)) if (Date.now() > end) throw new Error(`waited in vain: ${line}`);
}

/** Runs a line unseen for as long as `act` takes. */
export async function during(line, act) {
  const ended = run(line);
  try {
    await act();
  } finally {
    endGroup(ended.child);
    await ended;
  }
}

/** Text indented as prompt lines are. */
export function indented(text) {
  return text.replaceAll(/^/gm, '  ');
}

// Each line is a process group of its own, so that Ctrl-C reaches this process alone.
function run(line, onText = () => undefined) {
  if (isInterrupted && !isCalm) throw new Error('interrupted');
  const child = spawn('sh', ['-c', line], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const timer = setTimeout(() => endGroup(child), PATIENCE_MS);
  const parts = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part) => {
      parts.push(part);
      onText(part);
    });
  }
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, text: parts.join('') }));
  }).finally(() => {
    clearTimeout(timer);
    running.delete(child);
  });
  return Object.assign(ended, { child });
}

function interrupt() {
  isInterrupted = true;
  if (!isCalm) running.forEach(endGroup);
}

function endGroup({ pid, exitCode, signalCode }) {
  if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGTERM');
}

/** A writer that indents each line, wherever the text comes in parts. */
function indentedWriter() {
  let isStart = true;
  return (part) => {
    for (const line of part.split(/(?<=\n)/)) {
      write(isStart && line !== '\n' ? `  ${line}` : line);
      isStart = line.endsWith('\n');
    }
  };
}

function bold(text) {
  return process.stdout.isTTY && !process.env.NO_COLOR ? `\x1b[1m${text}\x1b[0m` : text;
}

function write(text) {
  if (!process.stdout.destroyed) process.stdout.write(text);
}
