// SPDX-License-Identifier: MIT
import type { OpenMaps } from './maps';

/** Forgets MAC addresses that were learned: those of a link at whose slot number `isGone` says so. */
export function forgetLearned(maps: OpenMaps, isGone: (ifindex: number, slot: number) => boolean): void {
  for (const [key, { slot }] of [...maps.fdb.entries()]) if (isGone(key.ifindex, slot)) maps.fdb.delete(key);
}
