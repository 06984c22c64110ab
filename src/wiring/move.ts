// SPDX-License-Identifier: MIT
import { isDeepStrictEqual } from 'node:util';
import { keyOf } from '../datapath/key';
import { drop_reason } from '../datapath/layout.gen';
import type { MapHandle } from '../datapath/maps';
import { forgetReceived, readSession, type Stored } from '../datapath/sessions';
import { errno, KernelError } from '../errors';
import { txConfig } from '../tunnels/config';
import { formatId } from '../tunnels/tunnels';
import type { SessionWords } from '../tunnels/words';
import type { Undo } from '../undo';
import { address as addressKind } from '../values';
import { learnFarEnd } from './farends';
import type { LiveLink } from './links';
import { configs, forgetHalf, rewriteSession } from './sessions';
import { selectorsOf, slotFor } from './standing';
import type { State } from './state';

/**
 * Gives a session of a link another receive key, that of `words` on the link; label and counters go on. The new
 * half is there before the old one goes; the far end of the old one is left to the caller to forget. Throws KernelError when
 * the new key is taken.
 */
export function moveSession(state: State, next: LiveLink, stored: Stored, words: SessionWords, undo: Undo): void {
  const { maps } = state;
  const key = keyOf(txConfig(next.link, words));
  const moved = forgetHalf(state, key) ? undefined : movedPart(state, next, words, key);
  const all = moved === undefined ? stored : { ...stored, places: [...stored.places, ...moved.places] };
  const wanted = moved === undefined ? words : { ...words, ...selectorsOf(all.places) };
  if (moved === undefined) {
    const { rx, tx, detail } = configs(next, words, slotFor(state, next, words, stored));
    learnFarEnd(state, { key, txConfig: tx }, undo);
    undo(() => void forgetReceived(maps, key));
    if (detail !== undefined) maps.details.put(key, detail);
    maps.rx.put(key, { ...stored.rx, config: [rx, rx] }, 'noexist');
  }
  moveBeside(maps.labels, stored.key, key, undo);
  moveBeside(maps.carried, stored.key, key, undo);
  rewriteSession(state, next, all, wanted, key, undo);
  forgetReceived(maps, stored.key);
  moveDrops(state, stored, key, undo);
}

// The prefixes that a command which was killed has moved already. Throws KernelError when another session has the key.
function movedPart(state: State, next: LiveLink, words: SessionWords, key: Stored['key']): Stored {
  const other = readSession(state.maps, key);
  if (other !== undefined && isDeepStrictEqual(other.txConfig, txConfig(next.link, words))) return other;
  const port = key.port === 0 ? '' : ` port ${key.port}`;
  const ends = `${addressKind.format(words.local)}${port} and remote ${addressKind.format(words.remote)}`;
  const tried = `move session ${formatId(words.id)} to ${ends}`;
  throw new KernelError(tried, { errno: errno('EEXIST'), hint: 'remove the session that has this ID there' });
}

// What stands at the old key goes with the receive half there.
function moveBeside<V>(map: MapHandle<Stored['key'], V>, from: Stored['key'], to: Stored['key'], undo: Undo): void {
  const value = map.get(from);
  if (value === undefined) return;
  undo(() => void map.delete(to));
  map.put(to, value);
}

function moveDrops({ maps }: State, { key: from, rxConfig }: Stored, to: Stored['key'], undo: Undo): void {
  const { ifindex } = rxConfig;
  for (const reason of Object.values(drop_reason)) {
    const was = { of: from, ifindex, reason };
    const now = { of: to, ifindex, reason };
    const count = maps.drops.get(was);
    if (count === undefined || isDeepStrictEqual(was, now)) continue;
    maps.drops.put(now, count);
    undo(() => void maps.drops.delete(now));
    undo(() => maps.drops.put(was, count));
    maps.drops.delete(was);
  }
}
