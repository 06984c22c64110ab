// SPDX-License-Identifier: MIT
import { drop_reason, type Structs } from './layout.gen';
import { type OpenMaps, total } from './maps';

/** Whose drops: a session's by its link and receive key, or an endpoint's by its key. */
export type DropsOf = Omit<Structs['drop_key'], 'reason'>;

/** The drops of an endpoint. */
export function ofEndpoint({ local, port, kind }: Structs['endpoint_key']): DropsOf {
  return { ifindex: 0, of: { local, port, kind, id: 0n, form: 0, scope: 0 } };
}

/** Dropped packets of a session or an endpoint by the name of the reason; without zeros. */
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
