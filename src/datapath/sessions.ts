// SPDX-License-Identifier: MIT
import type { Undo } from '../undo';
import { zero } from './codec';
import { type Control, control } from './control';
import { forgetDrops } from './drops';
import { keyOf, keyText, ownNumber } from './key';
import { rx_flag, type Structs, session_state, tx_flag } from './layout.gen';
import type { OpenMaps } from './maps';
import {
  activeTx,
  addPlace,
  changePlace,
  linkOf,
  type Place,
  placeId,
  placeOf,
  readPlace,
  removePlace,
  type Sending,
  sendHalves,
  slotOf,
  slotPlace,
} from './places';

type RxKey = Structs['rx_key'];
type RxSession = Structs['rx_session'];
type RxConfig = Structs['rx_config'];
type TxSession = Structs['tx_session'];
type TxConfig = Structs['tx_config'];

/** Packets and octets. */
export type Count = { readonly packets: bigint; readonly bytes: bigint };

/** A session as the kernel holds it. */
export type Stored = {
  readonly key: RxKey;
  readonly rx: RxSession;
  readonly rxConfig: RxConfig;
  readonly tx: TxSession;
  readonly txConfig: TxConfig;
  readonly places: readonly Place[];
  /** What stands beside it in `details`. */
  readonly detail: Structs['detail'] | undefined;
  /** Sent through all places, those the session has no more included. */
  readonly encap: Count;
};

/** What makes a session: both halves, and where the send half goes. */
export type Wanted = Sending & {
  readonly key: RxKey;
  readonly rx: RxConfig;
  readonly detail: Structs['detail'] | undefined;
  readonly places: readonly Place[];
};

/**
 * All sessions, or those of one link. Those of which only one half is there, or that an Error Indication has ended, are
 * left out: the next change sweeps them away.
 */
export function readSessions(maps: OpenMaps, ifindex?: number): Stored[] {
  const found = new Map<string, { places: Place[]; tx: TxSession[] }>();
  for (const [place, tx] of sendHalves(maps, ifindex)) {
    const config = activeTx(tx);
    const id = `${linkOf(place)} ${keyText(keyOf(config))}`;
    const known = found.get(id) ?? { places: [], tx: [] };
    known.places.push(place);
    known.tx.push(tx);
    found.set(id, known);
  }
  return [...found.values()].flatMap(({ places, tx }) => assemble(maps, places, tx));
}

/** The session of a receive key, or undefined; `ended`: also one that an Error Indication has ended. */
export function readSession(maps: OpenMaps, key: RxKey, ended?: 'ended'): Stored | undefined {
  const rx = maps.rx.get(key);
  if (rx === undefined) return undefined;
  const { ifindex } = activeRx(rx);
  const quick = quickPlaces(maps, activeRx(rx));
  const places = (quick ?? [...sendHalves(maps, ifindex, ownNumber(key))]).filter(
    ([, tx]) => keyText(keyOf(activeTx(tx))) === keyText(key),
  );
  return assemble(
    maps,
    places.map(([place]) => place),
    places.map(([, tx]) => tx),
    ended,
  )[0];
}

/** Writes a session that must not exist: what stands beside it, then the receive half, so that an answer finds its way. */
export function addSession(maps: OpenMaps, run: Control, wanted: Wanted, undo: Undo): void {
  const rx = { ...zero('rx_session'), qfi: NONE_SEEN, ppi: NONE_SEEN, config: [wanted.rx, wanted.rx] as const };
  undo(() => void forgetReceived(maps, wanted.key));
  if (wanted.detail !== undefined) maps.details.put(wanted.key, wanted.detail);
  maps.rx.put(wanted.key, rx, 'noexist');
  for (const place of wanted.places) addPlace(maps, run, place, wanted, undo);
}

/** Changes a session in place: counters go on, no packet is lost or sees half of it. */
export function changeSession(maps: OpenMaps, run: Control, was: Stored, wanted: Wanted, undo: Undo): void {
  const isSame = (a: Place, b: Place): boolean => placeId(a) === placeId(b);
  const kept = wanted.places.filter((place) => was.places.some((other) => isSame(place, other)));
  const gone = was.places.filter((place) => !wanted.places.some((other) => isSame(place, other)));
  const fresh = wanted.places.filter((place) => !was.places.some((other) => isSame(place, other)));
  const write = (rx: RxConfig): void => control(run, { what: 'rx', rx_key: wanted.key, rx });
  const isAtOnce = kept.length + gone.length + fresh.length === 1;
  if (wanted.detail !== undefined) maps.details.put(wanted.key, wanted.detail);
  write(isAtOnce ? wanted.rx : { ...wanted.rx, flags: flagsAmid(was.rxConfig.flags, wanted.rx.flags) });
  undo(() => write(was.rxConfig));
  for (const place of fresh) addPlace(maps, run, place, wanted, undo);
  for (const place of kept) {
    changePlace(run, place, wanted);
    undo(() => changePlace(run, place, sendingOf(was)));
  }
  for (const place of gone) carry(maps, wanted.key, removePlace(maps, run, place));
  if (!isAtOnce) write(wanted.rx);
  if (wanted.detail === undefined) maps.details.delete(wanted.key);
}

// Amid a change of several places all of them are of the session, also to who comes when this was killed; and antispoof,
// which asks for them, begins when they are there.
function flagsAmid(was: number, wanted: number): number {
  return (wanted & (was | ~rx_flag.antispoof)) | rx_flag.many;
}

/**
 * Removes a session, the send half first, the slot as its last place, and what was counted about it; `between` the halves
 * nothing is sent any more.
 */
export function removeSession(maps: OpenMaps, run: Control, was: Stored, between?: () => void): void {
  const isSlot = (place: Place): number => (slotOf(place) === undefined ? 0 : 1);
  for (const place of [...was.places].sort((a, b) => isSlot(a) - isSlot(b))) removePlace(maps, run, place);
  between?.();
  forgetReceived(maps, was.key);
  forgetDrops(maps, { of: was.key, ifindex: was.rxConfig.ifindex });
}

/** Removes the receive half of a session and what stands beside it. False if there was none. */
export function forgetReceived(maps: OpenMaps, key: RxKey): boolean {
  maps.labels.delete(key);
  maps.carried.delete(key);
  const wasThere = maps.rx.delete(key);
  maps.details.delete(key);
  return wasThere;
}

/** The configuration of a receive half that is in force. */
export function activeRx(rx: RxSession): RxConfig {
  return rx.config[rx.active & 1 ? 1 : 0];
}

/** The slot of a session of a link of frames. */
export function slotIn({ flags, flow }: RxConfig): number | undefined {
  return flags & rx_flag.frames && flow > 0 ? flow - 1 : undefined;
}

/** Whether a session with these halves has an entry in `details`. */
export function hasDetail(tx: Pick<TxConfig, 'flags'>, rx: Pick<RxConfig, 'flags'>): boolean {
  return (tx.flags & tx_flag.detail) !== 0 || (rx.flags & rx_flag.cookie) !== 0;
}

/** How a session sends. */
export function sendingOf({ txConfig, tx }: Stored): Sending {
  return { tx: txConfig, localDev: tx.local_dev, routeMtu: tx.route_mtu };
}

/** Whether an entry of tx belongs to the session of a receive key. */
export function isOf(tx: TxSession, key: RxKey): boolean {
  return keyText(keyOf(activeTx(tx))) === keyText(key);
}

const NONE_SEEN = 255;
const NO_ADDRESS = 255;
const MAPPED_BITS = 96;

function carry(maps: OpenMaps, key: RxKey, { packets, bytes }: Count): void {
  if (packets === 0n) return;
  const was = maps.carried.get(key) ?? zero('drop_count');
  maps.carried.put(key, { packets: was.packets + packets, bytes: was.bytes + bytes });
}

function assemble(maps: OpenMaps, places: readonly Place[], txs: readonly TxSession[], ended?: 'ended'): Stored[] {
  const [tx] = txs;
  if (tx === undefined) return [];
  const txConfig = activeTx(tx);
  const key = keyOf(txConfig);
  const rx = maps.rx.get(key);
  if (rx === undefined || (rx.state === session_state.deleted && !ended)) return [];
  const carried = maps.carried.get(key) ?? zero('drop_count');
  const sum = (field: 'packets' | 'bytes'): bigint => txs.reduce((all, each) => all + each[field], carried[field]);
  const encap = { packets: sum('packets'), bytes: sum('bytes') };
  return [
    { key, rx, rxConfig: activeRx(rx), tx, txConfig, places, encap, detail: detailOf(maps, txConfig, activeRx(rx)) },
  ];
}

function detailOf(maps: OpenMaps, tx: TxConfig, rx: RxConfig): Structs['detail'] | undefined {
  return hasDetail(tx, rx) ? maps.details.get(keyOf(tx)) : undefined;
}

function quickPlaces(maps: OpenMaps, rx: RxConfig): [Place, TxSession][] | undefined {
  if (rx.flags & rx_flag.many) return undefined;
  return onlyPlaces(rx).flatMap((place) => {
    const value = readPlace(maps, place);
    return value === undefined ? [] : [[place, value] as [Place, TxSession]];
  });
}

// At most one IPv4 and one IPv6 prefix, without `many`, and a slot: they stand in the receive half.
function onlyPlaces(rx: RxConfig): Place[] {
  const slot = slotIn(rx);
  const isFallback = rx.ue4_len === NO_ADDRESS && rx.ue6_len === NO_ADDRESS && slot === undefined;
  if (isFallback) return [{ in: 'fallback', ifindex: rx.ifindex }];
  const v4 = new Uint8Array(16).fill(0xff, 10, 12);
  v4.set(rx.ue4, 12);
  return [
    ...(rx.ue4_len === NO_ADDRESS ? [] : [placeOf(rx.ifindex, v4, rx.ue4_len + MAPPED_BITS)]),
    ...(rx.ue6_len === NO_ADDRESS ? [] : [placeOf(rx.ifindex, rx.ue6, rx.ue6_len)]),
    ...(slot === undefined ? [] : [slotPlace(rx.ifindex, slot)]),
  ];
}
