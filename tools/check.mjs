// SPDX-License-Identifier: MIT
// Everything that can be known without running the product: node tools/check.mjs
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';

const PARTS = {
  types: ['node_modules/typescript/bin/tsc'],
  lint: ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings'],
  generated: ['tools/gen.mjs', '--check'],
  layers: ['tools/run.mjs', 'tools/check-layers.ts'],
  conformance: ['tools/run.mjs', 'tools/check-conformance.ts'],
};

mkdirSync('dist', { recursive: true });
const results = await Promise.all(Object.entries(PARTS).map(([name, words]) => check(name, words)));
if (results.includes(false)) process.exitCode = 1;

function check(name, words) {
  const start = performance.now();
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => said.push(part));
  return new Promise((resolve) => {
    child.on('close', (status) => {
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      console.log(`check ${name}: ${status === 0 ? 'ok' : 'FAILED'} in ${seconds} s`);
      if (status !== 0) process.stdout.write(Buffer.concat(said));
      resolve(status === 0);
    });
  });
}
