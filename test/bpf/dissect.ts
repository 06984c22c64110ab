// SPDX-License-Identifier: MIT
import ipaddr from 'ipaddr.js';
import { internetSum, pseudoHeader } from './checksum';

/** One field of a frame, `layer.name`, and its value as text; equal frames have equal lists, and the other way round. */
export type Field = readonly [name: string, value: string];

/** Takes an Ethernet frame apart, down to what cannot be read, which comes out as octets. */
export function dissect(frame: Buffer): Field[] {
  if (frame.length < 14) return rest('frame', frame);
  const type = frame.readUInt16BE(12);
  const fields: Field[] = [
    ['eth.destination', frame.toString('hex', 0, 6)],
    ['eth.source', frame.toString('hex', 6, 12)],
    ['eth.type', hex(type, 4)],
  ];
  return [...fields, ...network(frame.subarray(14), '', type)];
}

/** How two frames differ, a line per field; undefined if they do not. */
export function difference(got: Buffer, wanted: Buffer): string | undefined {
  if (got.equals(wanted)) return undefined;
  const [is, should] = [new Map(dissect(got)), new Map(dissect(wanted))];
  const names = [...new Set([...should.keys(), ...is.keys()])];
  const lines = names.map((name) => {
    const [a, b] = [is.get(name) ?? '-', should.get(name) ?? '-'];
    return a === b ? `  ${name}: ${a}` : `! ${name}: ${a}, wanted ${b}`;
  });
  return [`frame of ${got.length} octets, wanted ${wanted.length}:`, ...lines].join('\n');
}

type Ends = readonly [Buffer, Buffer];

function network(octets: Buffer, prefix: string, type: number): Field[] {
  if (type === 0x0800 && octets.length >= 20) return ip4(octets, prefix);
  if (type === 0x86dd && octets.length >= 40) return ip6(octets, prefix);
  return rest(`${prefix}payload`, octets);
}

function ip4(octets: Buffer, prefix: string): Field[] {
  const name = `${prefix}ip4`;
  const header = octets.subarray(0, ((octets[0] ?? 0) & 15) * 4);
  const length = octets.readUInt16BE(2);
  const fragment = octets.readUInt16BE(6);
  const ends = [octets.subarray(12, 16), octets.subarray(16, 20)] as const;
  const body = octets.subarray(header.length, length);
  return [
    [`${name}.first`, hex(octets[0] ?? 0, 2)],
    [`${name}.tos`, hex(octets[1] ?? 0, 2)],
    [`${name}.length`, announced(length, octets.length)],
    [`${name}.id`, hex(octets.readUInt16BE(4), 4)],
    [`${name}.fragment`, hex(fragment, 4)],
    [`${name}.ttl`, `${octets[8]}`],
    [`${name}.protocol`, `${octets[9]}`],
    [`${name}.checksum`, sum(octets.readUInt16BE(10), internetSum(header) === 0)],
    ...addresses(name, ends),
    ...(header.length > 20 ? rest(`${name}.options`, header.subarray(20)) : []),
    ...transport(body, prefix, octets[9] ?? 0, ends, (fragment & 0x3fff) !== 0),
    ...(octets.length > length ? rest(`${name}.trailer`, octets.subarray(length)) : []),
  ];
}

function ip6(octets: Buffer, prefix: string): Field[] {
  const name = `${prefix}ip6`;
  const length = octets.readUInt16BE(4);
  const next = octets[6] ?? 0;
  const ends = [octets.subarray(8, 24), octets.subarray(24, 40)] as const;
  const body = octets.subarray(40, 40 + length);
  const isFragment = next === 44 && body.length >= 8;
  const inner = isFragment ? body.subarray(8) : body;
  const protocol = isFragment ? (body[0] ?? 0) : next;
  return [
    [`${name}.first`, hex(octets.readUInt32BE(0), 8)],
    [`${name}.length`, announced(length, octets.length - 40)],
    [`${name}.next`, `${next}`],
    [`${name}.hops`, `${octets[7]}`],
    ...addresses(name, ends),
    ...(isFragment ? rest(`${name}.fragment`, body.subarray(0, 8)) : []),
    ...transport(inner, prefix, protocol, ends, isFragment),
    ...(octets.length > 40 + length ? rest(`${name}.trailer`, octets.subarray(40 + length)) : []),
  ];
}

function transport(octets: Buffer, prefix: string, protocol: number, ends: Ends, isFragment: boolean): Field[] {
  const isRight = (): boolean =>
    isFragment || internetSum(pseudoHeader(ends[0], ends[1], protocol, octets.length), octets) === 0;
  if (protocol === 17 && octets.length >= 8) return udp(octets, prefix, isRight());
  if (protocol === 6 && octets.length >= 20) return tcp(octets, prefix, isRight());
  if (protocol === 58 && octets.length >= 8) return icmp(octets, `${prefix}icmp6`, isRight());
  if (protocol === 1 && octets.length >= 8) return icmp(octets, `${prefix}icmp`, internetSum(octets) === 0);
  return rest(`${prefix}payload`, octets);
}

function udp(octets: Buffer, prefix: string, isRight: boolean): Field[] {
  const [source, destination] = [octets.readUInt16BE(0), octets.readUInt16BE(2)];
  const checksum = octets.readUInt16BE(6);
  const body = octets.subarray(8);
  const isTunnel = prefix === '' && (source === 2152 || destination === 2152) && body.length >= 8;
  return [
    [`${prefix}udp.source`, `${source}`],
    [`${prefix}udp.destination`, `${destination}`],
    [`${prefix}udp.length`, announced(octets.readUInt16BE(4), octets.length)],
    [`${prefix}udp.checksum`, checksum === 0 ? 'none' : sum(checksum, isRight)],
    ...(isTunnel ? gtpu(body) : rest(`${prefix}payload`, body)),
  ];
}

function tcp(octets: Buffer, prefix: string, isRight: boolean): Field[] {
  const header = ((octets[12] ?? 0) >> 4) * 4;
  return [
    [`${prefix}tcp.source`, `${octets.readUInt16BE(0)}`],
    [`${prefix}tcp.destination`, `${octets.readUInt16BE(2)}`],
    [`${prefix}tcp.seq`, `${octets.readUInt32BE(4)}`],
    [`${prefix}tcp.ack`, `${octets.readUInt32BE(8)}`],
    [`${prefix}tcp.flags`, hex(octets.readUInt16BE(12), 4)],
    [`${prefix}tcp.window`, `${octets.readUInt16BE(14)}`],
    [`${prefix}tcp.checksum`, sum(octets.readUInt16BE(16), isRight)],
    ...rest(`${prefix}tcp.urgent`, octets.subarray(18, 20)),
    ...rest(`${prefix}tcp.options`, octets.subarray(20, header)),
    ...rest(`${prefix}payload`, octets.subarray(Math.max(header, 20))),
  ];
}

function icmp(octets: Buffer, name: string, isRight: boolean): Field[] {
  return [
    [`${name}.type`, `${octets[0]}`],
    [`${name}.code`, `${octets[1]}`],
    [`${name}.checksum`, sum(octets.readUInt16BE(2), isRight)],
    [`${name}.rest`, hex(octets.readUInt32BE(4), 8)],
    ...rest(`${name}.data`, octets.subarray(8)),
  ];
}

// TS 29.281, 5.1; what follows the extension headers is taken for an IP packet if it looks like one.
function gtpu(octets: Buffer): Field[] {
  const flags = octets[0] ?? 0;
  const hasOption = (flags & 7) !== 0 && octets.length >= 12;
  const chain = hasOption ? extensions(octets.subarray(12), (flags & 4) === 0 ? 0 : (octets[11] ?? 0)) : [];
  const headers = chain.reduce((sum, { bytes }) => sum + bytes.length, hasOption ? 12 : 8);
  const inner = octets.subarray(headers);
  return [
    ['gtpu.flags', hex(flags, 2)],
    ['gtpu.type', `${octets[1]}`],
    ['gtpu.length', announced(octets.readUInt16BE(2), octets.length - 8)],
    ['gtpu.teid', hex(octets.readUInt32BE(4), 8)],
    ...(hasOption ? rest('gtpu.option', octets.subarray(8, 12)) : []),
    ...chain.map(({ type, bytes }, i): Field => [`gtpu.extension${i}`, `${hex(type, 2)} ${bytes.toString('hex')}`]),
    ...network(inner, 'inner.', ETHER_TYPES[(inner[0] ?? 0) >> 4] ?? 0),
  ];
}

const ETHER_TYPES: Readonly<Record<number, number>> = { 4: 0x0800, 6: 0x86dd };

function extensions(octets: Buffer, type: number): { type: number; bytes: Buffer }[] {
  const length = (octets[0] ?? 0) * 4;
  if (type === 0 || length === 0 || length > octets.length) return [];
  const bytes = octets.subarray(0, length);
  return [{ type, bytes }, ...extensions(octets.subarray(length), bytes[length - 1] ?? 0)];
}

function addresses(name: string, [source, destination]: Ends): Field[] {
  const text = (octets: Buffer): string => ipaddr.fromByteArray([...octets]).toString();
  return [
    [`${name}.source`, text(source)],
    [`${name}.destination`, text(destination)],
  ];
}

function rest(name: string, octets: Buffer): Field[] {
  return octets.length === 0 ? [] : [[name, `${octets.length} octets ${octets.toString('hex')}`]];
}

function sum(value: number, isRight: boolean): string {
  return `${hex(value, 4)} ${isRight ? '(right)' : '(wrong)'}`;
}

function announced(length: number, present: number): string {
  return length === present ? `${length}` : `${length} (of ${present})`;
}

function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}
