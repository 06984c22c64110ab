// SPDX-License-Identifier: MIT
import { drop_reason, link_flag, structs } from './layout.gen';
import { type OpenMaps, type RawEntry, total } from './maps';
import { offsetOf } from './offset';
import { activeRx, type Count, forgetReceived } from './sessions';

/** What all sessions of a link have counted together, and all drops of link and sessions by the name of the reason. */
export type Tally = { readonly encap: Count; readonly decap: Count; readonly drops: Readonly<Record<string, bigint>> };

/** The links' tallies by ifindex. One pass over each map, without decoding: there may be very many sessions. */
export function tallyLinks(maps: OpenMaps): Map<number, Tally> {
  const all = new Map<number, { encap: Sum; decap: Sum; drops: Record<string, bigint> }>();
  const of = (ifindex: number) => {
    const known = all.get(ifindex) ?? {
      encap: { packets: 0n, bytes: 0n },
      decap: { packets: 0n, bytes: 0n },
      drops: {},
    };
    all.set(ifindex, known);
    return known;
  };
  for (const [ifindex, { config, fallback }] of maps.links.entries()) {
    if (config.flags & link_flag.default) add(of(ifindex).encap, fallback);
  }
  for (const entry of maps.tx.scan()) addAt(of(linkOf(entry, TX_KEY)).encap, entry, TX);
  for (const entry of maps.tx_prefix.scan()) addAt(of(linkOf(entry, PREFIX_KEY)).encap, entry, TX);
  for (const entry of maps.rx.scan()) {
    addAt(of(linkOfRx(entry)).decap, entry, RX);
  }
  for (const [key, count] of maps.carried.entries()) {
    const rx = maps.rx.get(key);
    if (rx !== undefined) add(of(activeRx(rx).ifindex).encap, count);
  }
  const names = new Map(Object.entries(drop_reason).map(([name, reason]) => [reason as number, name]));
  for (const [{ ifindex, reason }, perCpu] of maps.drops.entries()) {
    const { drops } = of(ifindex);
    const name = names.get(reason) ?? String(reason);
    drops[name] = (drops[name] ?? 0n) + total(perCpu).packets;
  }
  return all;
}

/** How many sessions each link has, by ifindex. */
export function countSessions(maps: OpenMaps): Map<number, number> {
  const counts = new Map<number, number>();
  for (const entry of maps.rx.scan()) {
    const ifindex = linkOfRx(entry);
    counts.set(ifindex, (counts.get(ifindex) ?? 0) + 1);
  }
  return counts;
}

/** The local addresses of sessions, once for each link, and the devices of this machine that their remotes are on. */
export type Uses = {
  readonly locals: readonly { readonly ifindex: number; readonly local: Uint8Array }[];
  readonly localDevs: ReadonlySet<number>;
};

/** What the sessions use that links share. One pass over each map, without decoding. */
export function usesOf(maps: OpenMaps): Uses {
  const locals = new Map<string, { ifindex: number; local: Uint8Array }>();
  for (const entry of maps.rx.scan()) {
    const ifindex = linkOfRx(entry);
    const local = entry.keys.subarray(entry.key + RX_KEY_LOCAL, entry.key + RX_KEY_LOCAL + ADDRESS);
    const id = `${ifindex} ${local.toString('latin1')}`;
    if (!locals.has(id)) locals.set(id, { ifindex, local: Uint8Array.from(local) });
  }
  const localDevs = new Set<number>();
  for (const [, { config, fallback }] of maps.links.entries()) {
    if (config.flags & link_flag.default) localDevs.add(fallback.local_dev);
  }
  for (const { values, value } of maps.tx.scan()) localDevs.add(values.readUInt32LE(value + TX_LOCAL_DEV));
  for (const { values, value } of maps.tx_prefix.scan()) localDevs.add(values.readUInt32LE(value + TX_LOCAL_DEV));
  localDevs.delete(0);
  return { locals: [...locals.values()], localDevs };
}

/** Removes everything that the maps hold of the sessions of some links, labels and drops included. */
export function dropSessions(maps: OpenMaps, gone: ReadonlySet<number>): void {
  for (const entry of maps.tx.scan()) {
    if (gone.has(linkOf(entry, TX_KEY))) maps.tx.delete(maps.tx.decode(entry)[0]);
  }
  // A trie is walked from key to key, so none may go meanwhile.
  const prefixes = [...maps.tx_prefix.scan()].filter((entry) => gone.has(linkOf(entry, PREFIX_KEY)));
  for (const entry of prefixes) maps.tx_prefix.delete(maps.tx_prefix.decode(entry)[0]);
  for (const entry of maps.rx.scan()) {
    if (!gone.has(linkOfRx(entry))) continue;
    forgetReceived(maps, maps.rx.decode(entry)[0]);
  }
  for (const [key] of maps.drops.entries()) if (gone.has(key.ifindex)) maps.drops.delete(key);
}

type Sum = { packets: bigint; bytes: bigint };

function add(sum: Sum, { packets, bytes }: Count): void {
  sum.packets += packets;
  sum.bytes += bytes;
}

function addAt(sum: Sum, { values, value }: RawEntry, [packets, bytes]: readonly [number, number]): void {
  add(sum, { packets: values.readBigUInt64LE(value + packets), bytes: values.readBigUInt64LE(value + bytes) });
}

const TX_KEY = offsetOf('tx_key', 'ifindex');
const PREFIX_KEY = offsetOf('prefix_key', 'ifindex');
const TX = [offsetOf('tx_session', 'packets'), offsetOf('tx_session', 'bytes')] as const;
const RX = [offsetOf('rx_session', 'packets'), offsetOf('rx_session', 'bytes')] as const;
const ADDRESS = 16;
const RX_KEY_LOCAL = offsetOf('rx_key', 'local');
const TX_LOCAL_DEV = offsetOf('tx_session', 'local_dev');
const RX_ACTIVE = offsetOf('rx_session', 'active');
const RX_LINK = offsetOf('rx_session', 'config') + offsetOf('rx_config', 'ifindex');

function linkOf({ keys, key }: RawEntry, at: number): number {
  return keys.readUInt32LE(key + at);
}

function linkOfRx({ values, value }: RawEntry): number {
  const half = values.readUInt32LE(value + RX_ACTIVE) & 1;
  return values.readUInt32LE(value + RX_LINK + half * structs.rx_config.size);
}
