// SPDX-License-Identifier: MIT
import {
  type CommandSpec,
  globalOptions,
  grammar,
  isLater,
  type Later,
  type ObjectSpec,
  type OptionSpec,
  type Row,
  titleOf,
} from '../grammar';
import { CHOOSER, type Rows } from './forms';
import { notation } from './words';

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
  const found = new Map<string, [string, Row][]>();
  for (const entry of rows(spec)) {
    const [, { group }] = entry;
    if (group !== undefined) found.set(group, [...(found.get(group) ?? []), entry]);
  }
  return new Map([...found].map(([group, list]) => [group, tokensOf(list)]));
}

/** Rows of a command that work, in the order of the table. */
export function rows(spec: CommandSpec): [word: string, row: Row][] {
  return Object.entries(spec.words).filter((entry): entry is [string, Row] => !isLater(entry[1]));
}

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

/** What help says about one word: its help line and what holds without it. */
export function rowHelp(row: Row): string {
  return row.default === undefined ? row.help : `${row.help} (default ${row.default})`;
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
  return [...lines, ...definitions(commands.map(([, command]) => command)), '', ...told, ''].join('\n');
}

function commandHelp(object: string, name: string, spec: CommandSpec): string {
  const lines = rows(spec).map(([word, row]) => [token(word, row).replace(/^\[ (.*) \]/, '$1'), rowHelp(row)] as const);
  const width = Math.min(36, Math.max(0, ...lines.map(([left]) => left.length)));
  const told = lines.flatMap(([left, right]) => wrap(right.split(' '), `  ${left.padEnd(width)}  `, width + 4));
  const body = told.length === 0 ? [] : ['', ...told];
  return [...usage(true, object, name, spec), ...definitions([spec]), '', spec.help, ...body, ''].join('\n');
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
  const all = rows(spec);
  if (spec.exclusive) return [`[ ${all.map(([word, row]) => notation(word, row)).join(' | ')} ]`];
  const needed = all.filter(([, row]) => row.required && row.group === undefined);
  if (spec.some) {
    const ways = all
      .filter(([word, row]) => !row.required && word !== CHOOSER)
      .map(([word, row]) => notation(word, row));
    const chooser = all.filter(([word]) => word === CHOOSER);
    return [...tokensOf([...chooser, ...needed]), ...braced(ways, '...')];
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

// The IDs of several forms stand next to each other and are alternatives; they tell what the choosing word has to be.
function tokensOf(list: Rows): string[] {
  const start = list.findIndex(([, { of }]) => of !== undefined);
  const rest = start < 0 ? [] : list.slice(start);
  const length = rest.findIndex(([, { of }]) => of === undefined);
  const ids = rest.slice(0, length < 0 ? rest.length : length);
  const forms = [...new Set(ids.map(([, { of }]) => of))];
  if (forms.length < 2) return list.map((entry) => token(...entry));
  const isDefault = list.some(([word, row]) => word === CHOOSER && row.default !== undefined);
  const ways = forms.map((form, at) => {
    const choice = at === 0 ? [] : [isDefault ? `${form}` : `[ ${form} ]`];
    return [...choice, ...ids.filter(([, { of }]) => of === form).map((entry) => token(...entry))];
  });
  const plain = (entries: Rows): string[] =>
    entries.filter(([word]) => word !== CHOOSER).map((entry) => token(...entry));
  return [...plain(list.slice(0, start)), ...alternatives(ways), ...plain(rest.slice(ids.length))];
}

function alternatives(ways: readonly (readonly string[])[]): string[] {
  return ways.flatMap((way, at) =>
    way.map((text, index) => {
      const open = at === 0 && index === 0 ? '{ ' : '';
      if (index < way.length - 1) return `${open}${text}`;
      return `${open}${text}${at === ways.length - 1 ? ' }' : ' |'}`;
    }),
  );
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
