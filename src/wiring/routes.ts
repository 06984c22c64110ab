// SPDX-License-Identifier: MIT
import { peerText } from '../datapath/outline';
import { activeTx, sendHalves } from '../datapath/places';
import { errno, KernelError, tolerating } from '../errors';
import { getLink, IFF_UP, LOOPBACK } from '../netlink/link';
import { type Neighbour, neighbour } from '../netlink/neighbour';
import { type RouteQuery, type RouteResult, routeTo } from '../netlink/route';
import type { RouteSocket } from '../netlink/socket';
import { hex, isNobody, toMapped } from '../tunnels/address';
import { type Address, address as addressKind } from '../values';
import type { LiveLink } from './links';
import type { State } from './state';
import { holderOf } from './underlay';

/** The way to a peer as it is now. */
export type Way = {
  /** Octets of an outer packet: what device, route and learned path MTU allow. */
  readonly mtu: number;
  /** What the route itself says, 0 when it does not. */
  readonly routeMtu: number;
  /** The device that holds the peer's address if this machine does, else 0. */
  readonly localDev: number;
  readonly oif: number;
  readonly gateway?: Address;
};

/** The way to a peer, or undefined when there is no route; looked up once in a command. */
export function wayTo(state: State, remote: Address, local: Address): Way | undefined {
  if (isNobody(remote)) return undefined;
  return once(ways, state, remote, local, () => findWay(state, remote, local));
}

/** How the machine reaches a peer, from any address where `local` is undefined: up, no_route or no_neighbour. */
export function standing(sock: RouteSocket, remote: Address, local: Address | undefined): string {
  const route = routeFrom(sock, remote, local);
  if (route === undefined || !['unicast', 'local'].includes(route.type)) return 'no_route';
  if (route.type === 'local') return 'up';
  return neighbour(sock, route.oif, route.gateway ?? remote)?.state === 'failed' ? 'no_neighbour' : 'up';
}

/** Throws KernelError when the route to a peer of a link leads into a tunnel (X12); looked up anew. */
export function refuseLoop(state: State, live: LiveLink, remote: Address, local: Address): void {
  const route = findRoute(state, remote, local);
  const where = route === undefined ? undefined : tunnelAt(state, live.device, route.oif);
  if (where === undefined) return;
  throw new KernelError(`reach ${addressKind.format(remote)}`, {
    said: `the route leads into the tunnel ${where}`,
    hint: 'a packet would be encapsulated for ever: route the remote through an underlay',
  });
}

/** Throws KernelError when an underlay that frames go out by is an end of a tunnel. */
export function refuseLoopOf(state: State, live: LiveLink, underlay: number): void {
  const where = tunnelAt(state, live.device, underlay);
  if (where === undefined) return;
  throw new KernelError(`send frames by ${where}`, {
    said: 'it is an end of a tunnel of gtp',
    hint: 'a frame would be encapsulated for ever: make the link with another dev UNDERLAY',
  });
}

/** The address that the kernel would send from towards a peer. Throws KernelError when there is no route. */
export function sourceTowards({ route }: Pick<State, 'route'>, remote: Address): Address {
  const prefsrc = findSource(route, remote);
  if (prefsrc !== undefined) return prefsrc;
  throw new KernelError(`find a local address towards ${addressKind.format(remote)}`, {
    said: 'there is no route',
    hint: 'add a route, or give the local address with local',
  });
}

function findSource(sock: RouteSocket, remote: Address): Address | undefined {
  return tolerating(['ENETUNREACH', 'EHOSTUNREACH'], () => routeTo(sock, remote).prefsrc);
}

// Looked up once for each.
function pathState(state: State, remote: Address, local: Address): string {
  return once(standings, state, remote, local, () => standing(state.route, remote, local));
}

/** What the kernel knows of whom packets to a peer are handed to; undefined on this machine, and before it was asked. */
export function nextHop(state: State, remote: Address, local: Address): Neighbour | undefined {
  return once(nextHops, state, remote, local, () => {
    const way = wayTo(state, remote, local);
    if (way === undefined || way.localDev !== 0) return undefined;
    return neighbour(state.route, way.oif, way.gateway ?? remote);
  });
}

/**
 * How a link's packets reach a peer: up, no_route (also when they would come in again by a tunnel, X12) or no_neighbour. Frames to
 * nobody in particular need the link's first underlay alone.
 */
export function reachOf(state: State, live: LiveLink, remote: Address, local: Address): string {
  if (isNobody(remote)) return isUp(state, live.link.dev[0]) ? 'up' : 'no_route';
  return isLoop(state, live, remote, local) ? 'no_route' : pathState(state, remote, local);
}

/** The same for a peer, whatever links have sessions with it. */
export function peerState(state: State, remote: Address, local: Address): string {
  return isLoopOfAny(state, remote, local) ? 'no_route' : pathState(state, remote, local);
}

/** Whether a link's packets to a peer would come in again by a tunnel: they are dropped (X12). */
export function isLoop(state: State, { device }: LiveLink, remote: Address, local: Address): boolean {
  const way = wayTo(state, remote, local);
  return way !== undefined && tunnelAt(state, device, way.oif) !== undefined;
}

function isUp(state: State, index: number | undefined): boolean {
  const device = index === undefined ? undefined : getLink(state.route, { index });
  return device !== undefined && (device.flags & IFF_UP) !== 0;
}

// Through the inner end of a link that has no session with the peer is a tunnel in a tunnel.
function isLoopOfAny(state: State, remote: Address, local: Address): boolean {
  const oif = wayTo(state, remote, local)?.oif;
  if (oif === undefined) return false;
  if (state.maps.links.get(oif) !== undefined) return true;
  const link = state.maps.inner_ends.get(oif);
  return link !== undefined && hasSession(state, link, peerText({ local: toMapped(local), remote: toMapped(remote) }));
}

function hasSession({ maps }: State, link: number, peer: string): boolean {
  for (const [, tx] of sendHalves(maps, link)) if (peerText(activeTx(tx)) === peer) return true;
  return false;
}

type Memo<T> = WeakMap<State, Map<string, T>>;

const ways: Memo<Way | undefined> = new WeakMap();
const standings: Memo<string> = new WeakMap();
const nextHops: Memo<Neighbour | undefined> = new WeakMap();

// Many sessions have few peers.
function once<T>(memo: Memo<T>, state: State, remote: Address, local: Address, find: () => T): T {
  const known = memo.get(state) ?? new Map<string, T>();
  memo.set(state, known);
  const id = `${hex(remote.bytes)} ${hex(local.bytes)}`;
  if (!known.has(id)) known.set(id, find());
  return known.get(id) as T;
}

function findWay(state: State, remote: Address, local: Address): Way | undefined {
  const route = findRoute(state, remote, local);
  if (route === undefined) return undefined;
  const device = getLink(state.route, { index: route.oif });
  const mtu = Math.min(route.mtu ?? LONGEST, device?.mtu ?? LONGEST);
  const routeMtu = route.mtu === undefined ? 0 : Math.min(findRoute(state, remote, local, ENTRY)?.mtu ?? 0, LONGEST);
  const localDev = route.type === 'local' ? (holderOf(state, remote) ?? LOOPBACK) : 0;
  return {
    mtu,
    routeMtu,
    localDev,
    oif: route.oif,
    ...(route.gateway === undefined ? {} : { gateway: route.gateway }),
  };
}

// What goes out by the end of any link, or by the inner end of this one that is in the same namespace, comes in again.
function tunnelAt(state: State, { peerIndex, netnsid }: LiveLink['device'], oif: number): string | undefined {
  const isInner = netnsid === undefined && oif === peerIndex;
  if (!isInner && state.maps.links.get(oif) === undefined) return undefined;
  return getLink(state.route, { index: oif })?.name ?? `#${oif}`;
}

function findRoute(state: State, remote: Address, local: Address, more: RouteQuery = {}): RouteResult | undefined {
  return routeFrom(state.route, remote, local, more);
}

// From any address where `local` is undefined.
function routeFrom(
  sock: RouteSocket,
  remote: Address,
  local: Address | undefined,
  more: RouteQuery = {},
): RouteResult | undefined {
  const tries = local === undefined ? [{}] : [{ from: local }, {}];
  for (const query of tries) {
    try {
      return routeTo(sock, remote, { ...query, ...more });
    } catch (error) {
      // EINVAL: `local` is no address of this machine; then the route without it is what counts.
      const code = error instanceof KernelError ? error.errno : undefined;
      if (code === undefined || !NO_ROUTE.includes(code)) throw error;
    }
  }
  return undefined;
}

const ENTRY = { entry: true } as const;
const LONGEST = 65535;
const NO_ROUTE = ['ENETUNREACH', 'EHOSTUNREACH', 'EINVAL', 'EACCES', 'ENETDOWN', 'EADDRNOTAVAIL', 'EAGAIN'].map(errno);
