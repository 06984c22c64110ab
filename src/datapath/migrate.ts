// SPDX-License-Identifier: MIT
import { lookup, MAP_TYPE, type PutFlag, type RawMap, slotBytes, update, updateBatch } from '../bindings/bpf-map';
import { testRun } from '../bindings/bpf-run';
import { isErrno, KernelError } from '../errors';
import { encode } from './codec';
import { Unfit } from './convert';
import { grow } from './layout.gen';
import { hasBatch, type RawEntry, scanRaw } from './maps';
import { entryConversion, isSameKey, type Shape } from './shape';
import { type NumberType, placesOf, readNumber, writeNumber } from './types';

/** Maps between which entries go. */
export interface Passage {
  readonly name: string;
  readonly was: RawMap;
  readonly is: RawMap;
  readonly shapes: { readonly was: Shape; readonly is: Shape };
  /** What counters were when they were copied, by key; undefined: the map has none. */
  readonly base: RawMap | undefined;
}

/** A passage with all that can be known of it before the first entry. */
export interface Migration extends Passage {
  readonly convert: (entry: RawEntry) => [key: Buffer, value: Buffer];
  readonly keepsKeys: boolean;
  readonly counters: readonly Place[];
  readonly given: readonly Place[];
}

/** Finds out how entries of one map become entries of the other. Throws Unfit where they cannot. */
export function migration(passage: Passage): Migration {
  const { was, is, shapes } = passage;
  const { value } = shapes.is;
  return {
    ...passage,
    convert: entryConverter(was, is, shapes),
    keepsKeys: isSameKey(shapes.was, shapes.is),
    counters: countersOf(shapes.is),
    given: value === undefined ? [] : placesOf(value, 'given out'),
  };
}

/** Where counters stand in a value of that shape. */
export function countersOf({ value }: Shape): Place[] {
  return value === undefined ? [] : placesOf(value, 'counts');
}

/**
 * Copies every entry, converted, into a map that no program uses yet. Throws Unfit when one does not fit or two become one.
 * Programs go on counting in the old map meanwhile: see `growCounters`.
 */
export function copyEntries({ was, is, base, convert, keepsKeys, counters, given }: Migration): void {
  const entries = writer(is, keepsKeys ? 'any' : 'noexist');
  const counts = base && writer(base, 'any');
  for (const entry of scanRaw(was)) {
    if (isArray(was) && entry.keys.readUInt32LE(entry.key) >= is.info.maxEntries) {
      if (entry.values.subarray(entry.value, entry.value + was.valueBytes).every((octet) => octet === 0)) continue;
      throw new Unfit(`entry ${entry.keys.readUInt32LE(entry.key)}: there are ${is.info.maxEntries} now`);
    }
    const [key, value] = convert(entry);
    counts?.put(key, packed(totals(is, counters, value)));
    for (const { at, type } of given) {
      const next = readNumber(type, value, at) + AHEAD;
      writeNumber(type, value, at, BigInt.asUintN(type.size * 8, next));
    }
    entries.put(key, value);
  }
  entries.flush();
  counts?.flush();
}

/**
 * Adds what the old map has counted since it was copied, when no program uses it any more; `growFd` is the program `grow` of those that
 * use the new one. Entries that only the old one has are copied. To be done again after a kill, it adds nothing twice.
 */
export function growCounters({ name, was, is, base, convert, counters }: Migration, growFd: number): void {
  if (base === undefined) return;
  for (const entry of scanRaw(was)) {
    const [key, value] = convert(entry);
    const now = totals(is, counters, value);
    const before = unpacked(lookup(base, key), counters.length);
    const by = now.map((count, i) => count - (before[i] ?? 0n));
    if (by.every((count) => count === 0n)) continue;
    const add = (): boolean => addTo(growFd, name, key, counters, by);
    if (!add()) putNew(is, key, value, add);
    update(base, key, packed(now));
  }
}

/** Octets of a value of `base`: each counter as 64 bits. */
export function baseSize(shape: Shape): number {
  return 8 * countersOf(shape).length;
}

/** Where a number stands in a value. */
export type Place = { readonly at: number; readonly type: NumberType };

// How far ahead of a number that is given out once its successors begin: of those that are 16 bits on the wire that is still ahead.
const AHEAD = 8192n;
const BATCH = 4096;
// struct growth of bpf/grow.h
const KEY_OCTETS = 64;
const COUNTERS = 8;

function entryConverter(was: RawMap, is: RawMap, shapes: Passage['shapes']): Migration['convert'] {
  const convert = entryConversion(shapes.was, shapes.is);
  const [wasSlot, isSlot] = [slotBytes(was.info), slotBytes(is.info)];
  // A map that is not per CPU has one value, which is no slot.
  const slots = was.valueBytes === was.info.valueSize ? 1 : was.valueBytes / wasSlot;
  return (entry) => {
    const [oldKey, oldValue] = entryOctets(was, entry);
    const [key, value] = [Buffer.alloc(is.info.keySize), Buffer.alloc(is.valueBytes)];
    convert.key(oldKey, 0, key, 0);
    for (let i = 0; i < slots; i++) convert.value(oldValue, i * wasSlot, value, i * isSlot);
    return [key, value];
  };
}

function entryOctets(map: RawMap, entry: RawEntry): [Buffer, Buffer] {
  const key = entry.keys.subarray(entry.key, entry.key + map.info.keySize);
  return [key, entry.values.subarray(entry.value, entry.value + map.valueBytes)];
}

// Over all CPUs.
function totals(map: RawMap, counters: readonly Place[], value: Buffer): bigint[] {
  const slot = slotBytes(map.info);
  const slots = value.length === map.info.valueSize ? 1 : value.length / slot;
  return counters.map(({ at, type }) => {
    let sum = 0n;
    for (let i = 0; i < slots; i++) sum += readNumber(type, value, i * slot + at);
    return sum;
  });
}

// False when there is no such entry.
function addTo(fd: number, name: string, key: Buffer, places: readonly Place[], by: readonly bigint[]): boolean {
  const map = grow[name as keyof typeof grow];
  if (map === undefined) throw new Error(`bpf/grow.h does not name map ${name}, which has counters`);
  const padded = Buffer.concat([key, Buffer.alloc(KEY_OCTETS - key.length)]);
  const nothing = { at: 0, octets: 0, by: 0n };
  for (let first = 0; first < places.length; first += COUNTERS) {
    const counters = Array.from({ length: COUNTERS }, (_, i) => {
      const place = places[first + i];
      if (place === undefined) return nothing;
      return { at: place.at, octets: place.type.size, by: BigInt.asUintN(64, by[first + i] ?? 0n) };
    });
    const data = encode('growth', { map, key: padded, counters });
    const { value } = testRun(fd, { data, room: data.length });
    if (value === ENOENT) return false;
    if (value !== 0) throw new KernelError(`add to counters of map ${name}`, { errno: value });
  }
  return true;
}

const ENOENT = 2;

// A new program may make the entry at this moment: then there is something to add to.
function putNew(map: RawMap, key: Buffer, value: Buffer, add: () => boolean): void {
  try {
    update(map, key, value, 'noexist');
  } catch (error) {
    if (!isErrno(error, 'EEXIST') || !add()) throw error;
  }
}

// Writes in batches where the kernel can, which takes no flags with them.
function writer(map: RawMap, flag: PutFlag): { put(key: Buffer, value: Buffer): void; flush(): void } {
  const keys: Buffer[] = [];
  const values: Buffer[] = [];
  const flush = (): void => {
    if (keys.length === 0) return;
    try {
      if (flag === 'any' && hasBatch(map)) updateBatch(map, Buffer.concat(keys), Buffer.concat(values), keys.length);
      else for (const [i, key] of keys.entries()) update(map, key, values[i] as Buffer, flag);
    } catch (error) {
      throw whyNot(map, error);
    }
    keys.length = values.length = 0;
  };
  return {
    put: (key, value) => {
      keys.push(key);
      values.push(value);
      if (keys.length === BATCH) flush();
    },
    flush,
  };
}

function whyNot(map: RawMap, error: unknown): unknown {
  if (isErrno(error, 'EEXIST')) return new Unfit('two of its keys would become the same');
  if (isErrno(error, 'E2BIG')) return new Unfit(`it has more than ${map.info.maxEntries} entries`);
  return error;
}

function packed(counts: readonly bigint[]): Buffer {
  const octets = Buffer.alloc(8 * counts.length);
  for (const [i, count] of counts.entries()) octets.writeBigUInt64LE(BigInt.asUintN(64, count), 8 * i);
  return octets;
}

function unpacked(octets: Buffer | undefined, length: number): bigint[] {
  return Array.from({ length }, (_, i) => octets?.readBigUInt64LE(8 * i) ?? 0n);
}

function isArray({ info }: RawMap): boolean {
  return info.type === MAP_TYPE.array;
}
