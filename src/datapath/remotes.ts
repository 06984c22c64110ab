// SPDX-License-Identifier: MIT
import type { OpenMaps } from './maps';
import { outlines, remoteOf } from './outline';

/**
 * Brings entries of `remotes`, as texts of outlines, in line with the send halves that are there: the session that each
 * names stays as long as it sends there, else another takes its place. Reads every session.
 */
export function recountRemotes(maps: OpenMaps, remotes: Iterable<string>): void {
  const senders = new Map([...remotes].map((remote) => [remote, new Set<bigint>()]));
  if (senders.size === 0) return;
  for (const { remote, own } of outlines(maps)) if (remote !== undefined) senders.get(remote)?.add(own);
  for (const [remote, ids] of senders) {
    const key = remoteOf(remote);
    const was = maps.remotes.get(key)?.id;
    const [first] = ids;
    if (first === undefined) maps.remotes.delete(key);
    else maps.remotes.put(key, { id: was !== undefined && ids.has(was) ? was : first, others: ids.size - 1 });
  }
}
