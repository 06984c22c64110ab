// SPDX-License-Identifier: MIT
import { addWords, pseudoSum } from '../rules/sum';
import type { Lies } from './lies';
import type { Random } from './random';

const IP = 14;
const UDP = 17;
const GRE = 47;
const MENDED = [UDP, GRE, 115];

/** Changes a frame without regard to what its octets mean; afterwards lengths and checksums may be made right again. */
export function change(random: Random, lies: Lies, frame: Buffer): Buffer {
  let changed = frame;
  if (lies.has('cut')) changed = Buffer.from(changed.subarray(0, IP + random.below(changed.length - IP + 1)));
  if (lies.has('longer')) changed = Buffer.concat([changed, random.octets(1 + random.below(40))]);
  if (lies.has('bit') && changed.length > IP) {
    const at = IP + random.below(changed.length - IP);
    changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
  }
  if (lies.has('octet') && changed.length > IP)
    changed[IP + random.below(changed.length - IP)] = random.pick([0, 1, 4, 0x7f, 0x80, 0xff, random.below(256)]);
  const isTouched = changed !== frame || lies.has('bit') || lies.has('octet');
  return isTouched && random.chance(60) ? mend(changed, random.chance(70)) : changed;
}

/** The frame with right checksums and, if wanted, lengths of IP and UDP; as it is when there is no UDP or tunnel in it. */
export function mend(frame: Buffer, withLengths: boolean): Buffer {
  const mended = Buffer.from(frame);
  const isV4 = mended.length >= IP + 20 && mended.readUInt16BE(12) === 0x0800;
  const isV6 = mended.length >= IP + 40 && mended.readUInt16BE(12) === 0x86dd;
  if (!isV4 && !isV6) return mended;
  const protocol = mended[isV4 ? IP + 9 : IP + 6] ?? 0;
  const at = isV4 ? IP + ((mended[IP] ?? 0) & 15) * 4 : IP + 40;
  if (!MENDED.includes(protocol) || mended.length < at + (protocol === UDP ? 8 : 0)) return mended;
  if (withLengths) mendLengths(mended, at, isV4, protocol);
  if (isV4) mendHeader(mended, at);
  mendSum(mended, at, isV4, protocol);
  return mended;
}

function mendSum(frame: Buffer, at: number, isV4: boolean, protocol: number): void {
  if (protocol === UDP) mendUdp(frame, at, isV4);
  else if (protocol === GRE) mendGre(frame, at, isV4);
}

function mendHeader(frame: Buffer, end: number): void {
  frame.writeUInt16BE(0, IP + 10);
  frame.writeUInt16BE(~addWords(frame, IP, end) & 0xffff, IP + 10);
}

function mendLengths(frame: Buffer, at: number, isV4: boolean, protocol: number): void {
  frame.writeUInt16BE(frame.length - (isV4 ? IP : at), isV4 ? IP + 2 : IP + 4);
  if (protocol === UDP) frame.writeUInt16BE(frame.length - at, at + 4);
}

function mendGre(frame: Buffer, at: number, isV4: boolean): void {
  const length = isV4 ? IP + frame.readUInt16BE(IP + 2) : at + frame.readUInt16BE(IP + 4);
  if (frame.length < at + 8 || length < at + 8 || (frame.readUInt16BE(at) & 0x8000) === 0) return;
  frame.writeUInt16BE(0, at + 4);
  frame.writeUInt16BE(~addWords(frame, at, Math.min(length, frame.length)) & 0xffff, at + 4);
}

function mendUdp(frame: Buffer, udpAt: number, isV4: boolean): void {
  const covered = Math.min(frame.readUInt16BE(udpAt + 4), frame.length - udpAt);
  const ends = isV4 ? ([12, 16, 20] as const) : ([8, 24, 40] as const);
  const [source, destination] = [
    frame.subarray(IP + ends[0], IP + ends[1]),
    frame.subarray(IP + ends[1], IP + ends[2]),
  ] as const;
  frame.writeUInt16BE(0, udpAt + 6);
  const sum = addWords(frame, udpAt, udpAt + covered, pseudoSum(source, destination, covered));
  frame.writeUInt16BE(~sum & 0xffff || 0xffff, udpAt + 6);
}
