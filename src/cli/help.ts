// SPDX-License-Identifier: MIT
import {
  type CommandSpec,
  FORMS,
  type Form,
  globalOptions,
  grammar,
  isLater,
  type Later,
  type ObjectSpec,
  type OptionSpec,
  type Row,
  titleOf,
} from '../grammar';
import { CHOOSERS, hasForms, isCommon, nameForms, type Rows } from './forms';
import { notation, rowsOf } from './reading';

/** Widest line of help. */
const WIDTH = 100;

/** Help for gtp as a whole, an object, or one command, in the notation of ip. Ends with a newline. */
export function help(object?: string, command?: string): string {
  if (object === undefined) return topHelp();
  const spec = working<ObjectSpec>(grammar)[object];
  if (spec === undefined) throw new Error(`no such object: ${object}`);
  if (command === undefined && !spec.bare) return objectHelp(object, spec);
  const name = command ?? Object.keys(spec.commands)[0] ?? '';
  const commandSpec = working<CommandSpec>(spec.commands)[name];
  if (commandSpec === undefined) throw new Error(`no such command: ${object} ${name}`);
  return commandHelp(object, name, commandSpec);
}

/** What `gtp help` says; `gtp -help` adds a line for each option. */
export function topHelp(): string {
  const objects = Object.entries(working<ObjectSpec>(grammar));
  const width = Math.max(...objects.map(([name]) => name.length));
  return [
    'Usage: gtp [ OPTIONS ] OBJECT { COMMAND | help }',
    '       gtp [ -force ] -batch { FILE | - }',
    '',
    ...wrap(['OBJECT :=', ...braced(objects.map(([name]) => name))], '', 10),
    ...wrap(['OPTIONS :=', ...braced(shownOptions().map(optionNotation))], '', 13),
    '',
    ...objects.map(([name, spec]) => `  ${name.padEnd(width)}  ${spec.help} (gtp ${name} help)`),
    '',
  ].join('\n');
}

/** The synopsis of every command of an object: what stands before its words, without "gtp", and unwrapped tokens. */
export function synopsis(object: string): { readonly title: string; readonly tokens: readonly string[] }[] {
  const spec = working<ObjectSpec>(grammar)[object];
  return Object.entries(working<CommandSpec>(spec?.commands ?? {})).map(([command, commandSpec]) => ({
    title: titleOf(object, command),
    tokens: commandTokens(commandSpec),
  }));
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
  const own = rowsOf(spec).filter(([word, row]) => !isCommon(row) && !CHOOSERS.includes(word));
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

// Version 0 has to be asked for where its ID does not tell.
function chooserOf({ words }: CommandSpec): string {
  const row = words['version'];
  const isDefault = row !== undefined && !isLater(row) && row.default !== undefined;
  return isDefault ? 'version 0' : '[ version 0 ]';
}

const SEPARATOR = '\0';

/** Entries of a table that work now. */
export function working<T>(table: { readonly [name: string]: T | Later }): { readonly [name: string]: T } {
  const entries = Object.entries(table).filter((entry): entry is [string, T] => !isLater(entry[1] as object));
  return Object.fromEntries(entries);
}

/** The options that work now. */
export function shownOptions(): OptionSpec[] {
  return globalOptions.filter((option): option is Extract<typeof option, OptionSpec> => !isLater(option));
}

/** An option as it is written in a synopsis: -br[ief], -c[olor][={auto|always|never}]. */
export function optionNotation(option: OptionSpec): string {
  const { name, short, value } = option;
  const flag = short === undefined ? `-${name}` : `-${short}[${name.slice(short.length)}]`;
  if (value === undefined) return flag;
  return value.form === 'equals' ? `${flag}[=${value.placeholder}]` : `${flag} ${value.placeholder}`;
}

/** What help says about one word: its help line, and what holds without it. */
export function rowHelp(row: Row): string {
  if (row.default !== undefined) return `${row.help} (default ${row.default})`;
  const values = new Map<unknown, string[]>();
  for (const [type, value] of Object.entries(row.defaults ?? {}))
    values.set(value, [...(values.get(value) ?? []), type]);
  const told = [...values].map(([value, types]) => `${value} for ${types.join(', ')}`);
  return told.length === 0 ? row.help : `${row.help} (default ${told.join('; ')})`;
}

/** Fills lines of at most WIDTH columns; a token that holds spaces is not broken. */
export function wrap(tokens: readonly string[], start: string, indent: number): string[] {
  const lines: string[] = [];
  let line = start;
  for (const text of tokens) {
    const separator = line === '' || line.endsWith(' ') ? '' : ' ';
    if (line.trim() !== '' && line.length + separator.length + text.length > WIDTH) {
      lines.push(line.trimEnd());
      line = ' '.repeat(indent) + text;
    } else line += separator + text;
  }
  return [...lines, line];
}

function objectHelp(object: string, spec: ObjectSpec): string {
  const commands = Object.entries(working<CommandSpec>(spec.commands));
  const lines = commands.flatMap(([name, command], at) => usage(at === 0, object, name, command));
  const width = Math.max(...commands.map(([name]) => name.length));
  const told = commands.map(
    ([name, command]) => `  ${name.padEnd(width)}  ${command.help} (gtp ${object} ${name} help)`,
  );
  const all = commands.map(([, command]) => command);
  return [...lines, ...definitions(all), ...kindLines(all.find(hasForms)), '', ...told, ''].join('\n');
}

function commandHelp(object: string, name: string, spec: CommandSpec): string {
  const lines = rowsOf(spec).map(
    ([word, row]) => [token(word, row).replace(/^\[ (.*) \]/, '$1'), rowHelp(row)] as const,
  );
  const width = Math.min(36, Math.max(0, ...lines.map(([left]) => left.length)));
  const told = lines.flatMap(([left, right]) => wrap(right.split(' '), `  ${left.padEnd(width)}  `, width + 4));
  const body = told.length === 0 ? [] : ['', ...told];
  const usages = [...usage(true, object, name, spec), ...definitions([spec]), ...kindLines(spec)];
  return [...usages, '', spec.help, ...body, ''].join('\n');
}

// What ID stands for, by type: as in the first command that has it.
function kindLines(spec: CommandSpec | undefined): string[] {
  const kinds = spec === undefined ? [] : formWords(spec);
  if (kinds.length === 0) return [];
  const width = Math.max(...kinds.map(({ name }) => name.length)) + 4;
  const lines = kinds.flatMap(({ name, tokens }) => wrap(tokens, `  ${name.padEnd(width - 2)}`, width));
  return ['', 'ID, with the words that only this type has:', ...lines];
}

function usage(first: boolean, object: string, name: string, spec: CommandSpec): string[] {
  const start = `${first ? 'Usage:' : '      '} gtp ${titleOf(object, name)}`;
  return wrap(commandTokens(spec), start, 15);
}

function definitions(specs: readonly CommandSpec[]): string[] {
  const found = new Map(specs.flatMap((spec) => [...groups(spec)]));
  const lines = [...found].flatMap(([name, tokens]) => wrap([`${name} :=`, ...tokens], '', 8));
  return lines.length === 0 ? [] : ['', ...lines];
}

function commandTokens(spec: CommandSpec): string[] {
  const all = rowsOf(spec);
  if (spec.exclusive) return [`[ ${all.map(([word, row]) => notation(word, row)).join(' | ')} ]`];
  const needed = all.filter(([, row]) => row.required && row.group === undefined);
  if (spec.some) {
    const isWay = ([word, row]: Rows[number]): boolean => !row.required && !row.names && !CHOOSERS.includes(word);
    const ways = [...new Set(all.filter(isWay).map((entry) => notation(...entry)))];
    const choosers = all.filter(([word]) => CHOOSERS.includes(word));
    return [...tokensOf([...needed.filter(([, { of }]) => of === undefined), ...choosers]), ...braced(ways, '...')];
  }
  const isEither = (word: string): boolean => spec.either?.includes(word) === true;
  const ways = all.filter(([word]) => isEither(word)).map(([word, row]) => notation(word, row));
  const plain = tokensOf(all.filter(([word, row]) => row.group === undefined && !isEither(word)));
  return [
    ...(ways.length === 0 ? [] : [`{ ${ways.join(' | ')} }`]),
    ...plain,
    ...[...groups(spec).keys()].map((name) => `[ ${name} ]`),
  ];
}

// The words of one type alone are told apart: ID stands for them.
function tokensOf(list: Rows): string[] {
  const start = list.findIndex(([, row]) => !isCommon(row));
  if (start < 0) return tokensEach(list);
  const shared = (entries: Rows): Rows => entries.filter(([word, row]) => isCommon(row) && word !== 'version');
  return [...tokensEach(shared(list.slice(0, start))), 'ID', ...tokensEach(shared(list.slice(start)))];
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

function token(word: string, row: Row): string {
  const text = notation(word, row);
  const whole = row.required ? text : `[ ${text} ]`;
  return row.repeat ? `${whole}...` : whole;
}

// Breakable alternatives: each token keeps its bar.
function braced(ways: readonly string[], after = ''): string[] {
  return ways.map((way, at) => {
    const open = at === 0 ? '{ ' : '';
    return at === ways.length - 1 ? `${open}${way} }${after}` : `${open}${way} |`;
  });
}
