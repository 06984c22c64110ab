// SPDX-License-Identifier: MIT
// Signalling messages as octets (TS 29.281, clauses 7 and 8), written out, so that nothing is made right on the way.
import { type Around, type Family, ours, theirs } from './gtp';
import { eth, octets, type Packet } from './packet';
import { PORT } from './session';

export const type = {
  echoRequest: 1,
  echoResponse: 2,
  versionNotSupported: 3,
  errorIndication: 26,
  extNotify: 31,
  tunnelStatus: 253,
  endMarker: 254,
  gpdu: 255,
} as const;

/** Information elements. */
export const ie = {
  recovery: (value = 0): string => `0e${hexOf(value, 1)}`,
  teid: (value: number): string => `10${hexOf(value, 4)}`,
  peer: (address: string): string => `85${hexOf(octets(address).length, 2)}${octets(address).toString('hex')}`,
  types: (...types: readonly number[]): string =>
    `8d${hexOf(types.length, 1)}${types.map((each) => hexOf(each, 1)).join('')}`,
  private: (value: string): string => `ff${hexOf(2 + value.length / 2, 2)}1234${value}`,
} as const;

/** A path message: S set, TEID 0, then what is given in hex. `more` replaces the four optional octets, and adds to them. */
export function message(
  of: number,
  elements = '',
  { flags = 0x32, teid = 0, seq = 0, more = `${hexOf(seq, 2)}0000`, surplus = 0 }: MessageWords = {},
): Buffer {
  const body = Buffer.from(more + elements, 'hex');
  return Buffer.concat([
    Buffer.from([flags, of]),
    Buffer.from(hexOf(body.length + surplus, 2), 'hex'),
    Buffer.from(hexOf(teid, 4), 'hex'),
    body,
  ]);
}

export interface MessageWords {
  readonly flags?: number;
  readonly teid?: number;
  readonly seq?: number;
  readonly more?: string;
  readonly surplus?: number;
}

/** G17: with the source port of the offender in a UDP Port extension. */
export function errorIndication(teid: number, peer: string, port?: number): Buffer {
  const elements = ie.teid(teid) + ie.peer(peer);
  if (port === undefined) return message(type.errorIndication, elements);
  return message(type.errorIndication, elements, { flags: 0x36, more: `0000004001${hexOf(port, 2)}00` });
}

/** A message of version 0: 20 octets of header, then what is given in hex. */
export function message0(
  of: number,
  rest = '',
  { flags = 0x1e, seq = 0, flow = 0, tid = 0n, surplus = 0 }: Message0Words = {},
): Buffer {
  const body = Buffer.from(rest, 'hex');
  const header = `${hexOf(flags, 1)}${hexOf(of, 1)}${hexOf(body.length + surplus, 2)}${hexOf(seq, 2)}${hexOf(flow, 2)}ffffffff${hexOf(tid, 8)}`;
  return Buffer.concat([Buffer.from(header, 'hex'), body]);
}

export interface Message0Words {
  readonly flags?: number;
  readonly seq?: number;
  readonly flow?: number;
  readonly tid?: bigint;
  readonly surplus?: number;
}

/** The frame that answers one which `arriving` made: from our address to the peer's, TTL 64, with DF and a checksum. */
export function answer(
  family: Family,
  datagram: Buffer,
  to: number,
  { source, destination, dport }: Around = {},
): Packet {
  const [from, peer] = [destination ?? ours[family], source ?? theirs[family]];
  const ip = family === 4 ? eth().ip4(from, peer, { df: true }) : eth().ip6(from, peer);
  return ip.udp(dport ?? PORT, to).payload(datagram);
}

function hexOf(value: number | bigint, size: number): string {
  return value.toString(16).padStart(size * 2, '0');
}
