// SPDX-License-Identifier: MIT
import { mkdirSync, readdirSync, rmdirSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { isRefusal } from '../bindings/capabilities';
import { KernelError } from '../errors';

/** Makes a directory for pins, with those above it. */
export function makeDir(dir: string): void {
  told(`make directory ${dir}`, () => mkdirSync(dir, { recursive: true, mode: 0o700 }));
}

/** The names in a directory, sorted; none if it does not exist. */
export function list(dir: string): string[] {
  return told(`read ${dir}`, () => ignoring(['ENOENT'], () => readdirSync(dir).sort())) ?? [];
}

/** Removes a pin; false if there was none. What it held goes on until its last user lets go of it. */
export function unpin(path: string): boolean {
  return told(`remove ${path}`, () => ignoring(['ENOENT'], () => [unlinkSync(path)])) !== undefined;
}

/** Removes a directory of pins and everything in it. */
export function removeDir(dir: string): void {
  for (const name of list(dir)) {
    const path = join(dir, name);
    if (told(`look at ${path}`, () => statSync(path)).isDirectory()) removeDir(path);
    else unpin(path);
  }
  told(`remove ${dir}`, () => ignoring(['ENOENT'], () => rmdirSync(dir)));
}

/** Runs a call of node:fs; what the kernel refuses there is a KernelError as anywhere else. */
export function told<T>(tried: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    const { errno: code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    const hint = isRefusal(code) ? bpffsHint() : undefined;
    throw new KernelError(tried, { errno: Math.abs(code), cause, ...(hint === undefined ? {} : { hint }) });
  }
}

// A bpffs belongs to whom it was mounted for, as a rule to root.
function bpffsHint(): string | undefined {
  const uid = process.geteuid?.() ?? 0;
  return uid === 0
    ? undefined
    : `GTP_BPFFS has to name a bpffs of your own: as root, mount -t bpf -o mode=0700 bpf DIR && chown ${uid} DIR`;
}

/** Runs a call of node:fs; undefined if it fails with one of these errno symbols. */
export function ignoring<T>(names: readonly string[], act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (names.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
