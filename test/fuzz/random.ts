// SPDX-License-Identifier: MIT

/** Numbers that look random and are the same for the same seed. */
export interface Random {
  /** 0 to limit - 1. */
  below(limit: number): number;
  /** True in so many of 100 cases. */
  chance(percent: number): boolean;
  pick<T>(list: readonly T[]): T;
  octets(length: number): Buffer;
}

/** The numbers of one seed (mulberry32). */
export function makeRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return (word ^ (word >>> 14)) >>> 0;
  };
  const below = (limit: number): number => next() % limit;
  return {
    below,
    chance: (percent) => below(100) < percent,
    pick: <T>(list: readonly T[]) => list[below(list.length)] as T,
    octets: (length) => {
      const octets = Buffer.alloc(length);
      for (let at = 0; at < length; at++) octets[at] = next() >>> 24;
      return octets;
    },
  };
}

/** The numbers for frame `index` of a run: every frame can be made without those before it. */
export function randomOf(seed: number, index: number): Random {
  return makeRandom(Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(index + 1, 0xc2b2ae35));
}
