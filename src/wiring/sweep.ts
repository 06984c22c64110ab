// SPDX-License-Identifier: MIT
import { kind, type Structs, sweep_cause } from '../datapath/layout.gen';
import { dropSessions } from '../datapath/tally';
import { deleteLink, IFF_NOARP, type LinkInfo, listLinks } from '../netlink/link';
import { hex } from '../tunnels/address';
import { type Undo, withUndo } from '../undo';
import { countPeer } from './farends';
import { BEING_MADE } from './links';
import { forgetDeleted, mend } from './mend';
import { pinOf } from './pin-names';
import { retire, settle } from './settle';
import { keepForwarding } from './shim';
import type { State } from './state';
import { sweepRules } from './vrf';

/**
 * Removes what links left behind whose device has gone, with its namespace or by another hand, and a link that a killed
 * command left half made. The kernel took a device that went out of the map `devices` at that moment, so nothing was
 * delivered since. Then mends what a killed command left of sessions, and removes those that Error Indications have ended.
 * Begins a change. Returns whether any link has gone.
 */
export function sweep(state: State): boolean {
  const { maps } = state;
  const wasKilled = maps.unswept.get(sweep_cause.command) !== 0;
  const hasEnded = maps.unswept.get(sweep_cause.errind) !== 0;
  if (!wasKilled) state.begin();
  keepForwarding();
  const isGone = sweepLinks(state);
  if (wasKilled) mend(state);
  if (wasKilled || hasEnded) withUndo((undo) => sweepEnded(state, undo));
  state.begin(); // not before: a mend that fails is the next command's to do
  return isGone;
}

function sweepEnded(state: State, undo: Undo): void {
  const { unswept } = state.maps;
  undo(() => unswept.put(sweep_cause.errind, 1));
  unswept.put(sweep_cause.errind, 0); // before the look: another one may end meanwhile
  forgetDeleted(state, undo);
}

function sweepLinks(state: State): boolean {
  const { maps } = state;
  const half = maps.link_words.get(BEING_MADE);
  if (half !== undefined) {
    const device = listLinks(state.route).find((each) => isHalfMade(state, each, half));
    if (device !== undefined) deleteLink(state.route, device);
  }
  const known = new Set([...maps.links.entries(), ...maps.link_words.entries()].map(([index]) => index));
  const gone = [...known].filter((index) => index === BEING_MADE || maps.devices.get(index) === undefined);
  if (gone.length > 0) forgetLinks(state, gone);
  return gone.length > 0;
}

/** Sweeps before a command that adds no link: when none is left, everything goes. */
export function sweepOrRetire(state: State): void {
  if (sweep(state)) retire(state);
}

/**
 * Takes links whose devices are gone out of the maps, with sessions, counters and hooks. The words go last: what a killed
 * command left undone is done by the next.
 */
export function forgetLinks(state: State, gone: readonly number[]): void {
  const peers = dropSessions(state.maps, new Set(gone.filter((index) => index !== BEING_MADE)));
  for (const [key, sessions] of peers) countPeer(state, key, -sessions);
  for (const [inner, index] of state.maps.inner_ends.entries()) {
    if (gone.includes(index)) state.maps.inner_ends.delete(inner);
  }
  for (const index of gone) {
    state.detach(pinOf('link', index));
    state.maps.links.delete(index);
  }
  settle(state, () => undefined);
  sweepRules(
    state.route,
    gone.flatMap((index) => state.maps.link_words.get(index) ?? []),
  );
  for (const index of gone) state.maps.link_words.delete(index);
}

// The user may have given two links one `lladdr`; the other end's MAC is random.
function isHalfMade({ maps }: State, device: LinkInfo, half: Structs['link_words']): boolean {
  const isOurs = device.kind === 'veth' && (device.flags & IFF_NOARP || half.kind !== kind.gtp);
  if (!isOurs || hex(device.address) !== hex(half.smac)) return false;
  const words = maps.link_words.get(device.index);
  return words === undefined || maps.devices.get(device.index) === undefined || hex(words.dmac) === hex(half.dmac);
}
