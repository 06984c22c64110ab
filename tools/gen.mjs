// SPDX-License-Identifier: MIT
// Writes the generated files, or says which are out of date: node tools/gen.mjs [--check]
import { spawnSync } from 'node:child_process';

const words = process.argv.slice(2);
// The layouts are read from the BTF of the object.
if (run('tools/build.mjs', 'object')) {
  const isGood = ['layout', 'words', 'completion', 'schema'].map((what) =>
    run('tools/run.mjs', `tools/gen-${what}.ts`, ...words),
  );
  process.exitCode = isGood.includes(false) ? 1 : 0;
} else {
  process.exitCode = 1;
}

function run(...command) {
  return spawnSync(process.execPath, command, { stdio: 'inherit' }).status === 0;
}
