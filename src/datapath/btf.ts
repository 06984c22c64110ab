// SPDX-License-Identifier: MIT

/**
 * Types are written in a notation of one word, the same in the generated layouts and read from the kernel:
 * `u8` ... `u64`, `s8` ... `s64`, `be16` `be32` `be64` (network order), `char`, the name of a struct, and `[n]` after
 * any of them. Enums are integers of their size.
 */
export type Notation = string;

/** A struct, or a section of global variables: octets, and per field its offset and type. */
export interface Layout {
  readonly size: number;
  readonly fields: Readonly<Record<string, readonly [offset: number, type: Notation]>>;
}

/** BTF of one object; type ids as the kernel counts them, 0 is void. */
export interface Btf {
  /** Highest type id plus one. */
  readonly end: number;
  kind(id: number): number;
  name(id: number): string;
  /** How many members, enumerators, variables or parameters a type lists. */
  items(id: number): number;
  /** The n-th 32-bit word of a type's record: 2 is its size or the type it refers to, its items start at 3. */
  word(id: number, n: number): number;
  /** The string that a word of an item refers to. */
  text(offset: number): string;
  /** The notation of a type. Throws TypeError for what has no layout here: pointers, unions, bit fields, floats. */
  notation(id: number): Notation;
  /** The layout of a struct or variable section, reached through typedefs. */
  layout(id: number): Layout;
  /** The id of a struct. */
  struct(name: string): number | undefined;
}

/** Kinds of include/uapi/linux/btf.h that are looked at. */
export const KIND = {
  void: 0,
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  enum: 6,
  typedef: 8,
  volatile: 9,
  const: 10,
  function: 12,
  prototype: 13,
  variable: 14,
  section: 15,
  declTag: 17,
  typeTag: 18,
} as const;

/** Parses raw BTF (Documentation/bpf/btf.rst), little-endian. Throws TypeError if it is not that. */
export function parseBtf(raw: Buffer): Btf {
  if (raw.length < 24 || raw.readUInt16LE(0) !== MAGIC) throw new TypeError('not BTF');
  const header = raw.readUInt32LE(4);
  const strings = header + raw.readUInt32LE(16);
  const start = header + raw.readUInt32LE(8);
  const types = raw.subarray(start, start + raw.readUInt32LE(12));
  const offsets = index(types);
  const word = (id: number, n: number): number => types.readUInt32LE((offsets[id] ?? types.length) + n * 4);
  const text = (offset: number): string => raw.toString('utf8', strings + offset, raw.indexOf(0, strings + offset));
  const btf: Btf = {
    end: offsets.length,
    kind: (id) => (id === 0 ? KIND.void : (word(id, 1) >> 24) & 0x1f),
    name: (id) => text(word(id, 0)),
    items: (id) => word(id, 1) & 0xffff,
    word,
    text,
    notation: (id) => notation(btf, id),
    layout: (id) => layout(btf, id),
    struct: (name) => findStruct(btf, name),
  };
  return btf;
}

const MAGIC = 0xeb9f;
const QUALIFIERS: ReadonlySet<number> = new Set([KIND.typedef, KIND.volatile, KIND.const, KIND.typeTag]);
const BIG_ENDIAN: ReadonlyMap<string, string> = new Map([
  ['__be16', 'be16'],
  ['__be32', 'be32'],
  ['__be64', 'be64'],
]);

// Octets after the 12 of struct btf_type, by kind: fixed, and per item.
const EXTRA: Readonly<Record<number, readonly [fixed: number, each: number]>> = {
  1: [4, 0],
  3: [12, 0],
  4: [0, 12],
  5: [0, 12],
  6: [0, 8],
  13: [0, 8],
  14: [4, 0],
  15: [0, 12],
  17: [4, 0],
  19: [0, 12],
};

function index(types: Buffer): number[] {
  const offsets = [types.length];
  for (let offset = 0; offset < types.length; ) {
    offsets.push(offset);
    const info = types.readUInt32LE(offset + 4);
    const [fixed, each] = EXTRA[(info >> 24) & 0x1f] ?? [0, 0];
    offset += 12 + fixed + each * (info & 0xffff);
  }
  return offsets;
}

function findStruct(btf: Btf, name: string): number | undefined {
  for (let id = 1; id < btf.end; id++) if (btf.kind(id) === KIND.struct && btf.name(id) === name) return id;
  return undefined;
}

function notation(btf: Btf, id: number): Notation {
  const kind = btf.kind(id);
  switch (kind) {
    case KIND.int:
      return integer(btf.name(id), btf.word(id, 3));
    case KIND.enum:
      return `${hasFlag(btf, id) ? 's' : 'u'}${btf.word(id, 2) * 8}`;
    case KIND.array:
      return `${notation(btf, btf.word(id, 3))}[${btf.word(id, 5)}]`;
    case KIND.struct:
      return btf.name(id) || unsupported('an anonymous struct');
    case KIND.typedef:
      return BIG_ENDIAN.get(btf.name(id)) ?? notation(btf, btf.word(id, 2));
    case KIND.volatile:
    case KIND.const:
    case KIND.typeTag:
      return notation(btf, btf.word(id, 2));
    default:
      return unsupported(`BTF kind ${kind} (${kind === KIND.void ? 'void' : btf.name(id)})`);
  }
}

function layout(btf: Btf, id: number): Layout {
  const kind = btf.kind(id);
  if (QUALIFIERS.has(kind)) return layout(btf, btf.word(id, 2));
  if (kind !== KIND.struct && kind !== KIND.section) return unsupported(`a layout of BTF kind ${kind}`);
  const field = kind === KIND.struct ? structField : variable;
  const fields = Array.from({ length: btf.items(id) }, (_, i) => field(btf, id, 3 + i * 3));
  return { size: btf.word(id, 2), fields: Object.fromEntries(fields) };
}

type NamedField = [name: string, field: readonly [offset: number, type: Notation]];

function structField(btf: Btf, id: number, n: number): NamedField {
  const bits = btf.word(id, n + 2);
  if (hasFlag(btf, id) || bits % 8 !== 0) unsupported(`bit fields (${btf.name(id)})`);
  return [btf.text(btf.word(id, n)), [bits / 8, notation(btf, btf.word(id, n + 1))]];
}

function variable(btf: Btf, id: number, n: number): NamedField {
  const one = btf.word(id, n);
  return [btf.name(one), [btf.word(id, n + 1), notation(btf, btf.word(one, 2))]];
}

// Says "signed" of an enum, "has bit fields" of a struct.
function hasFlag(btf: Btf, id: number): boolean {
  return btf.word(id, 1) >>> 31 === 1;
}

function integer(name: string, encoding: number): Notation {
  const isSigned = ((encoding >> 24) & 1) === 1;
  const bitOffset = (encoding >> 16) & 0xff;
  if (bitOffset !== 0) return unsupported(`a bit field: ${name}`);
  return name === 'char' ? 'char' : `${isSigned ? 's' : 'u'}${encoding & 0xff}`;
}

function unsupported(what: string): never {
  throw new TypeError(`map layouts cannot hold ${what}`);
}
