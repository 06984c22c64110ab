// SPDX-License-Identifier: MIT

/** What the programs' coarse clock says (now_coarse in bpf/session.h): CLOCK_MONOTONIC in units of 2^30 ns, 32 bits. */
export function coarseNow(): number {
  return Number(BigInt.asUintN(32, process.hrtime.bigint() >> UNIT_BITS));
}

/** Whole seconds since a reading of the coarse clock; null for 0, which says "never". */
export function secondsSince(seen: number): number | null {
  return seen === 0 ? null : Math.round((Math.max(0, coarseNow() - seen) * 2 ** Number(UNIT_BITS)) / 1e9);
}

const UNIT_BITS = 30n;
