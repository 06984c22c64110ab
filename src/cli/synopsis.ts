// SPDX-License-Identifier: MIT
// The grammar in the notation of ip: a synopsis is a list of tokens, none of which is broken over lines.
import { type CommandSpec, FORMS, type Form, isLater, isShown, type Later, type Row } from '../grammar';
import { CHOOSERS, hasForms, isCommon, nameForms, type Rows } from './forms';
import { notation, rowsOf } from './reading';

/** Words that a synopsis names in one token, such as LINK-WORDS. */
export type NamedWords = { readonly name: string; readonly words: readonly string[] };

/** Entries of a table that work now, and that users are told of. */
export function working<T>(table: { readonly [name: string]: T | Later }): { readonly [name: string]: T } {
  const entries = Object.entries(table).filter((entry): entry is [string, T] => isShown(entry[1] as object));
  return Object.fromEntries(entries);
}

/** What follows the name of a command. A command that has all of the named words has their name in their place. */
export function commandTokens(spec: CommandSpec, named?: NamedWords): string[] {
  const all = rowsOf(spec);
  if (spec.exclusive) return [`[ ${all.map(([word, row]) => notation(word, row)).join(' | ')} ]`];
  const list = named?.words.every((word) => word in spec.words) ? named : undefined;
  return spec.some ? changeTokens(all, list) : plainTokens(spec, all, list);
}

/** The groups that the synopsis of a command abbreviates, such as SESSION-WORDS, with their tokens. */
export function groups(spec: CommandSpec): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, Rows[number][]>();
  for (const entry of rowsOf(spec)) {
    const [, { group }] = entry;
    if (group !== undefined) found.set(group, [...(found.get(group) ?? []), entry]);
  }
  return new Map([...found].map(([group, list]) => [group, tokensOf(list)]));
}

/** What the words of each type are, the versions of gtp apart: what it is called, and tokens. Empty where there are none. */
export function formWords(spec: CommandSpec): readonly { readonly name: string; readonly tokens: readonly string[] }[] {
  if (!hasForms(spec)) return [];
  const isGrouped = groups(spec).size > 0;
  const own = rowsOf(spec).filter(
    ([word, row]) => !isCommon(row) && !CHOOSERS.includes(word) && (row.group !== undefined || !isGrouped),
  );
  const found = new Map<string, Form[]>();
  for (const form of FORMS) {
    const tokens = tokensEach(own.filter(([, { of }]) => of?.includes(form)));
    const text = [...(form === 'version 0' ? [chooserOf(spec)] : []), ...tokens].join(SEPARATOR);
    found.set(text, [...(found.get(text) ?? []), form]);
  }
  const isLone = (forms: readonly Form[]): boolean => !forms.includes('version 0') || forms.includes('version 1');
  return [...found].map(([text, forms]) => ({
    name: isLone(forms) ? nameForms(forms, false).replace(' and ', ', ') : 'gtp version 0',
    tokens: text === '' ? [] : text.split(SEPARATOR),
  }));
}

/** The words of one type alone are told apart: ID stands for them, where one of them is needed. */
export function tokensOf(list: Rows): string[] {
  const isOwn = ([, row]: Rows[number]): boolean => !isCommon(row);
  const start = list.findIndex(isOwn);
  if (!list.some((entry) => isOwn(entry) && entry[1].required)) return tokensEach(list);
  const shared = (entries: Rows): Rows => entries.filter(([word, row]) => isCommon(row) && word !== 'version');
  return [...tokensEach(shared(list.slice(0, start))), 'ID', ...tokensEach(shared(list.slice(start)))];
}

/** A word as it stands in a synopsis: in brackets if it may be left out, with dots if it may come again. */
export function token(word: string, row: Row): string {
  const text = notation(word, row);
  const whole = row.required ? text : `[ ${text} ]`;
  return row.repeat ? `${whole}...` : whole;
}

/** Breakable alternatives: each token keeps its bar. */
export function braced(ways: readonly string[], after = ''): string[] {
  return ways.map((way, at) => {
    const open = at === 0 ? '{ ' : '';
    return at === ways.length - 1 ? `${open}${way} }${after}` : `${open}${way} |`;
  });
}

// What names the thing, and then one or more of the rest.
function changeTokens(all: Rows, list: NamedWords | undefined): string[] {
  const isChooser = ([word]: Rows[number]): boolean => CHOOSERS.includes(word);
  const isFixed = (entry: Rows[number]): boolean => isChooser(entry) || entry[1].required === true;
  const ways = all.filter((entry) => !isFixed(entry) && !entry[1].names && !list?.words.includes(entry[0]));
  const told = [...ways.map((entry) => notation(...entry)), ...(list === undefined ? [] : [list.name])];
  return [...tokensOf(all.filter(isFixed)), ...braced([...new Set(told)], '...')];
}

function plainTokens(spec: CommandSpec, all: Rows, list: NamedWords | undefined): string[] {
  const isEither = (word: string): boolean => spec.either?.includes(word) === true;
  const isNamed = ([word]: Rows[number]): boolean => list?.words.includes(word) === true;
  const ways = all.filter(([word]) => isEither(word)).map(([word, row]) => notation(word, row));
  const plain = all.filter((entry) => entry[1].group === undefined && !isEither(entry[0]) && !isNamed(entry));
  const isNeeded = all.some((entry) => isNamed(entry) && entry[1].required);
  return [
    ...(ways.length === 0 ? [] : [`{ ${ways.join(' | ')} }`]),
    ...tokensOf(plain),
    ...(list === undefined ? [] : [isNeeded ? list.name : `[ ${list.name} ]`]),
    ...[...groups(spec).keys()].map((name) => `[ ${name} ]`),
  ];
}

// Two words that need each other are one token.
function tokensEach(list: Rows): string[] {
  return list.flatMap(([word, row], at) => {
    const other = list.findIndex(([name, { with: needed }]) => name === row.with && needed === word);
    const [name, otherRow] = list[other] ?? [];
    if (name === undefined || otherRow === undefined) return [token(word, row)];
    return at < other ? [`[ ${notation(word, row)} ${notation(name, otherRow)} ]`] : [];
  });
}

// Version 0 has to be asked for where its ID does not tell.
function chooserOf({ words }: CommandSpec): string {
  const row = words['version'];
  const isDefault = row !== undefined && !isLater(row) && row.default !== undefined;
  return isDefault ? 'version 0' : '[ version 0 ]';
}

const SEPARATOR = '\0';
