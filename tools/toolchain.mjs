// SPDX-License-Identifier: MIT
// Finds programs. Builtins only: tools/setup.mjs runs before anything is installed.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

// The version this project is developed with, then the newest first.
const CLANGS = ['19', '22', '21', '20', '18', '17', '16', '15', '14'];

/** Path of the first of the programs that exists, or undefined. A user's PATH may lack the sbin directories. */
export function findProgram(...names) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  const paths = names.flatMap((name) => (name.includes('/') ? [name] : directories.map((each) => join(each, name))));
  return paths.find(isExecutable);
}

/** Path of a C compiler for BPF, or undefined. CLANG in the environment wins. */
export function findClang() {
  if (process.env.CLANG) return findProgram(process.env.CLANG);
  return findProgram(...CLANGS.map((version) => `clang-${version}`), 'clang');
}

/** Path of llvm-strip, preferably of the compiler's version, or undefined. */
export function findStrip(clang) {
  const version = /-(\d+)$/.exec(clang)?.[1] ?? CLANGS[0];
  return findProgram(`llvm-strip-${version}`, 'llvm-strip', ...CLANGS.map((each) => `llvm-strip-${each}`));
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
