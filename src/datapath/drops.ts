// SPDX-License-Identifier: MIT
import { drop_reason } from './layout.gen';
import { type OpenMaps, total } from './maps';

/** Whose drops: a session's (all three), a link's (`ifindex` alone) or an endpoint's (`local`, its port as `id`). */
export type DropsOf = { readonly ifindex: number; readonly id: bigint; readonly local: Uint8Array };

/** Dropped packets by the name of the reason, for a session (by key), a link (by ifindex) or an endpoint; without zeros. */
export function readDrops(maps: OpenMaps, of: DropsOf): Record<string, bigint> {
  const found: Record<string, bigint> = {};
  for (const [name, reason] of Object.entries(drop_reason)) {
    const perCpu = maps.drops.get({ ...of, reason });
    if (perCpu !== undefined) found[name] = total(perCpu).packets;
  }
  return found;
}

/** Forgets what was dropped. */
export function forgetDrops(maps: OpenMaps, of: DropsOf): void {
  for (const reason of Object.values(drop_reason)) maps.drops.delete({ ...of, reason });
}
