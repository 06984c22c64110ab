// SPDX-License-Identifier: MIT
import { endpoint_flag, type Structs } from '../datapath/layout.gen';
import { type Uses, usesOf } from '../datapath/tally';
import { fromMapped, hex, toMapped } from '../tunnels/address';
import { type Link, loadLink } from '../tunnels/link';
import type { Undo } from '../undo';
import type { Address } from '../values';
import { type Endpoint, setEndpoints } from './endpoints';
import { liveWords } from './links';
import { removeShim } from './shim';
import type { State } from './state';
import { holderOf, LOOPBACK, stopListening } from './underlay';

/** Brings what links share in line with the links and sessions there are: endpoints, underlays and their offloads. */
export function settle(state: State, undo: Undo): void {
  const links = liveWords(state);
  const { locals, localDevs } = usesOf(state.maps);
  const own = ownLocals(links, locals);
  const endpoints = [...links.values()].map((stored) => endpointOf(loadLink(stored, { flags: 0, mtu: 0 })));
  setEndpoints(state, [...endpoints, ...own], undo);
  const underlays = [...links.values()].flatMap(({ dev, underlays: count }) => dev.slice(0, count));
  const holders = own.flatMap(({ local }) => [holderOf(state, fromMapped(local)) ?? LOOPBACK, LOOPBACK]);
  stopListening(state, new Set([...underlays, ...holders]), localDevs, undo);
}

/** Removes everything when no link is left; call it when that is settled. */
export function retire(state: State): void {
  if (state.maps.link_words.entries().next().done !== true) return;
  removeShim(state);
  state.remove();
}

/** Where a link receives, or a session of it with a local address of its own. */
export function endpointOf(link: Link, local: Address = link.local): Endpoint {
  const flags =
    (link.echo ? endpoint_flag.echo : 0) |
    (link.errind ? endpoint_flag.errind : 0) |
    (link.extnotify ? endpoint_flag.extnotify : 0);
  return { local: toMapped(local), port: link.port, flags };
}

// Sessions with a local address of their own listen there, too.
function ownLocals(links: ReadonlyMap<number, Structs['link_words']>, locals: Uses['locals']): Endpoint[] {
  return locals.flatMap(({ ifindex, local }) => {
    const stored = links.get(ifindex);
    if (stored === undefined || hex(stored.local) === hex(local)) return [];
    return [endpointOf(loadLink(stored, { flags: 0, mtu: 0 }), fromMapped(local))];
  });
}
