// SPDX-License-Identifier: MIT
import { type Btf, KIND } from './btf';

/** A type as a BTF describes it. */
export type Type = NumberType | ArrayType | StructType;

export interface NumberType {
  readonly form: 'number';
  readonly size: number;
  readonly isSigned: boolean;
  /** Network order. */
  readonly isBig: boolean;
  readonly isText: boolean;
  /** Of an enum: the numbers of its names. */
  readonly names: ReadonlyMap<string, bigint> | undefined;
}

export interface ArrayType {
  readonly form: 'array';
  readonly size: number;
  readonly element: Type;
  readonly length: number;
}

export interface StructType {
  readonly form: 'struct';
  readonly size: number;
  readonly name: string;
  readonly fields: readonly Field[];
}

/** A field; `history` is what bpf/history.h says of it. */
export interface Field {
  readonly name: string;
  readonly at: number;
  readonly type: Type;
  readonly history: readonly string[];
}

/** The type of that id. Throws TypeError for what no map of ours has: pointers, unions, bit fields. */
export function typeOf(btf: Btf, id: number): Type {
  const kind = btf.kind(id);
  switch (kind) {
    case KIND.int:
      return integer(btf, id);
    case KIND.enum:
      return { ...NUMBER, size: btf.word(id, 2), isSigned: btf.word(id, 1) >>> 31 === 1, names: enumerators(btf, id) };
    case KIND.array: {
      const [element, length] = [typeOf(btf, btf.word(id, 3)), btf.word(id, 5)];
      return { form: 'array', size: element.size * length, element, length };
    }
    case KIND.struct:
      return struct(btf, id);
    case KIND.typedef: {
      const of = typeOf(btf, btf.word(id, 2));
      return of.form === 'number' && btf.name(id).startsWith('__be') ? { ...of, isBig: true } : of;
    }
    case KIND.volatile:
    case KIND.const:
    case KIND.typeTag:
      return typeOf(btf, btf.word(id, 2));
    default:
      throw new TypeError(`map layouts cannot hold BTF kind ${kind}`);
  }
}

/** Whether octets of one mean the same as the other: names, offsets, sizes, and each number that the names of `was` stand for. */
export function isSame(was: Type, is: Type): boolean {
  if (was.form !== is.form || was.size !== is.size) return false;
  if (was.form === 'array') return is.form === 'array' && was.length === is.length && isSame(was.element, is.element);
  if (was.form === 'number') return is.form === 'number' && isSameNumber(was, is);
  if (is.form !== 'struct' || was.name !== is.name || was.fields.length !== is.fields.length) return false;
  return was.fields.every(({ name, at, type }, i) => {
    const other = is.fields[i];
    return other !== undefined && name === other.name && at === other.at && isSame(type, other.type);
  });
}

/** How a type is called in messages. */
export function nameOf(type: Type): string {
  if (type.form === 'array') return `${nameOf(type.element)}[${type.length}]`;
  if (type.form === 'struct') return type.name;
  if (type.isText) return 'char';
  return `${type.isBig ? 'be' : type.isSigned ? 's' : 'u'}${type.size * 8}`;
}

/** Where the numbers stand whose field says `word` of itself. */
export function placesOf(type: Type, word: string, at = 0): { readonly at: number; readonly type: NumberType }[] {
  if (type.form === 'number') return [];
  if (type.form === 'array') {
    if (placesOf(type.element, word).length === 0) return [];
    return Array.from({ length: type.length }, (_, i) =>
      placesOf(type.element, word, at + i * type.element.size),
    ).flat();
  }
  return type.fields.flatMap((field) => {
    if (field.history.includes(word) && field.type.form === 'number') return [{ at: at + field.at, type: field.type }];
    return placesOf(field.type, word, at + field.at);
  });
}

/** The number that stands in `octets` at `at`. */
export function readNumber({ size, isSigned, isBig }: NumberType, octets: Buffer, at: number): bigint {
  const value = isBig ? bigEndian(octets, at, size) : littleEndian(octets, at, size);
  return isSigned ? BigInt.asIntN(size * 8, value) : value;
}

/** Writes a number; what does not fit is cut: ask `fits` before. */
export function writeNumber({ size, isBig }: NumberType, octets: Buffer, at: number, value: bigint): void {
  for (let i = 0; i < size; i++) {
    const shift = BigInt(8 * (isBig ? size - 1 - i : i));
    octets[at + i] = Number((value >> shift) & 0xffn);
  }
}

/** Whether a type can hold that number. */
export function fits({ size, isSigned }: NumberType, value: bigint): boolean {
  return value === (isSigned ? BigInt.asIntN(size * 8, value) : BigInt.asUintN(size * 8, value));
}

const NUMBER = { form: 'number', isSigned: false, isBig: false, isText: false, names: undefined } as const;

function isSameNumber(was: NumberType, is: NumberType): boolean {
  if (was.isSigned !== is.isSigned || was.isBig !== is.isBig || was.isText !== is.isText) return false;
  if (was.names === undefined || is.names === undefined) return was.names === is.names;
  return [...was.names].every(([name, number]) => is.names?.get(name) === number);
}

function integer(btf: Btf, id: number): NumberType {
  const encoding = btf.word(id, 3);
  const isSigned = ((encoding >> 24) & 1) === 1;
  const isText = btf.name(id) === 'char';
  return { ...NUMBER, size: btf.word(id, 2), isSigned: isSigned && !isText, isText };
}

function enumerators(btf: Btf, id: number): Map<string, bigint> {
  const isSigned = btf.word(id, 1) >>> 31 === 1;
  const one = (i: number): [string, bigint] => {
    const number = btf.word(id, 4 + i * 2);
    return [btf.text(btf.word(id, 3 + i * 2)), BigInt(isSigned ? number | 0 : number)];
  };
  return new Map(Array.from({ length: btf.items(id) }, (_, i) => one(i)));
}

function struct(btf: Btf, id: number): StructType {
  const histories = historiesOf(btf);
  const fields = Array.from({ length: btf.items(id) }, (_, i): Field => {
    const bits = btf.word(id, 5 + i * 3);
    if (btf.word(id, 1) >>> 31 === 1 || bits % 8 !== 0) throw new TypeError(`bit fields (${btf.name(id)})`);
    const type = typeOf(btf, btf.word(id, 4 + i * 3));
    const history = histories.get(`${id} ${i}`) ?? [];
    return { name: btf.text(btf.word(id, 3 + i * 3)), at: bits / 8, type, history };
  });
  return { form: 'struct', size: btf.word(id, 2), name: btf.name(id), fields };
}

const known = new WeakMap<Btf, Map<string, string[]>>();

// By "STRUCT-ID FIELD-NUMBER".
function historiesOf(btf: Btf): Map<string, string[]> {
  const made = known.get(btf);
  if (made !== undefined) return made;
  const all = new Map<string, string[]>();
  for (let id = 1; id < btf.end; id++) {
    if (btf.kind(id) !== KIND.declTag) continue;
    const of = `${btf.word(id, 2)} ${btf.word(id, 3)}`;
    all.set(of, [...(all.get(of) ?? []), btf.name(id)]);
  }
  known.set(btf, all);
  return all;
}

function littleEndian(octets: Buffer, at: number, size: number): bigint {
  if (size === 8) return octets.readBigUInt64LE(at);
  return BigInt(octets.readUIntLE(at, size));
}

function bigEndian(octets: Buffer, at: number, size: number): bigint {
  if (size === 8) return octets.readBigUInt64BE(at);
  return BigInt(octets.readUIntBE(at, size));
}
