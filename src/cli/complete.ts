// SPDX-License-Identifier: MIT
// Whether the words of a command are whole, and words of one kind of tunnel.
import type { UsageError } from '../errors';
import { type CommandSpec, type Form, formsOfType, grammar, keyOf, type Row, typeOfForm } from '../grammar';
import { CHOOSERS, type Clash, findClash, isCommon, isGtp, nameForms, openForms, type Rows } from './forms';
import { expectedWords, nameOf, notation, opposite, type Reading, remaining, rowsOf, wrong } from './reading';

/** Throws UsageError unless nothing contradicts and nothing is missing that does not depend on the type of a link. */
export function checkComplete(reading: Reading): void {
  const { spec, title, given } = reading;
  checkForms(reading);
  const forms = openForms(spec, given);
  checkMissing(reading, forms);
  checkEither(reading);
  const isName = ([word, row]: Rows[number]): boolean =>
    CHOOSERS.includes(word) || row.required === true || row.names === true;
  const others = rowsOf(spec).filter((entry) => !isName(entry));
  if (spec.some && !others.some(([word]) => given.has(word))) {
    throw wrong(reading, `"${title}" changes nothing: expected ${expectedWords(remaining(reading))}`);
  }
}

/** What decides where the words of a session leave its type open. */
export type LinkType = { readonly name: string; readonly type: string };

type SessionCommand = keyof (typeof grammar)['session']['commands'];

/** The type that a session's words have on a link. Throws UsageError where they do not tell, or one is missing for it. */
export function settleType(command: SessionCommand, words: object, link: LinkType): string {
  const spec = grammar.session.commands[command] as CommandSpec;
  const reading: Reading = { spec, title: `session ${command}`, given: textsOf(spec, { ...words, dev: link.name }) };
  const open = openForms(spec, reading.given);
  const types = [...new Set(open.map(typeOfForm))];
  const type = types.length === 1 ? types[0] : types.find((each) => each === link.type);
  if (type === undefined) throw undecided(reading, types, link);
  const hint = given(reading, 'type') || types.length === 1 ? undefined : hintOf(link);
  const forms = formsOfType(type).filter((form) => open.includes(form));
  checkMissing(reading, forms, hint);
  return type;
}

/** Throws UsageError for a word of `link set` that links of this type have no use for. */
export function checkLinkWords(words: object, { name, type }: LinkType): void {
  const spec: CommandSpec = grammar.link.commands.set;
  const reading: Reading = { spec, title: 'link set', given: textsOf(spec, words) };
  const foreign = rowsOf(spec).filter(([, { of }]) => of?.every((form) => typeOfForm(form) !== type));
  const [word, { of = [] }] = foreign.find(([each]) => given(reading, each)) ?? [undefined, {}];
  if (word === undefined) return;
  const expected = remaining(reading).filter((each) => foreign.every(([other]) => other !== each));
  throw wrong(
    reading,
    `"${word}" is a word of ${nameForms(of, false)}, link ${name} is of type ${type}: expected ${expectedWords(expected)}`,
  );
}

function hintOf({ name, type }: LinkType): string {
  return `link ${name} is of type ${type}: a session of another kind says so with type`;
}

function given({ given: all }: Reading, word: string): boolean {
  return all.has(word);
}

/** The words of a request as they are typed; of a word that was given several times, the last. */
export function textsOf(spec: CommandSpec, words: object): ReadonlyMap<string, string> {
  const values = new Map(Object.entries(words));
  return new Map(
    rowsOf(spec).flatMap(([word, row]): [string, string][] => {
      const value: unknown = values.get(keyOf(word));
      if (value === undefined) return [];
      if (row.flag) return [[word, value === true ? word : `no${word}`]];
      return [[word, row.kind?.format(Array.isArray(value) ? value.at(-1) : value) ?? '']];
    }),
  );
}

function undecided(reading: Reading, types: readonly string[], { name, type }: LinkType): UsageError {
  const word = [...reading.given.keys()].find((each) => (rowOf(reading, each)?.of ?? []).length > 0) ?? 'type';
  const of = nameForms(rowOf(reading, word)?.of ?? [], false);
  const expected =
    types.length > 2 ? `type { ${types.join(' | ')} }` : types.map((each) => `type ${each}`).join(' or ');
  return wrong(
    reading,
    `"type" is missing: "${nameOf(reading, word)}" is a word of ${of}, link ${name} is of type ${type}: expected ${expected}`,
  );
}

function rowOf({ spec }: Pick<Reading, 'spec'>, word: string): Row | undefined {
  return rowsOf(spec).find(([name]) => name === word)?.[1];
}

function checkForms(reading: Reading): void {
  const clash = findClash(reading.spec, reading.given);
  if (clash === undefined) return;
  const { word, of, against } = clash;
  const isOneType = isGtp(of) && (against.word === 'version' || isGtp(against.forms));
  const start = `"${typed(reading, word)}" is a word of ${nameForms(of, isOneType)}`;
  if (against.by === 'word') {
    const rival = `"${typed(reading, against.word)}" of ${nameForms(against.forms, isOneType)}`;
    throw wrong(reading, `${start}, ${rival}: expected words of one ${isOneType ? 'version' : 'type'}`);
  }
  throw foreign(reading, start, clash);
}

// A word against a chooser, which was given or is taken for given.
function foreign(reading: Reading, start: string, { of, against: { by, word, forms } }: Clash): UsageError {
  const { spec, given } = reading;
  const isVersion = word === 'version';
  const own = forms.filter(
    (form) => openForms(spec, given).includes(form) && (!isVersion || typeOfForm(form) === 'gtp'),
  );
  const words = rowsOf(spec).filter(
    ([name, row]) => !isCommon(row) && !CHOOSERS.includes(name) && own.some((form) => row.of?.includes(form)),
  );
  const left = words.filter(([name]) => !given.has(name)).map(([name]) => nameOf(reading, name));
  const expected = expectedWords([...new Set(left)]);
  if (by === 'chooser') throw wrong(reading, `${start}, not of "${word} ${given.get(word)}": expected ${expected}`);
  const name = nameForms(own, isVersion);
  const ways = isVersion ? of : [...new Set(of.map((form) => `type ${typeOfForm(form)}`))];
  return wrong(
    reading,
    `${start}, not of ${name}, which is the default: expected ${expected}`,
    `give ${ways.join(' or ')}, too`,
  );
}

// A flag as it was written, a word that has two rows with its value.
function typed({ spec, given }: Reading, word: string): string {
  const row = spec.words[word] as Row;
  if (row.as !== undefined) return `${row.as} ${given.get(word)}`;
  return row.flag ? (given.get(word) ?? word) : word;
}

// Something is missing when every form that is open misses something: a lone form has to be whole.
function checkMissing(reading: Reading, forms: readonly Form[], hint?: string): void {
  const ways = (forms.length === 0 ? [undefined] : forms).map((form) => neededOf(reading, form));
  const missing = ways.map((rows) => rows.filter(([word]) => !reading.given.has(word)).map(([word]) => word));
  if (missing.some((words) => words.length === 0)) return;
  const shared = missing[0]?.find((word) => missing.every((words) => words.includes(word)));
  const firsts = [...new Set(missing.map(([word = '']) => word))];
  const isVague = shared === undefined && !isGtp(forms);
  const names = shared !== undefined ? [shared] : isVague ? ['ID'] : firsts;
  const told = names.map((name) => `"${nameOf(reading, name)}"`).join(' or ');
  const isAll = rowsOf(reading.spec).every(([word]) => ways.every((rows) => rows.some(([name]) => name === word)));
  const expected = `gtp ${reading.title} ${example(reading, ways, forms).join(' ')}${isAll ? '' : ' ...'}`;
  throw wrong(reading, `${told} is missing: expected ${expected}`, hint ?? missingHint(reading, names));
}

// ip takes the name of a device with dev or without; and an ID is something else for each type.
function missingHint({ spec, title, given }: Reading, [name = '']: readonly string[]): string | undefined {
  const [before = ''] = given.keys();
  const isNamed = rowOf({ spec }, name)?.positional && ['dev', 'name'].includes(before);
  if (isNamed) return `the name comes first, and without "${before}": gtp ${title} NAME ...`;
  if (name !== 'ID') return undefined;
  return `ID is local-teid and remote-teid for type gtp, vni for vxlan, and so on: see "gtp ${title} help"`;
}

// The rows that a form cannot do without.
function neededOf({ spec, given }: Reading, form: Form | undefined): Rows {
  const rows = rowsOf(spec).filter(([, { of }]) => of === undefined || form === undefined || of.includes(form));
  const groups = new Set(rows.filter(([word]) => given.has(word)).map(([, row]) => row.group));
  return rows.filter(([, row]) => row.required && (row.group === undefined || groups.has(row.group)));
}

// What has to be typed: the words that choose the form before the first that depends on it.
function example(reading: Reading, ways: readonly Rows[], forms: readonly Form[]): string[] {
  const { spec, given } = reading;
  const needed = rowsOf(spec).filter(([word]) => ways.some((rows) => rows.some(([name]) => name === word)));
  const isShared = ([word, row]: Rows[number]): boolean =>
    ways.every((rows) => rows.some(([name]) => name === word)) || (isCommon(row) && !CHOOSERS.includes(word));
  const ids = needed.filter((entry) => !isShared(entry)).map((entry) => notation(...entry));
  const id = isGtp(forms) ? `{ ${ids.join(' | ')} }` : 'ID';
  const chosen = CHOOSERS.filter((word) => given.has(word) && hasOf(needed)).map(
    (word) => `${word} ${given.get(word)}`,
  );
  const first = needed.find(([, { of }]) => of !== undefined);
  return needed.flatMap((entry) => {
    const before = entry === first ? [...chosen, ...(ids.length > 0 ? [id] : [])] : [];
    return isShared(entry) ? [...before, notation(...entry)] : before;
  });
}

function hasOf(rows: Rows): boolean {
  return rows.some(([, { of }]) => of !== undefined);
}

function checkEither(reading: Reading): void {
  const { spec, title, given } = reading;
  const rows = rowsOf(spec);
  const ways = rows.filter(([word]) => spec.either?.includes(word));
  const [first] = ways.some(([word]) => given.has(word)) ? [] : ways;
  if (first !== undefined) {
    const expected = ways.map((entry) => notation(...entry)).join(' | ');
    throw wrong(reading, `"${nameOf(reading, first[0])}" is missing: expected gtp ${title} { ${expected} } ...`);
  }
  for (const [word, { with: other }] of rows) {
    if (other === undefined || given.has(other) || !given.has(word)) continue;
    const value = opposite(reading, other) === undefined ? `${notation(word, rowOf(reading, word) as Row)} ` : '';
    const needs = value === '' ? other : notation(other, rowOf(reading, other) as Row);
    throw wrong(
      reading,
      `"${word}" needs "${other}": expected gtp ${title} ${value === '' ? '' : '... '}${value}${needs} ...`,
    );
  }
}
