// SPDX-License-Identifier: MIT
import {
  type CommandSpec,
  globalOptions,
  grammar,
  isLater,
  type ObjectSpec,
  type OptionSpec,
  type Row,
  titleOf,
} from '../grammar';
import { overview } from './overview';
import { rowsOf } from './reading';
import { braced, commandTokens, formWords, groups, token, working } from './synopsis';

/** Widest line of help. */
const WIDTH = 100;

/** Help for gtp as a whole, an object, or one command, in the notation of ip. Ends with a newline. */
export function help(object?: string, command?: string): string {
  if (object === undefined) return topHelp();
  const spec = working<ObjectSpec>(grammar)[object];
  if (spec === undefined) throw new Error(`no such object: ${object}`);
  if (command === undefined && !spec.bare) return objectHelp(object, spec);
  const name = command ?? Object.keys(spec.commands)[0] ?? '';
  const commandSpec = spec.commands[name];
  if (commandSpec === undefined || isLater(commandSpec)) throw new Error(`no such command: ${object} ${name}`);
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
    'See also: man gtp',
    '',
  ].join('\n');
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
  const { lines, definitions, ids, idsOf } = overview(object);
  const width = Math.max(...commands.map(([name]) => name.length));
  return [
    ...lines.flatMap(({ title, tokens }, at) => usage(at === 0, title, tokens)),
    ...defined(definitions),
    ...kindLines(ids),
    ...(idsOf === undefined ? [] : ['', `ID := as in "gtp ${idsOf} help"`]),
    '',
    ...commands.map(([name, command]) => `  ${name.padEnd(width)}  ${command.help} (gtp ${object} ${name} help)`),
    ...pointer(object),
  ].join('\n');
}

function commandHelp(object: string, name: string, spec: CommandSpec): string {
  const lines = rowsOf(spec).map(
    ([word, row]) => [token(word, row).replace(/^\[ (.*) \]/, '$1'), rowHelp(row)] as const,
  );
  const width = Math.min(36, Math.max(0, ...lines.map(([left]) => left.length)));
  const told = lines.flatMap(([left, right]) => wrap(right.split(' '), `  ${left.padEnd(width)}  `, width + 4));
  return [
    ...usage(true, titleOf(object, name), commandTokens(spec)),
    ...defined(groups(spec)),
    ...kindLines(formWords(spec)),
    '',
    spec.help,
    ...(told.length === 0 ? [] : ['', ...told]),
    ...exampleLines(spec),
    ...pointer(object),
  ].join('\n');
}

function exampleLines({ examples = [] }: CommandSpec): string[] {
  return examples.length === 0 ? [] : ['', ...examples.map((line) => `Example: ${line}`)];
}

function pointer(object: string): string[] {
  return ['', `See also: man gtp-${object}`, ''];
}

// What ID stands for, by type.
function kindLines(kinds: ReturnType<typeof formWords>): string[] {
  if (kinds.length === 0) return [];
  const width = Math.max(...kinds.map(({ name }) => name.length)) + 4;
  const lines = kinds.flatMap(({ name, tokens }) => wrap(tokens, `  ${name.padEnd(width - 2)}`, width));
  return ['', 'ID, with the words that only this type has:', ...lines];
}

function usage(first: boolean, title: string, tokens: readonly string[]): string[] {
  return wrap(tokens, `${first ? 'Usage:' : '      '} gtp ${title}`, 15);
}

function defined(names: ReadonlyMap<string, readonly string[]>): string[] {
  const lines = [...names].flatMap(([name, tokens]) => wrap([`${name} :=`, ...tokens], '', 8));
  return lines.length === 0 ? [] : ['', ...lines];
}
