// SPDX-License-Identifier: MIT
import ipaddr from 'ipaddr.js';
import { internetSum, pseudoHeader } from './checksum';

/** Named addresses: A and B are tunnel ends, UE and SERVER talk through the tunnel. */
export const A = '192.0.2.1';
export const B = '192.0.2.2';
export const A6 = '2001:db8::a';
export const B6 = '2001:db8::b';
export const UE = '10.45.0.2';
export const SERVER = '198.51.100.9';
export const UE6 = '2001:db8:45::2';
export const SERVER6 = '2001:db8:c0::9';
export const MAC_A = '02:00:00:00:00:0a';
/** Of lo, on which most test runs happen: a frame to another one would be for another host. */
export const MAC_B = '00:00:00:00:00:00';
/** Of the other devices that frames of tests come by. */
export const DEVICE_MAC = '02:00:00:00:00:0b';

/** Fields that are not given are filled in: lengths, next protocols and checksums are right unless said otherwise. */
export interface Eth {
  source?: string;
  destination?: string;
  type?: number;
  vlan?: number;
}
export interface Ip4 {
  ttl?: number;
  tos?: number;
  id?: number;
  df?: boolean;
  more?: boolean;
  /** In octets. */
  offset?: number;
  protocol?: number;
  length?: number;
  checksum?: number;
  options?: Buffer;
  version?: number;
  headerLength?: number;
}
export interface Ip6 {
  hops?: number;
  tos?: number;
  flow?: number;
  next?: number;
  length?: number;
}
export interface Udp {
  length?: number;
  /** `pseudo`: only the sum of the pseudo header, as with checksum offload (CHECKSUM_PARTIAL). */
  checksum?: number | 'pseudo';
}
export interface Tcp {
  seq?: number;
  ack?: number;
  flags?: number;
  window?: number;
  options?: Buffer;
  checksum?: number | 'pseudo';
}
export interface Extension {
  type: number;
  /** Without length and next type; its length is 4n - 2. */
  content: Buffer;
  /** In units of 4 octets, when it is to be wrong. */
  length?: number;
}
export interface Gtpu {
  teid: number;
  /** 255 is a G-PDU. */
  type?: number;
  seq?: number;
  npdu?: number;
  /** A PDU Session Container with this QFI comes before `ext`. */
  qfi?: number;
  rqi?: boolean;
  /** 0 downlink, 1 uplink. */
  pdu?: 0 | 1;
  ext?: readonly Extension[];
  /** The first octet, when it is to be wrong. */
  flags?: number;
  length?: number;
}

/** A frame under construction; each call adds a layer inside the ones before. Never changed, so a start can be shared. */
export interface Packet {
  ip4(source: string, destination: string, fields?: Ip4): Packet;
  ip6(source: string, destination: string, fields?: Ip6): Packet;
  /** IPv6 fragment header, offset in octets. */
  fragment6(fields?: { offset?: number; more?: boolean; id?: number; next?: number }): Packet;
  udp(source?: number, destination?: number, fields?: Udp): Packet;
  tcp(source?: number, destination?: number, fields?: Tcp): Packet;
  /** ICMP or ICMPv6, by the IP around it; an Echo Request unless said otherwise. */
  icmp(fields?: { type?: number; code?: number; rest?: number; checksum?: number }): Packet;
  gtpu(fields: Gtpu): Packet;
  /** Text, octets, or so many octets of a pattern. */
  payload(content?: string | Buffer | number): Packet;
  bytes(): Buffer;
}

/** Begins with an Ethernet header, from MAC_A to MAC_B. */
export function eth(fields: Eth = {}): Packet {
  return packet([ethLayer(fields)]);
}

/** Begins without one, for what follows a header that is built elsewhere. */
export function bare(): Packet {
  return packet([]);
}

/** The 4 or 16 octets of an address, network order. */
export function octets(address: string): Buffer {
  return Buffer.from(ipaddr.parse(address).toByteArray());
}

/** The 16 octets of an address, IPv4 as ::ffff:a.b.c.d: the form of every key of the datapath. */
export function mapped(address: string): Buffer {
  const bytes = octets(address);
  return bytes.length === 16 ? bytes : Buffer.concat([Buffer.from('00000000000000000000ffff', 'hex'), bytes]);
}

/** The 6 octets of a MAC address. */
export function mac(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

/** What `payload(n)` holds. */
export function pattern(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => i & 0xff));
}

/** A PDU Session Container (38.415 5.5.2) as the content of an extension header of type 0x85. */
export function container(qfi: number, pdu: 0 | 1 = 0, rqi = false): Extension {
  return { type: 0x85, content: Buffer.from([pdu << 4, (rqi ? 0x40 : 0) | qfi]) };
}

// What a layer is called for the one around it, and the sum over addresses for the one inside.
interface Layer {
  readonly etherType?: number;
  protocol?(around: Layer | undefined): number;
  readonly ends?: readonly [Buffer, Buffer];
  encode(payload: Buffer, inside: Layer | undefined, around: readonly Layer[]): Buffer;
}

function packet(layers: readonly Layer[]): Packet {
  const add = (layer: Layer): Packet => packet([...layers, layer]);
  return {
    ip4: (source, destination, fields = {}) => add(ip4Layer(source, destination, fields)),
    ip6: (source, destination, fields = {}) => add(ip6Layer(source, destination, fields)),
    fragment6: (fields = {}) => add(fragmentLayer(fields)),
    udp: (source = 40000, destination = 2152, fields = {}) => add(udpLayer(source, destination, fields)),
    tcp: (source = 40000, destination = 80, fields = {}) => add(tcpLayer(source, destination, fields)),
    icmp: (fields = {}) => add(icmpLayer(fields)),
    gtpu: (fields) => add(gtpuLayer(fields)),
    payload: (content = 32) => add(payloadLayer(content)),
    bytes: () =>
      layers.reduceRight<Buffer>(
        (inside, layer, i) => layer.encode(inside, layers[i + 1], layers.slice(0, i)),
        Buffer.alloc(0),
      ),
  };
}

const none = Buffer.alloc(0);

/** A frame to MAC_B, to another Ethernet address; one that goes elsewhere stays as it is. */
export function readdressed(frame: Buffer, from: string, to: string): Buffer {
  if (frame.length < 14 || !frame.subarray(0, 6).equals(mac(from))) return frame;
  return Buffer.concat([mac(to), frame.subarray(6)]);
}

function ethLayer({ source = MAC_A, destination = MAC_B, type, vlan }: Eth): Layer {
  return {
    encode: (payload, inside) => {
      const tag = vlan === undefined ? none : Buffer.concat([u16(0x8100), u16(vlan)]);
      return Buffer.concat([mac(destination), mac(source), tag, u16(type ?? inside?.etherType ?? 0), payload]);
    },
  };
}

function ip4Layer(source: string, destination: string, f: Ip4): Layer {
  const ends = [octets(source), octets(destination)] as const;
  const layer: Layer = {
    etherType: 0x0800,
    protocol: () => 4,
    ends,
    encode: (payload, inside) => {
      const options = f.options ?? none;
      const words = f.headerLength ?? 5 + options.length / 4;
      const fragment = (f.df ? 0x4000 : 0) | (f.more ? 0x2000 : 0) | ((f.offset ?? 0) / 8);
      const header = Buffer.concat([
        Buffer.from([((f.version ?? 4) << 4) | words, f.tos ?? 0]),
        u16(f.length ?? 20 + options.length + payload.length),
        u16(f.id ?? 0),
        u16(fragment),
        Buffer.from([f.ttl ?? 64, f.protocol ?? inside?.protocol?.(layer) ?? 255]),
        u16(0),
        ...ends,
        options,
      ]);
      header.writeUInt16BE(f.checksum ?? internetSum(header), 10);
      return Buffer.concat([header, payload]);
    },
  };
  return layer;
}

function ip6Layer(source: string, destination: string, f: Ip6): Layer {
  const ends = [octets(source), octets(destination)] as const;
  const layer: Layer = {
    etherType: 0x86dd,
    protocol: () => 41,
    ends,
    encode: (payload, inside) => {
      const first = (0x60000000 | ((f.tos ?? 0) << 20) | (f.flow ?? 0)) >>> 0;
      const next = f.next ?? inside?.protocol?.(layer) ?? 59;
      return Buffer.concat([
        u32(first),
        u16(f.length ?? payload.length),
        Buffer.from([next, f.hops ?? 64]),
        ...ends,
        payload,
      ]);
    },
  };
  return layer;
}

function fragmentLayer(f: { offset?: number; more?: boolean; id?: number; next?: number }): Layer {
  return {
    protocol: () => 44,
    encode: (payload, inside, around) => {
      const next = f.next ?? inside?.protocol?.(around.at(-1)) ?? 17;
      return Buffer.concat([Buffer.from([next, 0]), u16((f.offset ?? 0) | (f.more ? 1 : 0)), u32(f.id ?? 1), payload]);
    },
  };
}

function udpLayer(source: number, destination: number, f: Udp): Layer {
  return {
    protocol: () => 17,
    encode: (payload, _, around) => {
      const header = Buffer.concat([u16(source), u16(destination), u16(f.length ?? 8 + payload.length), u16(0)]);
      const datagram = Buffer.concat([header, payload]);
      // A sum of zero is sent as its other form: zero says that there is no checksum (RFC 768).
      const covered = datagram.subarray(0, Math.max(f.length ?? datagram.length, 8));
      datagram.writeUInt16BE(transportSum(f.checksum, covered, 17, around) || (f.checksum === 0 ? 0 : 0xffff), 6);
      return datagram;
    },
  };
}

function tcpLayer(source: number, destination: number, f: Tcp): Layer {
  return {
    protocol: () => 6,
    encode: (payload, _, around) => {
      const options = f.options ?? none;
      const segment = Buffer.concat([
        u16(source),
        u16(destination),
        u32(f.seq ?? 1),
        u32(f.ack ?? 1),
        Buffer.from([(5 + options.length / 4) << 4, f.flags ?? 0x10]),
        u16(f.window ?? 65535),
        u16(0),
        u16(0),
        options,
        payload,
      ]);
      segment.writeUInt16BE(transportSum(f.checksum, segment, 6, around), 16);
      return segment;
    },
  };
}

function icmpLayer(f: { type?: number; code?: number; rest?: number; checksum?: number }): Layer {
  const isV6 = (layer: Layer | undefined): boolean => layer?.ends?.[0].length === 16;
  return {
    protocol: (layer) => (isV6(layer) ? 58 : 1),
    encode: (payload, _, around) => {
      const v6 = isV6(enclosing(around));
      const type = f.type ?? (v6 ? 128 : 8);
      const message = Buffer.concat([Buffer.from([type, f.code ?? 0]), u16(0), u32(f.rest ?? 0x10001), payload]);
      const sum = v6 ? transportSum(f.checksum, message, 58, around) : internetSum(message);
      message.writeUInt16BE(f.checksum ?? sum, 2);
      return message;
    },
  };
}

function gtpuLayer(f: Gtpu): Layer {
  const extensions = [...(f.qfi === undefined ? [] : [container(f.qfi, f.pdu, f.rqi)]), ...(f.ext ?? [])];
  const bits = (extensions.length > 0 ? 4 : 0) | (f.seq === undefined ? 0 : 2) | (f.npdu === undefined ? 0 : 1);
  const option = Buffer.concat([u16(f.seq ?? 0), Buffer.from([f.npdu ?? 0, extensions[0]?.type ?? 0])]);
  const chain = extensions.map((extension, i) => extensionOctets(extension, extensions[i + 1]?.type));
  const header = Buffer.concat([...(bits === 0 ? [] : [option]), ...chain]);
  const start = Buffer.from([f.flags ?? 0x30 | bits, f.type ?? 255]);
  return {
    encode: (payload) => {
      const length = f.length ?? header.length + payload.length;
      return Buffer.concat([start, u16(length), u32(f.teid), header, payload]);
    },
  };
}

function extensionOctets({ content, length }: Extension, next = 0): Buffer {
  const units = Math.ceil((content.length + 2) / 4);
  const fill = Buffer.alloc(units * 4 - content.length - 2);
  return Buffer.concat([Buffer.from([length ?? units]), content, fill, Buffer.from([next])]);
}

function payloadLayer(content: string | Buffer | number): Layer {
  const bytes = typeof content === 'number' ? pattern(content) : Buffer.from(content as string);
  return { encode: () => bytes };
}

function transportSum(
  given: number | 'pseudo' | undefined,
  segment: Buffer,
  protocol: number,
  around: readonly Layer[],
): number {
  if (typeof given === 'number') return given;
  const ends = enclosing(around)?.ends;
  if (ends === undefined) return 0;
  const pseudo = pseudoHeader(ends[0], ends[1], protocol, segment.length);
  return given === 'pseudo' ? ~internetSum(pseudo) & 0xffff : internetSum(pseudo, segment);
}

function enclosing(around: readonly Layer[]): Layer | undefined {
  return around.findLast((layer) => layer.ends !== undefined);
}

function u16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeUInt16BE(value);
  return buffer;
}

function u32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
}
