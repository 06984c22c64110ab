// SPDX-License-Identifier: MIT
import type { Random } from './random';

/** What may be wrong with a frame; the rest of it is right, so that the checks behind are reached. */
const LIES = [
  'ether type',
  'vlan',
  'IP version',
  'IP length',
  'IP checksum',
  'IP protocol',
  'fragment',
  'headers',
  'source',
  'destination',
  'port',
  'source port',
  'UDP length',
  'UDP checksum',
  'UDP zero',
  'tunnel version',
  'tunnel flags',
  'tunnel checksum',
  'tunnel control',
  'tunnel key',
  'tunnel option',
  'option length',
  'protocol',
  'cookie',
  'frame cut',
  'frame type',
  'tag',
  'GTP version',
  'GTP type',
  'GTP length',
  'TEID',
  'flags',
  'chain',
  'chain type',
  'elements',
  'element length',
  'no inner',
  'garbage',
  'inner',
  'inner cut',
  'inner address',
  'cut',
  'longer',
  'bit',
  'octet',
] as const;

export type Lie = (typeof LIES)[number];
export type Lies = ReadonlySet<Lie>;

// What few frames can show, as it concerns one kind of message or takes several steps.
const RARE = [
  ...(['chain', 'chain', 'chain', 'chain', 'chain type', 'chain type', 'chain type', 'source'] as const),
  ...(['elements', 'elements', 'inner', 'headers', 'TEID', 'flags'] as const),
] as const;
const CHOICE: readonly Lie[] = [...LIES, ...RARE];

/** None, one, or a few. */
export function chooseLies(random: Random): Lies {
  const count = random.pick([0, 0, 1, 1, 1, 1, 1, 1, 2, 3]);
  return new Set(Array.from({ length: count }, () => random.pick(CHOICE)));
}

/** A length near the right one, at an edge, or anywhere; 16 bits. */
export function lengthLie(random: Random, right: number): number {
  const near = [-1, 1, -2, 2, -4, 4, -8, 8, -12, -16, -20, 16];
  if (random.chance(60)) return (right + random.pick(near)) & 0xffff;
  return random.chance(60) ? random.pick([0, 1, 4, 7, 8, 15, 16, 19, 20, 0xffff]) : random.below(right + 64);
}
