// SPDX-License-Identifier: MIT
import { accessSync, closeSync, existsSync, fstatSync, openSync, readdirSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { missingHint } from './bindings/capabilities';
import {
  AF_UNIX,
  CLONE_NEWNET,
  check,
  getsockopt,
  SO_NETNS_COOKIE,
  SOCK_DGRAM,
  SOL_SOCKET,
  setns,
  socket,
} from './bindings/libc';
import { errno, KernelError } from './errors';
import { suggest } from './suggest';

/** A namespace as the user named it: `path` can be opened, `name` is set if it is one of /run/netns. */
export type Netns = { readonly path: string; readonly name?: string };

/** A namespace under /run/netns with the inode that identifies it. */
export type NamedNetns = { readonly name: string; readonly path: string; readonly inode: number };

/**
 * Finds the network namespace that a NAME under /run/netns, a PID or a PATH means; a name of digits wins over a PID.
 * Throws KernelError with a hint when there is none.
 */
export function resolveNetns(text: string): Netns {
  if (text.includes('/')) return existing(text, { path: text }, 'a path must be a file such as /proc/PID/ns/net');
  const path = `${NAMED}/${text}`;
  // "." and ".." would be directories, and the kernel's word for those is no help.
  if (existsSync(path) && statSync(path).isFile()) return { path, name: text };
  if (/^[0-9]+$/.test(text)) return existing(text, { path: `/proc/${text}/ns/net` }, 'no process has this PID');
  const names = existsSync(NAMED) ? readdirSync(NAMED) : [];
  throw missing(text, suggest(text, names) ?? `make it with: ip netns add ${text}`);
}

/** Opens a namespace (see resolveNetns for `path`). Returns a descriptor for IFLA_NET_NS_FD; close it with fs.closeSync. */
export function openNetns(path: string): number {
  const fd = opened(path);
  // Every namespace is a file of nsfs, as ours is; of another file the kernel would say "Invalid argument".
  if (fstatSync(fd).dev === statSync('/proc/self/ns/net').dev) return fd;
  closeSync(fd);
  throw noNetns(path);
}

/**
 * Runs `inside` with the calling thread in another network namespace and comes back, whatever happens.
 * `inside` must be synchronous: other work of this thread, and threads started meanwhile, would run in there too.
 * A socket opened inside stays in that namespace and can be used outside.
 */
export function inNetns<T>(path: string, inside: () => T extends PromiseLike<unknown> ? never : T): T {
  const home = openNetns(OWN);
  try {
    const there = openNetns(path);
    try {
      enter(there, path);
    } finally {
      closeSync(there);
    }
    try {
      return inside();
    } finally {
      enter(home, 'home');
    }
  } finally {
    closeSync(home);
  }
}

/** The kernel's number of the current network namespace: never reused until the next boot, unlike its inode. */
export function netnsCookie(): bigint {
  const fd = check('open a socket', socket(AF_UNIX, SOCK_DGRAM, 0));
  try {
    const value = new BigUint64Array(1);
    const result = getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, bytesOf(value));
    if (result === -errno('ENOPROTOOPT')) throw tooOld();
    check(COOKIE, result);
    return value[0] as bigint;
  } finally {
    closeSync(fd);
  }
}

/** All namespaces under /run/netns, by name; files there that are no namespace (left by a lost mount) are left out. */
export function listNamed(): NamedNetns[] {
  const names = existsSync(NAMED) ? readdirSync(NAMED).sort() : [];
  const { dev: nsfs } = statSync(OWN);
  return names.flatMap((name) => {
    const path = `${NAMED}/${name}`;
    const found = statSync(path, { throwIfNoEntry: false }); // it may go at any time
    return found?.dev === nsfs ? [{ name, path, inode: found.ino }] : [];
  });
}

const COOKIE = 'read the cookie of the network namespace';
const OWN = '/proc/thread-self/ns/net';
const NAMED = '/run/netns';

function existing(text: string, netns: Netns, hint: string): Netns {
  if (!existsSync(netns.path)) throw unseen(text, netns.path) ?? missing(text, hint);
  return netns.path.startsWith(`${NAMED}/`) ? { ...netns, name: netns.path.slice(NAMED.length + 1) } : netns;
}

// To existsSync, what we may not look at is not there.
function unseen(text: string, path: string): KernelError | undefined {
  try {
    accessSync(path);
    return undefined;
  } catch (cause) {
    const { code, errno: number = 0 } = cause as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM') return undefined;
    const hint = 'only root, or who owns the process, may look at its namespace';
    return new KernelError(`find network namespace ${text}`, { errno: Math.abs(number), hint, cause });
  }
}

function missing(text: string, hint: string): KernelError {
  return new KernelError(`find network namespace ${text}`, {
    errno: errno('ENOENT'),
    said: 'No such network namespace',
    hint,
  });
}

function opened(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    const { errno: number } = cause as NodeJS.ErrnoException;
    throw new KernelError(`open network namespace ${path}`, { errno: Math.abs(number ?? 0), cause });
  }
}

function enter(fd: number, path: string): void {
  const result = setns(fd, CLONE_NEWNET);
  if (result >= 0) return;
  if (result === -errno('EINVAL')) throw noNetns(path);
  const hint = missingHint(['CAP_SYS_ADMIN']);
  throw new KernelError(`enter network namespace ${path}`, { errno: -result, ...(hint === undefined ? {} : { hint }) });
}

function noNetns(path: string): KernelError {
  return new KernelError(`enter network namespace ${path}`, {
    errno: errno('EINVAL'),
    said: 'this file is not a network namespace',
    hint: 'ip netns add makes one with a name; a path must be a file such as /proc/PID/ns/net',
  });
}

// The cookie came with 5.14; the helpers that the programs call are older.
function tooOld(): KernelError {
  const hint = `gtp needs Linux 5.15 or later, this is ${release()}`;
  return new KernelError(COOKIE, { errno: errno('ENOPROTOOPT'), said: 'this kernel has none', hint });
}

function bytesOf(value: BigUint64Array): Uint8Array {
  return new Uint8Array(value.buffer);
}
