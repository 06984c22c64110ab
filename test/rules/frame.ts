// SPDX-License-Identifier: MIT
import { isFromUe, isOfUe, joinEcn, readInner } from './inner';
import { type Deliver, type Fault, fault, isFault } from './outcome';
import type { Datagram } from './outer';
import type { Receiving } from './tables';

/** What a tunnel says of its payload. */
export type PayloadType = 'ip' | 'ethernet' | 4 | 6;

type Arrived = Pick<Datagram, 'tos' | 'isV6'>;
type Delivered = Pick<Deliver, 'inner' | 'header' | 'octets' | 'rule'>;

const HEADER = 14;
const ARP = 0x0806;
const ARP_LENGTH = 28;
// What is no longer than an IPv4 header is filled up to the least that Ethernet sends.
const SHORT = 20;
const FILLED = 46;

/** The checks of every payload, and what comes out (N5, R6, L7, X13, G28). */
export function readPayload(payload: Buffer, type: PayloadType, session: Receiving, outer: Arrived): Delivered | Fault {
  if (type === 'ethernet') return readFrame(payload, session, outer);
  const inner = takePacket(payload, type, session, outer);
  if (isFault(inner)) return inner;
  return { ...inner, header: undefined, octets: inner.inner.length };
}

/** A frame: as it is on a link of frames, the packet in it on a link of packets. What is behind that stays. */
function readFrame(frame: Buffer, session: Receiving, outer: Arrived): Delivered | Fault {
  if (frame.length < HEADER) return fault('bad_frame', 'no room for Ethernet');
  const type = frame.readUInt16BE(12);
  const content = frame.subarray(HEADER);
  const octets = frame.length;
  const header = session.carries === 'frames' ? frame.subarray(0, HEADER) : undefined;
  if (type === 0x0800 || type === 0x86dd) {
    const taken = takePacket(content, type === 0x0800 ? 4 : 6, session, outer);
    if (isFault(taken)) return taken;
    const inner = filled(Buffer.concat([taken.inner, content.subarray(taken.inner.length)]));
    return { inner, header, octets, rule: `${taken.rule}, frame on ${session.carries}` };
  }
  if (header === undefined) return fault('not_ip', 'frame of another type');
  const wrong = session.antispoof ? otherFault(type, content, session) : undefined;
  if (wrong !== undefined) return wrong;
  if (!session.hasLink) return fault('no_link', 'gone, other frame');
  return { inner: filled(content), header, octets, rule: type === ARP ? 'ARP' : 'other frame' };
}

/** Who sends by a frame that is not of IP itself: ARP tells, and what stands behind a tag. Nobody looks behind two (G29). */
function otherFault(type: number, content: Buffer, session: Receiving, tags = 0): Fault | undefined {
  if (type === 0x8100 || type === 0x88a8) {
    if (tags > 0 || content.length < 4) return fault('antispoof', session.role);
    return otherFault(content.readUInt16BE(2), content.subarray(4), session, tags + 1);
  }
  if (type === ARP) return arpFault(content, session);
  if (type !== 0x0800 && type !== 0x86dd) return undefined;
  const [least, source, size] = type === 0x0800 ? [20, 12, 4] : [40, 8, 16];
  if (content.length < least) return fault('bad_inner', 'cut header');
  const at = source + (session.role === 'ggsn' ? 0 : size);
  return isOfUe(content.subarray(at, at + size), session) ? undefined : fault('antispoof', session.role);
}

/** What ARP says for IPv4 has to be of the UE, as IPv4 itself (G29). */
function arpFault(arp: Buffer, session: Receiving): Fault | undefined {
  if (arp.length < ARP_LENGTH) return fault('bad_inner', 'cut ARP');
  if (arp.readUInt16BE(2) !== 0x0800) return undefined;
  const at = session.role === 'ggsn' ? 14 : 24;
  return isOfUe(arp.subarray(at, at + 4), session) ? undefined : fault('antispoof', `${session.role}, ARP`);
}

function takePacket(
  payload: Buffer,
  type: PayloadType,
  session: Receiving,
  outer: Arrived,
): { inner: Buffer; rule: string } | Fault {
  const inner = readInner(payload);
  if (isFault(inner)) return inner;
  const version = (inner[0] ?? 0) >> 4;
  if (type !== 'ip' && type !== version) return fault('bad_inner', 'not what the protocol says');
  if (session.antispoof && !isFromUe(inner, session)) return fault('antispoof', session.role);
  if (!session.hasLink) return fault('no_link', 'gone');
  const joined = joinEcn(inner, outer.tos);
  if (isFault(joined)) return joined;
  return { inner: joined, rule: `${version} in ${outer.isV6 ? 6 : 4}${joined === inner ? '' : ', marked'}` };
}

function filled(content: Buffer): Buffer {
  return content.length > SHORT ? content : Buffer.concat([content, Buffer.alloc(FILLED - content.length)]);
}
