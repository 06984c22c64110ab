// SPDX-License-Identifier: MIT
import { UsageError } from '../errors';

/**
 * Where completion finds candidates for a value: interfaces, VRFs, addresses of this machine, links of ours, network
 * namespaces; or in the sessions that are there, which have values for the word.
 */
export type Source = 'interface' | 'vrf' | 'address' | 'link' | 'netns' | 'session';

/** A value kind: how a word's value is written, read, printed and completed. format is the inverse of parse. */
export type Kind<T> = {
  /** As help shows it: ADDR, { fixed | hash | N }. */
  readonly placeholder: string;
  /** A noun phrase for errors: "expected an IPv4 or IPv6 address". */
  readonly expected: string;
  readonly source?: Source;
  /** The fixed words among the values. */
  readonly choices?: readonly string[];
  /** The least and the greatest of its numbers. */
  readonly range?: readonly [least: number, most: number];
  /** Text to value; throws UsageError that quotes the text and says what was expected. */
  parse(text: string): T;
  /** Value to text that parse accepts. */
  format(value: T): string;
};

/**
 * One of a few words. Aliases are read but never printed; words of `later` are known and refused as not supported yet.
 */
export function choice<const T extends string>(
  values: readonly T[],
  more: { readonly aliases?: Readonly<Record<string, T>>; readonly later?: readonly string[] } = {},
): Kind<T> {
  const base = kind<T>({
    placeholder: alternatives(values),
    expected: oneOf([...values, ...Object.keys(more.aliases ?? {})]),
    choices: values,
    read: (text) => values.find((value) => value === text) ?? own(more.aliases, text),
    format: String,
  });
  return { ...base, parse: (text) => (more.later?.includes(text) ? refuseLater(text) : base.parse(text)) };
}

/** A decimal or 0x hexadecimal number of least to most. */
export function number(least: number, most: number): Kind<number> {
  return kind({
    placeholder: 'N',
    expected: `a number ${least}-${most}`,
    range: [least, most],
    read: (text) => readNumber(text, least, most),
    format: String,
  });
}

/** A kind with a reader that tells by undefined what it refuses. */
export type Reading<T> = Omit<Kind<T>, 'parse'> & {
  read(text: string): T | undefined;
};

/** A kind that refuses with UsageError what its reader does not take. */
export function kind<T>({ read, ...rest }: Reading<T>): Kind<T> {
  return { ...rest, parse: (text) => read(text) ?? refuse(text, rest.expected) };
}

/** A number of least to most, or one of some words. */
export function numberOr<const W extends string>(
  words: readonly W[],
  placeholder: string,
  expected: string,
  least: number,
  most: number,
  show: (value: number) => string = String,
): Kind<number | W> {
  return kind<number | W>({
    placeholder: alternatives(words[0] === 'fixed' ? [...words, placeholder] : [placeholder, ...words]),
    expected: `${expected}${words.length > 1 ? ', ' : ' or '}${words.join(' or ')}`,
    choices: words,
    range: [least, most],
    read: (text) => words.find((word) => word === text) ?? readNumber(text, least, most),
    format: (value) => (typeof value === 'number' ? show(value) : value),
  });
}

function refuse(text: string, expected: string): never {
  throw new UsageError(`expected ${expected}, got "${text}"`);
}

function refuseLater(text: string): never {
  throw new UsageError(`"${text}" is not supported yet`);
}

function own<T>(table: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return table !== undefined && Object.hasOwn(table, key) ? table[key] : undefined;
}

function alternatives(words: readonly string[]): string {
  return words.length === 1 ? `${words[0]}` : `{ ${words.join(' | ')} }`;
}

function oneOf(words: readonly string[]): string {
  return words.length === 1 ? `${words[0]}` : `one of ${words.join(', ')}`;
}

/**
 * A decimal or 0x hexadecimal number of least to most, else undefined. A leading zero is refused: to some it is octal, and in
 * a dump of TEIDs it is hexadecimal.
 */
export function readNumber(text: string, least: number, most: number): number | undefined {
  if (!/^(0|[1-9][0-9]{0,9}|0[xX][0-9a-fA-F]{1,16})$/.test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}
