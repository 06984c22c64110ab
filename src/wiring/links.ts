// SPDX-License-Identifier: MIT
import { link_flag, type Structs } from '../datapath/layout.gen';
import { errno, KernelError } from '../errors';
import { getLink, type LinkInfo, listLinks as listDevices } from '../netlink/link';
import { suggest } from '../suggest';
import { hex } from '../tunnels/address';
import { on } from '../tunnels/flags';
import { type Link, loadLink } from '../tunnels/link';
import type { Prefix } from '../values';
import type { State } from './state';

/** A link that is there: its device and what it was told. */
export type LiveLink = { readonly device: LinkInfo; readonly link: Link; readonly config: Structs['link_config'] };

/** The link of that name. Throws KernelError when there is no such device, or it is none of ours. */
export function findLink(state: State | undefined, name: string): LiveLink {
  const device = state === undefined ? undefined : getLink(state.route, { name });
  const live = state === undefined || device === undefined ? undefined : liveLink(state, device);
  if (live !== undefined) return live;
  const said = device === undefined ? 'No such link' : 'that device is no link of gtp';
  throw new KernelError(`find link ${name}`, {
    errno: errno('ENODEV'),
    said,
    hint: hintFor(state, name),
  });
}

// One dump, though links may be many.
function hintFor(state: State | undefined, name: string): string {
  const words = state === undefined ? undefined : liveWords(state);
  if (state === undefined || words?.size === 0) return NO_LINKS;
  const names = listDevices(state.route).filter(({ index }) => words?.has(index));
  return (
    suggest(
      name,
      names.map((device) => device.name),
    ) ?? 'gtp link show lists the links'
  );
}

/** All links whose devices are there, by name. */
export function listLinks(state: State): LiveLink[] {
  const found: LiveLink[] = [];
  for (const [index] of liveWords(state)) {
    const device = getLink(state.route, { index });
    const live = device === undefined ? undefined : liveLink(state, device);
    if (live !== undefined) found.push(live);
  }
  return found.sort((a, b) => (a.device.name < b.device.name ? -1 : 1));
}

/** What the links whose devices are there were told, by index. */
export function liveWords({ maps }: State): Map<number, Structs['link_words']> {
  const all = [...maps.link_words.entries()];
  const half = all.find(([index]) => index === BEING_MADE)?.[1];
  const isWhole = ([index, words]: (typeof all)[number]): boolean =>
    index !== BEING_MADE && !isHalf(words, half) && maps.devices.get(index) !== undefined;
  return new Map(all.filter(isWhole));
}

/**
 * The index at which a link's words stand while it is being made. When they still do, its command was killed: then no
 * link with these MAC addresses counts, and the next change removes it.
 */
export const BEING_MADE = 0;

/** Where a link has sessions. */
export type Where = { select: boolean; prefix: boolean; pair: boolean };

/** The flags that tell the programs where to look for a link's sessions. */
export function setSelectFlags(flags: number, { select, prefix, pair }: Where): number {
  const cleared = flags & ~(link_flag.select | link_flag.prefix | link_flag.pair);
  return cleared | on(select, link_flag.select) | on(prefix, link_flag.prefix) | on(pair, link_flag.pair);
}

/** The flags of a link that do not depend on its sessions: its role, where its inner end is, and what it carries. */
export function linkFlags(device: LinkInfo, link: Link): number {
  return (
    on(link.role === 'sgsn', link_flag.sgsn) |
    on(device.netnsid === undefined, link_flag.here) |
    on(link.frames, link_flag.frames) |
    on(link.type !== 'gtp' || link.frames, link_flag.any)
  );
}

/** The flag of a link whose inner end gets an IPv6 address; it stays. */
export function ipv6Flag(addresses: readonly Prefix[] | undefined): number {
  return addresses?.some(({ address }) => address.family === 6) ? link_flag.ipv6 : 0;
}

function liveLink(state: State, device: LinkInfo): LiveLink | undefined {
  const { maps } = state;
  const stored = maps.link_words.get(device.index);
  const config = maps.links.get(device.index)?.config;
  // An index that was used again: the words are of a link that has gone.
  if (stored === undefined || config === undefined || maps.devices.get(device.index) === undefined) return undefined;
  return isHalf(stored, maps.link_words.get(BEING_MADE))
    ? undefined
    : { device, link: loadLink(stored, config), config };
}

// The inner end's MAC is random and so tells links apart.
function isHalf(words: Structs['link_words'], half: Structs['link_words'] | undefined): boolean {
  return half !== undefined && hex(half.dmac) === hex(words.dmac);
}

const NO_LINKS = 'no links are in this network namespace: gtp link add makes one, gtp -n NETNS looks in another';
