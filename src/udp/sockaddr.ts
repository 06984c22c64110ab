// SPDX-License-Identifier: MIT
import { AF_INET, AF_INET6 } from '../bindings/libc';
import type { Address } from '../values';

/** An address with a UDP port. */
export type Endpoint = { readonly address: Address; readonly port: number };

/** The largest struct sockaddr that is read here. */
export const SOCKADDR_MAX = 28;

/** The AF_* of an address. */
export function familyOf(address: Address): number {
  return address.family === 4 ? AF_INET : AF_INET6;
}

/** A struct sockaddr_in or sockaddr_in6. */
export function encodeSockaddr({ address, port }: Endpoint): Buffer {
  const bytes = Buffer.alloc(address.family === 4 ? 16 : SOCKADDR_MAX);
  bytes.writeUInt16LE(familyOf(address), 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(address.bytes, address.family === 4 ? 4 : 8);
  return bytes;
}

/** The inverse of encodeSockaddr; undefined for other families, AF_UNSPEC among them. */
export function decodeSockaddr(bytes: Buffer): Endpoint | undefined {
  const family = bytes.length < 16 ? 0 : bytes.readUInt16LE(0);
  if (family === AF_INET) return endpoint(4, bytes.subarray(4, 8), bytes);
  if (family === AF_INET6 && bytes.length >= 24) return endpoint(6, bytes.subarray(8, 24), bytes);
  return undefined;
}

function endpoint(family: 4 | 6, octets: Uint8Array, bytes: Buffer): Endpoint {
  return { address: { family, bytes: Uint8Array.from(octets) }, port: bytes.readUInt16BE(2) };
}
