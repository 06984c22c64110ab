// SPDX-License-Identifier: MIT
import { etherType } from './inners';
import { A, A6, B, B6, eth, type Ip4, type Ip6, type Packet, type Udp } from './packet';
import { INNER_MAC, LINK_MAC, LOCAL_TEID, PORT } from './session';

export type Family = 4 | 6;

/** The receiving end of the tunnel. */
export const ours = { 4: B, 6: B6 } as const;
/** The sending end of the tunnel. */
export const theirs = { 4: A, 6: A6 } as const;

/** What stands around GTP. */
export interface Around {
  readonly ip4?: Ip4;
  readonly ip6?: Ip6;
  readonly udp?: Udp;
  readonly source?: string;
  readonly destination?: string;
  readonly sport?: number;
  readonly dport?: number;
}

/** A GTP-U packet as octets, so that nothing is made right on the way. */
export interface Gtp {
  readonly flags?: number;
  readonly type?: number;
  readonly teid?: number;
  /** What the Length field says beside the truth. */
  readonly surplus?: number;
  /** The four optional octets and extension headers, in hex. */
  readonly more?: string;
}

export function gtp(
  payload: Buffer,
  { flags = 0x30, type = 255, teid = LOCAL_TEID, surplus = 0, more = '' }: Gtp = {},
): Buffer {
  const octets = Buffer.from(more, 'hex');
  const header = Buffer.alloc(8);
  header[0] = flags;
  header[1] = type;
  header.writeUInt16BE(octets.length + payload.length + surplus, 2);
  header.writeUInt32BE(teid, 4);
  return Buffer.concat([header, octets, payload]);
}

/** A datagram from the peer to us. */
export function arriving(family: Family, datagram: Buffer, around: Around = {}): Packet {
  const [source, destination] = [around.source ?? theirs[family], around.destination ?? ours[family]];
  const ip = family === 4 ? eth().ip4(source, destination, around.ip4) : eth().ip6(source, destination, around.ip6);
  return ip.udp(around.sport ?? 40000, around.dport ?? PORT, around.udp).payload(datagram);
}

/** The frame that the inner end gets. */
export function delivered(inner: Buffer): Buffer {
  const family = (inner[0] ?? 0) >> 4 === 6 ? 6 : 4;
  return eth({ source: LINK_MAC, destination: INNER_MAC, type: etherType[family] }).payload(inner).bytes();
}

/** A chain of extension headers as `more` of a header with E: [type, units of 4 octets] or [type, content in hex]. */
export function chain(...extensions: readonly (readonly [type: number, size: number | string])[]): string {
  const octets = (value: number): string => value.toString(16).padStart(2, '0');
  const one = ([, size]: readonly [number, number | string], next = 0): string => {
    const content = typeof size === 'string' ? size : 'a5'.repeat(size * 4 - 2);
    return octets((content.length / 2 + 2) / 4) + content + octets(next);
  };
  const first = octets(extensions[0]?.[0] ?? 0);
  return `000000${first}${extensions.map((extension, i) => one(extension, extensions[i + 1]?.[0])).join('')}`;
}
