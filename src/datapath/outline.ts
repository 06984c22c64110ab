// SPDX-License-Identifier: MIT
import { decode } from './codec';
import { keyOf, keyText, partsText } from './key';
import { kind, link_flag, type Structs, structs } from './layout.gen';
import type { MapHandle, OpenMaps, RawEntry } from './maps';
import { offsetOf } from './offset';
import { isSlotAt, linkOfEntry, type Place, SHARED_PLACES } from './places';

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
  /** GTP: the key in `remotes`, and the id there. */
  readonly remote: string | undefined;
  readonly own: bigint;
  /** The far end: the key in `peers`, where it has one. */
  readonly peer: string;
  /** enum kind, enum tx_flag */
  readonly kind: number;
  readonly flags: number;
  readonly isSlot: boolean;
};

/** Every send half, also those that the flags of their link hide. */
export function* outlines(maps: OpenMaps): Generator<Outline> {
  for (const { keys, key, values, value } of maps.links.scan()) {
    const ifindex = keys.readUInt32LE(key);
    const place = (): Place => ({ in: 'fallback', ifindex });
    if (!(values.readUInt32LE(value + LINK_FLAGS) & link_flag.default)) continue;
    yield { in: 'fallback', ifindex, place, isSlot: false, ...outline(values, value + FALLBACK) };
  }
  for (const name of SHARED_PLACES) {
    const map = maps[name] as MapHandle<unknown, unknown>;
    for (const entry of map.scan()) {
      const place = (): Place => ({ in: name, key: map.decode(entry)[0] }) as Place;
      const isSlot = name === 'tx' && isSlotAt(entry);
      yield { in: name, ifindex: linkOfEntry(name, entry), place, isSlot, ...outline(entry.values, entry.value) };
    }
  }
}

/** The receive key of an entry of `rx`, as in an outline. */
export function receivedText({ keys, key }: RawEntry): string {
  return partsText(address(keys, key + RX_KEY.local), {
    id: keys.readBigUInt64LE(key + RX_KEY.id),
    port: keys.readUInt16LE(key + RX_KEY.port),
    kind: keys.readUInt8(key + RX_KEY.kind),
    form: keys.readUInt8(key + RX_KEY.form),
    scope: keys.readUInt32LE(key + RX_KEY.scope),
  });
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

/** Whether sessions of a kind are known by the far end that Error Indications name. */
export function hasRemote(of: number): boolean {
  return of === kind.gtp || of === kind.gtp0;
}

/** Whether sessions of a kind are counted in `peers`: all that have a remote. */
export function hasPeer(of: number): boolean {
  return of !== kind.vlan;
}

function outline(values: Buffer, at: number): Omit<Outline, 'in' | 'ifindex' | 'place' | 'isSlot'> {
  const half = values.readUInt32LE(at + TX.active) & 1;
  const config = at + TX.config + half * structs.tx_config.size;
  const local = address(values, config + CONFIG.local);
  const peer = local + address(values, config + CONFIG.remote);
  const of = values.readUInt8(config + CONFIG.kind);
  const flags = values.readUInt32LE(config + CONFIG.flags);
  if (!hasRemote(of)) {
    const key = keyOf(decode('tx_config', values, config));
    return { session: keyText(key), remote: undefined, own: key.id, peer, kind: of, flags };
  }
  const port = values.readUInt16LE(config + CONFIG.dport);
  const teid = BigInt(values.readUInt32BE(config + CONFIG.teid));
  const low = BigInt(values.readUInt32LE(config + CONFIG.local_teid));
  const tid = (teid << 32n) | low;
  const [own, theirs] = of === kind.gtp0 ? [tid, tid] : [low, teid];
  const session = partsText(local, { id: own, port, kind: of, form: 0, scope: 0 });
  return { session, remote: text(peer, theirs, port, of), own, peer, kind: of, flags };
}

const LINK_FLAGS = offsetOf('link_state', 'config') + offsetOf('link_config', 'flags');
const FALLBACK = offsetOf('link_state', 'fallback');
const TX = { active: offsetOf('tx_session', 'active'), config: offsetOf('tx_session', 'config') } as const;
const CONFIG = {
  local: offsetOf('tx_config', 'local'),
  remote: offsetOf('tx_config', 'remote'),
  teid: offsetOf('tx_config', 'teid'),
  local_teid: offsetOf('tx_config', 'local_teid'),
  dport: offsetOf('tx_config', 'dport'),
  kind: offsetOf('tx_config', 'kind'),
  flags: offsetOf('tx_config', 'flags'),
} as const;
const RX_KEY = {
  local: offsetOf('rx_key', 'local'),
  id: offsetOf('rx_key', 'id'),
  port: offsetOf('rx_key', 'port'),
  kind: offsetOf('rx_key', 'kind'),
  form: offsetOf('rx_key', 'form'),
  scope: offsetOf('rx_key', 'scope'),
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
