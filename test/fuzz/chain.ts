// SPDX-License-Identifier: MIT
import type { Lies } from './lies';
import type { Random } from './random';

const GOOD = [0x03, 0x04, 0x20, 0x40, 0x81, 0x82, 0x83, 0x84, 0x85, 0x85, 0x85, 0x86, 0xc0, 0x01, 0x7f];

/** The type of the first extension header and the chain of them. */
export function makeChain(random: Random, lies: Lies): Buffer {
  const count =
    lies.has('chain') && random.chance(30) ? 9 + random.below(2) : random.pick([0, 1, 1, 1, 1, 2, 2, 3, 4, 8]);
  const types = Array.from({ length: count }, () => random.pick(GOOD));
  if (lies.has('chain type')) types[random.below(types.length + 1)] = random.below(256);
  const wrong = lies.has('chain') ? random.below(count + 1) : -1;
  const parts = types.map((type, i) => extension(random, type, types[i + 1] ?? 0, i === wrong));
  return Buffer.concat([Buffer.from([types[0] ?? 0]), ...parts]);
}

function extension(random: Random, type: number, next: number, isWrong: boolean): Buffer {
  const units = random.chance(2) ? 255 : 1 + random.below(type === 0x85 ? 2 : 4);
  const content = random.octets(units * 4 - 2);
  const told = isWrong ? random.pick([0, 0, units + 1, units - 1, 255]) : units;
  return Buffer.concat([Buffer.from([told & 255]), content, Buffer.from([next])]);
}
