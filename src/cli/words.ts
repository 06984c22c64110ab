// SPDX-License-Identifier: MIT
import { UsageError } from '../errors';
import {
  type CommandSpec,
  grammar,
  isLater,
  keyOf,
  type Later,
  type ObjectSpec,
  type Row,
  titleOf,
  type Words,
} from '../grammar';
import { CHOOSER, findClash, formOf, isOpen, type Rows } from './forms';
import { suggest } from './suggest';

/** The words of one command by key, as its Request type says. */
export type ParsedWords = { readonly [key: string]: unknown };

/** Reads the words of a command; `title` is what stands before them (titleOf). Throws UsageError that quotes the wrong word. */
export function readWords(spec: CommandSpec, title: string, words: readonly string[]): ParsedWords {
  const reading: Reading = { spec, title, given: new Map(), values: new Map() };
  const left = [...words];
  readPositional(reading, left);
  for (let text = left.shift(); text !== undefined; text = left.shift()) readWord(reading, text, left);
  checkComplete(reading);
  return Object.fromEntries([...reading.values].map(([word, value]) => [keyOf(word), value]));
}

/** A word as it is written in a command line: "remote ADDR", "[no]udpcsum", "NAME". */
export function notation(word: string, row: Row): string {
  const value = row.placeholder ?? row.kind?.placeholder;
  if (row.positional) return value ?? word;
  return value === undefined ? `${row.no ? '[no]' : ''}${word}` : `${word} ${value}`;
}

/** The words of a command as they are read, with what errors need to say. */
type Reading = {
  readonly spec: CommandSpec;
  readonly title: string;
  /** Each word with its last value, or as it was written if it is a flag. */
  readonly given: Map<string, string>;
  readonly values: Map<string, unknown>;
};

function readPositional(reading: Reading, left: string[]): void {
  const [word, row] = Object.entries(reading.spec.words)[0] ?? [];
  const first = left[0];
  if (word === undefined || row === undefined || isLater(row) || !row.positional || first === undefined) return;
  // A keyword or an option here means that the name was left out; nobody names a link like that.
  if (first.startsWith('-') || findWord(reading.spec.words, first) !== undefined) return;
  left.shift();
  store(reading, word, row, first, true);
}

function readWord(reading: Reading, text: string, left: string[]): void {
  const found = findWord(reading.spec.words, text);
  if (found === undefined) throw unknownWord(reading, text);
  const { word, row, negative } = found;
  if (isLater(row)) throw new UsageError(`"${text}" is not supported yet`);
  const value = row.flag ? text : left.shift();
  if (value === undefined) throw wrong(reading, `"${word}" needs a value: expected ${notation(word, row)}`);
  store(reading, word, row, value, !negative);
}

function findWord(words: Words, text: string): { word: string; row: Row | Later; negative: boolean } | undefined {
  for (const negative of [false, true]) {
    if (negative && !text.startsWith('no')) break;
    const word = negative ? text.slice(2) : text;
    const row = Object.hasOwn(words, word) ? words[word] : undefined;
    if (row === undefined || (negative && !row.no) || (!isLater(row) && row.positional)) continue;
    return { word, row, negative };
  }
  return undefined;
}

function store(reading: Reading, word: string, row: Row, text: string, flag: boolean): void {
  const { given, values } = reading;
  const before = given.get(word);
  if (before !== undefined && !row.repeat) throw repeated(reading, word, row, before, text);
  const against = row.not ?? opposite(reading, word);
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

function checkComplete(reading: Reading): void {
  const { spec, title, given } = reading;
  checkForms(reading);
  const rows = rowsOf(reading);
  const groups = new Set(rows.filter(([word]) => given.has(word)).map(([, row]) => row.group));
  const needed = rows.filter(([, row]) => row.required && (row.group === undefined || groups.has(row.group)));
  const missing = needed.filter(([word]) => !given.has(word));
  if (missing.length > 0) throw incomplete(reading, needed, missing);
  checkEither(reading, rows);
  if (spec.some && [...given.keys()].every((word) => word === CHOOSER || needed.some(([name]) => name === word))) {
    throw wrong(reading, `"${title}" changes nothing: expected ${remaining(reading).join(', ')}`);
  }
}

// A positional word has no keyword: it is called by its placeholder.
function nameOf({ spec }: Reading, word: string): string {
  const row = spec.words[word];
  return row === undefined || isLater(row) || !row.positional ? word : notation(word, row);
}

// The other one of a command's two ways.
function opposite({ spec: { either } }: Reading, word: string): string | undefined {
  return either?.includes(word) ? either.find((other) => other !== word) : undefined;
}

function checkEither(reading: Reading, rows: Rows): void {
  const { spec, title, given } = reading;
  const ways = rows.filter(([word]) => spec.either?.includes(word));
  const [first] = ways.some(([word]) => given.has(word)) ? [] : ways;
  if (first !== undefined) {
    const expected = ways.map((entry) => notation(...entry)).join(' | ');
    throw wrong(reading, `"${nameOf(reading, first[0])}" is missing: expected gtp ${title} { ${expected} } ...`);
  }
  for (const [word, { with: other }] of rows) {
    if (other === undefined || given.has(other) || !given.has(word)) continue;
    throw wrong(reading, `"${word}" needs "${other}": expected gtp ${title} ${other} ...`);
  }
}

// The rows of a command that go with what was given; those of every form while nothing tells which.
function rowsOf({ spec, given }: Reading): Rows {
  const form = formOf(spec, given);
  const rows = Object.entries(spec.words).filter((entry): entry is [string, Row] => !isLater(entry[1]));
  return rows.filter(([, { of }]) => of === undefined || form === undefined || of === form);
}

function checkForms(reading: Reading): void {
  const { spec, given } = reading;
  const clash = findClash(spec, given);
  if (clash === undefined) return;
  const { word, of, form, rival } = clash;
  const typed = (name: string): string => ((spec.words[name] as Row).flag ? (given.get(name) ?? name) : name);
  const start = `"${typed(word)}" is a word of ${of}`;
  if (rival !== undefined)
    throw wrong(reading, `${start}, "${typed(rival)}" of ${form}: expected words of one ${CHOOSER}`);
  const own = Object.entries(spec.words).flatMap(([name, row]) =>
    isLater(row) || row.of !== form || given.has(name) ? [] : [name],
  );
  const isGiven = given.has(CHOOSER);
  const what = isGiven ? `"${form}"` : `${form}, which is the default`;
  throw wrong(reading, `${start}, not of ${what}: expected ${own.join(', ')}`, isGiven ? undefined : `give ${of}, too`);
}

function incomplete(reading: Reading, needed: Rows, [first, ...others]: Rows): UsageError {
  const form = formOf(reading.spec, reading.given);
  const isEither = (entry: Rows[number] | undefined): boolean => form === undefined && entry?.[1].of !== undefined;
  const missing = isEither(first) ? [first, ...others.filter(isEither)] : [first];
  const names = missing.flatMap((entry) => (entry === undefined ? [] : [nameOf(reading, entry[0])]));
  const ways = needed.filter(isEither).map((entry) => notation(...entry));
  const chosen = reading.given.has(CHOOSER) && form !== undefined ? [form] : [];
  const id = needed.find(([, { of }]) => of !== undefined);
  const example = needed.flatMap((entry) => {
    if (isEither(entry)) return entry === id ? [`{ ${ways.join(' | ')} }`] : [];
    return entry === id ? [...chosen, notation(...entry)] : [notation(...entry)];
  });
  const told = names.map((name) => `"${name}"`).join(' or ');
  return wrong(reading, `${told} is missing: expected gtp ${reading.title} ${example.join(' ')} ...`);
}

function unknownWord(reading: Reading, text: string): UsageError {
  const expected = remaining(reading);
  const hint =
    suggest(text, expected) ??
    (text.startsWith('-') ? `options come before the object: gtp ${text} ${reading.title}` : undefined);
  const home = homes(text, reading.title.split(' ')[0] ?? '')[0];
  const what =
    home === undefined ? `unknown word "${text}"` : `"${text}" is a word of "${home}", not of "${reading.title}"`;
  return wrong(reading, `${what}: expected ${expected.length === 0 ? 'no more words' : expected.join(', ')}`, hint);
}

// Commands that know the word, those of the same object first: it is foreign here rather than unknown.
function homes(text: string, object: string): string[] {
  const titles = Object.entries<ObjectSpec | Later>(grammar).flatMap(([name, spec]) =>
    Object.entries(isLater(spec) ? {} : spec.commands)
      .filter(([, command]) => !isLater(command) && findWord(command.words, text) !== undefined)
      .map(([command]) => titleOf(name, command)),
  );
  return titles.sort((a, b) => Number(b.startsWith(object)) - Number(a.startsWith(object)));
}

function remaining(reading: Reading): string[] {
  const { spec, given } = reading;
  if (spec.exclusive && given.size > 0) return [];
  return Object.entries(spec.words).flatMap(([word, row]) => {
    if (isLater(row) || row.positional || (given.has(word) && !row.repeat)) return [];
    return isOpen(spec, given, row) && !isRuledOut(reading, word, row) ? [word] : [];
  });
}

function isRuledOut(reading: Reading, word: string, row: Row): boolean {
  const taken = (name: string | undefined): boolean => name !== undefined && reading.given.has(name);
  return taken(opposite(reading, word)) || (row.with !== undefined && taken(opposite(reading, row.with)));
}

function repeated(reading: Reading, word: string, row: Row, before: string, text: string): UsageError {
  const twice = row.flag ? `${before} ${text}` : `${word} ${before} ${word} ${text}`;
  return wrong(reading, `"${word}" is given twice: expected one "${notation(word, row)}", got "${twice}"`);
}

function exclusive(reading: Reading, word: string): UsageError {
  const ways = Object.entries(reading.spec.words).flatMap(([name, row]) => (isLater(row) ? [] : [notation(name, row)]));
  return wrong(reading, `"${word}" is one too many: expected one of ${ways.join(', ')}`);
}

function wrong(reading: Reading, message: string, hint?: string): UsageError {
  return new UsageError(message, { hint: hint ?? `see "gtp ${reading.title} help"` });
}
