// SPDX-License-Identifier: MIT

/** Adds octets as 16-bit words, an odd one padded (RFC 1071); the result is folded to 16 bits, not complemented. */
export function addWords(octets: Buffer, from = 0, to = octets.length, start = 0): number {
  let sum = start;
  let at = from;
  for (; at + 1 < to; at += 2) sum += ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
  if (at < to) sum += (octets[at] ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

/** The folded sum of the pseudo header of UDP. */
export function pseudoSum(source: Buffer, destination: Buffer, length: number): number {
  return addWords(destination, 0, destination.length, addWords(source, 0, source.length, 17 + length));
}
