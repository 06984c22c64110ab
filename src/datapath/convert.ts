// SPDX-License-Identifier: MIT
import { KernelError } from '../errors';
import { isPadding } from './codec';
import {
  type ArrayType,
  fits,
  type NumberType,
  nameOf,
  readNumber,
  type StructType,
  type Type,
  writeNumber,
} from './types';

/**
 * Makes octets of one type out of those of another, field by field: `to` has to be zero from `at` on. Throws Unfit when a
 * value has no room or no name there.
 */
export type Convert = (from: Buffer, fromAt: number, to: Buffer, at: number) => void;

/** Why a field cannot be brought into its new type: "rx_key.port: 70000 does not fit u16". */
export class Unfit extends Error {
  override readonly name = 'Unfit';
}

/**
 * How values of type `was` become such of type `is`. Fields are known by name (or by the one they had: WAS of bpf/history.h),
 * enumerators too; what is gone is dropped, what is new is 0 or as ELSE says. Throws Unfit where no value of the one can be one
 * of the other.
 */
export function conversion(was: Type, is: Type): Convert {
  const steps = joined(plan(was, is, { from: 0, to: 0, what: nameOf(is) }));
  return (from, fromAt, to, at) => {
    for (const step of steps) {
      if ('size' in step) from.copy(to, at + step.to, fromAt + step.from, fromAt + step.from + step.size);
      else step.convert(from, fromAt, to, at);
    }
  };
}

/** The refusal that an Unfit of the map `name` gives rise to. */
export function unfit(name: string, { message }: Unfit, hint: string): KernelError {
  return new KernelError(`bring map ${name} into the layout of this version`, { said: message, hint });
}

/** Octets that stay as they are. */
interface Run {
  readonly from: number;
  readonly to: number;
  readonly size: number;
}

type Step = Run | { readonly convert: Convert };

/** Where the two types stand in their values, and how the field is called. */
interface Place {
  readonly from: number;
  readonly to: number;
  readonly what: string;
}

function plan(was: Type, is: Type, place: Place): Step[] {
  if (was.form === 'struct' && is.form === 'struct') return planStruct(was, is, place);
  if (was.form === 'array' && is.form === 'array') return planArray(was, is, place);
  if (was.form === 'number' && is.form === 'number') return [planNumber(was, is, place)];
  throw new Unfit(`${place.what}: ${nameOf(was)} cannot become ${nameOf(is)}`);
}

function planStruct(was: StructType, is: StructType, { from, to }: Place): Step[] {
  return is.fields.flatMap((field): Step[] => {
    if (isPadding(field.name)) return [];
    const names = [field.name, ...said(field.history, 'was')];
    const old = was.fields.find(({ name }) => names.includes(name));
    const what = `${is.name}.${field.name}`;
    if (old !== undefined) return plan(old.type, field.type, { from: from + old.at, to: to + field.at, what });
    const [number] = said(field.history, 'else');
    const { type } = field;
    if (number === undefined || type.form !== 'number') return [];
    return [{ convert: (_from, _fromAt, octets, at) => writeNumber(type, octets, at + to + field.at, BigInt(number)) }];
  });
}

function planArray(was: ArrayType, is: ArrayType, { from, to, what }: Place): Step[] {
  const length = Math.min(was.length, is.length);
  const element = (i: number): Step[] => {
    const place = { from: from + i * was.element.size, to: to + i * is.element.size, what };
    return plan(was.element, is.element, place);
  };
  const [first] = element(0);
  // The usual array of octets is one run, not as many as it has.
  const isPlain =
    first !== undefined && 'size' in first && first.size === was.element.size && first.size === is.element.size;
  const kept = isPlain
    ? [{ ...first, size: first.size * length }]
    : Array.from({ length }, (_, i) => element(i)).flat();
  return was.length > length ? [...kept, beyond(was, is, { from, to, what })] : kept;
}

// What does not fit has to be nothing; and a text ends with an octet of zero.
function beyond(was: ArrayType, is: ArrayType, { from, what }: Place): Step {
  const isText = is.element.form === 'number' && is.element.isText;
  const start = from + (is.length - (isText ? 1 : 0)) * was.element.size;
  return {
    convert: (octets, at) => {
      if (octets.subarray(at + start, at + from + was.size).every((octet) => octet === 0)) return;
      throw new Unfit(`${what}: what a ${nameOf(was)} holds does not fit ${nameOf(is)}`);
    },
  };
}

function planNumber(was: NumberType, is: NumberType, { from, to, what }: Place): Step {
  const isAlike = was.size === is.size && was.isSigned === is.isSigned && was.isBig === is.isBig;
  const renamed = renumbering(was.names, is.names, what);
  if (isAlike && renamed === undefined) return { from, to, size: is.size };
  return {
    convert: (octets, fromAt, fresh, at) => {
      const number = readNumber(was, octets, fromAt + from);
      const value = renamed === undefined ? number : renamed(number);
      if (!fits(is, value)) throw new Unfit(`${what}: ${value} does not fit ${nameOf(is)}`);
      writeNumber(is, fresh, at + to, value);
    },
  };
}

type Names = ReadonlyMap<string, bigint>;

// How numbers change that stand for names; undefined: not at all. A number that has no name stays what it is.
function renumbering(was: Names | undefined, is: Names | undefined, what: string): ((n: bigint) => bigint) | undefined {
  if (was === undefined || is === undefined) return undefined;
  const moved = [...was].filter(([name, number]) => is.get(name) !== number);
  if (moved.length === 0) return undefined;
  if (isFlags(was) && isFlags(is)) return (flags) => renumberFlags(was, is, flags);
  const names = new Map([...was].map(([name, number]) => [number, name]));
  return (number) => {
    const name = names.get(number);
    if (name === undefined) return number;
    const value = is.get(name);
    if (value === undefined) throw new Unfit(`${what}: there is no ${name} any more`);
    return value;
  };
}

// A flag that is gone is dropped, as a field is.
function renumberFlags(was: Names, is: Names, flags: bigint): bigint {
  let rest = flags;
  let value = 0n;
  for (const [name, bit] of was) {
    if ((flags & bit) === 0n) continue;
    rest &= ~bit;
    value |= is.get(name) ?? 0n;
  }
  return value | rest;
}

function isFlags(names: Names): boolean {
  const numbers = [...names.values()];
  return numbers.length > 2 && numbers.every((number) => number > 0n && (number & (number - 1n)) === 0n);
}

function said(history: readonly string[], word: string): string[] {
  return history.filter((each) => each.startsWith(`${word} `)).map((each) => each.slice(word.length + 1));
}

// Runs that follow each other on both sides become one.
function joined(steps: readonly Step[]): Step[] {
  const all: Step[] = [];
  for (const step of steps) {
    const last = all.at(-1);
    const isNext =
      last !== undefined &&
      'size' in last &&
      'size' in step &&
      last.from + last.size === step.from &&
      last.to + last.size === step.to;
    if (isNext) all[all.length - 1] = { ...last, size: last.size + step.size };
    else all.push(step);
  }
  return all;
}
