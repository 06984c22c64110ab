// SPDX-License-Identifier: MIT
// How BPF C becomes an object file.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { machine } from 'node:os';
import { dirname } from 'node:path';
import { findClang, findStrip } from './toolchain.mjs';

// -g makes BTF, which describes the maps; without the multiarch directory clang finds no <asm/types.h> for the target bpf.
const FLAGS = [
  '-target',
  'bpf',
  '-mcpu=v3',
  '-O2',
  '-g',
  '-fno-strict-aliasing',
  '-Wall',
  '-Wextra',
  '-Werror',
  `-I/usr/include/${machine()}-linux-gnu`,
];

/** Compiles one BPF source file. The object keeps its BTF and loses its DWARF if llvm-strip is there. */
export function compileBpf(source, object) {
  const clang = findClang();
  if (clang === undefined) throw new Error('no clang: node tools/setup.mjs demo installs it');
  mkdirSync(dirname(object), { recursive: true });
  try {
    run(clang, [...FLAGS, '-Ibpf', '-c', source, '-o', object]);
    const strip = findStrip(clang);
    if (strip !== undefined) run(strip, ['-g', object]);
  } catch (error) {
    rmSync(object, { force: true });
    throw error;
  }
}

function run(program, words) {
  const { status, error } = spawnSync(program, words, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ended with status ${status}`);
}
