// SPDX-License-Identifier: MIT
import { formatV6 } from './text';

/** What a checksum field says: not there (UDP 0), right, wrong, or out of reach (fragments, other protocols). */
export type Sum = 'absent' | 'right' | 'wrong' | 'unknown';

/** An IP packet taken apart. Lengths are octets; `length` is what the header announces. */
export interface Packet {
  readonly family: 4 | 6;
  readonly source: string;
  readonly destination: string;
  readonly tos: number;
  readonly ttl: number;
  readonly id: number;
  readonly dontFragment: boolean;
  readonly fragment: boolean;
  readonly protocol: number;
  readonly length: number;
  readonly headerSum: Sum;
  readonly payload: Buffer;
  readonly payloadSum: Sum;
}

/** A GTP-U message: the payload of a datagram. */
export interface Gtp {
  readonly flags: number;
  readonly type: number;
  readonly length: number;
  readonly teid: number;
  readonly extensions: readonly { readonly type: number; readonly content: Buffer }[];
  readonly inner: Buffer;
  /** Octets of the datagram, as received. */
  readonly size: number;
}

/** A frame that carries GTP-U. */
export interface GtpFrame {
  readonly outer: Packet;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly udpLength: number;
  readonly gtp: Gtp;
}

/** Takes an Ethernet frame apart; undefined if it is not UDP to or from port 2152. */
export function gtpFrame(frame: Buffer): GtpFrame | undefined {
  const kind = frame.length > 14 ? frame.readUInt16BE(12) : 0;
  if (kind !== 0x0800 && kind !== 0x86dd) return undefined;
  const outer = packet(frame.subarray(14));
  if (outer.protocol !== 17 || outer.fragment || outer.payload.length < 16) return undefined;
  const [sourcePort, destinationPort] = [outer.payload.readUInt16BE(0), outer.payload.readUInt16BE(2)];
  if (sourcePort !== 2152 && destinationPort !== 2152) return undefined;
  const udpLength = outer.payload.readUInt16BE(4);
  return { outer, sourcePort, destinationPort, udpLength, gtp: gtp(outer.payload.subarray(8)) };
}

/** Takes a GTP-U message apart (29.281 clause 5); trusts no length for `inner`, which is all that is left. */
export function gtp(octets: Buffer): Gtp {
  const flags = octets[0] ?? 0;
  let offset = flags & 7 ? 12 : 8;
  let next = flags & 4 ? (octets[11] ?? 0) : 0;
  const extensions = [];
  while (next !== 0 && offset < octets.length) {
    const size = 4 * (octets[offset] ?? 0);
    if (size === 0) throw new Error('an extension header of length 0');
    extensions.push({ type: next, content: octets.subarray(offset + 1, offset + size - 1) });
    next = octets[offset + size - 1] ?? 0;
    offset += size;
  }
  const [type, length, teid] = [octets[1] ?? 0, octets.readUInt16BE(2), octets.readUInt32BE(4)];
  return { flags, type, length, teid, extensions, inner: octets.subarray(offset), size: octets.length };
}

/** A G-PDU with a plain header around an inner packet. */
export function gpdu(teid: number, inner: Buffer): Buffer {
  const header = Buffer.from([0x30, 255, 0, 0, 0, 0, 0, 0]);
  header.writeUInt16BE(inner.length, 2);
  header.writeUInt32BE(teid, 4);
  return Buffer.concat([header, inner]);
}

/** Takes an IP packet apart; what follows the announced length (padding of short frames) is cut off. */
export function packet(octets: Buffer): Packet {
  return (octets[0] ?? 0) >> 4 === 6 ? packet6(octets) : packet4(octets);
}

/** Adds 16-bit words; a packet with its right checksum in place gives 0xffff. */
export function sum16(...parts: readonly Buffer[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let at = 0; at + 1 < part.length; at += 2) sum += part.readUInt16BE(at);
    if (part.length & 1) sum += (part[part.length - 1] ?? 0) << 8;
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

function packet4(octets: Buffer): Packet {
  const size = 4 * ((octets[0] ?? 0) & 15);
  const length = octets.readUInt16BE(2);
  const fragmentation = octets.readUInt16BE(6);
  const fragment = (fragmentation & 0x3fff) !== 0;
  const protocol = octets[9] ?? 0;
  const payload = octets.subarray(size, length);
  return {
    family: 4,
    source: [...octets.subarray(12, 16)].join('.'),
    destination: [...octets.subarray(16, 20)].join('.'),
    tos: octets[1] ?? 0,
    ttl: octets[8] ?? 0,
    id: octets.readUInt16BE(4),
    dontFragment: (fragmentation & 0x4000) !== 0,
    fragment,
    protocol,
    length,
    headerSum: sum16(octets.subarray(0, size)) === 0xffff ? 'right' : 'wrong',
    payload,
    payloadSum: fragment ? 'unknown' : payloadSum(protocol, octets.subarray(12, 20), payload),
  };
}

function packet6(octets: Buffer): Packet {
  const length = octets.readUInt16BE(4) + 40;
  let [protocol, start, fragment] = [octets[6] ?? 0, 40, false];
  if (protocol === 44) [protocol, start, fragment] = [octets[40] ?? 0, 48, true];
  const payload = octets.subarray(start, length);
  return {
    family: 6,
    source: formatV6(octets.subarray(8, 24)),
    destination: formatV6(octets.subarray(24, 40)),
    tos: (octets.readUInt16BE(0) >> 4) & 0xff,
    ttl: octets[7] ?? 0,
    id: 0,
    dontFragment: true,
    fragment,
    protocol,
    length,
    headerSum: 'absent',
    payload,
    payloadSum: fragment ? 'unknown' : payloadSum(protocol, octets.subarray(8, 40), payload),
  };
}

function payloadSum(protocol: number, addresses: Buffer, payload: Buffer): Sum {
  if (protocol === 1) return sum16(payload) === 0xffff ? 'right' : 'wrong';
  if (protocol !== 6 && protocol !== 17 && protocol !== 58) return 'unknown';
  if (protocol === 17 && payload.length >= 8 && payload.readUInt16BE(6) === 0) return 'absent';
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(payload.length, 0);
  pseudo.writeUInt32BE(protocol, 4);
  return sum16(addresses, pseudo, payload) === 0xffff ? 'right' : 'wrong';
}
