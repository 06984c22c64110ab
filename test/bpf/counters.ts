// SPDX-License-Identifier: MIT
import type { Structs } from '../../src/datapath/layout.gen';
import { type OpenMaps, total } from '../../src/datapath/maps';
import { dropName } from './session';

/** Packets and octets; the octets are 0n where a counter has none. */
export interface Count {
  readonly packets: bigint;
  readonly bytes: bigint;
}

/** What raised while something was done. */
export interface Raised {
  /** Where the frames went: each raises exactly one of these. */
  readonly counted: readonly string[];
  /** What they told or made beside: answers sent, what peers and sessions are known to have sent. */
  readonly beside: readonly string[];
}

/** Every counter of a world. Halves of sessions that share a TEID share a name, and are added up. */
export interface Counters {
  /** A counter that frames go to. `at` tells apart what shares a name. */
  counts(name: string, at: string, read: () => Count | undefined): void;
  /** A counter of packets that a frame raises beside that. */
  notes(name: string, at: string, read: () => bigint | number | undefined): void;
  forget(): void;
  /** Does something, and tells what it raised. */
  around<T>(act: () => T): T & Raised;
  /** All of them as they stand. */
  snapshot(): Snapshot;
}

/** Counters at one moment: those that frames go to, and those beside. */
export type Snapshot = readonly [ReadonlyMap<string, Count>, ReadonlyMap<string, Count>];

/** What was raised between two moments. */
export function raisedBetween(before: Snapshot, after: Snapshot): Raised {
  return {
    counted: raised(before[0], after[0], ({ packets, bytes }) => `${packets} ${bytes}`),
    beside: raised(before[1], after[1], ({ packets }) => `${packets}`),
  };
}

/** The counters of `maps`; those of drops are there by themselves. */
export function makeCounters(maps: OpenMaps): Counters {
  const main = new Map<string, Reader>();
  const notes = new Map<string, Reader>();
  const snapshot = (): Snapshot => [readAll(main.values(), maps), readAll(notes.values())];
  return {
    counts: (name, at, read) => void main.set(`${name} ${at}`, { name, read }),
    notes: (name, at, read) => void notes.set(`${name} ${at}`, { name, read: () => packets(read()) }),
    forget: () => {
      main.clear();
      notes.clear();
    },
    around: (act) => {
      const before = snapshot();
      const done = act();
      return { ...done, ...raisedBetween(before, snapshot()) };
    },
    snapshot,
  };
}

/** A counter of packets alone. */
export function packets(value: bigint | number | undefined): Count | undefined {
  return value === undefined ? undefined : { packets: BigInt(value), bytes: 0n };
}

interface Reader {
  readonly name: string;
  read(): Count | undefined;
}

const NONE: Count = { packets: 0n, bytes: 0n };

function readAll(readers: Iterable<Reader>, maps?: OpenMaps): Map<string, Count> {
  const all = new Map<string, Count>();
  const add = (name: string, { packets, bytes }: Count): void => {
    const old = all.get(name) ?? NONE;
    all.set(name, { packets: old.packets + packets, bytes: old.bytes + bytes });
  };
  for (const { name, read } of readers) add(name, read() ?? NONE);
  for (const [key, perCpu] of maps?.drops.entries() ?? []) add(dropName(key), total<Structs['drop_count']>(perCpu));
  return all;
}

function raised(
  before: ReadonlyMap<string, Count>,
  after: ReadonlyMap<string, Count>,
  text: (count: Count) => string,
): string[] {
  return [...after].flatMap(([name, { packets, bytes }]) => {
    const old = before.get(name) ?? NONE;
    const more = { packets: packets - old.packets, bytes: bytes - old.bytes };
    return more.packets === 0n && more.bytes === 0n ? [] : [`${name}: ${text(more)}`];
  });
}
