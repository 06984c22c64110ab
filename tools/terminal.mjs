// SPDX-License-Identifier: MIT
// A terminal session that types by itself: prose, prompt lines, and what the commands answer.
import { spawn } from 'node:child_process';

const PATIENCE_MS = 20_000;

/**
 * Opens the session. Commands run as groups of their own, so that Ctrl-C reaches this process alone; it ends the command
 * that is under way and makes every later one fail, until calm() is called.
 */
export function openTerminal(env) {
  const running = new Set();
  let isInterrupted = false;
  let isCalm = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => {
      isInterrupted = true;
      if (!isCalm) for (const child of running) endGroup(child);
    });

  function run(line, onText) {
    if (isInterrupted && !isCalm) return Promise.reject(new Error('interrupted'));
    const child = spawn('sh', ['-c', line], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    const timer = setTimeout(() => endGroup(child), PATIENCE_MS);
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (part) => {
        text += part;
        onText?.(part);
      });
    const ended = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status) => resolve({ status, text }));
    }).finally(() => {
      clearTimeout(timer);
      running.delete(child);
    });
    return Object.assign(ended, { child });
  }

  return {
    say: (text) => write(`\n${text}\n\n`),
    /** Prints a line behind a prompt, runs it, and gives what it said. Any status but 0 is an error. */
    type: async (line) => {
      write(`  ${bold(`$ ${line}`)}\n`.replaceAll('\n ', '\n   '));
      const { status, text } = await run(line, indented());
      if (isInterrupted && !isCalm) throw new Error('interrupted');
      if (status !== 0) throw new Error(`status ${status}: ${line}`);
      return text;
    },
    /** Asks again and again until the answer matches. */
    until: async (line, pattern) => {
      const end = Date.now() + PATIENCE_MS;
      while (!pattern.test((await run(line)).text)) if (Date.now() > end) throw new Error(`waited in vain: ${line}`);
    },
    /** Starts a line in the background, unseen. */
    start: (line) => {
      const ended = run(line);
      return { end: () => (endGroup(ended.child), ended) };
    },
    tryQuietly: (line) => run(line),
    isInterrupted: () => isInterrupted,
    /** From now on nothing is interrupted. */
    calm: () => {
      isCalm = true;
    },
  };
}

function endGroup(child) {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
}

/** A writer that indents each line by two, wherever the text comes in parts. */
function indented() {
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
  process.stdout.write(text);
}
