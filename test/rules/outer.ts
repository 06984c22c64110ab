// SPDX-License-Identifier: MIT
import { type Fault, fault, type Pass, type Unclaimed } from './outcome';
import { addWords, pseudoSum } from './sum';
import type { Address, Endpoint, Tables, TunnelEndpoint } from './tables';

/** A datagram to an endpoint of ours. */
export interface Datagram {
  readonly endpoint: Endpoint;
  readonly source: Address;
  readonly sport: number;
  /** The outer TOS or traffic class. */
  readonly tos: number;
  /** Of UDP. `open` looks like the sum of the pseudo header alone, which somebody will complete. */
  readonly checksum: 'right' | 'wrong' | 'zero' | 'open';
  readonly isV6: boolean;
  /** What UDP carries. */
  readonly octets: Buffer;
}

/** A packet to an endpoint of another kind; `checksum` is undefined where there is no UDP. */
export interface TunnelPacket extends Pick<Datagram, 'source' | 'tos' | 'isV6' | 'octets'> {
  readonly tunnel: TunnelEndpoint;
  readonly checksum: Datagram['checksum'] | undefined;
}

/** A frame to an endpoint of ours that is dropped before anything is known of what it carries. */
export interface BadDatagram extends Fault {
  readonly endpoint: Endpoint | TunnelEndpoint;
}

const ETHERNET = 14;
const UDP = 17;
const TUNNELS = [47, 115];
const FRAGMENT = 44;
const ROUTING = 43;
// Hop-by-hop, routing and destination options are the others; so many headers are skipped at most, too.
const SKIPPED = [0, ROUTING, FRAGMENT, 60];

/** Reads Ethernet, IP and UDP: what is no datagram to an endpoint of ours is left to the stack. */
export function readOuter(frame: Buffer, tables: Tables): Pass | Unclaimed | BadDatagram | Datagram | TunnelPacket {
  if (frame.length < ETHERNET) return pass('no frame');
  if (frame.readUIntBE(0, 6) !== 0) return pass('for another host'); // lo has the address 0
  const type = frame.readUInt16BE(12);
  if (type !== 0x0800 && type !== 0x86dd) return pass('not IP');
  const ip = type === 0x0800 ? readIp4(frame) : readIp6(frame);
  if ('kind' in ip) return ip;
  return ip.protocol === UDP ? readUdp(frame, ip, tables) : readTunnel(frame, ip, tables);
}

interface Ip {
  readonly isV6: boolean;
  readonly protocol: number;
  readonly source: Buffer;
  readonly destination: Buffer;
  readonly tos: number;
  readonly udpAt: number;
  /** Where the packet ends by its own words. */
  readonly end: number;
  readonly isHeaderSound: boolean;
}

function readIp4(frame: Buffer): Pass | Unclaimed | Ip {
  const at = ETHERNET;
  if (frame.length < at + 20) return pass('no room for IP');
  const first = frame[at] ?? 0;
  if (first >> 4 !== 4 || (first & 15) < 5) return pass('IP header');
  const udpAt = at + (first & 15) * 4;
  const protocol = frame[at + 9] ?? 0;
  const isTunnel = TUNNELS.includes(protocol);
  if (udpAt > frame.length) return isTunnel ? unclaimed('no room for IP options') : pass('no room for IP');
  if (protocol === 1) return unclaimed('ICMP');
  if (protocol !== UDP && !isTunnel) return pass('not UDP');
  if ((frame.readUInt16BE(at + 6) & 0x3fff) !== 0) return unclaimed('fragment');
  return {
    isV6: false,
    protocol,
    source: frame.subarray(at + 12, at + 16),
    destination: frame.subarray(at + 16, at + 20),
    tos: frame[at + 1] ?? 0,
    udpAt,
    end: at + frame.readUInt16BE(at + 2),
    isHeaderSound: addWords(frame, at, udpAt) === 0xffff,
  };
}

function readIp6(frame: Buffer): Pass | Unclaimed | Ip {
  const at = ETHERNET;
  if (frame.length < at + 40) return pass('no room for IP');
  const first = frame.readUInt16BE(at);
  if (first >> 12 !== 6) return pass('IP header');
  if (isMapped(frame, at + 8) || isMapped(frame, at + 24)) return pass('IPv4-mapped address');
  const behind = behindHeaders(frame, at + 40);
  if ('kind' in behind) return behind;
  return {
    isV6: true,
    protocol: behind.protocol,
    source: frame.subarray(at + 8, at + 24),
    destination: frame.subarray(at + 24, at + 40),
    tos: (first >> 4) & 0xff,
    udpAt: behind.at,
    end: at + 40 + frame.readUInt16BE(at + 4),
    isHeaderSound: true,
  };
}

/** Whether an address is of ::ffff:0:0/96, which is no address of the wire: our keys would take it for an IPv4 one. */
function isMapped(frame: Buffer, at: number): boolean {
  return frame.toString('hex', at, at + 12) === '00000000000000000000ffff';
}

/** Where UDP or a tunnel starts: behind hop-by-hop, routing, destination options and an atomic fragment header (RFC 8200, 4). */
function behindHeaders(frame: Buffer, start: number): Pass | Unclaimed | { at: number; protocol: number } {
  let at = start;
  let next = frame[ETHERNET + 6] ?? 0;
  for (let count = 0; next !== UDP && !TUNNELS.includes(next); count++) {
    const end = endOfWalk(frame, at, next, count);
    if (end !== undefined) return end;
    const size = sizeOfHeader(frame, at, next);
    if (size === undefined) return unclaimed('fragment');
    next = frame[at] ?? 0;
    at += size;
  }
  return { at, protocol: next };
}

function endOfWalk(frame: Buffer, at: number, next: number, count: number): Pass | Unclaimed | undefined {
  if (next === 58) return unclaimed('ICMP');
  if (!SKIPPED.includes(next)) return pass('not UDP');
  if (count === SKIPPED.length) return pass('many IPv6 headers');
  if (at + 8 > frame.length) return pass('no room for IP');
  return next === ROUTING && frame[at + 3] !== 0 ? pass('on its way to another host') : undefined;
}

function sizeOfHeader(frame: Buffer, at: number, type: number): number | undefined {
  if (type !== FRAGMENT) return ((frame[at + 1] ?? 0) + 1) * 8;
  return (frame.readUInt16BE(at + 2) & 0xfff9) === 0 ? 8 : undefined;
}

function readUdp(frame: Buffer, ip: Ip, tables: Tables): Pass | BadDatagram | Datagram | TunnelPacket {
  const { udpAt } = ip;
  if (udpAt + 8 > frame.length) return pass('no room for UDP');
  const endpoint = tables.endpoint(ip.destination.toString('hex'), frame.readUInt16BE(udpAt + 2));
  if (endpoint === undefined) return readTunnel(frame, ip, tables);
  const bad = (reason: string, rule: string): BadDatagram => ({ ...fault(reason, rule), endpoint });
  const wrong = ipFault(frame, ip, 8) ?? udpFault(frame, ip);
  if (wrong !== undefined) return { ...wrong, endpoint };
  const length = frame.readUInt16BE(udpAt + 4);
  if (length < 16) return bad('bad_length', 'no room for GTP');
  return {
    endpoint,
    source: ip.source.toString('hex'),
    sport: frame.readUInt16BE(udpAt),
    tos: ip.tos,
    checksum: judge(frame.subarray(udpAt, udpAt + length), pseudoSum(ip.source, ip.destination, length)),
    isV6: ip.isV6,
    octets: frame.subarray(udpAt + 8, udpAt + length),
  };
}

function ipFault(frame: Buffer, { isHeaderSound, source, end, udpAt }: Ip, least: number): Fault | undefined {
  if (!isHeaderSound) return fault('bad_checksum', 'IP header');
  if (!isHost(source)) return fault('bad_source', 'no host');
  if (end > frame.length) return fault('bad_length', 'IP longer than the frame');
  return end < udpAt + least ? fault('bad_length', 'IP shorter than its headers') : undefined;
}

function udpFault(frame: Buffer, { udpAt, end }: Ip): Fault | undefined {
  const length = frame.readUInt16BE(udpAt + 4);
  if (length < 8) return fault('bad_length', 'UDP shorter than its header');
  return udpAt + length > end ? fault('bad_length', 'UDP longer than IP') : undefined;
}

/** A packet of another kind than GTP. */
function readTunnel(frame: Buffer, ip: Ip, tables: Tables): Pass | BadDatagram | TunnelPacket {
  const { udpAt, end, protocol, isV6, tos, source } = ip;
  const isUdp = protocol === UDP;
  const port = isUdp ? frame.readUInt16BE(udpAt + 2) : 0;
  const tunnel = tables.tunnelEndpoint(ip.destination.toString('hex'), protocol, port);
  if (tunnel === undefined) return pass('no endpoint');
  const wrong = ipFault(frame, ip, isUdp ? 8 : 0) ?? (isUdp ? udpFault(frame, ip) : undefined);
  if (wrong !== undefined) return { ...wrong, endpoint: tunnel };
  const length = isUdp ? frame.readUInt16BE(udpAt + 4) : end - udpAt;
  const content = frame.subarray(udpAt, udpAt + length);
  const checksum = isUdp ? judge(content, pseudoSum(source, ip.destination, length)) : undefined;
  const octets = isUdp ? content.subarray(8) : content;
  return { tunnel, source: source.toString('hex'), tos, isV6, checksum, octets };
}

/** 0.0.0.0/8, multicast, class E and broadcast are no host's, nor are :: and ff00::/8. */
function isHost(source: Buffer): boolean {
  const first = source[0] ?? 0;
  if (source.length === 4) return first !== 0 && first < 224;
  return first !== 0xff && source.some((octet) => octet !== 0);
}

function judge(datagram: Buffer, pseudo: number): Datagram['checksum'] {
  const field = datagram.readUInt16BE(6);
  if (field === 0) return 'zero';
  if (addWords(datagram, 0, datagram.length, pseudo) === 0xffff) return 'right';
  return field === pseudo ? 'open' : 'wrong';
}

function pass(rule: string): Pass {
  return { kind: 'pass', rule };
}

function unclaimed(rule: string): Unclaimed {
  return { kind: 'unclaimed', rule };
}
