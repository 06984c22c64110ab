// SPDX-License-Identifier: MIT
import { type Fault, fault } from './outcome';
import type { Prefix, Receiving } from './tables';

/** The packet in a T-PDU, without what follows it (G28, X13). */
export function readInner(tpdu: Buffer): Buffer | Fault {
  if (tpdu.length === 0) return fault('empty', 'no T-PDU');
  const version = (tpdu[0] ?? 0) >> 4;
  if (version !== 4 && version !== 6) return fault('bad_inner', 'version');
  const length = version === 4 ? length4(tpdu) : length6(tpdu);
  if (typeof length !== 'number') return length;
  return length > tpdu.length ? fault('bad_inner', 'longer than the T-PDU') : tpdu.subarray(0, length);
}

function length4(tpdu: Buffer): number | Fault {
  if (tpdu.length < 20) return fault('bad_inner', 'cut header');
  const header = ((tpdu[0] ?? 0) & 15) * 4;
  if (header < 20) return fault('bad_inner', 'IHL');
  if (header > tpdu.length) return fault('bad_inner', 'cut header');
  const length = tpdu.readUInt16BE(2);
  return length < header ? fault('bad_inner', 'shorter than its header') : length;
}

function length6(tpdu: Buffer): number | Fault {
  return tpdu.length < 40 ? fault('bad_inner', 'cut header') : 40 + tpdu.readUInt16BE(4);
}

/** Whether the inner address of the UE is the session's (G29). */
export function isFromUe(inner: Buffer, session: Receiving): boolean {
  const isV4 = (inner[0] ?? 0) >> 4 === 4;
  const size = isV4 ? 4 : 16;
  const at = (isV4 ? 12 : 8) + (session.role === 'ggsn' ? 0 : size);
  return isOfUe(inner.subarray(at, at + size), session);
}

/** Whether an address is one of the session's UE. */
export function isOfUe(address: Buffer, { ue }: Receiving): boolean {
  return ue.some((prefix) => covers(prefix, address.toString('hex')));
}

function covers(prefix: Prefix, address: string): boolean {
  if (prefix.address.length !== address.length) return false;
  const free = BigInt(address.length * 4 - prefix.length);
  return BigInt(`0x${prefix.address}`) >> free === BigInt(`0x${address}`) >> free;
}

const NOT_ECT = 0;
const ECT1 = 1;
const ECT0 = 2;
const CE = 3;

/** The inner packet with the outer ECN field joined to its own (X2; RFC 6040, 4.2). */
export function joinEcn(inner: Buffer, outerTos: number): Buffer | Fault {
  const isV4 = (inner[0] ?? 0) >> 4 === 4;
  const outer = outerTos & 3;
  const own = isV4 ? (inner[1] ?? 0) & 3 : ((inner[1] ?? 0) >> 4) & 3;
  if (own === NOT_ECT) return outer === CE ? fault('ecn', 'CE on Not-ECT') : inner;
  const result = outer === CE ? CE : outer === ECT1 && own === ECT0 ? ECT1 : own;
  return result === own ? inner : mark(inner, result);
}

function mark(inner: Buffer, ecn: number): Buffer {
  const marked = Buffer.from(inner);
  if ((inner[0] ?? 0) >> 4 === 6) {
    marked[1] = ((marked[1] ?? 0) & 0xcf) | (ecn << 4);
    return marked;
  }
  marked[1] = ((marked[1] ?? 0) & 0xfc) | ecn;
  marked.writeUInt16BE(updated(marked.readUInt16BE(10), inner.readUInt16BE(0), marked.readUInt16BE(0)), 10);
  return marked;
}

/** A checksum after one word that it covers has changed (RFC 1624, equation 3). */
function updated(checksum: number, from: number, to: number): number {
  let sum = (~checksum & 0xffff) + (~from & 0xffff) + to;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}
