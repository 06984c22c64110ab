// SPDX-License-Identifier: MIT
// Runs the built tests with ava, looks for what they left on the machine, and ends with a line that counts.
//   node tools/test.mjs [test/FILE.test.ts]... [AVA OPTION]...
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { globalState, processesWith } from './leftovers.mjs';

const TIME_LIMIT_MINUTES = 28;

// Whatever a test starts inherits this, so that a process can be known as ours however it got away.
const mark = `GTP_TEST_RUN=${randomUUID()}`;
const before = globalState();
const { status, text } = await runAva(process.argv.slice(2));
const left = [...endProcesses(), ...globalState().filter((thing) => !before.includes(thing))];
for (const thing of left) console.log(`left behind: ${thing}`);

// A crash and a time limit have no line of their own: the status tells.
const passed = count(/^ {2}[✔√] /gm);
const failed = count(/^ {2}[✘×] /gm) + left.length;
const skipped = count(/^ {2}- \[(?:skip|todo)\] /gm);
const isGood = status === 0 && failed === 0 && passed > 0;
console.log(`${passed} passed, ${isGood ? 0 : Math.max(failed, 1)} failed, ${skipped} skipped`);
process.exitCode = isGood ? 0 : 1;

function count(pattern) {
  return [...text.matchAll(pattern)].length;
}

/** Passes what ava prints through, and gives it with the exit status. */
function runAva(words) {
  const built = words.map((word) => word.replace(/^(?:\.\/)?(test\/.*)\.ts$/, 'dist/$1.cjs'));
  const [name, value] = mark.split('=');
  const child = spawn(process.execPath, ['node_modules/ava/entrypoints/cli.mjs', ...built], {
    env: { ...process.env, [name]: value },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const parts = [];
  child.stdout.on('data', (part) => {
    process.stdout.write(part);
    parts.push(part);
  });
  limitTime(child);
  return new Promise((resolve) => {
    child.on('close', (status) => resolve({ status, text: Buffer.concat(parts).toString() }));
  });
}

/** Interrupts ava when the time is up or somebody interrupts us: it then says which tests were still going on. */
function limitTime(child) {
  const timers = [
    setTimeout(() => child.kill('SIGINT'), TIME_LIMIT_MINUTES * 60_000),
    setTimeout(() => child.kill('SIGKILL'), (TIME_LIMIT_MINUTES + 0.5) * 60_000),
  ];
  child.on('close', () => timers.forEach(clearTimeout));
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
}

function endProcesses() {
  return processesWith(mark).map(({ pid, command }) => {
    process.kill(pid, 'SIGKILL');
    return `process ${pid} ${command}`;
  });
}
