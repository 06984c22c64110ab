// SPDX-License-Identifier: MIT
import { closeSync, existsSync } from 'node:fs';
import { objGet } from '../bindings/bpf-fd';
import * as raw from '../bindings/bpf-map';
import { KernelError } from '../errors';
import { mapPath, programsPath } from './bpffs';
import { type Codec, codecOf } from './codec';
import { advice, isOurs } from './generation';
import { differences, type MapDefinition, wrongLayout } from './layout';
import { maps as definitions, type MapTypes } from './layout.gen';

export type MapName = keyof MapTypes;

/** One map with keys and values as plain objects of layout.gen.ts; per-CPU maps have a list, one value per possible CPU. */
export interface MapHandle<K, V> {
  readonly name: string;
  readonly fd: number;
  get(key: K): V | undefined;
  /** `noexist` throws KernelError EEXIST if the key is there, `exist` ENOENT if it is not. */
  put(key: K, value: V, flag?: raw.PutFlag): void;
  /** Writes many in few calls. What comes before the first refusal stays written. */
  putAll(entries: Iterable<readonly [K, V]>, flag?: raw.PutFlag): void;
  /** False if there was none. */
  delete(key: K): boolean;
  /** The key that follows; the first one behind none, and behind one that is not there. */
  keyAfter(key?: K): K | undefined;
  /** Every entry; what is added or removed meanwhile may be missed or seen. */
  entries(): Generator<[K, V]>;
  /** Every entry undecoded, to look at a field or two of very many; `decode` makes one of `entries` of it. */
  scan(): Generator<RawEntry>;
  decode(entry: RawEntry): [K, V];
}

/** Where the octets of an entry start. */
export interface RawEntry {
  readonly keys: Buffer;
  readonly key: number;
  readonly values: Buffer;
  readonly value: number;
}

/** The map of that name as it is typed in layout.gen.ts. */
export type TypedMap<N extends MapName> = MapHandle<MapTypes[N]['key'], MapTypes[N]['value']>;

export type OpenMaps = { readonly [N in MapName]: TypedMap<N> } & {
  /** Closes the maps that were used. A command that ends anyway need not. */
  close(): void;
};

/**
 * The maps pinned in the state directory `dir`. Each is opened when first used; one of another layout than layout.gen.ts is refused with
 * KernelError before anything is read or written.
 */
export function openMaps(dir: string): OpenMaps {
  return mapsBy(
    (name) => {
      const path = mapPath(dir, name);
      const fd = objGet(path);
      if (fd !== undefined) return fd;
      throw new KernelError(`open map ${name}`, {
        said: `${path} does not exist`,
        hint: existsSync(programsPath(dir)) ? advice(dir) : 'gtp link add makes it, with the first link',
      });
    },
    { hint: () => advice(dir), isOurs: () => isOurs(dir) },
  );
}

/** What is known of where maps come from: what to do about another layout, and whether this very build has made them. */
type Origin = { hint(): string; isOurs(): boolean };

/** Like openMaps, for fds from elsewhere, such as an object that was loaded privately. */
export function mapsBy(
  fdOf: (name: MapName) => number,
  origin: Origin = { hint: () => 'made by another version of gtp', isOurs: () => true },
): OpenMaps {
  const opened = new Map<string, MapHandle<unknown, unknown>>();
  const all = {
    close: () => {
      for (const map of opened.values()) closeSync(map.fd);
      opened.clear();
    },
  };
  for (const name of Object.keys(definitions) as MapName[]) {
    const get = (): MapHandle<unknown, unknown> => {
      const map = opened.get(name) ?? typedMap(name, raw.rawMap(fdOf(name)), definitions[name], origin);
      opened.set(name, map);
      return map;
    };
    Object.defineProperty(all, name, { get, enumerable: true });
  }
  return all as OpenMaps;
}

/** The sum over all CPUs of every number in a per-CPU value. */
export function total<V extends object>(perCpu: readonly V[]): V {
  const add = (a: unknown, b: unknown): unknown => {
    if (typeof a === 'bigint') return a + (b as bigint);
    return typeof a === 'number' ? a + (b as number) : a;
  };
  const sum = (a: V, b: V): V =>
    Object.fromEntries(
      Object.entries(a).map(([key, value]) => [key, add(value, (b as Record<string, unknown>)[key])]),
    ) as V;
  return perCpu.reduce(sum);
}

/** Every entry of a map of whatever layout; what is added or removed meanwhile may be missed or seen. */
export function scanRaw(map: raw.RawMap): Generator<RawEntry> {
  return hasBatch(map) ? readBatches(map) : readSingly(map);
}

/** Whether a map can be read and written in batches. */
export function hasBatch(map: raw.RawMap): boolean {
  return map.info.type === raw.MAP_TYPE.hash || map.info.type === raw.MAP_TYPE.percpuHash;
}

// Hash buckets have to fit as a whole: see lookupBatch. Few first, as most maps hold few and room for many has to be made and thrown away.
const FIRST_BATCH = 256;
const BATCH = 4096;

function typedMap(
  name: string,
  map: raw.RawMap,
  definition: MapDefinition,
  origin: Origin,
): MapHandle<unknown, unknown> {
  const found = differences(map, definition, origin.isOurs);
  if (found.length > 0) throw wrongLayout(name, found, origin.hint());
  const key = codecOf(definition.key);
  const value = raw.isPerCpu(map.info) ? perCpu(codecOf(definition.value), map) : codecOf(definition.value);
  return {
    name,
    fd: map.fd,
    get: (k) => {
      const octets = raw.lookup(map, encoded(key, k));
      return octets === undefined ? undefined : value.read(octets, 0);
    },
    put: (k, v, flag) => raw.update(map, encoded(key, k), encoded(value, v), flag),
    putAll: (entries, flag) => putAll(map, key, value, entries, flag),
    delete: (k) => raw.remove(map, encoded(key, k)),
    keyAfter: (k) => {
      const octets = raw.nextKey(map, k === undefined ? undefined : encoded(key, k));
      return octets === undefined ? undefined : key.read(octets, 0);
    },
    entries,
    scan: () => scanRaw(map),
    decode,
  };

  function decode(entry: RawEntry): [unknown, unknown] {
    return [key.read(entry.keys, entry.key), value.read(entry.values, entry.value)];
  }

  function* entries(): Generator<[unknown, unknown]> {
    for (const entry of scanRaw(map)) yield decode(entry);
  }
}

function encoded(codec: Codec, value: unknown): Buffer {
  const buffer = Buffer.alloc(codec.size);
  codec.write(buffer, 0, value);
  return buffer;
}

function perCpu(codec: Codec, map: raw.RawMap): Codec {
  const slot = raw.slotBytes(map.info);
  const length = map.valueBytes / slot;
  return {
    size: map.valueBytes,
    write: (buffer, base, value) => {
      const list = value as readonly unknown[];
      if (list.length !== length) throw new RangeError(`values for ${list.length} CPUs instead of ${length}`);
      for (const [cpu, item] of list.entries()) codec.write(buffer, base + cpu * slot, item);
    },
    read: (buffer, base) => Array.from({ length }, (_, cpu) => codec.read(buffer, base + cpu * slot)),
  };
}

function putAll(
  map: raw.RawMap,
  key: Codec,
  value: Codec,
  entries: Iterable<readonly [unknown, unknown]>,
  flag?: raw.PutFlag,
): void {
  let keys = Buffer.alloc(BATCH * key.size);
  let values = Buffer.alloc(BATCH * value.size);
  let count = 0;
  for (const [k, v] of entries) {
    key.write(keys, count * key.size, k);
    value.write(values, count * value.size, v);
    if (++count === BATCH) flush();
  }
  if (count > 0) flush();

  function flush(): void {
    const [k, v] = [keys.subarray(0, count * key.size), values.subarray(0, count * value.size)];
    if (hasBatch(map)) raw.updateBatch(map, k, v, count, flag);
    else for (let i = 0; i < count; i++) raw.update(map, part(k, key, i), part(v, value, i), flag);
    keys = keys.fill(0);
    values = values.fill(0);
    count = 0;
  }
}

function part(buffer: Buffer, codec: Codec, index: number): Buffer {
  return buffer.subarray(index * codec.size, (index + 1) * codec.size);
}

function* readBatches(map: raw.RawMap): Generator<RawEntry> {
  let from: Buffer | undefined;
  do {
    const limit = from === undefined ? FIRST_BATCH : BATCH;
    const { count, keys, values, next } = raw.lookupBatch(map, limit, from);
    for (let i = 0; i < count; i++) yield { keys, key: i * map.info.keySize, values, value: i * map.valueBytes };
    from = next;
  } while (from !== undefined);
}

function* readSingly(map: raw.RawMap): Generator<RawEntry> {
  for (let at = raw.nextKey(map, undefined); at !== undefined; at = raw.nextKey(map, at)) {
    const octets = raw.lookup(map, at);
    if (octets !== undefined) yield { keys: at, key: 0, values: octets, value: 0 };
  }
}
