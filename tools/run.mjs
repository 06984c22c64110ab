// SPDX-License-Identifier: MIT
// Runs a TypeScript file: node tools/run.mjs FILE [ARGUMENT]...
import { createRequire } from 'node:module';
import { basename, resolve } from 'node:path';
import { bundle } from './bundle.mjs';

const [node, , file, ...words] = process.argv;
if (file === undefined) {
  console.error('usage: node tools/run.mjs FILE [ARGUMENT]...');
  process.exit(1);
}
const built = resolve('dist/tools', `${basename(file, '.ts')}.cjs`);
try {
  await bundle([file], { outfile: built, sourcemap: true });
} catch {
  process.exit(1); // esbuild has said why
}
process.setSourceMapsEnabled(true);
process.argv = [node, file, ...words];
createRequire(import.meta.url)(built);
