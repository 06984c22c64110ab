// SPDX-License-Identifier: MIT
import { errno, KernelError } from '../errors';
import type { Undo } from '../undo';
import { zero } from './codec';
import { type Control, control } from './control';
import { keyOf, keyText } from './key';
import { link_flag, type Structs, structs } from './layout.gen';
import type { MapHandle, OpenMaps, RawEntry } from './maps';
import { offsetOf } from './offset';

type TxSession = Structs['tx_session'];
type TxConfig = Structs['tx_config'];

/**
 * Where the send half of a session stands: one entry for each of its prefixes, for its MAC address, its pair of addresses and
 * its slot, or the link's fallback.
 */
export type Place =
  | { readonly in: 'fallback'; readonly ifindex: number }
  | { readonly in: 'tx'; readonly key: Structs['tx_key'] }
  | { readonly in: 'tx_pair'; readonly key: Structs['pair_key'] }
  | { readonly in: 'tx_prefix'; readonly key: Structs['prefix_key'] };

/** The maps with entries of many links. */
export const SHARED_PLACES = ['tx', 'tx_pair', 'tx_prefix'] as const;

/** How many sessions beside the fallback a link of frames can have (SLOTS of bpf/session_maps.h). */
export const SLOTS = 64;

/** How a place sends, the device that holds `remote` if this machine does, and the MTU that the route has, else 0. */
export type Sending = { readonly tx: TxConfig; readonly localDev: number; readonly routeMtu: number };

/** The place of a prefix (`length` in the 128 bits of a mapped address) on a link. */
export function placeOf(ifindex: number, addr: Uint8Array, length: number): Place {
  if (length === 128) return { in: 'tx', key: { ifindex, addr } };
  const version = isMapped(addr) && length >= MAPPED_BITS ? 4 : 6;
  return { in: 'tx_prefix', key: { prefixlen: KEY_BITS + length, ifindex, version, addr } };
}

/** The place of frames to a MAC address. */
export function macPlace(ifindex: number, mac: Uint8Array): Place {
  return { in: 'tx', key: { ifindex, addr: Uint8Array.of(...MAC_MARK, ...mac) } };
}

/** The place of a number below SLOTS. */
export function slotPlace(ifindex: number, slot: number): Place {
  return { in: 'tx', key: { ifindex, addr: Uint8Array.of(...SLOT_MARK, 0, 0, 0, 0, 0, slot) } };
}

/** The place of packets between two mapped addresses. */
export function pairPlace(ifindex: number, from: Uint8Array, to: Uint8Array): Place {
  return { in: 'tx_pair', key: { ifindex, from, to } };
}

/** The MAC address of a place that is one's. */
export function macOf(place: Place): Uint8Array | undefined {
  return place.in === 'tx' && isMarked(place.key.addr, MAC_MARK) ? place.key.addr.slice(MARK_OCTETS) : undefined;
}

/** The number of a place that is a slot. */
export function slotOf(place: Place): number | undefined {
  return place.in === 'tx' && isMarked(place.key.addr, SLOT_MARK) ? place.key.addr[15] : undefined;
}

/** Whether a mapped address could be taken for a MAC address or a slot. */
export function isReserved(addr: Uint8Array): boolean {
  return isMarked(addr, MAC_MARK) || isMarked(addr, SLOT_MARK);
}

/** The prefix of a place that is one's: mapped address and length. */
export function prefixOf(place: Place): { readonly addr: Uint8Array; readonly length: number } | undefined {
  if (place.in === 'tx_prefix') return { addr: place.key.addr, length: place.key.prefixlen - KEY_BITS };
  return place.in === 'tx' && !isReserved(place.key.addr) ? { addr: place.key.addr, length: 128 } : undefined;
}

/** What stands at a place, or undefined. */
export function readPlace(maps: OpenMaps, place: Place): TxSession | undefined {
  if (place.in === 'tx') return maps.tx.get(place.key);
  if (place.in === 'tx_pair') return maps.tx_pair.get(place.key);
  if (place.in === 'fallback') {
    const link = maps.links.get(place.ifindex);
    return link !== undefined && link.config.flags & link_flag.default ? link.fallback : undefined;
  }
  return readPrefix(maps, place.key);
}

/** Writes a send half where none may be. */
export function addPlace(maps: OpenMaps, run: Control, place: Place, sending: Sending, undo: Undo): void {
  const { tx: config, localDev: local_dev, routeMtu: route_mtu } = sending;
  const tx = { ...zero('tx_session'), local_dev, route_mtu, config: [config, config] as const };
  if (place.in === 'tx') maps.tx.put(place.key, tx, 'noexist');
  else if (place.in === 'tx_pair') maps.tx_pair.put(place.key, tx, 'noexist');
  else if (place.in === 'tx_prefix') maps.tx_prefix.put(place.key, tx, 'noexist');
  else {
    const link = linkState(maps, place.ifindex);
    maps.links.put(place.ifindex, { ...link, fallback: tx }, 'exist');
    setLink(run, place.ifindex, { ...link.config, flags: link.config.flags | link_flag.default });
  }
  undo(() => void removePlace(maps, run, place));
}

/** Changes a send half in place. */
export function changePlace(run: Control, place: Place, { tx, localDev, routeMtu }: Sending): void {
  const change = { tx, local_dev: localDev, route_mtu: routeMtu };
  if (place.in === 'tx') control(run, { what: 'tx', tx_key: place.key, ...change });
  else if (place.in === 'tx_pair') control(run, { what: 'pair', pair_key: place.key, ...change });
  else if (place.in === 'tx_prefix') control(run, { what: 'prefix', prefix_key: place.key, ...change });
  else control(run, { what: 'fallback', tx_key: { ifindex: place.ifindex, addr: new Uint8Array(16) }, ...change });
}

/** Takes a send half away; returns what it had counted. */
export function removePlace(maps: OpenMaps, run: Control, place: Place): Pick<TxSession, 'packets' | 'bytes'> {
  const last = readPlace(maps, place);
  if (place.in === 'tx') maps.tx.delete(place.key);
  else if (place.in === 'tx_pair') maps.tx_pair.delete(place.key);
  else if (place.in === 'tx_prefix') maps.tx_prefix.delete(place.key);
  else {
    const config = maps.links.get(place.ifindex)?.config;
    if (config !== undefined) setLink(run, place.ifindex, { ...config, flags: config.flags & ~link_flag.default });
  }
  return { packets: last?.packets ?? 0n, bytes: last?.bytes ?? 0n };
}

/**
 * The send halves of all links or one, and there of all sessions or those with one number (ownNumber); each place of a
 * session is one.
 */
export function* sendHalves(maps: OpenMaps, ifindex?: number, teid?: number): Generator<[Place, TxSession]> {
  const links = ifindex === undefined ? maps.links.entries() : oneLink(maps, ifindex);
  let select = 0;
  for (const [index, link] of links) {
    select |= link.config.flags;
    if (link.config.flags & link_flag.default) yield [{ in: 'fallback', ifindex: index }, link.fallback];
  }
  if (select & link_flag.select) yield* scanned(maps, 'tx', ifindex, teid);
  if (select & link_flag.pair) yield* scanned(maps, 'tx_pair', ifindex, teid);
  if (select & link_flag.prefix) yield* scanned(maps, 'tx_prefix', ifindex, teid);
}

/** A send half of a link in each of the maps where it has some, as far as they are quickly found: sendHalves comes by all of one map first. */
export function* firstHalves(maps: OpenMaps, ifindex: number): Generator<[Place, TxSession]> {
  const flags = maps.links.get(ifindex)?.config.flags ?? 0;
  const names = [
    ...(flags & link_flag.select ? (['tx'] as const) : []),
    ...(flags & link_flag.pair ? (['tx_pair'] as const) : []),
    ...(flags & link_flag.prefix ? (['tx_prefix'] as const) : []),
  ];
  for (const name of names) {
    const map = maps[name] as MapHandle<{ readonly ifindex: number }, TxSession>;
    let key = map.keyAfter();
    for (let steps = 0; steps < QUICK && key !== undefined && key.ifindex !== ifindex; steps++) key = map.keyAfter(key);
    const tx = key?.ifindex === ifindex ? map.get(key) : undefined;
    if (tx !== undefined) yield [{ in: name, key } as Place, tx];
  }
}

/** The configuration of a send half that is in force. */
export function activeTx(tx: TxSession): TxConfig {
  return tx.config[tx.active & 1 ? 1 : 0];
}

/** Whether an entry of `tx` is a slot, undecoded. */
export function isSlotAt({ keys, key }: RawEntry): boolean {
  return isMarked(keys.subarray(key + TX_ADDR, key + TX_ADDR + MARK_OCTETS), SLOT_MARK);
}

/** The link of an entry of one of SHARED_PLACES, undecoded. */
export function linkOfEntry(name: (typeof SHARED_PLACES)[number], { keys, key }: RawEntry): number {
  return keys.readUInt32LE(key + KEY_IFINDEX[name]);
}

/** The link of a place. */
export function linkOf(place: Place): number {
  return place.in === 'fallback' ? place.ifindex : place.key.ifindex;
}

/** A place as text, to compare. */
export function placeId(place: Place): string {
  if (place.in === 'fallback') return `${place.ifindex}`;
  if (place.in === 'tx_pair') return `${place.key.ifindex} ${hexOf(place.key.from)}>${hexOf(place.key.to)}`;
  const length = place.in === 'tx' ? 128 : place.key.prefixlen - KEY_BITS;
  return `${place.key.ifindex} ${hexOf(place.key.addr)}/${length}`;
}

// ifindex and version
const KEY_BITS = 64;
const MAPPED_BITS = 96;

// Steps that take less time than to read a whole map.
const QUICK = 100;

// What stands in front of a MAC address, and of a slot.
const MAC_MARK = [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe] as const;
const SLOT_MARK = [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfd] as const;
const MARK_OCTETS = 10;
const TX_ADDR = offsetOf('tx_key', 'addr');

// Where the fields stand that are looked at in entries that are not decoded.
const KEY_IFINDEX = {
  tx: offsetOf('tx_key', 'ifindex'),
  tx_pair: offsetOf('pair_key', 'ifindex'),
  tx_prefix: offsetOf('prefix_key', 'ifindex'),
} as const;
const TX = {
  active: offsetOf('tx_session', 'active'),
  config: offsetOf('tx_session', 'config'),
  half: structs.tx_config.size,
  local_teid: offsetOf('tx_config', 'local_teid'),
} as const;

function linkState(maps: OpenMaps, ifindex: number): Structs['link_state'] {
  const link = maps.links.get(ifindex);
  if (link === undefined) throw new KernelError(`read link #${ifindex}`, { errno: errno('ENOENT') });
  return link;
}

function setLink(run: Control, ifindex: number, link: Structs['link_config']): void {
  control(run, { what: 'link', tx_key: { ifindex, addr: new Uint8Array(16) }, link });
}

function oneLink(maps: OpenMaps, ifindex: number): [number, Structs['link_state']][] {
  const link = maps.links.get(ifindex);
  return link === undefined ? [] : [[ifindex, link]];
}

function* scanned(
  maps: OpenMaps,
  name: (typeof SHARED_PLACES)[number],
  ifindex?: number,
  teid?: number,
): Generator<[Place, TxSession]> {
  const map = maps[name] as MapHandle<unknown, TxSession>;
  for (const entry of map.scan()) {
    if (!isWanted(entry, KEY_IFINDEX[name], ifindex, teid)) continue;
    const [key, value] = map.decode(entry);
    yield [{ in: name, key } as Place, value];
  }
}

// Looks at the octets: to decode each entry of a large map takes twenty times as long.
function isWanted({ keys, key, values, value }: RawEntry, at: number, ifindex?: number, teid?: number): boolean {
  if (ifindex !== undefined && keys.readUInt32LE(key + at) !== ifindex) return false;
  if (teid === undefined) return true;
  const half = values.readUInt32LE(value + TX.active) & 1;
  return values.readUInt32LE(value + TX.config + half * TX.half + TX.local_teid) === teid;
}

// A look-up finds the longest match, which may be a shorter prefix. If nothing shorter is of the same session, it is the one; if a walk
// takes it for one that is not there, it is not (kernels before 6.13 tell this of some of these only); else only a look at all tells.
function readPrefix(maps: OpenMaps, wanted: Structs['prefix_key']): TxSession | undefined {
  const map = maps.tx_prefix;
  const found = map.get(wanted);
  if (found === undefined) return undefined;
  const shorter = map.get({ ...wanted, prefixlen: wanted.prefixlen - 1 });
  if (shorter === undefined || sessionOf(shorter) !== sessionOf(found)) return found;
  const [first, next] = [map.keyAfter(), map.keyAfter(wanted)];
  if (first !== undefined && next !== undefined && samePrefix(first, next)) return undefined;
  for (const [place, value] of scanned(maps, 'tx_prefix', wanted.ifindex)) {
    if (place.in === 'tx_prefix' && samePrefix(place.key, wanted)) return value;
  }
  return undefined;
}

function sessionOf(tx: TxSession): string {
  return keyText(keyOf(activeTx(tx)));
}

function samePrefix(a: Structs['prefix_key'], b: Structs['prefix_key']): boolean {
  return (
    a.prefixlen === b.prefixlen && a.ifindex === b.ifindex && a.version === b.version && hexOf(a.addr) === hexOf(b.addr)
  );
}

function isMarked(addr: Uint8Array, mark: readonly number[]): boolean {
  return mark.every((octet, at) => addr[at] === octet);
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

function isMapped(addr: Uint8Array): boolean {
  return hexOf(addr).startsWith('00000000000000000000ffff');
}
