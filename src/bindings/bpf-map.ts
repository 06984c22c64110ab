// SPDX-License-Identifier: MIT
import { errno } from '../errors';
import { type MapInfo, mapInfo } from './bpf-fd';
import { cString } from './koffi';
import { call, checked } from './libbpf';

/** An open map; `valueBytes` is what one look-up returns: for per-CPU maps a slot of 8n octets per possible CPU. */
export interface RawMap {
  readonly fd: number;
  readonly info: MapInfo;
  readonly valueBytes: number;
}

/** `any` creates or replaces, `noexist` only creates, `exist` only replaces (BPF_ANY, BPF_NOEXIST, BPF_EXIST). */
export type PutFlag = keyof typeof PUT_FLAGS;

/** Keys and values of a batch, one after another, and where the next one starts; `next` undefined: that was all. */
export interface RawBatch {
  readonly count: number;
  readonly keys: Buffer;
  readonly values: Buffer;
  readonly next: Buffer | undefined;
}

/** BPF_MAP_TYPE_* of linux/bpf.h, the ones that need to be told apart here. */
export const MAP_TYPE = {
  hash: 1,
  array: 2,
  programArray: 3,
  percpuHash: 5,
  percpuArray: 6,
  lruHash: 9,
  lruPercpuHash: 10,
  lpmTrie: 11,
  arrayOfMaps: 12,
} as const;

/** Makes a hash map of plain octets, which takes memory for the entries it has; the result is its fd. */
export function createHash(name: string, keySize: number, valueSize: number, entries: number): number {
  const opts = Buffer.alloc(CREATE_OPTS_SIZE);
  opts.writeBigUInt64LE(BigInt(CREATE_OPTS_SIZE), 0);
  opts.writeUInt32LE(BPF_F_NO_PREALLOC, 28);
  const fd = call('bpf_map_create', MAP_TYPE.hash, cString(name), keySize, valueSize, entries, opts);
  return checked(`make map ${name}`, fd);
}

/** Makes an array of one map like the one behind `inner`; the result is its fd. */
export function createArrayOfMaps(name: string, inner: number): number {
  const opts = Buffer.alloc(CREATE_OPTS_SIZE);
  opts.writeBigUInt64LE(BigInt(CREATE_OPTS_SIZE), 0);
  opts.writeUInt32LE(inner, 24);
  const fd = call('bpf_map_create', MAP_TYPE.arrayOfMaps, cString(name), 4, 4, 1, opts);
  return checked(`make map ${name}`, fd);
}

/** Wraps the fd of a map; the sizes that the kernel tells are the ones every later call is held to. */
export function rawMap(fd: number): RawMap {
  const info = mapInfo(fd);
  return { fd, info, valueBytes: isPerCpu(info) ? slotBytes(info) * possibleCpus() : info.valueSize };
}

/** Whether a look-up returns one value per possible CPU. */
export function isPerCpu(info: MapInfo): boolean {
  const { percpuHash, percpuArray, lruPercpuHash } = MAP_TYPE;
  return info.type === percpuHash || info.type === percpuArray || info.type === lruPercpuHash;
}

/** Octets between the values of two CPUs. */
export function slotBytes(info: MapInfo): number {
  return Math.ceil(info.valueSize / 8) * 8;
}

/** The value of `key`, or undefined. */
export function lookup(map: RawMap, key: Buffer): Buffer | undefined {
  const value = Buffer.allocUnsafe(map.valueBytes);
  const result = call('bpf_map_lookup_elem', map.fd, sizedKeys(map, key), sizedValues(map, value));
  return isFound(`look up in map ${map.info.name}`, result) ? value : undefined;
}

/** Writes one entry; EEXIST and ENOENT of the flags are thrown like any other error. */
export function update(map: RawMap, key: Buffer, value: Buffer, flag: PutFlag = 'any'): void {
  const flags = PUT_FLAGS[flag];
  const result = call('bpf_map_update_elem', map.fd, sizedKeys(map, key), sizedValues(map, value), flags);
  checked(`write to map ${map.info.name}`, result);
}

/** Removes `key`; false if there was none. */
export function remove(map: RawMap, key: Buffer): boolean {
  return isFound(`delete from map ${map.info.name}`, call('bpf_map_delete_elem', map.fd, sizedKeys(map, key)));
}

/** The key after `key` (undefined: the first), or undefined after the last. */
export function nextKey(map: RawMap, key: Buffer | undefined): Buffer | undefined {
  const next = Buffer.allocUnsafe(map.info.keySize);
  const from = key === undefined ? null : sizedKeys(map, key);
  const result = call('bpf_map_get_next_key', map.fd, from, sizedKeys(map, next));
  return isFound(`walk map ${map.info.name}`, result) ? next : undefined;
}

/** Writes `count` entries in one call; throws on the first that fails, the ones before it stay. */
export function updateBatch(map: RawMap, keys: Buffer, values: Buffer, count: number, flag: PutFlag = 'any'): void {
  const opts = Buffer.alloc(BATCH_OPTS_SIZE);
  opts.writeBigUInt64LE(BigInt(BATCH_OPTS_SIZE), 0);
  opts.writeBigUInt64LE(BigInt(PUT_FLAGS[flag]), 8);
  const [k, v] = [sizedKeys(map, keys, count), sizedValues(map, values, count)];
  checked(
    `write ${count} entries to map ${map.info.name}`,
    call('bpf_map_update_batch', map.fd, k, v, u32(count), opts),
  );
}

/**
 * Reads up to `limit` entries from where `from` (the `next` of an earlier batch) points; a hash bucket that does not
 * fit gives ENOSPC, so limits below some hundred are of no use. Hash and array maps, not LPM.
 */
export function lookupBatch(map: RawMap, limit: number, from?: Buffer): RawBatch {
  const keys = Buffer.allocUnsafe(limit * map.info.keySize);
  const values = Buffer.allocUnsafe(limit * map.valueBytes);
  // The kernel writes a u32 for hashes, a key for others.
  const position = Buffer.alloc(Math.max(4, map.info.keySize));
  const count = u32(limit);
  const [k, v] = [sizedKeys(map, keys, limit), sizedValues(map, values, limit)];
  const result = call('bpf_map_lookup_batch', map.fd, from ?? null, position, k, v, count, null);
  const isMore = isFound(`read map ${map.info.name}`, result);
  return { count: count.readUInt32LE(0), keys, values, next: isMore ? position : undefined };
}

const PUT_FLAGS = { any: 0, noexist: 1, exist: 2 } as const;
const BATCH_OPTS_SIZE = 24;
// struct bpf_map_create_opts of libbpf 1.0: map_flags at 28.
const CREATE_OPTS_SIZE = 48;
const BPF_F_NO_PREALLOC = 1;

let cpus: number | undefined;

function possibleCpus(): number {
  cpus ??= checked('count possible CPUs', call('libbpf_num_possible_cpus'));
  return cpus;
}

// The kernel reads and writes as many octets as the map says, whatever the buffer holds: a short one leaks heap into
// the map or lets the kernel write past its end. Every buffer that goes to a map passes through these two.
function sizedKeys(map: RawMap, keys: Buffer, count = 1): Buffer {
  return sized(map, 'key', keys, map.info.keySize * count);
}

function sizedValues(map: RawMap, values: Buffer, count = 1): Buffer {
  return sized(map, 'value', values, map.valueBytes * count);
}

function sized(map: RawMap, what: string, buffer: Buffer, bytes: number): Buffer {
  if (buffer.length === bytes) return buffer;
  throw new RangeError(`map ${map.info.name}: ${what} has ${buffer.length} octets instead of ${bytes}`);
}

function isFound(tried: string, result: number): boolean {
  if (result === -errno('ENOENT')) return false;
  checked(tried, result);
  return true;
}

function u32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}
