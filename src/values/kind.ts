// SPDX-License-Identifier: MIT
import { UsageError } from '../errors';
import { suggest } from '../suggest';

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
  /** Other words for them, which are read and never printed. */
  readonly aliases?: readonly string[];
  /** The least and the greatest of its numbers. */
  readonly range?: readonly [least: number, most: number];
  /** Text to value; throws UsageError that quotes the text and says what was expected. */
  parse(text: string): T;
  /** Value to text that parse accepts. */
  format(value: T): string;
};

/** One of a few words. Aliases are read but never printed. */
export function choice<const T extends string>(
  values: readonly T[],
  { aliases = {} }: { readonly aliases?: Readonly<Record<string, T>> } = {},
): Kind<T> {
  const all = [...values, ...Object.keys(aliases)];
  const read = (text: string) => values.find((value) => value === text) ?? own(aliases, text);
  return kind<T>({
    placeholder: alternatives(values),
    expected: oneOf(all),
    choices: values,
    aliases: Object.keys(aliases),
    read,
    hint: (text) => suggest(text, all) ?? suggest(own(SWITCHES, text.toLowerCase()) ?? '', all),
    format: String,
  });
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

/** A kind with a reader that tells by undefined what it refuses; `hint` says what could be meant by such a text. */
export type Reading<T> = Omit<Kind<T>, 'parse'> & {
  read(text: string): T | undefined;
  hint?(text: string): string | undefined;
};

/** A kind that refuses with UsageError what its reader does not take. */
export function kind<T>({ read, hint, ...rest }: Reading<T>): Kind<T> {
  const hintOf = (text: string) => hint?.(text) ?? suggest(text, rest.choices ?? []) ?? repaired(text, read);
  return { ...rest, parse: (text) => read(text) ?? refuse(text, rest.expected, hintOf(text)) };
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

// A value that was written in another way than we read it, such as a MAC address with dashes.
function repaired(text: string, read: (text: string) => unknown): string | undefined {
  const fixed = REPAIRS.map((repair) => repair(text)).find((each) => each !== text && read(each) !== undefined);
  return fixed === undefined ? undefined : `did you mean "${fixed}"?`;
}

const REPAIRS: readonly ((text: string) => string)[] = [
  (text) => text.trim().replace(/^(["'])(.*)\1$/, '$2'),
  (text) => text.toLowerCase().replace(/^0+(?=[1-9]\d*$)/, ''), // leading zeros
  (text) => (/^[0-9a-f]+$/i.test(text) ? `0x${text}` : text),
  (text) => text.replaceAll('-', ':'),
  (text) => text.replace(/^(..)(..)\.(..)(..)\.(..)(..)$/, '$1:$2:$3:$4:$5:$6'), // a MAC address as switches write it
  (text) => text.replace(/%.*$/, ''), // a zone
  (text) => text.replace(/\/\d+$/, ''), // a length where there is none
  (text) => text.replace(/^::ffff:/i, ''),
  (text) => text.replace(/\/255[\d.]+$/, (mask) => `/${lengthOf(mask.slice(1))}`),
];

// The length of a netmask.
function lengthOf(mask: string): number {
  return mask.split('.').reduce((bits, octet) => bits + Number(octet).toString(2).replaceAll('0', '').length, 0);
}

// How others write on and off.
const SWITCHES = { yes: 'on', true: 'on', enable: 'on', 1: 'on', no: 'off', false: 'off', disable: 'off', 0: 'off' };

function refuse(text: string, expected: string, hint: string | undefined): never {
  throw new UsageError(`expected ${expected}, got "${text}"`, hint === undefined ? {} : { hint });
}

function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
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
