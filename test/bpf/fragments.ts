// SPDX-License-Identifier: MIT
import { arriving, type Family, gtp, ours, theirs } from './gtp';
import { eth, type Ip4, type Ip6, type Packet } from './packet';

/** One outer fragment: octets `start` to `end` of a datagram. */
export interface Piece {
  readonly start: number;
  readonly end: number;
  readonly id?: number;
  /** More follow; true unless this is the end of the datagram. */
  readonly more?: boolean;
  readonly source?: string;
  readonly destination?: string;
  readonly ip4?: Ip4;
  readonly ip6?: Ip6;
  /** IPv6: extension headers in front of the fragment header in hex, the first one's type and where the last one's `next` is 44. */
  readonly before?: { readonly type: number; readonly octets: string };
  /** IPv6: what the fragment header says comes next. */
  readonly next?: number;
}

/** The UDP datagram of a G-PDU from the peer to us: UDP header and what is behind. */
export function datagramOf(family: Family, inner: Buffer, around: Parameters<typeof arriving>[2] = {}): Buffer {
  return datagram(family, gtp(inner), around);
}

/** The UDP datagram that holds those octets. */
export function datagram(family: Family, octets: Buffer, around: Parameters<typeof arriving>[2] = {}): Buffer {
  return arriving(family, octets, around)
    .bytes()
    .subarray(family === 4 ? 34 : 54);
}

/** A frame with one fragment of that datagram. */
export function fragment(family: Family, whole: Buffer, piece: Piece): Packet {
  const { start, end, id = 7, more = end < whole.length, before } = piece;
  const octets = whole.subarray(start, end);
  const [source, destination] = [piece.source ?? theirs[family], piece.destination ?? ours[family]];
  if (family === 4)
    return eth()
      .ip4(source, destination, { id, more, offset: start, protocol: 17, ...piece.ip4 })
      .payload(octets);
  if (before === undefined)
    return eth()
      .ip6(source, destination, piece.ip6)
      .fragment6({ offset: start, more, id, next: piece.next ?? 17 })
      .payload(octets);
  const header = Buffer.alloc(8);
  header[0] = piece.next ?? 17;
  header.writeUInt16BE(start | Number(more), 2);
  header.writeUInt32BE(id, 4);
  return eth()
    .ip6(source, destination, { next: before.type, ...piece.ip6 })
    .payload(Buffer.concat([Buffer.from(before.octets, 'hex'), header, octets]));
}

/** A frame for each part of the datagram between those places. */
export function fragments(
  family: Family,
  whole: Buffer,
  cuts: readonly number[],
  piece: Partial<Piece> = {},
): Packet[] {
  const places = [0, ...cuts, whole.length];
  return places.slice(1).map((end, i) => fragment(family, whole, { ...piece, start: places[i] ?? 0, end }));
}

/** Every order of them. */
export function orders<T>(list: readonly T[]): T[][] {
  if (list.length < 2) return [[...list]];
  return list.flatMap((first, i) => orders(list.toSpliced(i, 1)).map((rest) => [first, ...rest]));
}
