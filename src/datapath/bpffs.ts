// SPDX-License-Identifier: MIT
import { closeSync, fstatSync, openSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { flock, LOCK_EX, LOCK_NB } from '../bindings/libc';
import { errno, KernelError } from '../errors';
import { findBpffs, mountBpffs } from './mountpoint';
import { ignoring, list, makeDir, removeDir, told } from './pins';

/** A lock that is held; it also ends with the process, however that ends. */
export interface Lock {
  release(): void;
}

/** The bpffs that holds all state; mounted if there is none (see mountpoint.ts). */
export function bpffs(): string {
  return findBpffs() ?? mountBpffs();
}

/** Where the state of the network namespace with this cookie is, below `root`. Does not create it. */
export function stateDir(cookie: bigint, root = bpffs()): string {
  return join(root, 'gtp', String(cookie), VERSION);
}

/** Removes all state of one network namespace: maps, programs and, with their links, the hooks. */
export function removeState(dir: string): void {
  removeDir(dir);
  // ENOTEMPTY: another layout version is beside it, another namespace's state below the same root.
  for (const above of [dirname(dir), dirname(dirname(dir))]) {
    told(`remove ${above}`, () => ignoring(['ENOENT', 'ENOTEMPTY'], () => rmdirSync(above)));
  }
}

/** The cookies of all network namespaces that have state below `root`, in this or any other layout version. */
export function listCookies(root = bpffs()): bigint[] {
  return list(join(root, 'gtp'))
    .filter((name) => /^\d+$/.test(name))
    .map(BigInt);
}

/**
 * Takes the writers' lock of a state directory, which is made if it does not exist. Waits for at most `patience`
 * milliseconds for another command to end, then throws KernelError EAGAIN.
 */
export function lock(dir: string, patience = 10_000): Lock {
  // Not performance.now(), whose first use costs more than all of this.
  const end = process.uptime() + patience / 1000;
  for (;;) {
    const fd = openDir(dir);
    waitForLock(fd, dir, end);
    const inode = told(`look at ${dir}`, () => ignoring(['ENOENT'], () => statSync(dir).ino));
    // Whoever held it may have removed the directory: then this is the lock of something that nobody else can see.
    if (inode === fstatSync(fd).ino) return { release: () => closeSync(fd) };
    closeSync(fd);
  }
}

/** Where a map of a state directory is pinned. */
export function mapPath(dir: string, name: string): string {
  return join(dir, 'maps', name);
}

/** Where the programs of a state directory are pinned: there only when all of them are. */
export function programsPath(dir: string): string {
  return join(dir, 'programs');
}

const VERSION = 'v1';
const POLL_MS = 5;

function openDir(dir: string): number {
  for (;;) {
    const fd = told(`open ${dir}`, () => ignoring(['ENOENT'], () => openSync(dir, 'r')));
    if (fd !== undefined) return fd;
    makeDir(dir);
  }
}

function waitForLock(fd: number, dir: string, end: number): void {
  for (;;) {
    const result = flock(fd, LOCK_EX | LOCK_NB);
    if (result >= 0) return;
    if (result !== -errno('EAGAIN') || process.uptime() > end) {
      closeSync(fd);
      throw lockFailed(dir, -result);
    }
    // flock(2) cannot be told how long to wait, and nothing else is to run meanwhile.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
}

function lockFailed(dir: string, code: number): KernelError {
  const isBusy = code === errno('EAGAIN');
  const hint = `who holds it: fuser -v ${dir}`;
  return new KernelError(`lock ${dir}`, {
    errno: code,
    ...(isBusy ? { said: 'another gtp command is at work', hint } : {}),
  });
}
