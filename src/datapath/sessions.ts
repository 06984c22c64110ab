// SPDX-License-Identifier: MIT
import { errno, KernelError } from '../errors';
import type { Undo } from '../undo';
import { zero } from './codec';
import { type Control, control } from './control';
import { drop_reason, kind, link_flag, rx_flag, type Structs, structs, tx_flag } from './layout.gen';
import { type OpenMaps, type RawEntry, total } from './maps';
import { offsetOf } from './offset';

type RxKey = Structs['rx_key'];
type RxSession = Structs['rx_session'];
type RxConfig = Structs['rx_config'];
type TxSession = Structs['tx_session'];
type TxConfig = Structs['tx_config'];

/** Packets and octets. */
export type Count = { readonly packets: bigint; readonly bytes: bigint };

/** Where the send half of a session stands: one entry for each of its prefixes, or the link's fallback. */
export type Place =
  | { readonly in: 'fallback'; readonly ifindex: number }
  | { readonly in: 'tx'; readonly key: Structs['tx_key'] }
  | { readonly in: 'tx_prefix'; readonly key: Structs['prefix_key'] };

/** A session as the kernel holds it. */
export type Stored = {
  readonly key: RxKey;
  readonly rx: RxSession;
  readonly rxConfig: RxConfig;
  readonly tx: TxSession;
  readonly txConfig: TxConfig;
  readonly places: readonly Place[];
  /** Sent through all places, those the session has no more included. */
  readonly encap: Count;
};

/** What makes a session: both halves, where the send half goes, and the device that holds `remote` if this machine does. */
export type Wanted = {
  readonly key: RxKey;
  readonly rx: RxConfig;
  readonly tx: TxConfig;
  readonly places: readonly Place[];
  readonly localDev: number;
};

/** The place of a prefix (`length` in the 128 bits of a mapped address) on a link. */
export function placeOf(ifindex: number, addr: Uint8Array, length: number): Place {
  if (length === 128) return { in: 'tx', key: { ifindex, addr } };
  const version = isMapped(addr) && length >= MAPPED_BITS ? 4 : 6;
  return { in: 'tx_prefix', key: { prefixlen: KEY_BITS + length, ifindex, version, addr } };
}

/** The prefix of a place: mapped address and length; undefined for the fallback. */
export function prefixOf(place: Place): { readonly addr: Uint8Array; readonly length: number } | undefined {
  if (place.in === 'fallback') return undefined;
  return { addr: place.key.addr, length: place.in === 'tx' ? 128 : place.key.prefixlen - KEY_BITS };
}

/** What stands at a place, or undefined. */
export function readPlace(maps: OpenMaps, place: Place): TxSession | undefined {
  if (place.in === 'tx') return maps.tx.get(place.key);
  if (place.in === 'fallback') {
    const link = maps.links.get(place.ifindex);
    return link !== undefined && link.config.flags & link_flag.default ? link.fallback : undefined;
  }
  return readPrefix(maps, place.key);
}

/** The send halves of a link, one after another, without their sessions. */
export function* sendHalves(maps: OpenMaps, ifindex: number): Generator<[Place, TxSession]> {
  yield* allPlaces(maps, ifindex);
}

/** All sessions, or those of one link. Sessions of which only one half is there are left out: `gtp check` names them. */
export function readSessions(maps: OpenMaps, ifindex?: number): Stored[] {
  const found = new Map<string, { places: Place[]; tx: TxSession[] }>();
  for (const [place, tx] of allPlaces(maps, ifindex)) {
    const config = activeTx(tx);
    const id = `${linkOf(place)} ${keyText(keyOf(config))}`;
    const known = found.get(id) ?? { places: [], tx: [] };
    known.places.push(place);
    known.tx.push(tx);
    found.set(id, known);
  }
  return [...found.values()].flatMap(({ places, tx }) => assemble(maps, places, tx));
}

/** The session of a receive key, or undefined. */
export function readSession(maps: OpenMaps, key: RxKey): Stored | undefined {
  const rx = maps.rx.get(key);
  if (rx === undefined) return undefined;
  const { ifindex } = activeRx(rx);
  const quick = quickPlaces(maps, activeRx(rx));
  const places = (quick ?? [...allPlaces(maps, ifindex, lowHalf(key.id))]).filter(
    ([, tx]) => keyText(keyOf(activeTx(tx))) === keyText(key),
  );
  return assemble(
    maps,
    places.map(([place]) => place),
    places.map(([, tx]) => tx),
  )[0];
}

/** Writes a session that must not exist: the receive half first, so that an answer finds its way. */
export function addSession(maps: OpenMaps, run: Control, wanted: Wanted, undo: Undo): void {
  const rx = { ...zero('rx_session'), qfi: NONE_SEEN, ppi: NONE_SEEN, config: [wanted.rx, wanted.rx] as const };
  maps.rx.put(wanted.key, rx, 'noexist');
  undo(() => void maps.rx.delete(wanted.key));
  for (const place of wanted.places) addPlace(maps, run, place, wanted, undo);
}

/** Changes a session in place: counters go on, no packet is lost or sees half of it. */
export function changeSession(maps: OpenMaps, run: Control, was: Stored, wanted: Wanted, undo: Undo): void {
  const isSame = (a: Place, b: Place): boolean => placeId(a) === placeId(b);
  const kept = wanted.places.filter((place) => was.places.some((other) => isSame(place, other)));
  const gone = was.places.filter((place) => !wanted.places.some((other) => isSame(place, other)));
  const fresh = wanted.places.filter((place) => !was.places.some((other) => isSame(place, other)));
  control(run, { what: 'rx', rx_key: wanted.key, rx: wanted.rx });
  undo(() => control(run, { what: 'rx', rx_key: wanted.key, rx: was.rxConfig }));
  for (const place of fresh) addPlace(maps, run, place, wanted, undo);
  for (const place of kept) {
    changePlace(run, place, wanted.tx, wanted.localDev);
    undo(() => changePlace(run, place, was.txConfig, was.tx.local_dev));
  }
  for (const place of gone) carry(maps, wanted.key, removePlace(maps, run, place));
}

/** Removes a session, the send half first, and what was counted about it; `between` the halves nothing is sent any more. */
export function removeSession(maps: OpenMaps, run: Control, was: Stored, between?: () => void): void {
  for (const place of was.places) removePlace(maps, run, place);
  between?.();
  forgetReceived(maps, was.key);
  for (const reason of Object.values(drop_reason)) {
    maps.drops.delete({ id: was.key.id, local: was.key.local, ifindex: was.rxConfig.ifindex, reason });
  }
}

/** Removes the receive half of a session and what stands beside it. False if there was none. */
export function forgetReceived(maps: OpenMaps, key: RxKey): boolean {
  maps.labels.delete(key);
  maps.carried.delete(key);
  return maps.rx.delete(key);
}

/** Dropped packets by the name of the reason, for a session (by key), a link (by ifindex) or an endpoint; without zeros. */
export function readDrops(
  maps: OpenMaps,
  of: { ifindex: number; id: bigint; local: Uint8Array },
): Record<string, bigint> {
  const found: Record<string, bigint> = {};
  for (const [name, reason] of Object.entries(drop_reason)) {
    const perCpu = maps.drops.get({ ...of, reason });
    if (perCpu !== undefined) found[name] = total(perCpu).packets;
  }
  return found;
}

export function activeTx(tx: TxSession): TxConfig {
  return tx.config[tx.active & 1 ? 1 : 0];
}

export function activeRx(rx: RxSession): RxConfig {
  return rx.config[rx.active & 1 ? 1 : 0];
}

/** Whether an entry of tx belongs to the session of a receive key. */
export function isOf(tx: TxSession, key: RxKey): boolean {
  const found = keyOf(activeTx(tx));
  return found.id === key.id && found.kind === key.kind && hexOf(found.local) === hexOf(key.local);
}

// ifindex and version
const KEY_BITS = 64;
const NONE_SEEN = 255;
const NO_ADDRESS = 255;
const MAPPED_BITS = 96;

// Where the fields stand that are looked at in entries that are not decoded.
const TX_KEY_IFINDEX = offsetOf('tx_key', 'ifindex');
const PREFIX_KEY_IFINDEX = offsetOf('prefix_key', 'ifindex');
const TX = {
  active: offsetOf('tx_session', 'active'),
  config: offsetOf('tx_session', 'config'),
  half: structs.tx_config.size,
  local_teid: offsetOf('tx_config', 'local_teid'),
} as const;
function addPlace(maps: OpenMaps, run: Control, place: Place, wanted: Wanted, undo: Undo): void {
  const tx = { ...zero('tx_session'), local_dev: wanted.localDev, config: [wanted.tx, wanted.tx] as const };
  if (place.in === 'tx') maps.tx.put(place.key, tx, 'noexist');
  else if (place.in === 'tx_prefix') maps.tx_prefix.put(place.key, tx, 'noexist');
  else {
    const link = linkState(maps, place.ifindex);
    maps.links.put(place.ifindex, { ...link, fallback: tx }, 'exist');
    const config = { ...link.config, flags: link.config.flags | link_flag.default };
    control(run, { what: 'link', tx_key: { ifindex: place.ifindex, addr: new Uint8Array(16) }, link: config });
  }
  undo(() => void removePlace(maps, run, place));
}

function changePlace(run: Control, place: Place, tx: TxConfig, local_dev: number): void {
  if (place.in === 'tx') control(run, { what: 'tx', tx_key: place.key, tx, local_dev });
  else if (place.in === 'tx_prefix') control(run, { what: 'prefix', prefix_key: place.key, tx, local_dev });
  else control(run, { what: 'fallback', tx_key: { ifindex: place.ifindex, addr: new Uint8Array(16) }, tx, local_dev });
}

// Returns what the place had counted.
function removePlace(maps: OpenMaps, run: Control, place: Place): Count {
  const last = readPlace(maps, place);
  if (place.in === 'tx') maps.tx.delete(place.key);
  else if (place.in === 'tx_prefix') maps.tx_prefix.delete(place.key);
  else {
    const link = maps.links.get(place.ifindex);
    const config = link === undefined ? undefined : { ...link.config, flags: link.config.flags & ~link_flag.default };
    if (config !== undefined) {
      control(run, { what: 'link', tx_key: { ifindex: place.ifindex, addr: new Uint8Array(16) }, link: config });
    }
  }
  return { packets: last?.packets ?? 0n, bytes: last?.bytes ?? 0n };
}

function carry(maps: OpenMaps, key: RxKey, { packets, bytes }: Count): void {
  if (packets === 0n) return;
  const was = maps.carried.get(key) ?? zero('drop_count');
  maps.carried.put(key, { packets: was.packets + packets, bytes: was.bytes + bytes });
}

function linkState(maps: OpenMaps, ifindex: number): Structs['link_state'] {
  const link = maps.links.get(ifindex);
  if (link === undefined) throw new KernelError(`read link #${ifindex}`, { errno: errno('ENOENT') });
  return link;
}

function assemble(maps: OpenMaps, places: readonly Place[], txs: readonly TxSession[]): Stored[] {
  const [tx] = txs;
  if (tx === undefined) return [];
  const txConfig = activeTx(tx);
  const key = keyOf(txConfig);
  const rx = maps.rx.get(key);
  if (rx === undefined) return [];
  const carried = maps.carried.get(key) ?? zero('drop_count');
  const sum = (field: 'packets' | 'bytes'): bigint => txs.reduce((all, each) => all + each[field], carried[field]);
  const encap = { packets: sum('packets'), bytes: sum('bytes') };
  return [{ key, rx, rxConfig: activeRx(rx), tx, txConfig, places, encap }];
}

function keyOf({ local, teid, local_teid, dport, flags }: TxConfig): RxKey {
  const low = BigInt(local_teid);
  return flags & tx_flag.v0
    ? { ...zero('rx_key'), local, id: (BigInt(teid) << 32n) | low, port: dport, kind: kind.gtp0 }
    : { ...zero('rx_key'), local, id: low, port: dport, kind: kind.gtp };
}

function quickPlaces(maps: OpenMaps, rx: RxConfig): [Place, TxSession][] | undefined {
  if (rx.flags & rx_flag.many) return undefined;
  return onlyPlaces(rx).flatMap((place) => {
    const value = readPlace(maps, place);
    return value === undefined ? [] : [[place, value] as [Place, TxSession]];
  });
}

// At most one IPv4 and one IPv6 prefix, without `many`: they stand in the receive half.
function onlyPlaces(rx: RxConfig): Place[] {
  if (rx.ue4_len === NO_ADDRESS && rx.ue6_len === NO_ADDRESS) return [{ in: 'fallback', ifindex: rx.ifindex }];
  const v4 = new Uint8Array(16).fill(0xff, 10, 12);
  v4.set(rx.ue4, 12);
  return [
    ...(rx.ue4_len === NO_ADDRESS ? [] : [placeOf(rx.ifindex, v4, rx.ue4_len + MAPPED_BITS)]),
    ...(rx.ue6_len === NO_ADDRESS ? [] : [placeOf(rx.ifindex, rx.ue6, rx.ue6_len)]),
  ];
}

// Of all links or one, and there of all sessions or those with one TEID.
function* allPlaces(maps: OpenMaps, ifindex?: number, teid?: number): Generator<[Place, TxSession]> {
  const links = ifindex === undefined ? maps.links.entries() : oneLink(maps, ifindex);
  let select = 0;
  for (const [index, link] of links) {
    select |= link.config.flags;
    if (link.config.flags & link_flag.default) yield [{ in: 'fallback', ifindex: index }, link.fallback];
  }
  if (select & link_flag.select) yield* scanned(maps, 'tx', TX_KEY_IFINDEX, ifindex, teid);
  if (select & link_flag.prefix) yield* scanned(maps, 'tx_prefix', PREFIX_KEY_IFINDEX, ifindex, teid);
}

function* scanned(
  maps: OpenMaps,
  name: 'tx' | 'tx_prefix',
  at: number,
  ifindex?: number,
  teid?: number,
): Generator<[Place, TxSession]> {
  const map = maps[name];
  for (const entry of map.scan()) {
    if (!isWanted(entry, at, ifindex, teid)) continue;
    const [key, value] = map.decode(entry);
    yield [{ in: name, key } as Place, value];
  }
}

// A look-up finds the longest match, which may be a shorter prefix: then only a look at all tells.
function readPrefix(maps: OpenMaps, wanted: Structs['prefix_key']): TxSession | undefined {
  if (maps.tx_prefix.get(wanted) === undefined) return undefined;
  for (const [place, value] of scanned(maps, 'tx_prefix', PREFIX_KEY_IFINDEX, wanted.ifindex)) {
    if (place.in === 'tx_prefix' && samePrefix(place.key, wanted)) return value;
  }
  return undefined;
}

// Looks at the octets: to decode each entry of a large map takes twenty times as long.
function isWanted({ keys, key, values, value }: RawEntry, at: number, ifindex?: number, teid?: number): boolean {
  if (ifindex !== undefined && keys.readUInt32LE(key + at) !== ifindex) return false;
  if (teid === undefined) return true;
  const half = values.readUInt32LE(value + TX.active) & 1;
  return values.readUInt32LE(value + TX.config + half * TX.half + TX.local_teid) === teid;
}

function oneLink(maps: OpenMaps, ifindex: number): [number, Structs['link_state']][] {
  const link = maps.links.get(ifindex);
  return link === undefined ? [] : [[ifindex, link]];
}

function linkOf(place: Place): number {
  return place.in === 'fallback' ? place.ifindex : place.key.ifindex;
}

function placeId(place: Place): string {
  const prefix = prefixOf(place);
  return `${linkOf(place)} ${prefix === undefined ? '' : `${hexOf(prefix.addr)}/${prefix.length}`}`;
}

function samePrefix(a: Structs['prefix_key'], b: Structs['prefix_key']): boolean {
  return (
    a.prefixlen === b.prefixlen && a.ifindex === b.ifindex && a.version === b.version && hexOf(a.addr) === hexOf(b.addr)
  );
}

function keyText({ local, id, port, kind }: RxKey): string {
  return `${hexOf(local)} ${id} ${port} ${kind}`;
}

// What stands as local_teid in the send half: of a TID the lower half.
function lowHalf(id: bigint): number {
  return Number(id & 0xffffffffn);
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

function isMapped(addr: Uint8Array): boolean {
  return hexOf(addr).startsWith('00000000000000000000ffff');
}
