// SPDX-License-Identifier: MIT
import { endpoint_flag, kind, type Structs } from '../datapath/layout.gen';
import { type Receiver, usesOf } from '../datapath/tally';
import { fromMapped, hex, toMapped } from '../tunnels/address';
import { type Link, loadLink } from '../tunnels/link';
import type { Undo } from '../undo';
import { type Endpoint, setEndpoints } from './endpoints';
import { liveWords } from './links';
import { removeShim } from './shim';
import type { State } from './state';
import { holderOf, LOOPBACK, stopListening } from './underlay';

type Links = ReadonlyMap<number, Structs['link_words']>;

/** Brings what links share in line with the links and sessions there are: endpoints, underlays and their offloads. */
export function settle(state: State, undo: Undo): void {
  const links = liveWords(state);
  const { receivers, localDevs } = usesOf(state.maps);
  const endpoints = [...links.values()].map((stored) => endpointOf(loadLink(stored, NO_CONFIG)));
  setEndpoints(state, [...endpoints, ...sessionEndpoints(links, receivers)], undo);
  const underlays = [...links.values()].flatMap(({ dev, underlays: count }) => dev.slice(0, count));
  const own = ownLocals(links, receivers);
  const holders = own.flatMap((local) => [holderOf(state, fromMapped(local)) ?? LOOPBACK, LOOPBACK]);
  stopListening(state, new Set([...underlays, ...holders]), localDevs, undo);
}

/** Removes everything when no link is left; call it when that is settled. */
export function retire(state: State): void {
  if (state.maps.link_words.entries().next().done !== true) return;
  removeShim(state);
  state.remove();
}

/** Where a link receives; with `at`, where sessions of it do. */
export function endpointOf(link: Link, at?: Omit<Receiver, 'ifindex' | 'sessions'>): Endpoint {
  const takesZero = at === undefined ? link.local.family === 6 && link.udpcsum === false : at.zeroCsum;
  const flags =
    (link.echo ? endpoint_flag.echo : 0) |
    (link.errind ? endpoint_flag.errind : 0) |
    (link.extnotify ? endpoint_flag.extnotify : 0) |
    (takesZero ? endpoint_flag.zero_csum : 0);
  const { local, port, kind: kindOf } = at ?? { local: toMapped(link.local), port: link.port, kind: kind.gtp };
  return { local, port, kind: kindOf, flags, restart_count: link.restart_count };
}

const NO_CONFIG = { flags: 0, mtu: 0 } as const;

// Sessions receive at local addresses of their own, those of version 0 at a port of theirs.
function sessionEndpoints(links: Links, receivers: readonly Receiver[]): Endpoint[] {
  return receivers.flatMap((receiver) => {
    const stored = links.get(receiver.ifindex);
    return stored === undefined ? [] : [endpointOf(loadLink(stored, NO_CONFIG), receiver)];
  });
}

function ownLocals(links: Links, receivers: readonly Receiver[]): Uint8Array[] {
  return receivers.flatMap(({ ifindex, local }) => {
    const stored = links.get(ifindex);
    return stored === undefined || hex(stored.local) === hex(local) ? [] : [local];
  });
}
