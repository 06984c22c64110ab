// SPDX-License-Identifier: MIT
import { control } from '../datapath/control';
import { drop_reason, link_flag } from '../datapath/layout.gen';
import { type Place, readPlace } from '../datapath/places';
import type { Stored } from '../datapath/sessions';
import type { Undo } from '../undo';
import type { State } from './state';

/**
 * Registers how to put a session back as it is now, with its counters, whatever of it is taken away or changed. Call it
 * before the first step.
 */
export function keepSession(state: State, stored: Stored, undo: Undo): void {
  const { maps } = state;
  const label = maps.labels.get(stored.key);
  const carried = maps.carried.get(stored.key);
  const detail = maps.details.get(stored.key);
  const places = stored.places.map((place) => [place, readPlace(maps, place)] as const);
  undo(() => {
    if (detail !== undefined) maps.details.put(stored.key, detail);
    maps.rx.put(stored.key, stored.rx);
    for (const [place, tx] of places) if (tx !== undefined) putBack(state, place, tx);
    if (label !== undefined) maps.labels.put(stored.key, label);
    if (carried !== undefined) maps.carried.put(stored.key, carried);
    else maps.carried.delete(stored.key);
    if (detail === undefined) maps.details.delete(stored.key);
  });
}

/** The same for what was dropped of it. */
export function keepDrops({ maps }: State, { key, rxConfig }: Stored, undo: Undo): void {
  for (const reason of Object.values(drop_reason)) {
    const at = { of: key, ifindex: rxConfig.ifindex, reason };
    const count = maps.drops.get(at);
    if (count !== undefined) undo(() => maps.drops.put(at, count));
  }
}

function putBack({ maps, control: run }: State, place: Place, tx: Stored['tx']): void {
  if (place.in === 'tx') maps.tx.put(place.key, tx);
  else if (place.in === 'tx_pair') maps.tx_pair.put(place.key, tx);
  else if (place.in === 'tx_prefix') maps.tx_prefix.put(place.key, tx);
  else {
    const link = maps.links.get(place.ifindex);
    if (link === undefined) return;
    maps.links.put(place.ifindex, { ...link, fallback: tx });
    const config = { ...link.config, flags: link.config.flags | link_flag.default };
    control(run, { what: 'link', tx_key: { ifindex: place.ifindex, addr: new Uint8Array(16) }, link: config });
  }
}
