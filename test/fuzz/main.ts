// SPDX-License-Identifier: MIT
// Long runs: npm run fuzz [-- [count N] [seed N]]
import { openDatapath } from './datapath';
import { findingsText, fuzz, missing, type Result, reachedText, sweep } from './run';

const words = process.argv.slice(2);
const seed = numberAfter('seed') ?? Math.floor(Math.random() * 0xffffffff);
const count = numberAfter('count') ?? 1_000_000;
const datapath = openDatapath();
say(`seed ${seed}, ${count} frames, then frames of every kind with each octet cut off and each bit turned`);
const result = fuzz(datapath, seed, count);
say(reachedText(result));
report(result);
report(sweep(datapath, seed));
datapath.close();
for (const name of missing(result)) fail(`never reached: ${name}`);

function report({ frames, seconds, findings }: Result): void {
  say(`${frames} frames in ${seconds.toFixed(1)} s, ${Math.round(frames / seconds)} a second`);
  if (findings.length > 0) fail(`${findings.length} findings\n${findingsText(findings, seed)}`);
}

function fail(text: string): void {
  say(text);
  process.exitCode = 1;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function numberAfter(word: string): number | undefined {
  const at = words.indexOf(word);
  return at < 0 ? undefined : Number(words[at + 1]);
}
