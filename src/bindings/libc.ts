// SPDX-License-Identifier: MIT
import { KernelError } from '../errors';
import { cString, koffi, type Library } from './koffi';

// socket.h, poll.h, sched.h, file.h, mount.h: the numbers this program uses.
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const SOCK_RAW = 3;
export const SOCK_DGRAM = 2;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_ERROR = 4;
export const SO_PRIORITY = 12;
export const SO_RCVTIMEO = 20;
export const SO_NETNS_COOKIE = 71;
export const IPPROTO_IP = 0;
export const IPPROTO_IPV6 = 41;
export const IPPROTO_RAW = 255;
export const IP_RECVERR = 11;
export const IPV6_RECVERR = 25;
export const MSG_PEEK = 0x2;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_ERRQUEUE = 0x2000;
export const POLLIN = 0x1;
export const POLLERR = 0x8;
export const CLONE_NEWNET = 0x40000000;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const LOCK_UN = 8;
export const MNT_DETACH = 2;

/** socket(2). Returns the descriptor or -errno. Close it with fs.closeSync. */
export function socket(domain: number, type: number, protocol: number): number {
  return call('socket', domain, type | SOCK_CLOEXEC, protocol);
}

/** bind(2) to a struct sockaddr in its bytes. Returns 0 or -errno. */
export function bind(fd: number, address: Uint8Array): number {
  return call('bind', fd, address, address.length);
}

/** connect(2) to a struct sockaddr in its bytes. Returns 0 or -errno. */
export function connect(fd: number, address: Uint8Array): number {
  return call('connect', fd, address, address.length);
}

/** getsockname(2) into `address`. Returns the octets of the name, or -errno. */
export function getsockname(fd: number, address: Uint8Array): number {
  const length = new Uint32Array([address.length]);
  const result = call('getsockname', fd, address, length);
  return result < 0 ? result : (length[0] ?? 0);
}

/** send(2). Returns the octets sent, or -errno. */
export function send(fd: number, bytes: Uint8Array, flags = 0): number {
  return call('send', fd, bytes, bytes.length, flags);
}

/** recv(2) into `bytes`. Returns the octets received, with MSG_TRUNC those of the whole datagram, or -errno. */
export function recv(fd: number, bytes: Uint8Array, flags = 0): number {
  return call('recv', fd, bytes, bytes.length, flags);
}

/** recvmsg(2): payload into `bytes`, control messages into `control`. Returns the octets of both, or -errno. */
export function recvmsg(fd: number, bytes: Uint8Array, control: Uint8Array, flags = 0): [number, number] | number {
  const iovec = new BigUint64Array([koffi().address(bytes), BigInt(bytes.length)]);
  // struct msghdr: name, its length, iovec, how many, control, its length, flags
  const header = new BigUint64Array([0n, 0n, koffi().address(iovec), 1n, koffi().address(control), 0n, 0n]);
  header[5] = BigInt(control.length);
  const result = call('recvmsg', fd, header, flags);
  return result < 0 ? result : [result, Number(header[5])];
}

/** setsockopt(2) with the option's bytes, host order. Returns 0 or -errno. */
export function setsockopt(fd: number, level: number, option: number, value: Uint8Array): number {
  return call('setsockopt', fd, level, option, value, value.length);
}

/** getsockopt(2) into `value`. Returns the octets of the option, or -errno. */
export function getsockopt(fd: number, level: number, option: number, value: Uint8Array): number {
  const length = new Uint32Array([value.length]);
  const result = call('getsockopt', fd, level, option, value, length);
  return result < 0 ? result : (length[0] ?? 0);
}

/** poll(2) of one descriptor for so many milliseconds. Returns its events, 0 if there was none, or -errno. */
export function poll(fd: number, events: number, milliseconds: number): number {
  // struct pollfd: descriptor, events to wait for, events that came
  const one = new Int32Array([fd, events]);
  const result = call('poll', one, 1, milliseconds);
  return result <= 0 ? result : (one[1] ?? 0) >>> 16;
}

/** setns(2) of the calling thread. Returns 0 or -errno. Only netns.ts may call it. */
export function setns(fd: number, type: number): number {
  return call('setns', fd, type);
}

/** flock(2): waits for the lock unless LOCK_NB is given. Returns 0 or -errno (EWOULDBLOCK = EAGAIN). */
export function flock(fd: number, operation: number): number {
  return call('flock', fd, operation);
}

/** mount(2); `data` holds the options of the file system. Returns 0 or -errno. */
export function mount(source: string, target: string, type: string, flags = 0, data = ''): number {
  return call('mount', cString(source), cString(target), cString(type), flags, data === '' ? null : cString(data));
}

/** umount2(2). Returns 0 or -errno. */
export function umount2(target: string, flags = 0): number {
  return call('umount2', cString(target), flags);
}

/** Passes a result on unless it is -errno: then throws KernelError with what was tried. */
export function check(tried: string, result: number): number {
  if (result < 0) throw new KernelError(tried, { errno: -result });
  return result;
}

const PROTOTYPES = {
  socket: 'int socket(int, int, int)',
  bind: 'int bind(int, void *, uint32_t)',
  connect: 'int connect(int, void *, uint32_t)',
  getsockname: 'int getsockname(int, void *, uint32_t *)',
  send: 'intptr_t send(int, void *, size_t, int)',
  recv: 'intptr_t recv(int, void *, size_t, int)',
  recvmsg: 'intptr_t recvmsg(int, void *, int)',
  setsockopt: 'int setsockopt(int, int, int, void *, uint32_t)',
  getsockopt: 'int getsockopt(int, int, int, void *, uint32_t *)',
  poll: 'int poll(void *, unsigned long, int)',
  setns: 'int setns(int, int)',
  flock: 'int flock(int, int)',
  mount: 'int mount(void *, void *, void *, unsigned long, void *)',
  umount2: 'int umount2(void *, int)',
} as const;

type Name = keyof typeof PROTOTYPES;
type Argument = number | null | Uint8Array | Int32Array | Uint32Array | BigUint64Array;
type Bound = (...args: Argument[]) => number;

const bound: Partial<Record<Name, Bound>> = {};
let library: Library | undefined;

function call(name: Name, ...args: Argument[]): number {
  bound[name] ??= bindFunction(name);
  const result = bound[name](...args);
  // errno is per thread and any later call may change it: read it before anything else runs.
  return result === -1 ? -koffi().errno() : result;
}

function bindFunction(name: Name): Bound {
  library ??= koffi().load(null);
  return library.func(PROTOTYPES[name]);
}
