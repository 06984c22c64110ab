// SPDX-License-Identifier: MIT
import type { Layout, Notation } from './btf';
import { type Structs, structs } from './layout.gen';

export type StructName = keyof Structs;

/** Reads and writes one type at an offset of a Buffer. */
export interface Codec {
  readonly size: number;
  /** The octets from `base` on have to be zero: padding and the rest of a short text are left alone. */
  write(buffer: Buffer, base: number, value: unknown): void;
  read(buffer: Buffer, base: number): unknown;
}

/** The octets of a struct, as the BPF programs have it. Throws TypeError or RangeError naming the field that does not fit. */
export function encode<N extends StructName>(name: N, value: Structs[N]): Buffer {
  const codec = codecOf(name);
  const buffer = Buffer.alloc(codec.size);
  codec.write(buffer, 0, value);
  return buffer;
}

/** The struct in `buffer` at `base`. */
export function decode<N extends StructName>(name: N, buffer: Buffer, base = 0): Structs[N] {
  return codecOf(name).read(buffer, base) as Structs[N];
}

/** A struct of zeros, to be spread: `{ ...zero('link_config'), mtu: 1460 }`. */
export function zero<N extends StructName>(name: N): Structs[N] {
  return decode(name, Buffer.alloc(codecOf(name).size));
}

/** The codec of a type (see Notation), made once. */
export function codecOf(notation: Notation): Codec {
  const known = codecs.get(notation);
  if (known !== undefined) return known;
  const made = isArray(notation) ? arrayCodec(notation) : structCodec(notation);
  codecs.set(notation, made);
  return made;
}

/** The struct that a type consists of, or undefined for numbers and texts. */
export function structOf(notation: Notation): StructName | undefined {
  const open = notation.indexOf('[');
  const base = open < 0 ? notation : notation.slice(0, open);
  return base in structs ? (base as StructName) : undefined;
}

const codecs = new Map<Notation, Codec>([
  ['u8', number(1, Buffer.prototype.writeUInt8, Buffer.prototype.readUInt8)],
  ['u16', number(2, Buffer.prototype.writeUInt16LE, Buffer.prototype.readUInt16LE)],
  ['u32', number(4, Buffer.prototype.writeUInt32LE, Buffer.prototype.readUInt32LE)],
  ['u64', number(8, Buffer.prototype.writeBigUInt64LE, Buffer.prototype.readBigUInt64LE)],
  ['s8', number(1, Buffer.prototype.writeInt8, Buffer.prototype.readInt8)],
  ['s16', number(2, Buffer.prototype.writeInt16LE, Buffer.prototype.readInt16LE)],
  ['s32', number(4, Buffer.prototype.writeInt32LE, Buffer.prototype.readInt32LE)],
  ['s64', number(8, Buffer.prototype.writeBigInt64LE, Buffer.prototype.readBigInt64LE)],
  ['be16', number(2, Buffer.prototype.writeUInt16BE, Buffer.prototype.readUInt16BE)],
  ['be32', number(4, Buffer.prototype.writeUInt32BE, Buffer.prototype.readUInt32BE)],
  ['be64', number(8, Buffer.prototype.writeBigUInt64BE, Buffer.prototype.readBigUInt64BE)],
]);

// Node's own methods check the range, so a number that does not fit is never cut; but they take undefined for zero.
function number<T extends number | bigint>(
  size: number,
  write: (this: Buffer, value: T, offset: number) => number,
  read: (this: Buffer, offset: number) => T,
): Codec {
  return {
    size,
    write: (buffer, base, value) => {
      if (typeof value !== 'bigint' && !Number.isInteger(value)) throw new TypeError(`${value} is no integer`);
      write.call(buffer, value as T, base);
    },
    read: (buffer, base) => read.call(buffer, base),
  };
}

function isArray(notation: Notation): boolean {
  return notation.endsWith(']');
}

function arrayCodec(notation: Notation): Codec {
  const open = notation.lastIndexOf('[');
  const element = notation.slice(0, open);
  const length = Number(notation.slice(open + 1, -1));
  if (element === 'u8') return bytesCodec(length);
  if (element === 'char') return textCodec(length);
  const codec = codecOf(element);
  return {
    size: codec.size * length,
    write: (buffer, base, value) => {
      const list = value as readonly unknown[];
      if (list.length !== length) throw new RangeError(`${list.length} elements instead of ${length}`);
      for (const [i, item] of list.entries()) codec.write(buffer, base + i * codec.size, item);
    },
    read: (buffer, base) => Array.from({ length }, (_, i) => codec.read(buffer, base + i * codec.size)),
  };
}

function bytesCodec(size: number): Codec {
  return {
    size,
    write: (buffer, base, value) => {
      const bytes = value as Uint8Array;
      if (bytes.length !== size) throw new RangeError(`${bytes.length} octets instead of ${size}`);
      buffer.set(bytes, base);
    },
    read: (buffer, base) => new Uint8Array(buffer.subarray(base, base + size)),
  };
}

function textCodec(size: number): Codec {
  return {
    size,
    write: (buffer, base, value) => {
      const bytes = Buffer.from(value as string);
      if (bytes.length >= size) throw new RangeError(`${bytes.length} octets of text, at most ${size - 1} fit`);
      if (bytes.includes(0)) throw new RangeError('a text with an octet of zero');
      buffer.set(bytes, base);
    },
    read: (buffer, base) => {
      const end = buffer.subarray(base, base + size).indexOf(0);
      return buffer.toString('utf8', base, base + (end < 0 ? size : end));
    },
  };
}

function structCodec(name: string): Codec {
  const layout = (structs as Record<string, Layout>)[name];
  if (layout === undefined) throw new TypeError(`no layout of ${name}`);
  const fields = Object.entries(layout.fields)
    .filter(([field]) => !isPadding(field))
    .map(([field, [offset, type]]) => ({ field, offset, codec: codecOf(type) }));
  return {
    size: layout.size,
    write: (buffer, base, value) => {
      for (const { field, offset, codec } of fields) {
        try {
          codec.write(buffer, base + offset, (value as Record<string, unknown>)[field]);
        } catch (cause) {
          throw new RangeError(`${name}.${field}: ${(cause as Error).message}`, { cause });
        }
      }
    },
    read: (buffer, base) => {
      const value: Record<string, unknown> = {};
      for (const { field, offset, codec } of fields) value[field] = codec.read(buffer, base + offset);
      return value;
    },
  };
}

/** Padding has no name in TypeScript and is written as zeros. */
export function isPadding(field: string): boolean {
  return /^pad\d*$/.test(field);
}
