// SPDX-License-Identifier: MIT
import type { Address, Prefix } from '../values';

/** What stands for the addresses of a kind without any. */
export const NOBODY: Address = { family: 4, bytes: new Uint8Array(4) };

/** Whether an address is all zeros. */
export function isNobody({ bytes }: Address): boolean {
  return bytes.every((octet) => octet === 0);
}

/** An address as maps hold it: 16 octets in network order, IPv4 as ::ffff:a.b.c.d. */
export function toMapped(address: Address): Uint8Array {
  const bytes = new Uint8Array(16);
  if (address.family === 6) bytes.set(address.bytes);
  else {
    bytes.fill(0xff, 10, 12);
    bytes.set(address.bytes, 12);
  }
  return bytes;
}

/** The inverse of toMapped. */
export function fromMapped(bytes: Uint8Array): Address {
  return isMapped(bytes) ? { family: 4, bytes: bytes.slice(12) } : { family: 6, bytes: bytes.slice() };
}

/** Length of a prefix in the 128 bits of a mapped address. */
export function mappedLength(prefix: Prefix): number {
  return prefix.address.family === 4 ? prefix.length + 96 : prefix.length;
}

/** A prefix from a mapped address and its length in 128 bits. */
export function fromMappedPrefix(bytes: Uint8Array, length: number): Prefix {
  const address = fromMapped(bytes);
  return { address, length: address.family === 4 ? length - 96 : length };
}

/** Whether a prefix is one address. */
export function isHost(prefix: Prefix): boolean {
  return prefix.length === prefix.address.bytes.length * 8;
}

/** Octets as a string, for comparison and as a key of a Map. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((octet) => octet === 0);
}
