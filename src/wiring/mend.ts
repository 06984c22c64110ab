// SPDX-License-Identifier: MIT
import { encode, type StructName } from '../datapath/codec';
import { control } from '../datapath/control';
import { forgetDrops } from '../datapath/drops';
import { type Structs, sweep_cause } from '../datapath/layout.gen';
import { activeTx, everyHalf, linkOf, type Place, removePlace } from '../datapath/places';
import { activeRx, forgetReceived, keyOf, readSession, type Stored } from '../datapath/sessions';
import { deletedSessions } from '../datapath/tally';
import type { Undo } from '../undo';
import { countPeer, type FarEnd, peerKey, remoteKey } from './farends';
import { listLinks, setSelectFlags } from './links';
import { deleteSessions, refresh } from './sessions';
import { settle } from './settle';
import type { State } from './state';

/**
 * Brings everything in line with the sessions that are whole, when a command was killed: halves go, far ends and peers are
 * counted anew. Reads every session.
 */
export function mend(state: State): void {
  const whole = takeStock(state);
  mendRemotes(state, whole);
  mendPeers(state, whole);
  for (const live of listLinks(state)) {
    const flags = setSelectFlags(live.config.flags, whole.places.get(live.device.index) ?? NOWHERE);
    const tx_key = { ifindex: live.device.index, addr: new Uint8Array(16) };
    control(state.control, { what: 'link', tx_key, link: { ...live.config, flags } });
    refresh(state, live, forGood);
  }
  settle(state, forGood);
}

/** Removes the sessions that Error Indications have ended. */
export function forgetDeleted(state: State): void {
  const byLink = new Map<number, Stored[]>();
  for (const key of deletedSessions(state.maps)) {
    const stored = readSession(state.maps, key, 'ended');
    if (stored === undefined) continue;
    const { ifindex } = stored.rxConfig;
    byLink.set(ifindex, [...(byLink.get(ifindex) ?? []), stored]);
  }
  for (const live of listLinks(state)) {
    const list = byLink.get(live.device.index) ?? [];
    if (list.length > 0) deleteSessions(state, live, list, forGood);
  }
}

/** The peers of the sessions that Error Indications have ended and nobody has swept away, once for each session. */
export function endedSessions({ maps }: State): Structs['peer_key'][] {
  if (maps.unswept.get(sweep_cause.errind) === 0) return [];
  return deletedSessions(maps).flatMap((key) => {
    const rx = maps.rx.get(key);
    return rx === undefined ? [] : [{ local: key.local, remote: activeRx(rx).remote }];
  });
}

type Where = { select: boolean; prefix: boolean };

/** What there has to be. Keys are the octets of map keys. */
type Stock = {
  readonly whole: Set<string>;
  /** Of remotes: the key with its value, and for each key the first session. */
  readonly owners: Set<string>;
  readonly remotes: Map<string, FarEnd>;
  readonly peers: Map<string, { readonly end: FarEnd; count: number }>;
  readonly places: Map<number, Where>;
};

const NOWHERE: Where = { select: false, prefix: false };

// What is mended is not to be undone.
const forGood: Undo = () => undefined;

function takeStock(state: State): Stock {
  const { maps } = state;
  const received = new Set([...maps.rx.scan()].map(({ keys, key }) => keys.toString('latin1', key, key + RX_KEY)));
  const stock: Stock = {
    whole: new Set(),
    owners: new Set(),
    remotes: new Map(),
    peers: new Map(),
    places: new Map(),
  };
  const lost: Place[] = [];
  for (const [place, tx] of everyHalf(maps)) {
    const txConfig = activeTx(tx);
    const end = { key: keyOf(txConfig), txConfig };
    if (received.has(octets('rx_key', end.key))) enter(stock, place, end);
    else lost.push(place);
  }
  for (const place of lost) removePlace(maps, state.control, place);
  for (const entry of maps.rx.scan()) {
    const { keys, key: at } = entry;
    if (stock.whole.has(keys.toString('latin1', at, at + RX_KEY))) continue;
    const [key, rx] = maps.rx.decode(entry);
    forgetReceived(maps, key);
    forgetDrops(maps, { id: key.id, local: key.local, ifindex: activeRx(rx).ifindex });
  }
  return stock;
}

function enter({ whole, owners, remotes, peers, places }: Stock, place: Place, end: FarEnd): void {
  const where = places.get(linkOf(place)) ?? { ...NOWHERE };
  where.select ||= place.in !== 'fallback';
  where.prefix ||= place.in === 'tx_prefix';
  places.set(linkOf(place), where);
  const id = octets('rx_key', end.key);
  if (whole.has(id)) return;
  whole.add(id);
  const remote = octets('remote_key', remoteKey(end));
  owners.add(`${remote}${end.key.id}`);
  if (!remotes.has(remote)) remotes.set(remote, end);
  const peer = peers.get(octets('peer_key', peerKey(end)));
  if (peer === undefined) peers.set(octets('peer_key', peerKey(end)), { end, count: 1 });
  else peer.count += 1;
}

function mendRemotes({ maps }: State, { owners, remotes }: Stock): void {
  for (const [key, id] of maps.remotes.entries()) {
    const remote = octets('remote_key', key);
    if (owners.has(`${remote}${id}`)) remotes.delete(remote);
    else maps.remotes.delete(key);
  }
  for (const end of remotes.values()) maps.remotes.put(remoteKey(end), end.key.id);
}

function mendPeers(state: State, { peers }: Stock): void {
  const { maps } = state;
  for (const [key, { sessions }] of maps.peers.entries()) {
    const id = octets('peer_key', key);
    const wanted = peers.get(id)?.count ?? 0;
    if (wanted === 0) maps.peers.delete(key);
    else if (wanted !== sessions) countPeer(state, key, wanted - sessions);
    peers.delete(id);
  }
  for (const { end, count } of peers.values()) countPeer(state, peerKey(end), count);
}

const RX_KEY = 32;

function octets<N extends StructName>(name: N, value: Structs[N]): string {
  return encode(name, value).toString('latin1');
}
