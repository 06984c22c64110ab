// SPDX-License-Identifier: MIT
import { errno, KernelError, tolerating } from '../errors';
import { inNetns } from '../netns';
import type { Mac } from '../values';
import {
  addrGenNone,
  decodeLink,
  encodeEnd,
  encodeLink,
  type LinkInfo,
  linkNames,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
  RTM_SETLINK,
  type VethEnd,
} from './link-message';
import { openRouteAt } from './nsid';
import { NLM_F_CREATE, NLM_F_EXCL, openRoute, type RouteSocket } from './socket';

export { IFF_LOOPBACK, IFF_NOARP, IFF_UP, type LinkInfo, LOOPBACK, type VethEnd } from './link-message';

/** A device in errors and requests: its index, or better what getLink gave, whose name makes errors readable. */
export type LinkRef = number | { readonly index: number; readonly name: string };

/** A pair of veth ends: the first in the socket's namespace, the peer there too unless `netnsFd` says where. */
export type NewVeth = VethEnd & { readonly peer: VethEnd & { readonly netnsFd?: number | undefined } };

/** What setLink can change. */
export type LinkChanges = {
  readonly up?: boolean;
  readonly arp?: boolean;
  readonly mtu?: number;
  readonly address?: Mac;
  readonly name?: string;
  /** Packets; what qdiscs that are made later take as their limit. */
  readonly txQueueLength?: number;
  readonly inet6AddrGenNone?: boolean;
  /** The index of a bridge or VRF to enslave the device to; 0: none any more. */
  readonly master?: number;
  /** Moves the device into the namespace of this descriptor. */
  readonly netnsFd?: number;
};

/** The namespace to look in if not the socket's own: its number there, as in LinkInfo.netnsid. */
export type Where = { readonly netnsid?: number | undefined };

/** Looks a device up by name (alternative names too) or index. Returns undefined when there is none. */
export function getLink(
  sock: RouteSocket,
  which: { readonly name: string } | { readonly index: number },
  where: Where = {},
): LinkInfo | undefined {
  const [tried, index, names] =
    'name' in which ? [which.name, 0, linkNames(which.name)] : [`#${which.index}`, which.index, {}];
  const body = encodeLink({ index }, { ...names, extMask: SKIP_STATS, targetNetnsid: where.netnsid });
  return tolerating(['ENODEV'], () => sock.request(`find link ${tried}`, RTM_GETLINK, body))?.map(decodeLink)[0];
}

/** Looks a device up by name. Throws KernelError "find link NAME: No such device". */
export function findLink(sock: RouteSocket, name: string, where: Where = {}): LinkInfo {
  const link = getLink(sock, { name }, where);
  if (link === undefined) throw new KernelError(`find link ${name}`, { errno: errno('ENODEV') });
  return link;
}

/** All devices of the namespace, in no order to rely on. */
export function listLinks(sock: RouteSocket, where: Where = {}): LinkInfo[] {
  const body = encodeLink({}, { extMask: SKIP_STATS, targetNetnsid: where.netnsid });
  return sock.dump('list links', RTM_GETLINK, body).map(decodeLink);
}

/**
 * Makes a veth pair in one request: both ends with their final name, MTU and MAC, the peer at once in the namespace of
 * `netnsFd`. Returns the first end, whose peerIndex and netnsid lead to the other. Throws KernelError; no end is left then.
 */
export function createVeth(sock: RouteSocket, veth: NewVeth): LinkInfo {
  const { peer, ...first } = veth;
  const body = encodeEnd(first, { kind: 'veth', data: { peer: encodeEnd(peer, undefined, peer.netnsFd) } });
  sock.request(`create link ${first.name}`, RTM_NEWLINK, body, NLM_F_CREATE | NLM_F_EXCL);
  const link = findLink(sock, first.name);
  try {
    finishPeer(sock, { index: link.peerIndex as number, name: peer.name }, peer);
    finishEnd(sock, link, first);
  } catch (error) {
    deleteLink(sock, link);
    throw error;
  }
  return first.up ? findLink(sock, first.name) : link;
}

/**
 * Changes a device, in one request; the kernel stops at the first change that it refuses, so earlier ones may be done.
 * inet6AddrGenNone must come before the device goes up: it does nothing for addresses that are there already.
 */
export function setLink(sock: RouteSocket, link: LinkRef, changes: LinkChanges, where: Where = {}): void {
  if (where.netnsid !== undefined) {
    inPlace(openRouteAt(sock, where.netnsid), link, changes);
    return;
  }
  const { up, arp, mtu, address, name, txQueueLength, netnsFd, inet6AddrGenNone, master } = changes;
  const afSpec = inet6AddrGenNone ? addrGenNone : undefined;
  const header = { index: indexOf(link), up, noarp: arp === undefined ? undefined : !arp };
  const body = encodeLink(header, { mtu, address, ifname: name, txQueueLength, master, netNsFd: netnsFd, afSpec });
  sock.request(`change link ${nameOf(link)}`, RTM_SETLINK, body);
}

/** Deletes a device; with one end of a veth goes the other. */
export function deleteLink(sock: RouteSocket, link: LinkRef, where: Where = {}): void {
  const body = encodeLink({ index: indexOf(link) }, { targetNetnsid: where.netnsid });
  sock.request(`delete link ${nameOf(link)}`, RTM_DELLINK, body);
}

/** The index of a device that was given either way. */
export function indexOf(link: LinkRef): number {
  return typeof link === 'number' ? link : link.index;
}

/** The name of a device for an error, or #INDEX where only that is known. */
export function nameOf(link: LinkRef): string {
  return typeof link === 'number' ? `#${link}` : link.name;
}

// RTEXT_FILTER_SKIP_STATS: counters are a third of the answer, and the slowest to gather.
const SKIP_STATS = 8;

// RTM_SETLINK takes IFLA_TARGET_NETNSID for the namespace to move to, not for the one to look in: hence a second socket,
// here and in finishPeer.
function inPlace(inside: RouteSocket, link: LinkRef, changes: LinkChanges): void {
  try {
    setLink(inside, link, changes);
  } finally {
    inside.close();
  }
}

function finishPeer(sock: RouteSocket, link: LinkRef, peer: NewVeth['peer']): void {
  const { netnsFd } = peer;
  const inside = netnsFd === undefined ? undefined : inNetns(`/proc/self/fd/${netnsFd}`, openRoute);
  try {
    finishEnd(inside ?? sock, link, peer);
  } finally {
    inside?.close();
  }
}

/**
 * Gives a device that was just made what it cannot be made with. IFLA_AF_SPEC is refused while a link is made (EAFNOSUPPORT: it
 * has no inet6_dev yet), and the kernel acts on it after IFF_UP within one request, so it needs a request of its own in between.
 */
export function finishEnd(
  sock: RouteSocket,
  link: LinkRef,
  end: { readonly inet6AddrGenNone?: boolean; readonly up?: boolean },
): void {
  if (end.inet6AddrGenNone) {
    // The device has no IPv6 at all: switched off in this kernel, or an MTU below 1280.
    tolerating(['EAFNOSUPPORT'], () => setLink(sock, link, { inet6AddrGenNone: true }));
  }
  if (end.up) setLink(sock, link, { up: true });
}
