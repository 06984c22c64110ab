// SPDX-License-Identifier: MIT
import { control } from '../datapath/control';
import { keyOf } from '../datapath/key';
import { kind, link_flag, type Structs, tx_flag } from '../datapath/layout.gen';
import { activeTx, firstHalves, type Place, prefixOf, sendHalves, slotOf } from '../datapath/places';
import { getLink, setLink } from '../netlink/link';
import { fromMapped, fromMappedPrefix } from '../tunnels/address';
import { on } from '../tunnels/flags';
import { IPV6_MIN_MTU, innerMtu, overhead, plainOverhead } from '../tunnels/mtu';
import type { Part } from '../tunnels/tunnel';
import { protocolOf } from '../tunnels/tunnels';
import type { TxConfig } from '../tunnels/words';
import type { Undo } from '../undo';
import { type LiveLink, setSelectFlags, type Where } from './links';
import { wayTo } from './routes';
import { ANY_SESSION } from './standing';
import type { State } from './state';

/**
 * Brings a link's flags, slots and inner MTU in line with its sessions. After one of them went or was written anew
 * (`changed`), it reads no more of the others than it takes to see that they want what the link has.
 */
export function refresh(state: State, live: LiveLink, undo: Undo, changed: Changed = 'all'): void {
  const config = configOf(state, live);
  const { mtu: least, ipv6, slots, ...where } = survey(state, live, config, changed);
  const flags = setSelectFlags(config.flags, where) | (ipv6 ? link_flag.ipv6 : 0);
  write(state, live, config, { flags, slots, mtu: live.link.mtu ?? fitting(least, flags) }, undo);
}

/** The same after one more session, which can only add flags and lower the MTU: no need to read the others. */
export function refreshAfterAdd(state: State, live: LiveLink, added: Standing, undo: Undo): void {
  const config = configOf(state, live);
  const isFirst = (live.config.flags & ANY_SESSION) === 0;
  const own = innerMtu(...partsOf(state, live, added.tx));
  const { flags, slots } = withPlaces(config, added.places, 0);
  const mtu = live.link.mtu ?? fitting(isFirst ? own : Math.min(own, config.mtu), flags);
  write(state, live, config, { flags, slots, mtu }, undo);
}

/**
 * Has the programs look wherever a session is going to stand, and by the program for its kind. Before it is written: what
 * they do not find there yet does no harm.
 */
export function announce(state: State, live: LiveLink, wanted: Standing, undo: Undo): void {
  const config = configOf(state, live);
  const any = on(needsAny(wanted.tx), link_flag.any);
  write(state, live, config, { ...withPlaces(config, wanted.places, any), mtu: config.mtu }, undo);
}

/** Whether a session is of another kind than GTP with IP packets. */
export function needsAny({ kind: of, flags }: Pick<TxConfig, 'kind' | 'flags'>): boolean {
  return (of !== kind.gtp && of !== kind.gtp0) || (flags & tx_flag.ether) !== 0;
}

/** What an inner MTU is made of: the path's MTU, and what stands in front of inner packets. */
export type MtuParts = readonly [path: number, parts: readonly Part[]];

/** What decides on the inner MTU of a link: the least over its sessions, or a plain header to nobody in particular. */
export function leastParts(state: State, live: LiveLink): MtuParts {
  let least: MtuParts | undefined;
  for (const [, tx] of sendHalves(state.maps, live.device.index)) {
    const parts = partsOf(state, live, activeTx(tx));
    if (least === undefined || innerMtu(...parts) < innerMtu(...least)) least = parts;
  }
  return least ?? plainParts(state, live);
}

/** What decides on the longest inner packet of a session. */
export function partsOf(state: State, live: LiveLink, tx: TxConfig): MtuParts {
  const to = fromMapped(tx.remote);
  const head = tx.flags & tx_flag.detail ? (state.maps.details.get(keyOf(tx))?.head_len ?? 0) : 0;
  const parts = overhead(tx, to.family, head);
  // Of a VLAN the index of the underlay.
  if (protocolOf(tx.kind) === 0) return [getLink(state.route, { index: tx.local_teid })?.mtu ?? LONGEST, parts];
  return [wayTo(state, to, fromMapped(tx.local))?.mtu ?? underlayMtu(state, live), parts];
}

/** Sets the MTU of a link's inner end. */
export function setMtu(state: State, { device }: LiveLink, mtu: number, undo: Undo): void {
  const peer = { index: device.peerIndex as number, name: `the inner end of ${device.name}` };
  const where = { netnsid: device.netnsid };
  const was = getLink(state.route, { index: peer.index }, where)?.mtu ?? mtu;
  undo(() => setLink(state.route, peer, { mtu: was }, where));
  setLink(state.route, peer, { mtu }, where);
}

/** How a session sends, and where it stands for that. */
export type Standing = { readonly tx: TxConfig; readonly places: readonly Place[] };

type Config = Structs['link_config'];
type Changed = 'all' | TxConfig | 'gone';
type Wants = Where & { ipv6: boolean; mtu: number; slots: bigint };

const LONGEST = 65535;

function configOf({ maps }: State, live: LiveLink): Config {
  return maps.links.get(live.device.index)?.config ?? live.config;
}

function write(state: State, live: LiveLink, was: Config, next: Config, undo: Undo): void {
  if (next.flags === was.flags && next.mtu === was.mtu && next.slots === was.slots) return;
  undo(() => setLinkConfig(state, live.device.index, was));
  setLinkConfig(state, live.device.index, next);
  if (next.mtu !== was.mtu) setMtu(state, live, next.mtu, undo);
}

function setLinkConfig(state: State, ifindex: number, link: Config): void {
  control(state.control, { what: 'link', tx_key: { ifindex, addr: new Uint8Array(16) }, link });
}

function fitting(mtu: number, flags: number): number {
  return flags & link_flag.ipv6 ? Math.max(mtu, IPV6_MIN_MTU) : mtu;
}

function withPlaces(config: Config, places: readonly Place[], more: number): Omit<Config, 'mtu'> {
  const where = whereIn(config);
  for (const place of places) note(where, place);
  const slots = places.reduce((bits, place) => bits | slotBit(place), config.slots);
  return { flags: setSelectFlags(config.flags, where) | on(places.some(isIpv6), link_flag.ipv6) | more, slots };
}

function isIpv6(place: Place): boolean {
  if (place.in === 'tx_pair') return fromMapped(place.key.from).family === 6;
  const prefix = prefixOf(place);
  return prefix !== undefined && fromMappedPrefix(prefix.addr, prefix.length).address.family === 6;
}

function slotBit(place: Place): bigint {
  const slot = slotOf(place);
  return slot === undefined ? 0n : 1n << BigInt(slot);
}

function whereIn({ flags }: Pick<Config, 'flags'>): Where {
  return {
    select: (flags & link_flag.select) !== 0,
    prefix: (flags & link_flag.prefix) !== 0,
    pair: (flags & link_flag.pair) !== 0,
  };
}

/** Notes where a link has sessions. */
export function note(where: Where, { in: map }: Pick<Place, 'in'>): void {
  where.select ||= map === 'tx' || map === 'tx_prefix';
  where.prefix ||= map === 'tx_prefix';
  where.pair ||= map === 'tx_pair';
}

function survey(state: State, live: LiveLink, config: Config, changed: Changed): Wants {
  const had = whereIn(config);
  const own = typeof changed === 'object' ? innerMtu(...partsOf(state, live, changed)) : Number.POSITIVE_INFINITY;
  const seen = {
    ...{ select: false, prefix: false, pair: false, slots: 0n, mtu: own },
    ipv6: (config.flags & link_flag.ipv6) !== 0,
  };
  for (const [place, tx] of halvesOf(state, live, changed)) {
    note(seen, place);
    seen.slots |= slotBit(place);
    seen.ipv6 ||= isIpv6(place);
    seen.mtu = Math.min(seen.mtu, innerMtu(...partsOf(state, live, activeTx(tx))));
    const isLow = seen.mtu <= config.mtu && (seen.ipv6 || seen.mtu >= IPV6_MIN_MTU);
    const isSame = seen.select === had.select && seen.prefix === had.prefix && seen.pair === had.pair;
    // A link of frames has few, and each with a slot.
    if (isLow && isSame && changed !== 'all' && !live.link.frames) return seen;
  }
  return Number.isFinite(seen.mtu) ? seen : { ...seen, mtu: innerMtu(...plainParts(state, live)) };
}

// All of them, and before that what may be enough to see.
function* halvesOf({ maps }: State, { device }: LiveLink, changed: Changed): ReturnType<typeof sendHalves> {
  if (changed !== 'all') yield* firstHalves(maps, device.index);
  yield* sendHalves(maps, device.index);
}

function plainParts(state: State, live: LiveLink): MtuParts {
  return [underlayMtu(state, live), plainOverhead(live.link.type, live.link.local.family)];
}

/** The least MTU of the underlays, of lo only where there is no other; looked up once in a command. */
export function underlayMtu(state: State, { link }: LiveLink): number {
  const known = underlayMtus.get(link) ?? leastMtu(state, link.dev);
  underlayMtus.set(link, known);
  return known;
}

const underlayMtus = new WeakMap<LiveLink['link'], number>();

function leastMtu(state: State, underlays: readonly number[]): number {
  const mtus = underlays.map((index) => getLink(state.route, { index })?.mtu ?? LONGEST);
  const others = mtus.filter((_, at) => underlays[at] !== 1);
  return Math.min(...(others.length > 0 ? others : mtus));
}
