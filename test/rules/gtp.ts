// SPDX-License-Identifier: MIT
import { type Fault, fault } from './outcome';

/** A GTP header whose length fits the datagram; `body` is what the length covers. */
export interface Message {
  readonly version: 0 | 1;
  readonly flags: number;
  readonly type: number;
  /** TEID, or TID of version 0. */
  readonly id: bigint;
  readonly sequence: number;
  readonly flow: number;
  readonly body: Buffer;
}

const E = 4;
const S = 2;
const ANY = 7;
const LONGEST_CHAIN = 8;

/** Extension headers of GTP-U with comprehension required that are known (29.281, 5.2.1). */
const KNOWN = new Set([0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0xc0]);

/** The version a datagram is read by: 1 or 0 with PT=1, undefined for everything else (G1). */
export function versionOf(octets: Buffer): 0 | 1 | undefined {
  const first = (octets[0] ?? 0) >> 4;
  if (first === 3) return 1;
  return first === 1 ? 0 : undefined;
}

/** The TEID, or the TID of version 0; undefined when there is no room for it. */
export function idOf(octets: Buffer, version: 0 | 1): bigint | undefined {
  if (version === 1) return BigInt(octets.readUInt32BE(4));
  return octets.length < 20 ? undefined : octets.readBigUInt64BE(12);
}

/** Reads a header; the octets are at least 8 (G3, G4, Z2). */
export function readMessage(octets: Buffer, version: 0 | 1): Message | Fault {
  const start = version === 1 ? 8 : 20;
  if (octets.length < start) return fault('bad_length', 'no room for GTP v0');
  const length = octets.readUInt16BE(2);
  if (start + length > octets.length) return fault('bad_length', `GTP v${version} longer than UDP`);
  const flags = octets[0] ?? 0;
  const body = octets.subarray(start, start + length);
  if (version === 1 && (flags & ANY) !== 0 && length < 4) return fault('bad_length', 'no room for E, S, PN');
  return {
    version,
    flags,
    type: octets[1] ?? 0,
    id: idOf(octets, version) ?? 0n,
    sequence: version === 0 ? octets.readUInt16BE(4) : hasSequence(flags) ? body.readUInt16BE(0) : 0,
    flow: version === 0 ? octets.readUInt16BE(6) : 0,
    body,
  };
}

/** Whether the sequence number of a v1 header means something. */
export function hasSequence(flags: number): boolean {
  return (flags & S) !== 0;
}

/** What is behind the optional octets and extension headers of version 1 (G2, G4, G5), or what is wrong with them. */
export function behindExtensions({ version, flags, body }: Message, mustUnderstand: boolean): Buffer | Fault {
  if (version === 0 || (flags & ANY) === 0) return body;
  let at = 4;
  let type = (flags & E) !== 0 ? (body[3] ?? 0) : 0;
  let isUnknown = false;
  for (let count = 0; type !== 0; count++) {
    if (count === LONGEST_CHAIN) return fault('bad_extension', 'more than eight');
    const end = endOfExtension(body, at);
    if (typeof end !== 'number') return end;
    isUnknown ||= type >= 0x80 && !KNOWN.has(type);
    type = body[end - 1] ?? 0;
    at = end;
  }
  return mustUnderstand && isUnknown ? fault('unknown_extension', 'must be understood') : body.subarray(at);
}

function endOfExtension(body: Buffer, at: number): number | Fault {
  const units = body[at];
  if (units === 0) return fault('bad_extension', 'length 0');
  const end = at + 4 * (units ?? 0);
  return units === undefined || end > body.length ? fault('bad_extension', 'crosses the length') : end;
}
