// SPDX-License-Identifier: MIT
import { endpoint_flag, kind, type Structs } from '../datapath/layout.gen';
import { type Receiver, usesOf } from '../datapath/tally';
import { LOOPBACK } from '../netlink/link';
import { fromMapped, hex, toMapped } from '../tunnels/address';
import { on } from '../tunnels/flags';
import { type Link, loadLink } from '../tunnels/link';
import { tunnels } from '../tunnels/tunnels';
import type { Undo } from '../undo';
import { type Endpoint, setEndpoints } from './endpoints';
import { liveWords } from './links';
import { removeShim } from './shim';
import type { State } from './state';
import { holderOf, stopListening } from './underlay';
import { strongerXdp, type XdpWord, xdpWordOf } from './xdp';

type Links = ReadonlyMap<number, Structs['link_words']>;

/** Brings what links share in line with the links and sessions there are: endpoints, underlays and their offloads. */
export function settle(state: State, undo: Undo): void {
  const links = liveWords(state);
  const { receivers, localDevs } = usesOf(state.maps);
  const endpoints = [...links.values()].flatMap((stored) => endpointsOf(loadLink(stored, NO_CONFIG)));
  setEndpoints(state, [...endpoints, ...sessionEndpoints(links, receivers)], undo);
  stopListening(state, underlaysOf(state, links, receivers), localDevs, undo);
}

// Every device that is listened on, and what its links want of XDP there.
function underlaysOf(state: State, links: Links, receivers: readonly Receiver[]): Map<number, XdpWord> {
  const words = new Map<number, XdpWord>();
  const add = (stored: Structs['link_words'], devices: readonly number[]): void => {
    const xdp = xdpWordOf(loadLink(stored, NO_CONFIG));
    for (const index of devices) words.set(index, strongerXdp(words.get(index) ?? 'off', xdp));
  };
  for (const stored of links.values()) add(stored, stored.dev.slice(0, stored.underlays));
  for (const { stored, local } of ownLocals(links, receivers))
    add(stored, [holderOf(state, fromMapped(local)) ?? LOOPBACK, LOOPBACK]);
  return words;
}

/** Removes everything when no link is left; call it when that is settled. */
export function retire(state: State): void {
  if (state.maps.link_words.entries().next().done !== true) return;
  removeShim(state);
  state.remove();
}

/** Where a link receives; nowhere where its type has no addresses. */
export function endpointsOf(link: Link): Endpoint[] {
  const { endpoint } = tunnels[link.type];
  if (endpoint === undefined) return [];
  const zeroCsum = link.local.family === 6 && link.udpcsum === false;
  return [receiverEndpoint(link, { local: toMapped(link.local), port: link.port, kind: endpoint, zeroCsum })];
}

/** Where sessions of a link receive. What answers there is GTP. */
export function receiverEndpoint(link: Link, at: Omit<Receiver, 'ifindex' | 'sessions'>): Endpoint {
  const { local, port, kind: of, zeroCsum } = at;
  const isGtp = of === kind.gtp || of === kind.gtp0;
  const flags =
    on(isGtp && link.echo, endpoint_flag.echo) |
    on(isGtp && link.errind, endpoint_flag.errind) |
    on(isGtp && link.extnotify, endpoint_flag.extnotify) |
    on(zeroCsum, endpoint_flag.zero_csum);
  return { local, port, kind: of, flags, restart_count: isGtp ? link.restart_count : 0 };
}

const NO_CONFIG = { flags: 0, mtu: 0, slots: 0n } as const;

// Sessions receive at local addresses of their own, those of version 0 at a port of theirs.
function sessionEndpoints(links: Links, receivers: readonly Receiver[]): Endpoint[] {
  return receivers.flatMap((receiver) => {
    const stored = links.get(receiver.ifindex);
    return stored === undefined ? [] : [receiverEndpoint(loadLink(stored, NO_CONFIG), receiver)];
  });
}

// Sessions that receive at another address than their link.
function ownLocals(
  links: Links,
  receivers: readonly Receiver[],
): { readonly stored: Structs['link_words']; readonly local: Uint8Array }[] {
  return receivers.flatMap(({ ifindex, local, kind: of }) => {
    const stored = links.get(ifindex);
    const isElsewhere = stored !== undefined && of !== kind.vlan && hex(stored.local) !== hex(local);
    return isElsewhere ? [{ stored, local }] : [];
  });
}
