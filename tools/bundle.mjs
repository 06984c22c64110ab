// SPDX-License-Identifier: MIT
// How TypeScript becomes something that runs: the settings of esbuild that the command, the tests and the tools share.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';

// koffi carries native files; ava must be the copy that runs the tests; yargs and chalk are used by few commands, and the
// time to compile a bundle is the largest part of a command's own start-up.
const external = ['koffi', 'yargs', 'yargs/*', 'chalk', 'ava', 'esbuild', 'typescript'];

/**
 * Bundles each entry into one CommonJS file below `outdir`, or the only entry into `outfile`; what they consist of is told
 * (esbuild's metafile), also where nothing is to be written.
 * @param {string[]} entries
 * @param {{ outdir?: string, clean?: string, outfile?: string, hashbang?: boolean, sourcemap?: boolean, write?: boolean }} to
 */
export async function bundle(entries, { outdir, clean, outfile, hashbang = false, sourcemap = false, write = true }) {
  const { build } = await import('esbuild');
  if (clean !== undefined) rmSync(clean, { recursive: true, force: true }); // a test that is gone must not run
  const { metafile } = await build({
    entryPoints: entries,
    ...(outfile === undefined ? { outdir, outbase: '.', outExtension: { '.js': '.cjs' } } : { outfile }),
    bundle: true,
    external,
    platform: 'node',
    format: 'cjs',
    target: 'node20.19',
    ...(hashbang ? { banner: { js: '#!/usr/bin/env node' } } : {}),
    define: { OBJECT_HASH: JSON.stringify(objectHash()) },
    sourcemap: sourcemap ? 'inline' : false,
    logLevel: 'warning',
    metafile: true,
    write,
  });
  return metafile;
}

// By it a command knows whether the programs that it finds are its own (src/datapath/generation.ts).
function objectHash() {
  if (!existsSync('dist/gtp.bpf.o')) return 'none';
  return createHash('sha256').update(readFileSync('dist/gtp.bpf.o')).digest('hex').slice(0, 12);
}
