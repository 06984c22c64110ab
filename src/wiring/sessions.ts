// SPDX-License-Identifier: MIT
import { isDeepStrictEqual } from 'node:util';
import { forgetLearned } from '../datapath/fdb';
import { keyOf } from '../datapath/key';
import { kind, rx_flag } from '../datapath/layout.gen';
import {
  activeRx,
  addSession,
  changeSession,
  forgetReceived,
  readSession,
  removeSession,
  type Stored,
  slotIn,
  type Wanted,
} from '../datapath/sessions';
import { errno, KernelError } from '../errors';
import { getLink, LOOPBACK } from '../netlink/link';
import { fromMapped, hex, toMapped } from '../tunnels/address';
import { detailOf, rxConfig, sessionWords, txConfig } from '../tunnels/config';
import { formatId, protocolOf } from '../tunnels/tunnels';
import type { SessionWords, Target } from '../tunnels/words';
import type { Undo } from '../undo';
import { addEndpoints } from './endpoints';
import { forgetFarEnds, isSameFarEnd, learnFarEnd } from './farends';
import type { LiveLink } from './links';
import { moveSession } from './move';
import { announce, refresh, refreshAfterAdd } from './refresh';
import { keepDrops, keepSession } from './restore';
import { refuseLoop, refuseLoopOf, wayTo } from './routes';
import { endpointsOf, receiverEndpoint, settle } from './settle';
import { checkPlaces, placesOf, selectorsOf, slotFor } from './standing';
import type { State } from './state';
import { listenOn, loopOut, underlaysOf } from './underlay';

/** The words of a session that is there. */
export function wordsOf({ txConfig: tx, rxConfig: rx, detail, places }: Stored): SessionWords {
  return sessionWords({ tx, rx, detail }, selectorsOf(places));
}

/** Makes a session on a link; returns its receive key. Throws KernelError when that or a place of it is taken. */
export function createSession(state: State, live: LiveLink, words: SessionWords, undo: Undo): Stored['key'] {
  const tried = `add session ${formatId(words.id)} to ${live.device.name}`;
  const key = keyOf(txConfig(live.link, words));
  if (!forgetHalf(state, key)) throw isTaken(state, live, words, key, tried);
  checkPlaces(state, live, words, tried);
  refuseLoopTo(state, live, words);
  const slot = slotFor(state, live, words);
  const wanted = wantedOf(state, live, words, key, slot);
  tellAntispoof(state, words);
  prepare(state, live, wanted, undo);
  learnFarEnd(state, { key, txConfig: wanted.tx }, undo);
  announce(state, live, wanted, undo);
  addSession(state.maps, state.control, wanted, undo);
  receiveAt(state, live, wanted, undo);
  refreshAfterAdd(state, live, wanted, undo);
  return key;
}

/**
 * Changes a session to `words`; what it has counted stays. Returns its receive key, which is another one where words that
 * are part of it change.
 */
export function updateSession(
  state: State,
  live: LiveLink,
  was: Stored,
  words: SessionWords,
  undo: Undo,
): Stored['key'] {
  const tried = `change session ${formatId(words.id)} of ${live.device.name}`;
  checkPlaces(state, live, words, tried, was);
  tellAntispoof(state, words);
  const tx = txConfig(live.link, words);
  const next = { key: keyOf(tx), txConfig: tx };
  if (hex(tx.remote) !== hex(was.txConfig.remote)) refuseLoopTo(state, live, words);
  if (!isDeepStrictEqual(next.key, was.key)) {
    moveSession(state, live, was, words, undo);
    forgetFarEnds(state, [was], undo);
  } else {
    const isElsewhere = !isSameFarEnd(was, next);
    if (isElsewhere) learnFarEnd(state, next, undo);
    rewriteSession(state, live, was, words, was.key, undo);
    if (isElsewhere) forgetFarEnds(state, [was], undo);
  }
  refresh(state, live, undo, tx);
  if (!isAlone(live, was)) settle(state, undo);
  return next.key;
}

// It may be what somebody wants for a while, and is nothing that shows by itself.
function tellAntispoof({ note }: State, { id, antispoof, ue }: SessionWords): void {
  if (antispoof !== true || ue.length > 0) return;
  note(`session ${formatId(id)} has antispoof and no ue: no address is its own, all that comes out of it is dropped`);
}

/** Writes both halves of a session anew in place; `key` may be another, at which a receive half is. Checks nothing. */
export function rewriteSession(
  state: State,
  live: LiveLink,
  was: Stored,
  words: SessionWords,
  key: Stored['key'],
  undo: Undo,
): void {
  const slot = slotFor(state, live, words, was);
  const wanted = wantedOf(state, live, words, key, slot);
  prepare(state, live, wanted, undo);
  receiveAt(state, live, wanted, undo);
  keepSession(state, was, undo);
  announce(state, live, wanted, undo);
  changeSession(state.maps, state.control, was, wanted, undo);
  const had = slotIn(was.rxConfig);
  if (had !== undefined && had !== slot) forgetSlots(state, live, new Set([had]));
}

/** Removes sessions of one link; `last` is told of each as soon as nothing is sent through it any more. */
export function deleteSessions(
  state: State,
  live: LiveLink,
  gone: readonly Stored[],
  undo: Undo,
  last?: (stored: Stored) => void,
): void {
  for (const stored of gone) {
    keepSession(state, stored, undo);
    keepDrops(state, stored, undo);
    removeSession(state.maps, state.control, stored, () => last?.(stored));
  }
  forgetSlots(state, live, new Set(gone.map(({ rxConfig: rx }) => slotIn(rx))));
  forgetFarEnds(state, gone, undo);
  refresh(state, live, undo, 'gone');
  if (!gone.every((stored) => isAlone(live, stored))) settle(state, undo);
}

// Whether nothing that links share is there for this session: it receives where its link does, and no device but lo holds its remote.
function isAlone(live: LiveLink, { key, tx, rxConfig }: Stored): boolean {
  return (tx.local_dev === 0 || tx.local_dev === LOOPBACK) && isOwnEndpoint(live, { key, rx: rxConfig });
}

function isOwnEndpoint({ link }: LiveLink, { key, rx }: Pick<Wanted, 'key' | 'rx'>): boolean {
  if (rx.flags & rx_flag.zero_csum) return false;
  return endpointsOf(link).some(
    ({ local, port, kind: of }) => of === key.kind && port === key.port && hex(local) === hex(key.local),
  );
}

function wantedOf(
  state: State,
  live: LiveLink,
  words: SessionWords,
  key: Stored['key'],
  slot: number | undefined,
): Wanted {
  const way = wayTo(state, words.remote, words.local);
  const sending = { localDev: way?.localDev ?? 0, routeMtu: way?.routeMtu ?? 0 };
  return { key, ...configs(live, words, slot), places: placesOf(live, words, slot), ...sending };
}

// What was learned is learned anew.
function forgetSlots({ maps }: State, { device }: LiveLink, slots: ReadonlySet<number | undefined>): void {
  if (![...slots].some((slot) => slot !== undefined)) return;
  forgetLearned(maps, (ifindex, slot) => ifindex === device.index && slots.has(slot));
}

function refuseLoopTo(state: State, live: LiveLink, words: SessionWords): void {
  const tx = txConfig(live.link, words);
  if (protocolOf(tx.kind) === 0) refuseLoopOf(state, live, tx.local_teid);
  else refuseLoop(state, live, words.remote, words.local);
}

function isTaken(state: State, live: LiveLink, { id }: SessionWords, key: Stored['key'], tried: string): KernelError {
  const { ifindex } = activeRx(state.maps.rx.get(key) as Stored['rx']);
  const isGtp = key.kind === kind.gtp || key.kind === kind.gtp0;
  const what = isGtp ? `${key.kind === kind.gtp0 ? 'TID' : 'TEID'} at this local address` : formatId(id);
  const isOwn = ifindex === live.device.index;
  const way = isOwn
    ? 'session replace overwrites it'
    : `take another${isGtp ? ' (local-teid auto finds one)' : ''}, or delete it there`;
  const hint = `link ${nameOfLink(state, ifindex)} has that ${what}: ${way}`;
  return new KernelError(tried, { errno: errno('EEXIST'), hint });
}

/**
 * Removes the receive half of a session of which nothing else is there, as a command that was killed leaves it. Returns
 * whether the key is free then.
 */
export function forgetHalf({ maps }: State, key: Stored['key']): boolean {
  if (maps.rx.get(key) === undefined) return true;
  // Also one that has just ended is whole: its other half would stay behind.
  if (readSession(maps, key, 'ended') !== undefined) return false;
  return forgetReceived(maps, key);
}

/** What the two halves of a session hold, and what stands beside them. */
export function configs(
  live: LiveLink,
  words: SessionWords,
  slot: number | undefined,
): Pick<Wanted, 'tx' | 'rx' | 'detail'> {
  const { device, link } = live;
  const here = device.netnsid === undefined;
  const target: Target = { ifindex: device.index, dmac: link.dmac, smac: link.smac, here, slot };
  return {
    tx: txConfig(link, words),
    rx: rxConfig(link, words, target),
    detail: detailOf(link, words, target),
  };
}

// A session may come from a local address of its own, and its remote may be an address of this machine.
function prepare(state: State, live: LiveLink, wanted: Wanted, undo: Undo): void {
  const { key, localDev } = wanted;
  if (localDev !== 0) loopOut(state, localDev, undo);
  if (isOwnEndpoint(live, wanted)) return;
  if (key.kind !== kind.vlan && hex(key.local) !== hex(toMapped(live.link.local))) {
    const devices = underlaysOf(state, undefined, fromMapped(key.local));
    for (const index of devices) listenOn(state, index, live.link, undo);
  }
}

// Of a new session the last step: what comes before goes to the stack, and nobody is told that there is no such session.
function receiveAt(state: State, live: LiveLink, wanted: Wanted, undo: Undo): void {
  const { key, rx } = wanted;
  if (isOwnEndpoint(live, wanted)) return;
  const at = { local: key.local, port: key.port, kind: key.kind, zeroCsum: (rx.flags & rx_flag.zero_csum) !== 0 };
  addEndpoints(state, [receiverEndpoint(live.link, at)], undo);
}

function nameOfLink(state: State, index: number): string {
  return getLink(state.route, { index })?.name ?? `#${index}`;
}
