// SPDX-License-Identifier: MIT
import { MAP_TYPE, type RawMap } from '../bindings/bpf-map';
import type { ObjectMap } from '../bindings/bpf-object';
import type { Btf } from './btf';
import { type Convert, conversion, Unfit } from './convert';
import { kernelBtf } from './layout';
import { isSame, type Type, typeOf } from './types';

/** What a map is: BPF_MAP_TYPE_*, sizes, and what its octets mean where it says so. */
export interface Shape {
  readonly type: number;
  readonly flags: number;
  readonly maxEntries: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly key: Type | undefined;
  readonly value: Type | undefined;
}

/** What a map in the kernel is. */
export function shapeOf({ info }: RawMap): Shape {
  const of = (id: number): Type | undefined => (info.btfId === 0 ? undefined : typeOf(kernelBtf(info.btfId), id));
  return { ...info, flags: info.flags & ~BPF_F_RDONLY_PROG, key: of(info.btfKeyType), value: of(info.btfValueType) };
}

/** What a map of an object is to be; `btf` is that of the object. */
export function shapeIn(map: ObjectMap, btf: Btf): Shape {
  const { type, flags, maxEntries, keySize, valueSize } = map;
  const of = (id: number): Type | undefined => (id === 0 || isPlain(type) ? undefined : typeOf(btf, id));
  return { type, flags, maxEntries, keySize, valueSize, key: of(map.btfKeyType), value: of(map.btfValueType) };
}

/** Whether programs that want `is` may use a map that is `was`. */
export function isSameShape(was: Shape, is: Shape): boolean {
  const names = ['type', 'flags', 'maxEntries', 'keySize', 'valueSize'] as const;
  if (!names.every((name) => was[name] === is[name])) return false;
  return isSameType(was.key, is.key) && isSameType(was.value, is.value);
}

/** Whether keys stay as they are: then no two become the same. */
export function isSameKey(was: Shape, is: Shape): boolean {
  return was.keySize === is.keySize && isSameType(was.key, is.key);
}

/** Whether a map belongs to the programs it was loaded with: it holds them, or what one hands to another on the way of one packet. */
export function isOfPrograms({ type }: { readonly type: number }): boolean {
  return type === MAP_TYPE.programArray || type === MAP_TYPE.percpuArray;
}

/** How entries of `was` become entries of `is`. Throws Unfit where they cannot. */
export function entryConversion(was: Shape, is: Shape): { readonly key: Convert; readonly value: Convert } {
  if (KEEPERS.every((types) => !types.includes(was.type) || !types.includes(is.type)) && was.type !== is.type)
    throw new Unfit(`type of map: ${was.type} cannot become ${is.type}`);
  return {
    key: octets('key', was.key, is.key, was.keySize, is.keySize),
    value: octets('value', was.value, is.value, was.valueSize, is.valueSize),
  };
}

// The kernel says so itself of maps of devices: their values are read-only for programs.
const BPF_F_RDONLY_PROG = 1 << 7;

// Kinds of which one can hold what another held.
const KEEPERS: readonly (readonly number[])[] = [
  [MAP_TYPE.hash, MAP_TYPE.lruHash, MAP_TYPE.lpmTrie],
  [MAP_TYPE.percpuHash, MAP_TYPE.lruPercpuHash],
];

// libbpf tells the kernel no types of keys and values of special maps (bpf_map_create in libbpf.c).
function isPlain(type: number): boolean {
  return !Object.values<number>(MAP_TYPE).includes(type) || type === MAP_TYPE.programArray;
}

function isSameType(was: Type | undefined, is: Type | undefined): boolean {
  return was === undefined || is === undefined ? was === is : isSame(was, is);
}

function octets(what: string, was: Type | undefined, is: Type | undefined, wasSize: number, isSize: number): Convert {
  if (was !== undefined && is !== undefined) return conversion(was, is);
  if (wasSize !== isSize) throw new Unfit(`${what}: ${wasSize} octets cannot become ${isSize}`);
  return (from, fromAt, to, at) => void from.copy(to, at, fromAt, fromAt + isSize);
}
