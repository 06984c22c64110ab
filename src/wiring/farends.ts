// SPDX-License-Identifier: MIT
import { zero } from '../datapath/codec';
import { control } from '../datapath/control';
import { kind, type Structs } from '../datapath/layout.gen';
import { hasPeer, hasRemote, remoteKeyText } from '../datapath/outline';
import { recountRemotes } from '../datapath/remotes';
import type { Stored } from '../datapath/sessions';
import { isErrno } from '../errors';
import type { Undo } from '../undo';
import type { State } from './state';

/** What tells the far end of a session: its receive key and how it sends. */
export type FarEnd = Pick<Stored, 'key' | 'txConfig'>;

/** What an Error Indication names of a session of GTP: the peer, and the TEID that we send to it (v0: the TID). */
export function remoteKey({ key, txConfig }: FarEnd): Structs['remote_key'] {
  const { local, id, port } = key;
  const theirs = key.kind === kind.gtp0 ? id : BigInt(txConfig.teid);
  return { ...zero('remote_key'), local, remote: txConfig.remote, id: theirs, port, kind: key.kind };
}

/**
 * Makes the far end of a session known, before the session is there. Of several sessions that send to one TEID of one peer
 * the first is the one that an Error Indication means.
 */
export function learnFarEnd(state: State, end: FarEnd, undo: Undo): void {
  if (hasPeer(end.key.kind)) {
    countPeer(state, peerKey(end), 1);
    undo(() => countPeer(state, peerKey(end), -1));
  }
  if (!hasRemote(end.key.kind)) return;
  const { remotes } = state.maps;
  const at = remoteKey(end);
  const was = remotes.get(at);
  undo(() => {
    if (was === undefined) remotes.delete(at);
    else remotes.put(at, was);
  });
  remotes.put(at, was === undefined ? { id: end.key.id, others: 0 } : { ...was, others: was.others + 1 });
}

/**
 * Forgets the far ends of sessions that are there no more. Where one was meant that others send to as well, one of these is
 * from then on: only that takes a look at all sessions, one for all.
 */
export function forgetFarEnds(state: State, ends: readonly FarEnd[], undo: Undo): void {
  const { remotes } = state.maps;
  const orphans = new Set<string>();
  for (const end of ends) {
    const at = remoteKey(end);
    const was = hasRemote(end.key.kind) ? remotes.get(at) : undefined;
    if (was !== undefined) undo(() => remotes.put(at, was));
    if (was !== undefined && was.others > 0) {
      remotes.put(at, { ...was, others: was.others - 1 });
      if (was.id === end.key.id) orphans.add(remoteKeyText(at));
    } else if (was?.id === end.key.id) remotes.delete(at);
    if (!hasPeer(end.key.kind)) continue;
    countPeer(state, peerKey(end), -1);
    undo(() => countPeer(state, peerKey(end), 1));
  }
  recountRemotes(state.maps, orphans);
}

/** Whether both are alike to Error Indications and in `peers`. */
export function isSameFarEnd(a: FarEnd, b: FarEnd): boolean {
  return remoteKeyText(remoteKey(a)) === remoteKeyText(remoteKey(b));
}

/** Adds to how many sessions a local address has with a peer; the last one takes along what was counted of it. */
export function countPeer(state: State, peer_key: Structs['peer_key'], sessions: number): void {
  try {
    control(state.control, { what: 'peer', peer_key, sessions });
  } catch (error) {
    // Who is no peer has no sessions: there is nothing to take away.
    if (sessions > 0 || !isErrno(error, 'ENOENT')) throw error;
  }
}

/** The peer of a session. */
export function peerKey({ key, txConfig }: FarEnd): Structs['peer_key'] {
  return { local: key.local, remote: txConfig.remote };
}
