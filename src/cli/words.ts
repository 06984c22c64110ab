// SPDX-License-Identifier: MIT
import { UsageError } from '../errors';
import { type CommandSpec, isLater, keyOf, type Row } from '../grammar';
import { checkComplete } from './complete';
import { openForms } from './forms';
import { type Found, findWords, nameOf, notation, opposite, type Reading, wrong } from './reading';
import { unknownWord } from './unknown';

/** The words of one command by key, as its Request type says. */
export type ParsedWords = { readonly [key: string]: unknown };

/** Reads the words of a command; `title` is what stands before them (titleOf). Throws UsageError that quotes the wrong word. */
export function readWords(spec: CommandSpec, title: string, words: readonly string[]): ParsedWords {
  const reading: Reader = { spec, title, given: new Map(), values: new Map() };
  const left = [...words];
  readPositional(reading, left);
  for (let text = left.shift(); text !== undefined; text = left.shift()) readWord(reading, text, left);
  checkComplete(reading);
  return Object.fromEntries([...reading.values].map(([word, value]) => [keyOf(word), value]));
}

/** A Reading that is still going on. */
type Reader = Reading & { readonly given: Map<string, string>; readonly values: Map<string, unknown> };

function readPositional(reading: Reader, left: string[]): void {
  const [word, row] = Object.entries(reading.spec.words)[0] ?? [];
  const first = left[0];
  if (word === undefined || row === undefined || isLater(row) || !row.positional || first === undefined) return;
  // A keyword or an option here means that the name was left out; nobody names a link like that.
  if (first.startsWith('-') || findWords(reading.spec.words, first).length > 0) return;
  left.shift();
  store(reading, word, row, first, true);
}

function readWord(reading: Reader, text: string, left: string[]): void {
  const found = findWords(reading.spec.words, text);
  const chosen = choose(reading, found, left[0]);
  if (chosen === undefined) throw unknownWord(reading, text, left);
  const { word, row, negative } = chosen;
  if (isLater(row)) throw wrong(reading, `"${text}" is not supported yet`);
  const value = row.flag ? text : left.shift();
  if (value === undefined)
    throw wrong(reading, `"${nameOf(reading, word)}" needs a value: expected ${notation(word, row)}`);
  store(reading, word, row, value, !negative);
}

// A flag and a word with a value are told apart by what follows, or by what the other words are about.
function choose({ spec, given }: Reading, found: readonly Found[], next: string | undefined): Found | undefined {
  if (found.length < 2) return found[0];
  const valued = found.find(({ row }) => !isLater(row) && row.kind?.choices?.includes(next ?? ''));
  const open = openForms(spec, given);
  const fitting = found.filter(({ row }) => !isLater(row) && row.of?.some((form) => open.includes(form)));
  return valued ?? fitting[0] ?? found[0];
}

function store(reading: Reader, word: string, row: Row, text: string, flag: boolean): void {
  const { given, values } = reading;
  const before = given.get(word);
  if (before !== undefined && !row.repeat) throw repeated(reading, word, row, before, text);
  const against = row.not?.find((other) => given.has(other)) ?? opposite(reading, word);
  if (against !== undefined && given.has(against))
    throw wrong(reading, `"${word}" contradicts "${nameOf(reading, against)}": expected one of the two`);
  if (reading.spec.exclusive && given.size > 0 && before === undefined) throw exclusive(reading, word);
  const value = row.kind === undefined ? flag : parseValue(reading, word, row, text);
  given.set(word, text);
  values.set(word, row.repeat ? [...((values.get(word) as unknown[] | undefined) ?? []), value] : value);
}

function parseValue(reading: Reading, word: string, row: Row, text: string): unknown {
  try {
    return row.kind?.parse(text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw wrong(reading, `${nameOf(reading, word)}: ${error.message}`, error.hint);
  }
}

function repeated(reading: Reading, word: string, row: Row, before: string, text: string): UsageError {
  const name = nameOf(reading, word);
  const twice = row.flag ? `${before} ${text}` : `${name} ${before} ${name} ${text}`;
  return wrong(reading, `"${name}" is given twice: expected one "${notation(word, row)}", got "${twice}"`);
}

function exclusive(reading: Reading, word: string): UsageError {
  const ways = Object.entries(reading.spec.words).flatMap(([name, row]) => (isLater(row) ? [] : [notation(name, row)]));
  return wrong(reading, `"${word}" is one too many: expected one of ${ways.join(', ')}`);
}
