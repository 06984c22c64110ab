// SPDX-License-Identifier: MIT
// Echo Request and Echo Response: TS 29.281, 7.2 (version 1), TS 09.60, 7.4 (version 0).

import { PORTS } from '../grammar';

/** The UDP ports of the two versions: GSM 09.60, 11.1.3, and TS 29.281, 4.4.2. */
export const ECHO_PORT = { 0: 3386, 1: PORTS.gtp } as const;

/** The versions of GTP. */
export type Version = keyof typeof ECHO_PORT;

/** An Echo Response: its sequence number, and the restart counter of its Recovery IE or what is wrong with that. */
export type EchoResponse = { readonly sequence: number; readonly recovery: Recovery };

/** A restart counter, or why there is none. */
export type Recovery = number | 'missing' | 'malformed' | 'untold';

/** An Echo Request, sequence number 0-65535. */
export function echoRequest(version: Version, sequence: number): Buffer {
  const bytes = Buffer.from(REQUEST[version], 'hex');
  bytes.writeUInt16BE(sequence, SEQUENCE_AT[version]);
  return bytes;
}

/** Reads an Echo Response; undefined for what is none. What follows the length that it announces is not looked at. */
export function readEchoResponse(version: Version, bytes: Buffer): EchoResponse | undefined {
  const start = version === 1 ? startOfV1(bytes) : startOfV0(bytes);
  if (start === undefined) return undefined;
  const elements = bytes.subarray(start.elements, start.end);
  return { sequence: bytes.readUInt16BE(SEQUENCE_AT[version]), recovery: readRecovery(elements) };
}

/** The sequence number of an Echo Request of which the start is quoted; undefined where that is too short. */
export function quotedSequence(version: Version, bytes: Buffer): number | undefined {
  const at = SEQUENCE_AT[version];
  return bytes.length < at + 2 ? undefined : bytes.readUInt16BE(at);
}

const REQUEST = { 0: '1e01000000000000ffffffff0000000000000000', 1: '320100040000000000000000' } as const;
const SEQUENCE_AT = { 0: 4, 1: 8 } as const;
const ECHO_RESPONSE = 2;
const RECOVERY = 14;
/** From this type on, elements carry a length. */
const FIRST_WITH_LENGTH = 128;

/** Where the information elements stand. */
type Start = { readonly elements: number; readonly end: number };

function startOfV0(bytes: Buffer): Start | undefined {
  const HEADER = 20;
  // version 0, protocol type GTP
  if (bytes.length < HEADER || ((bytes[0] ?? 0) & 0xf0) !== 0x10 || bytes[1] !== ECHO_RESPONSE) return undefined;
  const end = HEADER + bytes.readUInt16BE(2);
  return end > bytes.length ? undefined : { elements: HEADER, end };
}

function startOfV1(bytes: Buffer): Start | undefined {
  const HEADER = 12;
  const flags = bytes[0] ?? 0;
  // version 1, protocol type GTP, and a sequence number, which is in the optional part
  if (bytes.length < HEADER || (flags & 0xf2) !== 0x32 || bytes[1] !== ECHO_RESPONSE) return undefined;
  const end = 8 + bytes.readUInt16BE(2);
  if (end > bytes.length || end < HEADER) return undefined;
  const elements = flags & 0x04 ? skipExtensions(bytes.subarray(0, end), HEADER) : HEADER;
  return elements === undefined ? undefined : { elements, end };
}

// Each extension header ends in the type of the next; its first octet counts in fours.
function skipExtensions(bytes: Buffer, start: number): number | undefined {
  let at = start;
  while (bytes[at - 1] !== 0) {
    const length = (bytes[at] ?? 0) * 4;
    if (length === 0 || at + length > bytes.length) return undefined;
    at += length;
  }
  return at;
}

function readRecovery(elements: Buffer): Recovery {
  let at = 0;
  while (at < elements.length) {
    const type = elements[at] ?? 0;
    if (type === RECOVERY) return elements[at + 1] ?? 'malformed';
    if (type < FIRST_WITH_LENGTH || at + 3 > elements.length) return 'malformed';
    at += 3 + elements.readUInt16BE(at + 1);
  }
  return at > elements.length ? 'malformed' : 'missing';
}
