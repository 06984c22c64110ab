// SPDX-License-Identifier: MIT
import {
  align,
  formatAttribute,
  getS32,
  getString,
  getU8,
  getU16,
  getU32,
  getU64,
  type NetlinkAttribute_,
  pad,
  parseAttributes,
  putS32,
  putString,
  putU8,
  putU16,
  putU32,
  putU64,
} from 'netlink/dist/structs';

/** How one attribute's payload is written and read. `nested` sets NLA_F_NESTED, which generic netlink insists on. */
export type Codec<T> = {
  readonly encode: (value: T) => Uint8Array;
  readonly decode: (data: Buffer) => T;
  readonly nested?: true;
};

/** A set of attributes: name -> [type, codec]. The names are the kernel's without their prefix, in camel case. */
export type Schema = { readonly [name: string]: readonly [type: number, codec: AnyCodec] };

/** The values of a schema's attributes; those which are not there are undefined. */
export type Attributes<S extends Schema> = {
  readonly [name in keyof S]?: ReturnType<S[name][1]['decode']> | undefined;
};

/** Numbers are in host byte order, as in nearly all of rtnetlink. */
export const u8: Codec<number> = { encode: putU8, decode: getU8 };
export const u16: Codec<number> = { encode: putU16, decode: getU16 };
export const u32: Codec<number> = { encode: putU32, decode: getU32 };
export const s32: Codec<number> = { encode: putS32, decode: getS32 };
export const u64: Codec<bigint> = { encode: putU64, decode: getU64 };
/** Text that ends with a zero octet. */
export const string: Codec<string> = { encode: (text) => putString(text), decode: (data) => getString(data) };
/** Octets as they are: addresses (network order), or structs. */
export const bytes: Codec<Uint8Array> = { encode: (octets) => octets, decode: (data) => new Uint8Array(data) };
/** An attribute without payload: there or not. */
export const flag: Codec<true> = { encode: () => new Uint8Array(0), decode: () => true };

/** An attribute that holds attributes. */
export function nest<S extends Schema>(schema: S): Codec<Attributes<S>> {
  return {
    encode: (values) => encodeAttributes(schema, values),
    decode: (data) => decodeAttributes(schema, data),
    nested: true,
  };
}

/** An attribute that holds any number of attributes of one type. */
export function list<T>(type: number, codec: Codec<T>): Codec<T[]> {
  return {
    encode: (items) => Buffer.concat(items.flatMap((item) => encodeAttribute(type, codec, item))),
    decode: (data) => {
      const items: T[] = [];
      parseAttributes(data, (attribute) => items.push(codec.decode(attribute.data)));
      return items;
    },
    nested: true,
  };
}

/** Attributes as octets, in the order of `values`; undefined ones are left out. */
export function encodeAttributes<S extends Schema>(schema: S, values: Attributes<S>): Buffer {
  const parts: Uint8Array[] = [];
  for (const [name, value] of Object.entries(values)) {
    const row = schema[name];
    if (value !== undefined && row !== undefined)
      parts.push(...encodeAttribute(row[0], row[1] as Codec<unknown>, value));
  }
  return Buffer.concat(parts);
}

/** Reads the attributes that the schema knows and skips the others: a newer kernel sends more. */
export function decodeAttributes<S extends Schema>(schema: S, data: Buffer): Attributes<S> {
  const values: Record<string, unknown> = {};
  const names = namesByType(schema);
  parseAttributes(data, ({ type, data: payload }) => {
    const name = names.get(type);
    if (name !== undefined) values[name] = schema[name]?.[1].decode(payload);
  });
  return values as Attributes<S>;
}

/** Attributes as they are, without those of one type. */
export function withoutAttribute(data: Buffer, unwanted: number): Buffer {
  const kept: Buffer[] = [];
  for (let at = 0; at + 4 <= data.length; ) {
    const end = at + Math.max(4, align(u16.decode(data.subarray(at, at + 2))));
    if (u16.decode(data.subarray(at + 2, at + 4)) !== unwanted) kept.push(data.subarray(at, end));
    at = end;
  }
  return Buffer.concat(kept);
}

/** A fixed header: field -> octets (1, 2 or 4), in host order and without holes; names that start with _ are padding. */
export type Struct<F extends string> = {
  readonly encode: (values: Partial<Record<F, number>>) => Buffer;
  readonly decode: (data: Buffer) => { values: Record<F, number>; rest: Buffer };
};

/** Makes the codec of a fixed header, such as struct ifinfomsg; numbers are unsigned, absent fields 0. */
export function struct<F extends string>(fields: Record<F, 1 | 2 | 4>): Struct<F> {
  const entries = Object.entries(fields) as [F, 1 | 2 | 4][];
  const size = entries.reduce((sum, [, octets]) => sum + octets, 0);
  return {
    encode: (values) => Buffer.concat(entries.map(([name, octets]) => NUMBERS[octets].encode(values[name] ?? 0))),
    decode: (data) => {
      let offset = 0;
      const values = {} as Record<F, number>;
      for (const [name, octets] of entries) {
        values[name] = NUMBERS[octets].decode(data.subarray(offset, offset + octets));
        offset += octets;
      }
      return { values, rest: data.subarray(align(size)) };
    },
  };
}

type AnyCodec = {
  readonly encode: (value: never) => Uint8Array;
  readonly decode: (data: Buffer) => unknown;
  readonly nested?: true;
};

const NUMBERS = { 1: u8, 2: u16, 4: u32 } as const;
const typeNames = new WeakMap<Schema, ReadonlyMap<number, string>>();

// The package leaves out the padding behind an attribute, and its AttrStream loses NLA_F_NESTED.
function encodeAttribute<T>(type: number, codec: Codec<T>, value: T): Uint8Array[] {
  const attribute: NetlinkAttribute_ = { type, data: codec.encode(value), nested: codec.nested === true };
  return pad(formatAttribute(attribute));
}

function namesByType(schema: Schema): ReadonlyMap<number, string> {
  const known = typeNames.get(schema);
  if (known !== undefined) return known;
  const names = new Map(Object.entries(schema).map(([name, [type]]) => [type, name]));
  typeNames.set(schema, names);
  return names;
}
