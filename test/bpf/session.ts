// SPDX-License-Identifier: MIT
import { zero } from '../../src/datapath/codec';
import type {
  drop_key,
  peer_key,
  prefix_key,
  remote_key,
  rx_config,
  rx_key,
  tx_config,
  tx_session,
} from '../../src/datapath/layout.gen';
import { drop_reason, kind, path_kind, tx_flag } from '../../src/datapath/layout.gen';
import { A, B, mac, mapped, octets } from './packet';

/** The link's ifindex, and the inner end that frames are delivered to, unless a test says otherwise: lo. */
export const LINK = 1;
export const LOCAL_TEID = 0x1001;
export const REMOTE_TEID = 0xa0b0c0d0;
export const PORT = 2152;
/** Of version 0. */
export const PORT0 = 3386;
/** In jiffies: no test runs so long. */
export const NEVER = 1n << 62n;
/** The Ethernet addresses of a frame that is delivered. */
export const INNER_MAC = '02:00:00:00:00:1e';
export const LINK_MAC = '02:00:00:00:00:11';

/** What a session sends by, with addresses as text. */
export type TxWords = Partial<Omit<tx_config, 'local' | 'remote' | 'ext'>> & {
  local?: string;
  remote?: string;
  ext?: Buffer;
};

/** What a session receives by: prefixes as `address/length`. */
export type RxWords = Partial<Pick<rx_config, 'ifindex' | 'flags' | 'flow'>> & {
  remote?: string;
  ue4?: string;
  ue6?: string;
};

/** The rest of a sending session: its path. */
export type Path = Partial<Omit<tx_session, 'config'>>;

export interface RxAt {
  readonly local?: string;
  readonly teid?: number;
  readonly port?: number;
  /** Makes it a session of version 0, on its port. */
  readonly tid?: bigint;
  /** Of another kind than GTP: then `id` and `port` stand for themselves. */
  readonly kind?: number;
  readonly id?: bigint;
  readonly form?: number;
  readonly scope?: number;
}

/** A peer's end of a session, as others name it: by the peer's TEID, or the TID. */
export interface RemoteAt {
  readonly local: string;
  readonly remote: string;
  readonly id: number | bigint;
  readonly port?: number;
  readonly kind?: number;
}

/** From A to B unless said otherwise, ttl 64, without UDP checksum over IPv4, with a fixed source port. */
export function txConfig({ local = A, remote = B, ext = Buffer.alloc(0), ...words }: TxWords = {}): tx_config {
  return {
    ...zero('tx_config'),
    teid: REMOTE_TEID,
    local_teid: LOCAL_TEID,
    sport: PORT,
    dport: PORT,
    ttl: 64,
    ext_len: ext.length,
    kind: (words.flags ?? 0) & tx_flag.v0 ? kind.gtp0 : kind.gtp,
    ...words,
    local: mapped(local),
    remote: mapped(remote),
    ext: Buffer.concat([ext, Buffer.alloc(4)]).subarray(0, 4),
  };
}

/** A session whose path is a wire of 1500 octets, looked up already and for ever. */
export function txSession(words?: TxWords, path: Path = {}): tx_session {
  return {
    ...zero('tx_session'),
    expires: NEVER,
    oif: LINK,
    mtu: 1500,
    gateway: mapped(B),
    path: path_kind.wire,
    ...path,
    config: [txConfig(words), zero('tx_config')],
  };
}

export function rxConfig({ remote = A, ue4, ue6, ...words }: RxWords = {}): rx_config {
  return {
    ...zero('rx_config'),
    ifindex: LINK,
    remote: mapped(remote),
    dmac: mac(INNER_MAC),
    smac: mac(LINK_MAC),
    ...ueWords(ue4, 'ue4', 4),
    ...ueWords(ue6, 'ue6', 16),
    ...words,
  } as rx_config;
}

export function rxKey({ local = B, teid = LOCAL_TEID, port, tid, form = 0, scope = 0, ...at }: RxAt = {}): rx_key {
  const id = at.id ?? tid ?? BigInt(teid);
  const of = at.kind ?? (tid === undefined ? kind.gtp : kind.gtp0);
  const own = of === kind.gtp ? PORT : of === kind.gtp0 ? PORT0 : 0;
  return { local: mapped(local), id, port: port ?? own, kind: of, form, scope };
}

export function peerKey(local: string, remote: string): peer_key {
  return { local: mapped(local), remote: mapped(remote) };
}

export function remoteKey({ local, remote, id, port = PORT, kind: of = kind.gtp }: RemoteAt): remote_key {
  return { ...peerKey(local, remote), id: BigInt(id), port, kind: of };
}

/** The key of inner addresses `address/length`. */
export function prefixKey(text: string): prefix_key {
  const [address = '', length = ''] = text.split('/');
  const version = address.includes(':') ? 6 : 4;
  const bits = 64 + Number(length) + (version === 6 ? 0 : 96);
  return { prefixlen: bits, ifindex: LINK, version, addr: mapped(address) };
}

/** `bad_length session 0x1001`, `no_session link 1`, `unknown_teid endpoint 2152`, `unknown_key endpoint gre`. */
export function dropName({ of: { id, local, port, kind: of }, ifindex, reason }: drop_key): string {
  const name = nameIn(drop_reason, reason);
  if (ifindex === 0) return `${name} endpoint ${port === 0 ? nameIn(kind, of) : port}`;
  return local.every((octet) => octet === 0) && id === 0n ? `${name} link ${ifindex}` : `${name} session ${hex(id)}`;
}

function nameIn(of: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(of).find(([, each]) => each === value)?.[0] ?? `${value}`;
}

/** The `ports` of struct config. */
export function portBits(...ports: readonly number[]): bigint[] {
  const words = Array<bigint>(1024).fill(0n);
  for (const port of ports) words[port >> 6] = (words[port >> 6] ?? 0n) | (1n << BigInt(port & 63));
  return words;
}

export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

function ueWords(text: string | undefined, name: 'ue4' | 'ue6', size: number): Partial<rx_config> {
  const [address, length] = text?.split('/') ?? [];
  const octet = address === undefined ? Buffer.alloc(size) : octets(address);
  return { [name]: octet, [`${name}_len`]: length === undefined ? 255 : Number(length) };
}
