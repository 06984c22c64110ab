// SPDX-License-Identifier: MIT
// Receipt by other kinds than GTP, from the wire formats (N, L, R), not from the C code.
import { type PayloadType, readPayload } from './frame';
import { type Fault, fault, isFault, type Outcome } from './outcome';
import type { TunnelPacket } from './outer';
import { addWords } from './sum';
import type { Tables, TunnelKind, TunnelSession } from './tables';

/** What a header says, and what stands behind it. */
interface Header {
  readonly id: bigint;
  readonly form: TunnelSession['form'];
  /** As the header calls it; undefined: nothing that is carried. */
  readonly payload: PayloadType | undefined;
  readonly sequence: boolean;
  /** GRE: its own checksum. */
  readonly checksum: 'right' | 'wrong' | undefined;
  readonly rest: Buffer;
}

type Read = Header | Fault | 'not ours';

const PLAIN = { key: false, frames: false } as const;

/** What becomes of a packet to an endpoint of another kind than GTP. */
export function takeTunnel(packet: TunnelPacket, tables: Tables): Outcome {
  const { tunnel: endpoint, octets, source } = packet;
  const { kind, local, port } = endpoint;
  const at = (why: Fault, session?: TunnelSession): Outcome => ({
    kind: 'drop',
    reason: why.reason,
    rule: `${why.rule}, ${kind}`,
    endpoint,
    session,
    sent: undefined,
  });
  const header = READERS[kind](octets);
  if (header === 'not ours') return { kind: 'other', rule: kind, endpoint };
  if (isFault(header)) return at(header);
  const session = tables.tunnelSession({ kind, local, port, id: header.id, form: header.form }, source);
  if (session === undefined) return at(fault(UNKNOWN[kind], 'no session'));
  if (session.strict && source !== session.remote) return at(fault('wrong_peer', 'strict'), session);
  const behind = behindCookie(header, session);
  if (isFault(behind)) return at(behind, session);
  const checked = checksumFault(packet, header, session);
  if (checked === 'open') return { kind: 'unclaimed', rule: 'open checksum' };
  if (checked !== undefined) return at(checked, session);
  if (session.wantsOrder && behind.sequence) return { kind: 'unclaimed', rule: 'numbers in order' };
  if (session.wantsOrder) return at(fault('no_sequence', 'no number'), session);
  if (behind.payload === undefined) return at(fault('bad_protocol', 'payload'), session);
  const payload = readPayload(behind.rest, behind.payload, session, packet);
  if (isFault(payload)) return at(payload, session);
  return { kind: 'deliver', session, ...payload, rule: `${kind}, ${payload.rule}` };
}

const UNKNOWN = {
  gre: 'unknown_key',
  geneve: 'unknown_vni',
  vxlan: 'unknown_vni',
  l2tp: 'unknown_session',
  l2tp_ip: 'unknown_session',
} as const;

const READERS: Readonly<Record<TunnelKind, (octets: Buffer) => Read>> = {
  gre: readGre,
  geneve: readGeneve,
  vxlan: readVxlan,
  l2tp: readL2tpUdp,
  l2tp_ip: readL2tpIp,
};

const TRANSPARENT = 0x6558;

function payloadType(protocol: number): PayloadType | undefined {
  if (protocol === TRANSPARENT) return 'ethernet';
  return protocol === 0x0800 ? 4 : protocol === 0x86dd ? 6 : undefined;
}

/** R1 to R6. */
function readGre(octets: Buffer): Read {
  if (octets.length < 4) return fault('bad_length', 'no room for GRE');
  const flags = octets.readUInt16BE(0);
  if ((flags & 7) !== 0) return 'not ours';
  if ((flags & 0x4c00) !== 0) return fault('bad_header', 'bits of RFC 1701');
  const [csum, key, sequence] = [(flags & 0x8000) !== 0, (flags & 0x2000) !== 0, (flags & 0x1000) !== 0];
  const keyAt = csum ? 8 : 4;
  const end = keyAt + (key ? 4 : 0) + (sequence ? 4 : 0);
  if (octets.length < end) return fault('bad_length', 'no room for options');
  const protocol = octets.readUInt16BE(2);
  return {
    id: key ? BigInt(octets.readUInt32BE(keyAt)) : 0n,
    form: { key, frames: protocol === TRANSPARENT },
    payload: payloadType(protocol),
    sequence,
    checksum: csum ? (addWords(octets) === 0xffff ? 'right' : 'wrong') : undefined,
    rest: octets.subarray(end),
  };
}

/** N1 to N5. */
function readGeneve(octets: Buffer): Read {
  if (octets.length < 8) return fault('bad_length', 'no room for a header');
  const [first = 0, flags = 0] = octets;
  if (first >> 6 !== 0) return fault('bad_version', 'of the header');
  const end = 8 + (first & 63) * 4;
  if (octets.length < end) return fault('bad_length', 'no room for options');
  if ((flags & 0x80) !== 0) return fault('control', 'O');
  const wrong = (flags & 0x40) !== 0 ? optionFault(octets.subarray(8, end)) : undefined;
  if (wrong !== undefined) return wrong;
  return {
    id: BigInt(octets.readUIntBE(4, 3)),
    form: PLAIN,
    payload: payloadType(octets.readUInt16BE(2)),
    sequence: false,
    checksum: undefined,
    rest: octets.subarray(end),
  };
}

/** None is known: the first critical one is one too many. */
function optionFault(options: Buffer): Fault | undefined {
  let at = 0;
  while (at < options.length) {
    if (((options[at + 2] ?? 0) & 0x80) !== 0) return fault('unknown_option', 'critical');
    at += 4 + 4 * ((options[at + 3] ?? 0) & 31);
  }
  return at === options.length ? undefined : fault('bad_option', 'lengths');
}

function readVxlan(octets: Buffer): Read {
  if (octets.length < 8) return fault('bad_length', 'no room for a header');
  if (((octets[0] ?? 0) & 8) === 0) return fault('bad_header', 'without I');
  return frames(BigInt(octets.readUIntBE(4, 3)), octets.subarray(8));
}

function frames(id: bigint, rest: Buffer): Header {
  return { id, form: PLAIN, payload: 'ethernet', sequence: false, checksum: undefined, rest };
}

/** L1 to L3. */
function readL2tpUdp(octets: Buffer): Read {
  if (octets.length < 2) return fault('bad_length', 'no room for a header');
  const flags = octets.readUInt16BE(0);
  if ((flags & 0x8000) !== 0 || (flags & 15) !== 3) return 'not ours';
  if (octets.length < 8) return fault('bad_length', 'no room for a header');
  const id = octets.readUInt32BE(4);
  return id === 0 ? fault('unknown_session', 'session 0') : frames(BigInt(id), octets.subarray(8));
}

function readL2tpIp(octets: Buffer): Read {
  if (octets.length < 4) return fault('bad_length', 'no room for a header');
  const id = octets.readUInt32BE(0);
  return id === 0 ? 'not ours' : frames(BigInt(id), octets.subarray(4));
}

/** L4, L6: what only the session knows to be there. */
function behindCookie(header: Header, { cookie, sublayer }: TunnelSession): Header | Fault {
  const size = cookie.length / 2;
  if (header.rest.toString('hex', 0, size) !== cookie) return fault('bad_cookie', 'cookie');
  const rest = header.rest.subarray(size);
  if (!sublayer) return { ...header, rest };
  if (rest.length < 4) return fault('bad_length', 'no room for the sublayer');
  return { ...header, rest: rest.subarray(4), sequence: ((rest[0] ?? 0) & 0x40) !== 0 };
}

/** N7, N8, R3, X10, X11. A checksum of GRE covers everything; there is none of UDP then. */
function checksumFault(
  { checksum, isV6 }: TunnelPacket,
  header: Header,
  { zeroChecksum }: TunnelSession,
): Fault | 'open' | undefined {
  if (header.checksum === 'wrong') return fault('bad_checksum', 'GRE');
  if (checksum === 'open') return 'open';
  if (checksum === 'wrong') return fault('bad_checksum', 'UDP');
  return checksum === 'zero' && isV6 && !zeroChecksum ? fault('zero_checksum', 'IPv6') : undefined;
}

/** A VLAN tag, outermost. */
export interface Tag {
  readonly protocol: number;
  /** undefined: the frame ends in the tag. */
  readonly id: number | undefined;
}

const TAGS = [0x8100, 0x88a8];
const HEADER = 14;
const TAGGED = 18;

/** The tag of a frame, if it has one. */
export function tagOf(frame: Buffer): Tag | undefined {
  const protocol = frame.length < HEADER ? 0 : frame.readUInt16BE(12);
  if (!TAGS.includes(protocol)) return undefined;
  return { protocol, id: frame.length < TAGGED ? undefined : frame.readUInt16BE(14) & 0xfff };
}

const NO_ADDRESS = '0'.repeat(32);
const UNTOLD = { tos: 0, isV6: false } as const;

/** What becomes of a tagged frame; undefined if its tag is a priority alone. Behind another tag nothing is looked at. */
export function takeTagged(frame: Buffer, { protocol, id }: Tag, tables: Tables): Outcome | undefined {
  if (id === undefined) return { kind: 'unclaimed', rule: 'cut tag' };
  const content = Buffer.concat([frame.subarray(0, 12), frame.subarray(16)]);
  const next = tagOf(content);
  if (id === 0) return next === undefined ? undefined : { kind: 'unclaimed', rule: 'tag behind a priority' };
  const name = { kind: 'vlan', local: NO_ADDRESS, port: protocol, id: BigInt(id), form: PLAIN } as const;
  const session = tables.tunnelSession(name, NO_ADDRESS);
  if (session === undefined) return { kind: 'pass', rule: "somebody else's tag" };
  const isCut = next !== undefined && next.id === undefined;
  const payload = isCut ? fault('no_room', 'cut tag') : readPayload(content, 'ethernet', session, UNTOLD);
  if (!isFault(payload)) {
    const inner = payload.inner.subarray(0, content.length - 14); // as it came: nothing fills it up
    return { kind: 'deliver', session, ...payload, inner, rule: `vlan, ${payload.rule}` };
  }
  const { reason, rule } = payload;
  const endpoint = { kind: 'gre', local: NO_ADDRESS, port: 0 } as const;
  return { kind: 'drop', reason, rule: `${rule}, vlan`, endpoint, session, sent: undefined };
}
