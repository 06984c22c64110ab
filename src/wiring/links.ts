// SPDX-License-Identifier: MIT
import { endpoint_flag, link_flag, type Structs } from '../datapath/layout.gen';
import { readSessions, removeSession, type Stored } from '../datapath/sessions';
import { errno, KernelError } from '../errors';
import { getLink, type LinkInfo } from '../netlink/link';
import { hex, toMapped } from '../tunnels/address';
import { type Link, loadLink } from '../tunnels/link';
import { type Endpoint, setEndpoints } from './endpoints';
import { removeShim } from './shim';
import type { State } from './state';
import { stopListening } from './underlay';

/** A link that is there: its device and what it was told. */
export type LiveLink = { readonly device: LinkInfo; readonly link: Link; readonly config: Structs['link_config'] };

/** The link of that name. Throws KernelError when there is no such device, or it is none of ours. */
export function findLink(state: State | undefined, name: string): LiveLink {
  const device = state === undefined ? undefined : getLink(state.route, { name });
  const live = state === undefined || device === undefined ? undefined : liveLink(state, device);
  if (live !== undefined) return live;
  const said = device === undefined ? 'No such link' : 'that device is no link of gtp';
  throw new KernelError(`find link ${name}`, { errno: errno('ENODEV'), said, hint: 'gtp link show lists the links' });
}

/** All links whose devices are there, by name. */
export function listLinks(state: State): LiveLink[] {
  const found: LiveLink[] = [];
  for (const [index] of state.maps.links.entries()) {
    const device = getLink(state.route, { index });
    const live = device === undefined ? undefined : liveLink(state, device);
    if (live !== undefined) found.push(live);
  }
  return found.sort((a, b) => (a.device.name < b.device.name ? -1 : 1));
}

/**
 * Removes what links left behind whose device has gone, with its namespace or by another hand: sessions, counters, hooks.
 * The kernel took the device out of the map `devices` at that moment, so nothing was delivered since.
 */
export function sweep(state: State): void {
  const { maps } = state;
  const gone = [...maps.links.entries()]
    .map(([index]) => index)
    .filter((index) => maps.devices.get(index) === undefined);
  for (const index of gone) forgetLink(state, index);
  for (const { pin, ifindex } of state.attached()) if (ifindex === 0) state.detach(pin);
  if (gone.length > 0) settle(state);
}

/** Takes a link and its sessions out of the maps, in the order in which nothing can go astray. */
export function forgetLink(state: State, index: number): void {
  const { maps } = state;
  for (const session of readSessions(maps, index)) removeSession(maps, state.control, session);
  dropHalves(state, index);
  maps.devices.delete(index);
  maps.link_words.delete(index);
  maps.links.delete(index);
  state.detach(linkPin(index));
}

/**
 * Brings what links share in line with the links there are: endpoints, underlays and their offloads, the shim. Returns
 * how to take the endpoints back.
 */
export function settle(state: State): () => void {
  const links = new Map(state.maps.link_words.entries());
  const sessions = readSessions(state.maps);
  const back = setEndpoints(state, [...[...links.values()].map(endpointOf), ...ownLocals(links, sessions)]);
  const underlays = [...links.values()].flatMap(({ dev, underlays: count }) => dev.slice(0, count));
  stopListening(state, new Set(underlays), new Set(sessions.map(({ tx }) => tx.local_dev)));
  if (links.size === 0) {
    removeShim(state);
    state.remove();
  }
  return back;
}

/** The flags that tell the programs where to look for a link's sessions. */
export function setSelectFlags(flags: number, has: { readonly select: boolean; readonly prefix: boolean }): number {
  const cleared = flags & ~(link_flag.select | link_flag.prefix);
  return cleared | (has.select ? link_flag.select : 0) | (has.prefix ? link_flag.prefix : 0);
}

/** The pin of a link's hook. */
export function linkPin(index: number): string {
  return `link-${index}`;
}

function liveLink(state: State, device: LinkInfo): LiveLink | undefined {
  const stored = state.maps.link_words.get(device.index);
  const config = state.maps.links.get(device.index)?.config;
  // An index that was used again: the words are of a link that has gone.
  if (stored === undefined || config === undefined || state.maps.devices.get(device.index) === undefined)
    return undefined;
  return { device, link: loadLink(stored, config), config };
}

function endpointOf(stored: Structs['link_words']): Endpoint {
  const link = loadLink(stored, { flags: 0, mtu: 0 });
  const flags =
    (link.echo ? endpoint_flag.echo : 0) |
    (link.errind ? endpoint_flag.errind : 0) |
    (link.extnotify ? endpoint_flag.extnotify : 0);
  return { local: toMapped(link.local), port: link.port, flags };
}

// Sessions with a local address of their own listen there, too.
function ownLocals(links: ReadonlyMap<number, Structs['link_words']>, sessions: readonly Stored[]): Endpoint[] {
  return sessions.flatMap(({ key, rxConfig }) => {
    const link = links.get(rxConfig.ifindex);
    return link === undefined || hex(link.local) === hex(key.local) ? [] : [{ ...endpointOf(link), local: key.local }];
  });
}

// Entries of which the other half is missing, left by a command that was killed.
function dropHalves({ maps }: State, ifindex: number): void {
  for (const [key, rx] of maps.rx.entries()) {
    if (rx.config[rx.active & 1 ? 1 : 0].ifindex === ifindex) maps.rx.delete(key);
  }
  for (const [key] of maps.tx.entries()) if (key.ifindex === ifindex) maps.tx.delete(key);
  for (const [key] of maps.tx_prefix.entries()) if (key.ifindex === ifindex) maps.tx_prefix.delete(key);
  for (const [key] of maps.drops.entries()) if (key.ifindex === ifindex) maps.drops.delete(key);
}
