// SPDX-License-Identifier: MIT
// Runs the built tests with ava, looks for what they left on the machine, and ends with a line that counts. What fails beside other
// files runs once more alone; what passes then is named as flaky.
//   node tools/test.mjs [test/FILE.test.ts]... [AVA OPTION]...
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { globalState, processesWith } from './leftovers.mjs';

const LIMIT = Date.now() + 28 * 60_000;
/** Failures in more files than that are no accident. */
const MOST_FILES_AGAIN = 3;

// Whatever a test starts inherits this, so that a process can be known as ours however it got away.
const mark = `GTP_TEST_RUN=${randomUUID()}`;
const before = globalState();
const words = process.argv.slice(2).map((word) => word.replace(/^(?:\.\/)?(test\/.*)\.ts$/, 'dist/$1.cjs'));
const first = await runAva(words);
const leftFirst = leftovers();
const flaky = await passAlone();
const left = [...new Set([...leftFirst, ...leftovers()])];
for (const thing of left) console.log(`left behind: ${thing}`);
for (const title of flaky) console.log(`flaky, failed beside other files and passed alone: ${title}`);

// A crash and a time limit have no line of their own: the status tells.
const passed = count(first.text, /^ {2}[✔√] /gm) + flaky.length;
const failed = count(first.text, /^ {2}[✘×] /gm) - flaky.length + left.length;
const skipped = count(first.text, /^ {2}- \[(?:skip|todo)\] /gm);
const isGood = (first.status === 0 || flaky.length > 0) && failed === 0 && passed > 0;
console.log(`${passed} passed, ${isGood ? 0 : Math.max(failed, 1)} failed, ${skipped} skipped`);
process.exitCode = isGood ? 0 : 1;

function count(text, pattern) {
  return [...text.matchAll(pattern)].length;
}

/**
 * After a run of all files: runs those with a failure again, one after the other. Gives the failures of before if there are none now,
 * else nothing. A crash, a run that was ended, and something left behind are no accident.
 */
async function passAlone() {
  const failed = [...first.text.matchAll(/^ {2}[✘×] \[fail\]: (.*)$/gm)].map(([, title]) => title);
  const files = [...new Set(failed.map(fileOf))];
  const isWhole = words.length === 0 && first.status === 1 && failed.length === count(first.text, /^\s*[✘×] /gm);
  const isAccident = failed.length > 0 && files.length <= MOST_FILES_AGAIN && !files.includes(undefined);
  if (!isWhole || !isAccident || leftFirst.length > 0) return [];
  console.log(`\nOnce more, with nothing beside: ${files.join(' ')}`);
  const { status } = await runAva([...files, '--concurrency=1']);
  return status === 0 ? failed : [];
}

/** The file of `folder › file › title`, as titles are when all files run. */
function fileOf(line) {
  const parts = line.split(' › ');
  const paths = parts.map((_, i) => `dist/test/${parts.slice(0, i + 1).join('/')}.test.cjs`);
  return paths.find(existsSync);
}

/** Passes what ava prints through, and gives it with the exit status. */
function runAva(args) {
  const [name, value] = mark.split('=');
  // Certificates that are added cost each start of Node more than the rest of it, and only npm needs them.
  const { NODE_EXTRA_CA_CERTS: CA_CERTS_OF_NPM, ...env } = process.env;
  const child = spawn(process.execPath, ['node_modules/ava/entrypoints/cli.mjs', ...args], {
    env: { ...env, ...(CA_CERTS_OF_NPM && { CA_CERTS_OF_NPM }), [name]: value },
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
  const interrupt = () => child.kill('SIGINT');
  const timers = [
    setTimeout(interrupt, LIMIT - Date.now()),
    setTimeout(() => child.kill('SIGKILL'), LIMIT - Date.now() + 30_000),
  ];
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, interrupt);
  child.on('close', () => {
    timers.forEach(clearTimeout);
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, interrupt);
  });
}

/** What this run has not taken away: processes, which are ended, and all else that was not there before. */
function leftovers() {
  return [...endProcesses(), ...globalState().filter((thing) => !before.includes(thing))];
}

function endProcesses() {
  return processesWith(mark).map(({ pid, command }) => {
    process.kill(pid, 'SIGKILL');
    return `process ${pid} ${command}`;
  });
}
