// SPDX-License-Identifier: MIT
import { kind, link_flag, type Structs, structs, tx_flag } from './layout.gen';
import type { OpenMaps, RawEntry } from './maps';
import { offsetOf } from './offset';
import type { Place } from './places';

/**
 * What is told of a send half without decoding it, as there may be very many: texts, equal where keys are. Addresses stand
 * in them as 16 octets each.
 */
export type Outline = {
  /** Where it stands, and all of it. */
  readonly in: Place['in'];
  readonly ifindex: number;
  readonly place: () => Place;
  /** The receive key. */
  readonly session: string;
  /** The key in `remotes`, and the id there. */
  readonly remote: string;
  readonly own: bigint;
  /** The key in `peers`. */
  readonly peer: string;
};

/** Every send half, also those that the flags of their link hide. */
export function* outlines(maps: OpenMaps): Generator<Outline> {
  for (const { keys, key, values, value } of maps.links.scan()) {
    const ifindex = keys.readUInt32LE(key);
    const place = (): Place => ({ in: 'fallback', ifindex });
    if (!(values.readUInt32LE(value + LINK_FLAGS) & link_flag.default)) continue;
    yield { in: 'fallback', ifindex, place, ...outline(values, value + FALLBACK) };
  }
  for (const entry of maps.tx.scan()) {
    const ifindex = entry.keys.readUInt32LE(entry.key + TX_KEY_IFINDEX);
    const place = (): Place => ({ in: 'tx', key: maps.tx.decode(entry)[0] });
    yield { in: 'tx', ifindex, place, ...outline(entry.values, entry.value) };
  }
  for (const entry of maps.tx_prefix.scan()) {
    const ifindex = entry.keys.readUInt32LE(entry.key + PREFIX_KEY_IFINDEX);
    const place = (): Place => ({ in: 'tx_prefix', key: maps.tx_prefix.decode(entry)[0] });
    yield { in: 'tx_prefix', ifindex, place, ...outline(entry.values, entry.value) };
  }
}

/** The receive key of an entry of `rx`, as in an outline. */
export function receivedText({ keys, key }: RawEntry): string {
  const id = keys.readBigUInt64LE(key + RX_KEY.id);
  return text(address(keys, key + RX_KEY.local), id, keys.readUInt16LE(key + RX_KEY.port), keys[key + RX_KEY.kind]);
}

/** The peer that an entry of `rx` has, as in an outline. */
export function receivedPeerText({ keys, key, values, value }: RawEntry): string {
  const half = values.readUInt32LE(value + RX.active) & 1;
  const remote = value + RX.config + half * structs.rx_config.size + RX.remote;
  return address(keys, key + RX_KEY.local) + address(values, remote);
}

/** The key of an entry of `remotes`, as in an outline. */
export function remoteText({ keys, key }: RawEntry): string {
  const addresses = address(keys, key + REMOTE_KEY.local) + address(keys, key + REMOTE_KEY.remote);
  const id = keys.readBigUInt64LE(key + REMOTE_KEY.id);
  return text(addresses, id, keys.readUInt16LE(key + REMOTE_KEY.port), keys[key + REMOTE_KEY.kind]);
}

/** A key of `remotes` as text. */
export function remoteKeyText({ local, remote, id, port, kind: kindOf }: Structs['remote_key']): string {
  return text(peerText({ local, remote }), id, port, kindOf);
}

/** The key that such a text stands for. */
export function remoteOf(remote: string): Structs['remote_key'] {
  const [id = '', port, kindOf] = remote.slice(32).split(' ');
  return {
    local: octets(remote.slice(0, 16)),
    remote: octets(remote.slice(16, 32)),
    id: BigInt(id),
    port: Number(port),
    kind: Number(kindOf),
  };
}

/** A key of `peers` as text. */
export function peerText({ local, remote }: Structs['peer_key']): string {
  return address(Buffer.from(local), 0) + address(Buffer.from(remote), 0);
}

/** The key that such a text stands for. */
export function peerOf(peer: string): Structs['peer_key'] {
  return { local: octets(peer.slice(0, 16)), remote: octets(peer.slice(16, 32)) };
}

function outline(values: Buffer, at: number): Pick<Outline, 'session' | 'remote' | 'own' | 'peer'> {
  const half = values.readUInt32LE(at + TX.active) & 1;
  const config = at + TX.config + half * structs.tx_config.size;
  const local = address(values, config + CONFIG.local);
  const peer = local + address(values, config + CONFIG.remote);
  const port = values.readUInt16LE(config + CONFIG.dport);
  const teid = BigInt(values.readUInt32BE(config + CONFIG.teid));
  const low = BigInt(values.readUInt32LE(config + CONFIG.local_teid));
  if (!(values.readUInt32LE(config + CONFIG.flags) & tx_flag.v0)) {
    const session = text(local, low, port, kind.gtp);
    return { session, remote: text(peer, teid, port, kind.gtp), own: low, peer };
  }
  const tid = (teid << 32n) | low;
  const session = text(local, tid, port, kind.gtp0);
  return { session, remote: text(peer, tid, port, kind.gtp0), own: tid, peer };
}

const TX_KEY_IFINDEX = offsetOf('tx_key', 'ifindex');
const PREFIX_KEY_IFINDEX = offsetOf('prefix_key', 'ifindex');
const LINK_FLAGS = offsetOf('link_state', 'config') + offsetOf('link_config', 'flags');
const FALLBACK = offsetOf('link_state', 'fallback');
const TX = { active: offsetOf('tx_session', 'active'), config: offsetOf('tx_session', 'config') } as const;
const CONFIG = {
  local: offsetOf('tx_config', 'local'),
  remote: offsetOf('tx_config', 'remote'),
  teid: offsetOf('tx_config', 'teid'),
  local_teid: offsetOf('tx_config', 'local_teid'),
  dport: offsetOf('tx_config', 'dport'),
  flags: offsetOf('tx_config', 'flags'),
} as const;
const RX_KEY = {
  local: offsetOf('rx_key', 'local'),
  id: offsetOf('rx_key', 'id'),
  port: offsetOf('rx_key', 'port'),
  kind: offsetOf('rx_key', 'kind'),
} as const;
const RX = {
  active: offsetOf('rx_session', 'active'),
  config: offsetOf('rx_session', 'config'),
  remote: offsetOf('rx_config', 'remote'),
} as const;
const REMOTE_KEY = {
  local: offsetOf('remote_key', 'local'),
  remote: offsetOf('remote_key', 'remote'),
  id: offsetOf('remote_key', 'id'),
  port: offsetOf('remote_key', 'port'),
  kind: offsetOf('remote_key', 'kind'),
} as const;

function text(addresses: string, id: bigint, port: number, kindOf: number | undefined): string {
  return `${addresses}${id} ${port} ${kindOf}`;
}

function address(buffer: Buffer, at: number): string {
  return buffer.toString('latin1', at, at + 16);
}

function octets(latin1: string): Uint8Array {
  return Buffer.from(latin1, 'latin1');
}
