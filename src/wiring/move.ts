// SPDX-License-Identifier: MIT
import { drop_reason } from '../datapath/layout.gen';
import type { Stored } from '../datapath/sessions';
import { errno, KernelError } from '../errors';
import { rxKey, type SessionWords } from '../tunnels/gtp';
import type { Undo } from '../undo';
import { address as addressKind, teid } from '../values';
import type { LiveLink } from './links';
import { configs, forgetHalf, rewriteSession } from './sessions';
import type { State } from './state';

/**
 * Gives a session of a link another receive key, that of `words` and the link's port; label and counters go on. The new
 * half is there before the old one goes. Throws KernelError when the new key is taken.
 */
export function moveSession(state: State, next: LiveLink, stored: Stored, words: SessionWords, undo: Undo): void {
  const { maps } = state;
  const key = rxKey(words.local, words.local_teid, next.link.port);
  if (!forgetHalf(state, key)) {
    const where = `${addressKind.format(words.local)} port ${next.link.port}`;
    throw new KernelError(`move session local-teid ${teid.format(words.local_teid)} to ${where}`, { errno: errno('EEXIST') });
  }
  const { rx } = configs(next, words);
  maps.rx.put(key, { ...stored.rx, config: [rx, rx] }, 'noexist');
  undo(() => void maps.rx.delete(key));
  rewriteSession(state, next, stored, words, key, undo);
  const label = maps.labels.get(stored.key);
  if (label !== undefined) {
    maps.labels.put(key, label);
    undo(() => void maps.labels.delete(key));
    maps.labels.delete(stored.key);
  }
  maps.rx.delete(stored.key);
  moveDrops(state, stored, key, undo);
}

function moveDrops({ maps }: State, { key: from, rxConfig }: Stored, to: Stored['key'], undo: Undo): void {
  const { ifindex } = rxConfig;
  for (const reason of Object.values(drop_reason)) {
    const was = { id: from.id, local: from.local, ifindex, reason };
    const now = { id: to.id, local: to.local, ifindex, reason };
    const count = maps.drops.get(was);
    if (count === undefined || Buffer.compare(was.local, now.local) === 0) continue;
    maps.drops.put(now, count);
    undo(() => void maps.drops.delete(now));
    maps.drops.delete(was);
  }
}
