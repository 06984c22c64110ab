// SPDX-License-Identifier: MIT
import { errno, isErrno, KernelError } from '../errors';
import { getLink } from '../netlink/link';
import { neighbour } from '../netlink/neighbour';
import { type RouteResult, routeTo } from '../netlink/route';
import { hex } from '../tunnels/address';
import { type Address, address as addressKind } from '../values';
import type { State } from './state';
import { holderOf, LOOPBACK } from './underlay';

/** The way to a peer as it is now: the outer MTU, and the device that holds the peer's address if this machine does. */
export type Way = { readonly mtu: number; readonly localDev: number; readonly oif: number; readonly gateway?: Address };

/**
 * The way to a peer, or undefined when there is no route; looked up once in a command. Throws KernelError when it leads
 * into a tunnel (X12).
 */
export function wayTo(state: State, remote: Address, local: Address): Way | undefined {
  return once(ways, state, remote, local, () => findWay(state, remote, local));
}

/** The address that the kernel would send from towards a peer. Throws KernelError when there is no route. */
export function sourceTowards(state: State, remote: Address): Address {
  const prefsrc = findSource(state, remote);
  if (prefsrc !== undefined) return prefsrc;
  throw new KernelError(`find a local address towards ${addressKind.format(remote)}`, {
    said: 'there is no route',
    hint: 'add a route, or give the local address with local',
  });
}

function findSource(state: State, remote: Address): Address | undefined {
  try {
    return routeTo(state.route, remote).prefsrc;
  } catch (error) {
    if (isErrno(error, 'ENETUNREACH') || isErrno(error, 'EHOSTUNREACH')) return undefined;
    throw error;
  }
}

/** How a session stands: up, no_route, no_neighbour, or down when its link is; looked up once for each peer. */
export function sessionState(state: State, remote: Address, local: Address, isUp: boolean): string {
  return isUp ? once(standings, state, remote, local, () => findStanding(state, remote, local)) : 'down';
}

type Memo<T> = WeakMap<State, Map<string, T>>;

const ways: Memo<Way | undefined> = new WeakMap();
const standings: Memo<string> = new WeakMap();

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
  if (state.maps.links.get(route.oif) !== undefined) {
    throw new KernelError(`reach ${addressKind.format(remote)}`, {
      said: `the route leads into the tunnel ${device?.name ?? `#${route.oif}`}`,
      hint: 'a packet would be encapsulated for ever: route the remote through an underlay',
    });
  }
  const mtu = Math.min(route.mtu ?? 65535, device?.mtu ?? 65535);
  const localDev = route.type === 'local' ? (holderOf(state, remote) ?? LOOPBACK) : 0;
  return { mtu, localDev, oif: route.oif, ...(route.gateway === undefined ? {} : { gateway: route.gateway }) };
}

function findStanding(state: State, remote: Address, local: Address): string {
  const route = findRoute(state, remote, local);
  if (route === undefined || !['unicast', 'local'].includes(route.type)) return 'no_route';
  if (route.type === 'local') return 'up';
  return neighbour(state.route, route.oif, route.gateway ?? remote)?.state === 'failed' ? 'no_neighbour' : 'up';
}

function findRoute(state: State, remote: Address, local: Address): RouteResult | undefined {
  const tries = [{ from: local }, {}] as const;
  for (const query of tries) {
    try {
      return routeTo(state.route, remote, query);
    } catch (error) {
      // EINVAL: `local` is no address of this machine; then the route without it is what counts.
      const code = error instanceof KernelError ? error.errno : undefined;
      if (code === undefined || !NO_ROUTE.includes(code)) throw error;
    }
  }
  return undefined;
}

const NO_ROUTE = ['ENETUNREACH', 'EHOSTUNREACH', 'EINVAL', 'EACCES', 'ENETDOWN', 'EADDRNOTAVAIL', 'EAGAIN'].map(errno);
