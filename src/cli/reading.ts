// SPDX-License-Identifier: MIT
import { UsageError } from '../errors';
import { type CommandSpec, isLater, type Later, type Row, type Words } from '../grammar';
import { listed } from '../suggest';
import { type Given, isOpen, type Rows } from './forms';

/** The words of a command as they are read, with what errors need to say. */
export type Reading = {
  readonly spec: CommandSpec;
  readonly title: string;
  /** Each word with its last value, or as it was written if it is a flag. */
  readonly given: Given;
};

/** The rows of a command that work. */
export function rowsOf({ words }: CommandSpec): Rows {
  return Object.entries(words).filter((entry): entry is [string, Row] => !isLater(entry[1]));
}

/** A word as it is written in a command line: "remote ADDR", "[no]udpcsum", "NAME". */
export function notation(word: string, row: Row): string {
  const value = row.placeholder ?? row.kind?.placeholder;
  if (row.positional) return value ?? word;
  return value === undefined ? `${row.no ? '[no]' : ''}${word}` : `${row.as ?? word} ${value}`;
}

/** How errors call a word: one that is positional has no keyword and is called by its placeholder. */
export function nameOf({ spec }: Pick<Reading, 'spec'>, word: string): string {
  const row = spec.words[word];
  if (row === undefined || isLater(row)) return word;
  return row.positional ? notation(word, row) : (row.as ?? word);
}

/** The other one of a command's two ways. */
export function opposite({ spec: { either } }: Reading, word: string): string | undefined {
  return either?.includes(word) ? either.find((other) => other !== word) : undefined;
}

/** The words that may still be given. */
export function remaining(reading: Reading): string[] {
  const { spec, given } = reading;
  if (spec.exclusive && given.size > 0) return [];
  const words = rowsOf(spec).flatMap(([word, row]) => {
    if (row.positional || (given.has(word) && !row.repeat)) return [];
    return isOpen(spec, given, row) && !isRuledOut(reading, word, row) ? [row.as ?? word] : [];
  });
  return [...new Set(words)];
}

/** Some words as what was expected: those that are near first, and no more of them than are read. */
export function expectedWords(words: readonly string[], near: readonly string[] = []): string {
  const all = [...near.filter((word) => words.includes(word)), ...words.filter((word) => !near.includes(word))];
  if (all.length === 0) return 'no more words';
  if (all.length <= SHOWN + 2) return listed(all);
  return listed([...all.slice(0, SHOWN), `${all.length - SHOWN} more`]);
}

const SHOWN = 12;

export type Found = { readonly word: string; readonly row: Row | Later; readonly negative: boolean };

/** What a text may be: a word, a flag with "no", or one of two rows that share a word. */
export function findWords(words: Words, text: string): Found[] {
  return Object.entries(words).flatMap(([word, row]): Found[] => {
    if (!isLater(row) && row.positional) return [];
    const name = isLater(row) ? word : (row.as ?? word);
    if (name === text) return [{ word, row, negative: false }];
    return row.no && text === `no${name}` ? [{ word, row, negative: true }] : [];
  });
}

/** An error about the words of a command. */
export function wrong({ title }: Reading, message: string, hint?: string): UsageError {
  return new UsageError(message, { hint: hint ?? `see "gtp ${title} help"` });
}

function isRuledOut(reading: Reading, word: string, row: Row): boolean {
  const taken = (name: string | undefined): boolean => name !== undefined && reading.given.has(name);
  const isAgainst = taken(opposite(reading, word)) || row.not?.some(taken) === true;
  return isAgainst || (row.with !== undefined && taken(opposite(reading, row.with)));
}
