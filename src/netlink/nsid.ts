// SPDX-License-Identifier: MIT
import { closeSync, readdirSync, statSync } from 'node:fs';
import { errno, KernelError, tolerating } from '../errors';
import { inNetns, listNamed, type Netns, openNetns } from '../netns';
import { decodeAttributes, encodeAttributes, s32, struct, u32 } from './attributes';
import { openRoute, type RouteSocket } from './socket';

/**
 * The number that the socket's namespace has for another one, given by a descriptor (openNetns): what LinkInfo.netnsid is
 * compared with. Returns undefined when it has none, for then no link leads there.
 */
export function netnsidOf(sock: RouteSocket, fd: number): number | undefined {
  const body = Buffer.concat([rtgenmsg.encode({}), encodeAttributes(nsidAttributes, { fd })]);
  const [message] = sock.request('find the number of a network namespace', RTM_GETNSID, body);
  if (message === undefined) return undefined;
  const { nsid } = decodeAttributes(nsidAttributes, rtgenmsg.decode(message.data).rest);
  return nsid === undefined || nsid < 0 ? undefined : nsid;
}

/** As netnsidOf, but a namespace without a number gets one. */
export function giveNetnsid(sock: RouteSocket, fd: number): number {
  const known = netnsidOf(sock, fd);
  if (known !== undefined) return known;
  const body = Buffer.concat([rtgenmsg.encode({}), encodeAttributes(nsidAttributes, { nsid: ANY_NUMBER, fd })]);
  sock.request('number a network namespace', RTM_NEWNSID, body);
  return netnsidOf(sock, fd) as number;
}

/** The numbers that the socket's namespace has for others. */
export function listNetnsids(sock: RouteSocket): number[] {
  return sock
    .dump('list numbers of network namespaces', RTM_GETNSID, rtgenmsg.encode({}))
    .flatMap(({ data }) => decodeAttributes(nsidAttributes, rtgenmsg.decode(data).rest).nsid ?? []);
}

/**
 * A path to the namespace that has this number here: its name under /run/netns, else a process in it. Returns undefined
 * when neither leads there; the kernel offers no way from a number to a descriptor.
 */
export function locateNetns(sock: RouteSocket, netnsid: number): Netns | undefined {
  const named = listNamed().find(({ path }) => numberOf(sock, path) === netnsid);
  if (named !== undefined) return { path: named.path, name: named.name };
  const path = processNetns().find((each) => numberOf(sock, each) === netnsid);
  return path === undefined ? undefined : { path };
}

/** Opens rtnetlink in the namespace that has this number here. Throws KernelError when locateNetns finds none. */
export function openRouteAt(sock: RouteSocket, netnsid: number): RouteSocket {
  const netns = locateNetns(sock, netnsid);
  if (netns !== undefined) return inNetns(netns.path, openRoute);
  throw new KernelError(`enter network namespace of nsid ${netnsid}`, {
    errno: errno('ENOENT'),
    said: 'it has neither a name nor a process',
    hint: NAME_IT,
  });
}

/** What to do about a namespace that nothing leads to. */
export const NAME_IT = 'give it a name: ip netns attach NAME PID';

const RTM_NEWNSID = 88;
const RTM_GETNSID = 90;
const ANY_NUMBER = -1;

const rtgenmsg = struct({ family: 1, _pad1: 1, _pad2: 2 });
const nsidAttributes = { nsid: [1, s32], fd: [3, u32] } as const;

function numberOf(sock: RouteSocket, path: string): number | undefined {
  // Deleted, or the process ended, since the directory was read.
  return tolerating(['ENOENT', 'ESRCH', 'EINVAL'], () => {
    const fd = openNetns(path);
    try {
      return netnsidOf(sock, fd);
    } finally {
      closeSync(fd);
    }
  });
}

/** One path for each namespace that a process is in whose files we may read. */
function processNetns(): string[] {
  const paths = new Map<number, string>();
  for (const pid of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
    const path = `/proc/${pid}/ns/net`;
    const inode = inodeOf(path);
    if (inode !== undefined && !paths.has(inode)) paths.set(inode, path);
  }
  return [...paths.values()];
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch (error) {
    // Ended meanwhile, or a process of another user or container that we may not look into.
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
