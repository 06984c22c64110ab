// SPDX-License-Identifier: MIT
// Sessions of the kernel's own gtp driver. It has contexts, each with one IPv4 address or one IPv6 /64 of a user; those with the
// same ID and peer are one session. It can change none in place: who wants another one takes the old one away first.
import { errno, isErrno, KernelError, UsageError } from '../errors';
import {
  addContext,
  type Context,
  type ContextId,
  type ContextKey,
  deleteContext,
  findContexts,
  listContexts,
} from '../netlink/gtp';
import type { GenericSocket } from '../netlink/socket';
import { hex } from '../tunnels/address';
import { formatId } from '../tunnels/tunnels';
import type { GtpId, ReceiveId } from '../tunnels/words';
import type { Undo } from '../undo';
import { type Address, type Prefix, prefix } from '../values';
import type { KernelLink } from './links';

/** A session of the driver. */
export type KernelSession = { readonly id: GtpId; readonly remote: Address; readonly ue: readonly Prefix[] };

type GtpReceiveId = Extract<ReceiveId, { readonly type: 'gtp' }> | GtpId;

/** The sessions of links, by link, in the order of their IDs. The driver tells those of a whole namespace at once. */
export function listKernelSessions(links: readonly KernelLink[]): Map<KernelLink, KernelSession[]> {
  const read = new Map<GenericSocket, Map<number, Context[]>>();
  return new Map(
    links.map((link) => {
      const generic = link.place.generic();
      const all = read.get(generic) ?? listContexts(generic);
      read.set(generic, all);
      return [link, sessionsOf(all.get(link.device.index) ?? [])];
    }),
  );
}

/** The session of a link by its receive half. Throws KernelError ENOENT, or UsageError where contexts of other peers have it, too. */
export function findKernelSession(link: KernelLink, id: GtpReceiveId): KernelSession {
  const { name } = link.device;
  const [session, second] = sessionsOf(contextsBy(link, id));
  const hint = `gtp session show dev ${name} lists them`;
  if (second !== undefined) {
    throw new KernelError(`find session ${formatId(id)} of ${name}`, {
      said: 'contexts for IPv4 and IPv6 have that ID, and different peers or remote IDs',
      hint: 'another program made them: remove one with it',
    });
  }
  if (session !== undefined) return session;
  throw new KernelError(`find session ${formatId(id)} of ${name}`, {
    errno: errno('ENOENT'),
    said: 'No such session',
    hint,
  });
}

/** Whether a session of the link has the receive half of an ID. */
export function hasKernelSession(link: KernelLink, id: GtpReceiveId): boolean {
  return contextsBy(link, id).length > 0;
}

/** Makes a session. Throws KernelError EEXIST where its ID or a `ue` of it is taken. */
export function createKernelSession(link: KernelLink, session: KernelSession, undo: Undo): void {
  const tried = `add session ${formatId(session.id)} to ${link.device.name}`;
  if (hasKernelSession(link, session.id)) {
    throw new KernelError(tried, {
      errno: errno('EEXIST'),
      hint: `link ${link.device.name} has that ID: session replace overwrites it`,
    });
  }
  for (const context of contextsIn(session)) {
    try {
      addContext(link.place.generic(), link.device, context, tried);
    } catch (error) {
      throw error instanceof KernelError ? explained(error, context.ue) : error;
    }
    undo(() => deleteContext(link.place.generic(), link.device, context));
  }
}

/** Removes a session. */
export function deleteKernelSession(link: KernelLink, session: KernelSession, undo: Undo): void {
  for (const context of contextsIn(session)) {
    deleteContext(link.place.generic(), link.device, context);
    undo(() => addContext(link.place.generic(), link.device, context, `restore a context of ${link.device.name}`));
  }
}

/** Throws UsageError unless `ue` is what contexts can hold. */
export function checkUe(ue: readonly Prefix[]): void {
  if (ue.length === 0) {
    throw new UsageError(`"ue" is missing: the kernel's gtp driver finds a session by its ue alone`, {
      hint: 'give ue ADDR, an IPv6 /64, or one of each',
    });
  }
  for (const family of [4, 6] as const) {
    const own = ue.filter(({ address }) => address.family === family);
    const bits = family === 4 ? 32 : 64;
    const wrong = own.find(({ length }) => length !== bits) ?? own[1];
    if (wrong === undefined) continue;
    const can = family === 4 ? 'one IPv4 address' : 'one IPv6 prefix of 64 bits';
    throw new UsageError(`the kernel's gtp driver cannot do "ue ${prefix.format(wrong)}": a session has ${can}`, {
      hint: 'give another session the rest, or use a link of datapath bpf',
    });
  }
}

function contextsBy(link: KernelLink, id: GtpReceiveId): Context[] {
  return findContexts(link.place.generic(), link.device, keyOf(id));
}

function keyOf(id: GtpReceiveId): ContextKey {
  return id.version === 1 ? { version: 1, localTeid: id.local_teid } : { version: 0, tid: id.tid };
}

function contextsIn({ id, remote, ue }: KernelSession): Context[] {
  return ue.map((each) => ({ id: contextId(id), peer: remote, ue: each }));
}

// The driver has one label for both directions.
function contextId(id: GtpId): ContextId {
  return id.version === 1
    ? { version: 1, localTeid: id.local_teid, remoteTeid: id.remote_teid }
    : { version: 0, tid: id.tid, flow: id.remote_flow };
}

function gtpId(id: ContextId): GtpId {
  return id.version === 1
    ? { type: 'gtp', version: 1, local_teid: id.localTeid, remote_teid: id.remoteTeid }
    : { type: 'gtp', version: 0, tid: id.tid, flow: id.flow, remote_flow: id.flow };
}

function sessionsOf(contexts: readonly Context[]): KernelSession[] {
  const byId = new Map<string, Context[]>();
  for (const context of contexts) {
    const id = idText(context);
    byId.set(id, [...(byId.get(id) ?? []), context]);
  }
  const order = (a: string, b: string): number => (a < b ? -1 : 1);
  return [...byId]
    .sort(([a], [b]) => order(a, b))
    .map(([, [first, ...more]]) => {
      const { id, peer, ue } = first as Context;
      return { id: gtpId(id), remote: peer, ue: [ue, ...more.map((each) => each.ue)].sort(byFamily) };
    });
}

function idText({ id, peer }: Context): string {
  const [mine, theirs] = id.version === 1 ? [id.localTeid, id.remoteTeid] : [id.tid, id.flow];
  return `${1 - id.version} ${mine.toString(16).padStart(16, '0')} ${theirs.toString(16)} ${hex(peer.bytes)}`;
}

function byFamily(a: Prefix, b: Prefix): number {
  return a.address.family - b.address.family;
}

function explained(error: KernelError, ue: Prefix): KernelError {
  const hint = HINTS.find(([name]) => isErrno(error, name))?.[1].replace('UE', prefix.format(ue));
  if (hint === undefined) return error;
  return new KernelError(error.tried, { errno: error.errno as number, said: error.said, hint, cause: error });
}

const HINTS = [
  ['EEXIST', 'another session of the link has ue UE, or that ID: gtp session show lists them'],
  ['EAFNOSUPPORT', 'the sockets of the link are of the other address family: its local address says of which'],
  ['EINVAL', 'the driver knows IPv6 since Linux 6.10: give IPv4 addresses, or use a link of datapath bpf'],
] as const;
