// SPDX-License-Identifier: MIT
import { control } from '../datapath/control';
import { forgetDrops } from '../datapath/drops';
import { forgetLearned } from '../datapath/fdb';
import { link_flag, type Structs, sweep_cause } from '../datapath/layout.gen';
import type { OpenMaps } from '../datapath/maps';
import {
  hasPeer,
  type Outline,
  outlines,
  peerOf,
  peerText,
  receivedPeerText,
  receivedText,
  remoteOf,
  remoteText,
} from '../datapath/outline';
import { type Place, removePlace, slotOf } from '../datapath/places';
import { activeRx, forgetReceived, readSession, readSessions, type Stored, slotIn } from '../datapath/sessions';
import { deletedSessions } from '../datapath/tally';
import type { Undo } from '../undo';
import { countPeer } from './farends';
import { type LiveLink, linkFlags, listLinks, setSelectFlags, type Where } from './links';
import { needsAny, note, refresh } from './refresh';
import { deleteSessions } from './sessions';
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
  mendDetails(state);
  for (const live of listLinks(state)) {
    const where = whole.places.get(live.device.index) ?? NOWHERE;
    const always = linkFlags(live.device, live.link) | (where.any ? link_flag.any : 0);
    const flags = (setSelectFlags(live.config.flags, where) & ~link_flag.any) | always;
    const tx_key = { ifindex: live.device.index, addr: new Uint8Array(16) };
    control(state.control, { what: 'link', tx_key, link: { ...live.config, flags } });
    if (live.link.frames) mendSlots(state, live);
    refresh(state, live, forGood);
  }
  mendLearned(state);
  settle(state, forGood);
}

/** Removes the sessions that Error Indications have ended. */
export function forgetDeleted(state: State, undo: Undo): void {
  const byLink = new Map<number, Stored[]>();
  for (const key of deletedSessions(state.maps)) {
    const stored = readSession(state.maps, key, 'ended');
    if (stored === undefined) continue;
    const { ifindex } = stored.rxConfig;
    byLink.set(ifindex, [...(byLink.get(ifindex) ?? []), stored]);
  }
  for (const live of listLinks(state)) {
    const list = byLink.get(live.device.index) ?? [];
    if (list.length > 0) deleteSessions(state, live, list, undo);
  }
}

/** How many sessions Error Indications have ended that nobody has swept away, by peer as peerText has it. */
export function endedSessions({ maps }: State): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of maps.unswept.get(sweep_cause.errind) === 0 ? [] : deletedSessions(maps)) {
    const rx = maps.rx.get(key);
    if (rx === undefined) continue;
    const peer = peerText({ local: key.local, remote: activeRx(rx).remote });
    counts.set(peer, (counts.get(peer) ?? 0) + 1);
  }
  return counts;
}

/** What there has to be, as texts of outlines. */
type Stock = {
  /** Sessions that have both halves, with their peers. */
  readonly whole: Map<string, string>;
  /** Keys of `remotes` with every id that may stand there, and for each key the first of these and how many more. */
  readonly owners: Set<string>;
  readonly remotes: Map<string, { id: bigint; others: number }>;
  readonly peers: Map<string, number>;
  readonly places: Map<number, Standing>;
};

/** Where a link has sessions, and whether one of them is not of GTP with IP packets. */
type Standing = Where & { any: boolean };

const NOWHERE: Standing = { select: false, prefix: false, pair: false, any: false };

// What is mended is not to be undone.
const forGood: Undo = () => undefined;

// Halves go on the way.
function takeStock(state: State): Stock {
  const { maps } = state;
  const received = new Set<string>();
  for (const entry of maps.rx.scan()) received.add(receivedText(entry));
  const stock: Stock = {
    ...{
      whole: new Map<string, string>(),
      owners: new Set<string>(),
      remotes: new Map<string, { id: bigint; others: number }>(),
    },
    ...{ peers: new Map<string, number>(), places: new Map<number, Standing>() },
  };
  const lost = enterAll(stock, maps, received);
  for (const place of lost) removePlace(maps, state.control, place);
  for (const entry of maps.rx.scan()) {
    const peer = stock.whole.get(receivedText(entry));
    if (peer === receivedPeerText(entry)) continue;
    const [rx_key, rx] = maps.rx.decode(entry);
    if (peer === undefined) forgetHalves(maps, rx_key, rx);
    // A change of the peer was killed between the halves.
    else control(state.control, { what: 'rx', rx_key, rx: { ...activeRx(rx), remote: peerOf(peer).remote } });
  }
  return stock;
}

// Returns the places of halves. A session that stands at its slot alone was being added or removed.
function enterAll(stock: Stock, maps: OpenMaps, received: ReadonlySet<string>): Place[] {
  const lost: Place[] = [];
  const slots: Outline[] = [];
  for (const outline of outlines(maps)) {
    if (!received.has(outline.session)) lost.push(outline.place());
    else if (outline.isSlot) slots.push(outline);
    else enter(stock, outline);
  }
  for (const outline of slots) {
    if (stock.whole.has(outline.session)) enter(stock, outline);
    else lost.push(outline.place());
  }
  return lost;
}

function forgetHalves(maps: OpenMaps, key: Structs['rx_key'], rx: Structs['rx_session']): void {
  forgetReceived(maps, key);
  forgetDrops(maps, { of: key, ifindex: activeRx(rx).ifindex });
}

function enter({ whole, owners, remotes, peers, places }: Stock, outline: Outline): void {
  const { session, remote, own, peer } = outline;
  const where = places.get(outline.ifindex) ?? { ...NOWHERE };
  note(where, outline);
  where.any ||= needsAny(outline);
  places.set(outline.ifindex, where);
  if (whole.has(session)) return;
  whole.set(session, peer);
  if (hasPeer(outline.kind)) peers.set(peer, (peers.get(peer) ?? 0) + 1);
  if (remote === undefined) return;
  owners.add(`${remote} ${own}`);
  const known = remotes.get(remote);
  if (known === undefined) remotes.set(remote, { id: own, others: 0 });
  else known.others += 1;
}

function mendRemotes({ maps }: State, { owners, remotes }: Stock): void {
  for (const entry of maps.remotes.scan()) {
    const remote = remoteText(entry);
    const wanted = remotes.get(remote);
    const [key, { id, others }] = maps.remotes.decode(entry);
    if (wanted === undefined) maps.remotes.delete(key);
    else if (!owners.has(`${remote} ${id}`)) continue;
    else if (wanted.others === others) remotes.delete(remote);
    else wanted.id = id;
  }
  for (const [remote, wanted] of remotes) maps.remotes.put(remoteOf(remote), wanted);
}

// What the receive half says of the slot must be where the send half stands.
function mendSlots(state: State, live: LiveLink): void {
  for (const { key, rxConfig, places } of readSessions(state.maps, live.device.index)) {
    const slot = places.map(slotOf).find((each) => each !== undefined);
    const rx = { ...rxConfig, flow: (slot ?? -1) + 1 };
    if (slot !== slotIn(rxConfig)) control(state.control, { what: 'rx', rx_key: key, rx });
  }
}

// Also of sessions that need them no more.
function mendDetails({ maps }: State): void {
  for (const [key] of [...maps.details.entries()]) {
    if (readSession(maps, key, 'ended')?.detail === undefined) maps.details.delete(key);
  }
}

function mendLearned({ maps }: State): void {
  const slots = new Map([...maps.links.entries()].map(([index, { config }]) => [index, config.slots]));
  forgetLearned(maps, (index, slot) => !(((slots.get(index) ?? 0n) >> BigInt(slot)) & 1n));
}

function mendPeers(state: State, { peers }: Stock): void {
  const { maps } = state;
  for (const [key, { sessions }] of maps.peers.entries()) {
    const wanted = peers.get(peerText(key)) ?? 0;
    if (wanted === 0) maps.peers.delete(key);
    else if (wanted !== sessions) countPeer(state, key, wanted - sessions);
    peers.delete(peerText(key));
  }
  for (const [peer, count] of peers) countPeer(state, peerOf(peer), count);
}
