// SPDX-License-Identifier: MIT
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import {
  AF_NETLINK,
  CLONE_NEWNET,
  check,
  flock,
  getsockname,
  LOCK_EX,
  LOCK_NB,
  LOCK_UN,
  MNT_DETACH,
  mount,
  POLLIN,
  poll,
  recv,
  SOCK_RAW,
  setns,
  socket,
  umount2,
} from '../../src/bindings/libc';
import { errno, KernelError } from '../../src/errors';

function inFolder(body: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'gtpt-'));
  try {
    body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a failure comes back as -errno, also where the C function returns a long', (t) => {
  t.is(setns(9999, CLONE_NEWNET), -errno('EBADF'));
  t.is(recv(9999, new Uint8Array(8)), -errno('EBADF'));
  t.is(umount2('/no/such/mount'), -errno('ENOENT'));
});

test('check throws for -errno and passes on the rest', (t) => {
  t.is(check('try', 3), 3);
  t.throws(() => check('try', -13), { instanceOf: KernelError, message: 'try: Permission denied' });
});

test('a length that the kernel writes comes back', (t) => {
  const fd = check('open', socket(AF_NETLINK, SOCK_RAW, 0));
  t.is(getsockname(fd, new Uint8Array(64)), 12);
  closeSync(fd);
});

test('a locked file is refused to a second holder until it is unlocked', (t) => {
  inFolder((folder) => {
    const path = join(folder, 'lock');
    writeFileSync(path, '');
    const [first, second] = [openSync(path, 'r'), openSync(path, 'r')];
    t.is(flock(first, LOCK_EX), 0);
    t.is(flock(second, LOCK_EX | LOCK_NB), -errno('EAGAIN'));
    t.is(flock(first, LOCK_UN), 0);
    t.is(flock(second, LOCK_EX | LOCK_NB), 0);
    closeSync(first);
    closeSync(second);
  });
});

test('a file system is mounted and taken off', (t) => {
  inFolder((folder) => {
    writeFileSync(join(folder, 'below'), '');
    t.is(mount('none', folder, 'tmpfs'), 0);
    t.deepEqual(readdirSync(folder), []);
    t.is(umount2(folder, MNT_DETACH), 0);
    t.deepEqual(readdirSync(folder), ['below']);
  });
});

test('poll tells the events of a descriptor, and that there were none', (t) => {
  inFolder((folder) => {
    const path = join(folder, 'file');
    writeFileSync(path, 'text');
    const fd = openSync(path, 'r');
    t.is(poll(fd, POLLIN, 0), POLLIN);
    t.is(poll(fd, 0, 0), 0);
    closeSync(fd);
  });
});
