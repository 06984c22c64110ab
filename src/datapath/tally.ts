// SPDX-License-Identifier: MIT
import { forgetLearned } from './fdb';
import { drop_reason, link_flag, rx_flag, type Structs, session_state, structs } from './layout.gen';
import { type MapHandle, type OpenMaps, type RawEntry, total } from './maps';
import { offsetOf } from './offset';
import { hasPeer, remoteKeyText } from './outline';
import { linkOfEntry, SHARED_PLACES } from './places';
import { recountRemotes } from './remotes';
import { activeRx, type Count, forgetReceived } from './sessions';

/** Signalling about sessions: End Markers and Error Indications received, and packets whose number came late. */
export type Received = { readonly end_marker: bigint; readonly errind: bigint; readonly reordered: bigint };

/** What all sessions of a link have counted together, and all drops of link and sessions by the name of the reason. */
export type Tally = {
  readonly encap: Count;
  readonly decap: Count;
  readonly received: Received;
  readonly drops: Readonly<Record<string, bigint>>;
};

/** The links' tallies by ifindex. One pass over each map, without decoding: there may be very many sessions. */
export function tallyLinks(maps: OpenMaps): Map<number, Tally> {
  const all = new Map<number, ReturnType<typeof emptyTally>>();
  const of = (ifindex: number) => {
    const known = all.get(ifindex) ?? emptyTally();
    all.set(ifindex, known);
    return known;
  };
  for (const [ifindex, { config, fallback }] of maps.links.entries()) {
    if (config.flags & link_flag.default) add(of(ifindex).encap, fallback);
  }
  for (const name of SHARED_PLACES) {
    for (const entry of maps[name].scan()) addAt(of(linkOfEntry(name, entry)).encap, entry, TX);
  }
  for (const entry of maps.rx.scan()) {
    const { decap, received } = of(linkOfRx(entry));
    addAt(decap, entry, RX);
    addReceived(received, entry);
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
    if (isDeleted(entry)) continue;
    const ifindex = linkOfRx(entry);
    counts.set(ifindex, (counts.get(ifindex) ?? 0) + 1);
  }
  return counts;
}

/** The sessions that an Error Indication has ended and nobody has swept away. */
export function deletedSessions(maps: OpenMaps): Structs['rx_key'][] {
  return [...maps.rx.scan()].filter(isDeleted).map((entry) => maps.rx.decode(entry)[0]);
}

/** Where sessions receive: once for each link, address, port and kind. */
export type Receiver = Structs['endpoint_key'] & {
  readonly ifindex: number;
  /** One of them takes datagrams without UDP checksum over IPv6. */
  readonly zeroCsum: boolean;
  readonly sessions: number;
};

/** Where sessions receive, and the devices of this machine that their remotes are on. */
export type Uses = { readonly receivers: readonly Receiver[]; readonly localDevs: ReadonlySet<number> };

/** Where sessions receive. One pass, without decoding. */
export function receiversOf(maps: OpenMaps): Receiver[] {
  const found = new Map<string, Receiver & { zeroCsum: boolean; sessions: number }>();
  for (const entry of maps.rx.scan()) {
    if (isDeleted(entry)) continue;
    const { keys, key } = entry;
    const ifindex = linkOfRx(entry);
    const [port, kind] = [keys.readUInt16LE(key + RX_PORT), keys.readUInt8(key + RX_KIND)];
    const local = keys.toString('latin1', key + RX_LOCAL, key + RX_LOCAL + ADDRESS);
    const id = `${local}${ifindex} ${port} ${kind}`;
    const known = found.get(id) ?? {
      ...{ ifindex, local: Buffer.from(local, 'latin1'), port, kind },
      ...{ zeroCsum: false, sessions: 0 },
    };
    known.zeroCsum ||= (flagsOfRx(entry) & rx_flag.zero_csum) !== 0;
    known.sessions += 1;
    found.set(id, known);
  }
  return [...found.values()];
}

/** What the sessions use that links share. One pass over each map, without decoding. */
export function usesOf(maps: OpenMaps): Uses {
  const localDevs = new Set<number>();
  for (const [, { config, fallback }] of maps.links.entries()) {
    if (config.flags & link_flag.default) localDevs.add(fallback.local_dev);
  }
  for (const name of SHARED_PLACES) {
    for (const { values, value } of maps[name].scan()) localDevs.add(values.readUInt32LE(value + TX_LOCAL_DEV));
  }
  localDevs.delete(0);
  return { receivers: receiversOf(maps), localDevs };
}

/**
 * Removes everything that the maps hold of the sessions of some links, labels, far ends, drops and learned MACs included. Gives how many
 * sessions went of each peer.
 */
export function dropSessions(maps: OpenMaps, gone: ReadonlySet<number>): [Structs['peer_key'], number][] {
  for (const name of SHARED_PLACES) {
    const map = maps[name] as MapHandle<unknown, unknown>;
    // A trie is walked from key to key, so none may go meanwhile.
    const entries = name === 'tx_prefix' ? [...map.scan()] : map.scan();
    for (const entry of entries) if (gone.has(linkOfEntry(name, entry))) map.delete(map.decode(entry)[0]);
  }
  const peers = dropReceived(maps, gone);
  forgetLearned(maps, (ifindex) => gone.has(ifindex));
  for (const [key] of maps.drops.entries()) if (gone.has(key.ifindex)) maps.drops.delete(key);
  return peers;
}

function dropReceived(maps: OpenMaps, gone: ReadonlySet<number>): [Structs['peer_key'], number][] {
  const received = new Set<string>();
  const peers = new Map<string, [Structs['peer_key'], number]>();
  for (const entry of maps.rx.scan()) {
    if (!gone.has(linkOfRx(entry))) continue;
    const [key, rx] = maps.rx.decode(entry);
    const peer = { local: key.local, remote: activeRx(rx).remote };
    const id = Buffer.concat([peer.local, peer.remote]).toString('latin1');
    received.add(ownerText(key, key.id));
    if (hasPeer(key.kind)) peers.set(id, [peer, (peers.get(id)?.[1] ?? 0) + 1]);
    forgetReceived(maps, key);
  }
  if (received.size > 0) dropRemotes(maps, received);
  return [...peers.values()];
}

// Who else sends there, and whether anybody, only a look at the sessions that stay can tell.
function dropRemotes(maps: OpenMaps, received: ReadonlySet<string>): void {
  const shared: string[] = [];
  for (const [key, { id, others }] of maps.remotes.entries()) {
    if (others > 0) shared.push(remoteKeyText(key));
    else if (received.has(ownerText(key, id))) maps.remotes.delete(key);
  }
  recountRemotes(maps, shared);
}

type Sum = { packets: bigint; bytes: bigint };

function emptyTally() {
  return {
    encap: { packets: 0n, bytes: 0n },
    decap: { packets: 0n, bytes: 0n },
    received: { end_marker: 0n, errind: 0n, reordered: 0n },
    drops: {} as Record<string, bigint>,
  };
}

function addReceived(sum: { -readonly [K in keyof Received]: bigint }, { values, value }: RawEntry): void {
  sum.end_marker += BigInt(values.readUInt32LE(value + END_MARKERS));
  sum.errind += BigInt(values.readUInt32LE(value + ERRINDS));
  sum.reordered += BigInt(values.readUInt32LE(value + REORDERED));
}

function add(sum: Sum, { packets, bytes }: Count): void {
  sum.packets += packets;
  sum.bytes += bytes;
}

function addAt(sum: Sum, { values, value }: RawEntry, [packets, bytes]: readonly [number, number]): void {
  add(sum, { packets: values.readBigUInt64LE(value + packets), bytes: values.readBigUInt64LE(value + bytes) });
}

const TX = [offsetOf('tx_session', 'packets'), offsetOf('tx_session', 'bytes')] as const;
const RX = [offsetOf('rx_session', 'packets'), offsetOf('rx_session', 'bytes')] as const;
const END_MARKERS = offsetOf('rx_session', 'end_markers');
const ERRINDS = offsetOf('rx_session', 'errinds');
const REORDERED = offsetOf('rx_session', 'reordered');
const ADDRESS = 16;
const RX_LOCAL = offsetOf('rx_key', 'local');
const RX_PORT = offsetOf('rx_key', 'port');
const RX_KIND = offsetOf('rx_key', 'kind');
const RX_STATE = offsetOf('rx_session', 'state');
const TX_LOCAL_DEV = offsetOf('tx_session', 'local_dev');
const RX_ACTIVE = offsetOf('rx_session', 'active');
const RX_LINK = offsetOf('rx_session', 'config') + offsetOf('rx_config', 'ifindex');
const RX_FLAGS = offsetOf('rx_session', 'config') + offsetOf('rx_config', 'flags');

function linkOfRx(entry: RawEntry): number {
  return activeWord(entry, RX_LINK);
}

function flagsOfRx(entry: RawEntry): number {
  return activeWord(entry, RX_FLAGS);
}

function activeWord({ values, value }: RawEntry, at: number): number {
  const half = values.readUInt32LE(value + RX_ACTIVE) & 1;
  return values.readUInt32LE(value + at + half * structs.rx_config.size);
}

function isDeleted({ values, value }: RawEntry): boolean {
  return values[value + RX_STATE] === session_state.deleted;
}

// The session that an entry of remotes leads to.
function ownerText({ local, port, kind }: Structs['endpoint_key'], id: bigint): string {
  return `${Buffer.from(local).toString('latin1')}${id} ${port} ${kind}`;
}
