// SPDX-License-Identifier: MIT

/** An Echo Request of version 1. */
export const echoRequest = (sequence: number): Buffer => hex(`32010004 00000000 ${hex16(sequence)} 0000`);

/** The Echo Response that it has to get (G13, G14). */
export const echoResponse = (sequence: number): Buffer => hex(`32020006 00000000 ${hex16(sequence)} 0000 0e00`);

/** An Echo Request of version 0 (Z3). */
export const echoRequest0 = (sequence: number): Buffer =>
  hex(`1e010000 ${hex16(sequence)} 0000 ffffffff ${'00'.repeat(8)}`);

/** The Echo Response of version 0 that it has to get, with the restart counter (Z4). */
export const echoResponse0 = (sequence: number, restarts: number): Buffer =>
  hex(`1e020002 ${hex16(sequence)} 0000 ffffffff ${'00'.repeat(8)} 0e ${hex8(restarts)}`);

/** An Error Indication about a TEID of an address (its octets); with the source port of the packet that caused it (G17). */
export function errorIndication(teid: number, address: Buffer, port?: number): Buffer {
  const extension = port === undefined ? '' : `01 ${hex16(port)} 00`;
  const elements = `10 ${hex32(teid)} 85 ${hex16(address.length)} ${address.toString('hex')}`;
  const optional = `0000 00 ${port === undefined ? '00' : '40'} ${extension}`;
  const body = hex(`${optional} ${elements}`);
  return Buffer.concat([hex(`${port === undefined ? '32' : '36'} 1a ${hex16(body.length)} 00000000`), body]);
}

/** A Supported Extension Headers Notification. */
export const notification = (...types: readonly number[]): Buffer =>
  hex(`32 1f ${hex16(6 + types.length)} 00000000 0000 0000 8d ${hex8(types.length)} ${types.map(hex8).join('')}`);

/** The extension headers that our endpoint says to know (G5). */
export const knownExtensions = [0x03, 0x04, 0x20, 0x40, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0xc0] as const;

/** An End Marker. */
export const endMarker = (teid: number): Buffer => hex(`30fe0000 ${hex32(teid)}`);

/** A G-PDU with one extension header of a type, whose content is zero, and a T-PDU. */
export const withExtension = (teid: number, type: number, inner = Buffer.alloc(20)): Buffer =>
  Buffer.concat([hex(`34ff ${hex16(8 + inner.length)} ${hex32(teid)} 0000 00 ${hex8(type)} 01 0000 00`), inner]);

/** Octets from hex digits, blanks between them. */
export const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(' ', ''), 'hex');

/** An address as the octets of a message; IPv6 as eight groups or with one `::`. */
export function addressOctets(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number));
  const [head = [], tail] = address.split('::').map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - head.length - tail.length }, () => '0');
  return hex([...head, ...zeros, ...(tail ?? [])].map((group) => group.padStart(4, '0')).join(''));
}

const hex8 = (value: number): string => value.toString(16).padStart(2, '0');
const hex16 = (value: number): string => value.toString(16).padStart(4, '0');
const hex32 = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
