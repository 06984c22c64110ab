// SPDX-License-Identifier: MIT
import type * as ChildProcess from 'node:child_process';
import { readFileSync, statfsSync, statSync } from 'node:fs';
import { mount } from '../bindings/libc';
import { KernelError } from '../errors';
import { ignoring } from './pins';

/**
 * The bpffs that holds all state: GTP_BPFFS, else /sys/fs/bpf as we see it, else as the init process or the oldest
 * reachable ancestor sees it: `ip netns exec` puts another /sys over ours. undefined: nobody mounted one.
 */
export function findBpffs(): string | undefined {
  const given = process.env['GTP_BPFFS'];
  if (given !== undefined && given !== '') {
    if (isBpffs(given)) return given;
    throw new KernelError(`use GTP_BPFFS ${given}`, {
      said: 'not a directory on a bpffs',
      hint: `as root: mkdir -p ${given} && mount -t bpf bpf ${given}`,
    });
  }
  if (isBpffs(MOUNT_POINT)) return MOUNT_POINT;
  return elders().map(viewOf).find(isBpffs);
}

/**
 * Mounts a bpffs on /sys/fs/bpf where it lasts and all can see it: not in a mount namespace that `ip netns exec` made for
 * one command. Returns how to reach it from here.
 */
export function mountBpffs(): string {
  const mine = mountNamespace('self');
  const host = elders().find((pid) => mountNamespace(pid) !== undefined);
  if (host === undefined || mountNamespace(host) === mine) {
    const result = mount('bpf', MOUNT_POINT, 'bpf', 0, OPTIONS);
    if (result === 0) return MOUNT_POINT;
    throw mountFailed({ errno: -result });
  }
  // Loaded only here: it costs 3 ms, which no other command needs to pay.
  const { spawnSync } = require('node:child_process') as typeof ChildProcess;
  const words = [`--mount=/proc/${host}/ns/mnt`, 'mount', '-t', 'bpf', '-o', OPTIONS, 'bpf', MOUNT_POINT];
  const { status, stderr, error } = spawnSync('nsenter', words, { encoding: 'utf8' });
  if (status === 0 && isBpffs(viewOf(host))) return viewOf(host);
  throw mountFailed({ said: error?.message ?? stderr.trim() });
}

// As systemd mounts it: by itself a bpffs is open to all, who could be first to make the directory we pin in.
const OPTIONS = 'mode=0700';
const MOUNT_POINT = '/sys/fs/bpf';
const BPF_FS_MAGIC = 0xcafe4a11;
// Absent, or of a process that we may not look into.
const UNSEEN = ['ENOENT', 'EACCES', 'EPERM'];

function isBpffs(path: string): boolean {
  return ignoring(UNSEEN, () => statfsSync(path).type === BPF_FS_MAGIC) ?? false;
}

// The init process, then our ancestors from the oldest: the further up, the less likely behind a private /sys.
function elders(): number[] {
  const found: number[] = [];
  for (let pid = process.ppid; pid > 1; pid = parentOf(pid)) found.unshift(pid);
  return [1, ...found];
}

function parentOf(pid: number): number {
  const stat = ignoring(['ENOENT'], () => readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? '';
  // "PID (command, perhaps with spaces) state PPID ..."
  return Number(/.*\) \S+ (\d+)/s.exec(stat)?.[1] ?? 0);
}

function viewOf(pid: number): string {
  return `/proc/${pid}/root${MOUNT_POINT}`;
}

function mountFailed(why: { errno?: number; said?: string }): KernelError {
  return new KernelError(`mount a bpffs on ${MOUNT_POINT}`, {
    ...why,
    hint: `as root: mount -t bpf bpf ${MOUNT_POINT}`,
  });
}

function mountNamespace(pid: number | 'self'): number | undefined {
  return ignoring(UNSEEN, () => statSync(`/proc/${pid}/ns/mnt`).ino);
}
