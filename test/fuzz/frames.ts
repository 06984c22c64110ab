// SPDX-License-Identifier: MIT
import { addWords, pseudoSum } from '../rules/sum';
import type { Receiving } from '../rules/tables';
import { chooseLies, type Lies, lengthLie } from './lies';
import { makeMessage } from './message';
import { change } from './octets';
import { endpoints, hex, peers, sessions } from './places';
import type { Random } from './random';
import { makeTunnelFrame } from './tunnels';

/** A frame that is nearly right. */
export function makeFrame(random: Random): Buffer {
  const lies = chooseLies(random);
  if (random.chance(40)) return makeTunnelFrame(random, lies);
  const session = random.chance(80) ? random.pick(sessions) : undefined;
  const endpoint = (session && endpointOf(session)) ?? random.pick(endpoints);
  const message = makeMessage(random, lies, endpoint, session);
  return wrap(random, lies, endpoint, session, UDP, message);
}

/** Where a frame goes: an endpoint. */
export interface Place {
  readonly local: string;
  readonly port: number;
  readonly zeroChecksum?: boolean;
}

const UDP = 17;

/** Outer headers around a message, with lies in them. */
export function wrap(
  random: Random,
  lies: Lies,
  place: Place,
  session: Receiving | undefined,
  protocol: number,
  message: Buffer,
): Buffer {
  const ends = [sourceOf(random, lies, place, session), destinationOf(random, lies, place)] as const;
  const content = protocol === UDP ? udp(random, lies, place, session, ends, message) : message;
  const packet =
    place.local.length === 8 ? ip4(random, lies, ends, content, protocol) : ip6(random, lies, ends, content, protocol);
  return change(random, lies, Buffer.concat([ethernet(random, lies, place), packet, padding(random)]));
}

type Ends = readonly [source: Buffer, destination: Buffer];

function endpointOf({ local, port }: Receiving): (typeof endpoints)[number] | undefined {
  return endpoints.find((endpoint) => endpoint.local === local && endpoint.port === port);
}

// The octets that a short Ethernet frame is filled up with.
function padding(random: Random): Buffer {
  return random.chance(8) ? random.octets(random.below(24)) : Buffer.alloc(0);
}

function ethernet(random: Random, lies: Lies, { local }: Place): Buffer {
  const header = Buffer.from(`00000000000002000000000a${local.length === 8 ? '0800' : '86dd'}`, 'hex');
  if (lies.has('vlan'))
    return Buffer.concat([header.subarray(0, 12), Buffer.from('81000005', 'hex'), header.subarray(12)]);
  if (lies.has('ether type')) header.writeUInt16BE(random.pick([0x0800, 0x86dd, 0x0806, random.below(65536)]), 12);
  return header;
}

const NO_HOSTS = {
  4: ['00000000', '00010203', 'e0000001', 'f0000001', 'ffffffff', 'efffffff', '01000000', 'dfffffff', '7f000001'],
  6: ['0'.repeat(32), `ff${'0'.repeat(29)}2`, `ff02${'0'.repeat(27)}1`, `${'0'.repeat(31)}1`],
} as const;

function sourceOf(random: Random, lies: Lies, { local }: Place, session: Receiving | undefined): Buffer {
  const family = local.length === 8 ? 4 : 6;
  if (!lies.has('source')) return Buffer.from(session?.remote ?? hex(random.pick(peers[family])), 'hex');
  const mapped = family === 6 ? [`00000000000000000000ffff${hex(peers[4][0])}`] : [];
  return Buffer.from(random.pick([...NO_HOSTS[family], ...peers[family].map(hex), local, ...mapped]), 'hex');
}

function destinationOf(random: Random, lies: Lies, { local }: Place): Buffer {
  if (!lies.has('destination')) return Buffer.from(local, 'hex');
  const sameFamily = endpoints.map((endpoint) => endpoint.local).filter((other) => other.length === local.length);
  const mapped = local.length === 8 ? [] : [`00000000000000000000ffff${endpoints[0]?.local}`];
  const strange = local.length === 8 ? ['c0000263', 'ffffffff', 'e0000001'] : [`${local.slice(0, 31)}f`, ...mapped];
  return Buffer.from(random.pick([...sameFamily, ...strange]), 'hex');
}

function udp(
  random: Random,
  lies: Lies,
  endpoint: Place,
  session: Receiving | undefined,
  ends: Ends,
  message: Buffer,
): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(lies.has('source port') ? 0 : random.pick([2152, 3386, 40000, 65535, 1]), 0);
  header.writeUInt16BE(lies.has('port') ? random.pick([2152, 3386, 9000, 53]) : endpoint.port, 2);
  // Octets behind the datagram belong to nobody.
  const behind = random.chance(4) ? random.octets(random.below(20)) : Buffer.alloc(0);
  const right = 8 + message.length;
  header.writeUInt16BE(lies.has('UDP length') ? lengthLie(random, right) : right, 4);
  const datagram = Buffer.concat([header, message, behind]);
  const isV6 = ends[0].length === 16;
  const mayBeZero = !isV6 || ((session ?? endpoint).zeroChecksum ?? false);
  if (mayBeZero ? random.chance(20) : lies.has('UDP zero')) return datagram;
  const covered = Math.min(datagram.length, header.readUInt16BE(4));
  const sum = addWords(datagram, 0, covered, pseudoSum(...ends, covered));
  datagram.writeUInt16BE(~sum & 0xffff || 0xffff, 6);
  if (lies.has('UDP checksum')) datagram.writeUInt16BE(wrongSum(random, datagram.readUInt16BE(6), ends, covered), 6);
  return datagram;
}

/** Another checksum; now and then the one that looks like an open one. */
function wrongSum(random: Random, right: number, ends: Ends, covered: number): number {
  if (random.chance(10)) return pseudoSum(...ends, covered);
  return right ^ (1 << random.below(16));
}

const TOS = [0, 1, 2, 3, 0xb8, 0xb9, 0xba, 0xbb, 255];

function ip4(random: Random, lies: Lies, ends: Ends, datagram: Buffer, protocol: number): Buffer {
  const options = random.octets(random.chance(10) ? 4 * random.below(11) : 0);
  const header = Buffer.concat([Buffer.alloc(12), ...ends, options]);
  header[0] = lies.has('IP version') ? random.below(256) : 0x45 + options.length / 4;
  header[1] = random.pick(TOS);
  const right = header.length + datagram.length;
  header.writeUInt16BE(lies.has('IP length') ? lengthLie(random, right) : right, 2);
  header.writeUInt16BE(random.below(65536), 4);
  header.writeUInt16BE(
    lies.has('fragment') ? random.pick([0x2000, 1, 0x3fff, 0x8000, 0x2001]) : random.pick([0, 0x4000]),
    6,
  );
  header[8] = random.pick([0, 1, 64, 255]);
  header[9] = lies.has('IP protocol') ? random.pick([6, 1, 41, random.below(256)]) : protocol;
  const sum = ~addWords(header) & 0xffff;
  header.writeUInt16BE(lies.has('IP checksum') ? random.pick([0, 0xffff, sum ^ (1 << random.below(16))]) : sum, 10);
  return Buffer.concat([header, datagram]);
}

function ip6(random: Random, lies: Lies, ends: Ends, datagram: Buffer, protocol: number): Buffer {
  const before = random.chance(15) || lies.has('headers') || lies.has('fragment') ? headers6(random, lies) : [];
  const last = lies.has('IP protocol') ? random.pick([6, 58, 59, random.below(256)]) : protocol;
  const types = [...before.map(({ type }) => type), last];
  const chain = before.map(({ octets }, i) => Buffer.concat([Buffer.from([types[i + 1] ?? 0]), octets]));
  const header = Buffer.alloc(8);
  header.writeUInt32BE((0x60000000 + random.pick(TOS) * 0x100000 + random.below(0x100000)) >>> 0);
  if (lies.has('IP version')) header[0] = random.below(256);
  const right = chain.reduce((sum, { length }) => sum + length, datagram.length);
  header.writeUInt16BE(lies.has('IP length') ? lengthLie(random, right) : right, 4);
  header[6] = types[0] ?? 0;
  header[7] = random.pick([0, 1, 64, 255]);
  return Buffer.concat([header, ...ends, ...chain, datagram]);
}

/** Extension headers of IPv6 without their first octet, the type of the next one. */
function headers6(random: Random, lies: Lies): { type: number; octets: Buffer }[] {
  const count = lies.has('headers') && random.chance(40) ? 5 : 1 + random.below(4);
  return Array.from({ length: count }, () => {
    const type = random.pick(lies.has('headers') ? [0, 43, 60, 44, 51, 135] : [0, 43, 60, 44]);
    if (type === 44) return { type, octets: fragment(random, lies) };
    const units = random.below(3);
    const told = lies.has('headers') && random.chance(15) ? random.below(256) : units;
    return { type, octets: Buffer.concat([Buffer.from([told]), random.octets(6 + units * 8)]) };
  });
}

/** An atomic one (RFC 6946) unless it is to be a fragment. */
function fragment(random: Random, lies: Lies): Buffer {
  const offset = lies.has('fragment') ? random.pick([1, 8, 0xfff9]) : random.pick([0, 0, 6]);
  return Buffer.concat([Buffer.from([0, offset >> 8, offset & 255]), random.octets(4)]);
}
