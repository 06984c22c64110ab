// SPDX-License-Identifier: MIT
import { addWords } from '../rules/sum';
import type { Receiving } from '../rules/tables';
import { type Lies, lengthLie } from './lies';
import type { Random } from './random';

const STRANGERS = [
  '0a2d0003',
  '0a2e0001',
  'c6336409',
  '20010db8004500000000000000000003',
  'fe800000000000000000000000000001',
];

/** A user's packet, mostly of the session's UE, sometimes with octets behind it or with something wrong. */
export function makeInner(random: Random, lies: Lies, session: Receiving | undefined): Buffer {
  if (lies.has('no inner')) return Buffer.alloc(0);
  if (lies.has('garbage')) return random.octets(random.below(60));
  const isV4 = random.chance(60);
  const size = isV4 ? 4 : 16;
  const user = ueAddress(random, session, isV4) ?? stranger(random, size);
  const other = stranger(random, size);
  const isUp = (session?.role === 'sgsn') !== lies.has('inner address');
  const ends = isUp ? [other, user] : [user, other];
  const payload = random.octets(random.below(40));
  const packet = isV4 ? packet4(random, ends, payload) : packet6(random, ends, payload);
  if (lies.has('inner')) spoil(random, packet, isV4);
  const cut = lies.has('inner cut') ? packet.subarray(0, random.below(packet.length)) : packet;
  return random.chance(10) ? Buffer.concat([cut, random.octets(random.below(20))]) : cut;
}

function ueAddress(random: Random, session: Receiving | undefined, isV4: boolean): Buffer | undefined {
  const prefixes = (session?.ue ?? []).filter(({ address }) => (address.length === 8) === isV4);
  if (prefixes.length === 0) return undefined;
  const { address, length } = random.pick(prefixes);
  const octets = Buffer.from(address, 'hex');
  // Any host of the prefix; now and then the one before or behind it.
  const free = octets.length * 8 - length;
  if (free >= 8) octets[octets.length - 1] = random.below(256);
  else if (free > 0) octets[octets.length - 1] = (octets[octets.length - 1] ?? 0) | random.below(1 << free);
  if (random.chance(5)) octets[octets.length - 1] = (octets[octets.length - 1] ?? 0) ^ 0x80;
  return octets;
}

function stranger(random: Random, size: number): Buffer {
  return Buffer.from(random.pick(STRANGERS.filter((address) => address.length === size * 2)), 'hex');
}

function packet4(random: Random, ends: readonly Buffer[], payload: Buffer): Buffer {
  const options = random.octets(random.chance(10) ? 4 * random.below(11) : 0);
  const header = Buffer.concat([Buffer.alloc(12), ...ends, options]);
  header[0] = 0x45 + options.length / 4;
  header[1] = random.below(256);
  header.writeUInt16BE(header.length + payload.length, 2);
  header.writeUInt16BE(random.pick([0, 0x4000, 0x2000, 0x00b9]), 6);
  header[8] = random.pick([0, 1, 64, 255]);
  header[9] = random.pick([6, 17, 1, 132, 50]);
  header.writeUInt16BE(random.chance(5) ? random.below(65536) : ~addWords(header) & 0xffff, 10);
  return Buffer.concat([header, payload]);
}

function packet6(random: Random, ends: readonly Buffer[], payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE((0x60000000 + random.below(0x10000000)) >>> 0);
  header.writeUInt16BE(payload.length, 4);
  header[6] = random.pick([6, 17, 58, 44, 0]);
  header[7] = random.pick([0, 1, 64, 255]);
  return Buffer.concat([header, ...ends, payload]);
}

function spoil(random: Random, packet: Buffer, isV4: boolean): void {
  const at = isV4 ? 2 : 4;
  if (random.chance(20)) packet[0] = (random.below(16) << 4) | ((packet[0] ?? 0) & 15);
  else if (isV4 && random.chance(50)) packet[0] = 0x40 | random.below(16);
  else packet.writeUInt16BE(lengthLie(random, packet.readUInt16BE(at)), at);
}
