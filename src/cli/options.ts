// SPDX-License-Identifier: MIT
import { UsageError } from '../errors';
import { globalOptions, isLater, type OptionSpec } from '../grammar';
import { listed, suggest } from '../suggest';
import { choice, type Kind, netns } from '../values';
import type { GlobalOptions } from './command';

/** The options read from the front of argv, and the words after them. `ask` is set by -V and -help, `batch` by -batch. */
export type ReadOptions = {
  readonly options: GlobalOptions;
  readonly ask: 'version' | 'help' | undefined;
  readonly batch: string | undefined;
  readonly force: boolean;
  readonly rest: readonly string[];
};

/**
 * Reads options up to the first word that is none; `given` are those of the batch that the words are a line of. Throws UsageError
 * on an unknown or incomplete one.
 */
export function readOptions(argv: readonly string[], given: GlobalOptions = NONE): ReadOptions {
  const options = { ...given };
  const words = [...argv];
  let batch: string | undefined;
  let force = false;
  while (words[0]?.startsWith('-')) {
    const text = words.shift() ?? '';
    if (text === '--') break;
    const { row, value: typed } = findOption(text);
    const { name } = row;
    if (name === 'Version') return { options, ask: 'version', batch, force, rest: words };
    if (name === 'help') return { options, ask: 'help', batch, force, rest: words };
    const value = typed ?? nextValue(row, words);
    if (name === 'force') force = true;
    else if (name === 'batch') batch = value;
    else set(options, name, value);
  }
  return { options, ask: undefined, batch, force, rest: words };
}

/** The hint for an option that was found behind OBJECT; `title` is what stands before it. */
export function lateOption(text: string, title: string): string | undefined {
  const name = text.replace(/^--?/, '').split('=')[0] ?? '';
  const isOption =
    text.startsWith('-') && !fits('help', name) && globalOptions.some((option) => fits(option.name, name));
  return isOption ? `options come before the object: gtp ${text} ${title} ...` : undefined;
}

type Working = Extract<(typeof globalOptions)[number], OptionSpec>;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const NONE: GlobalOptions = {
  json: false,
  pretty: false,
  details: false,
  statistics: 0,
  brief: false,
  oneline: false,
  human: false,
  iec: false,
  color: 'never',
  netns: undefined,
};
const color = choice(['auto', 'always', 'never']);

const EXACT = new Map([
  ['b', 'batch'],
  ['h', 'human-readable'],
  ['version', 'Version'],
]);

// As in ip: the first row whose name starts with the text. -b and -h would else mean -brief and -help.
function findOption(text: string): { row: Working; value: string | undefined } {
  const [typed = '', ...values] = text.replace(/^--?/, '').split('=');
  const value = values.length > 0 ? values.join('=') : undefined;
  const exact = EXACT.get(typed);
  const row = globalOptions.find((option) =>
    typed !== '' && exact ? option.name === exact : fits(option.name, typed),
  );
  if (row === undefined) throw unknownOption(text, typed);
  if (!isWorking(row)) throw new UsageError(`"-${row.name}" is not supported yet`, seeHelp);
  if (value !== undefined && !('value' in row && row.value.form === 'equals')) {
    const [expected, hint] = 'value' in row ? [row.value.placeholder, `-${row.name} ${value}`] : ['', `-${row.name}`];
    throw new UsageError(`"-${row.name}" takes no "=": expected ${`-${row.name} ${expected}`.trim()}, got "${text}"`, {
      hint: `did you mean "${hint}"?`,
    });
  }
  return { row, value };
}

function isWorking(row: (typeof globalOptions)[number]): row is Working {
  return !isLater(row);
}

function fits(name: string, typed: string): boolean {
  return typed !== '' && name.startsWith(typed);
}

const seeHelp = { hint: 'see "gtp help"' };

function unknownOption(text: string, typed: string): UsageError {
  const known = globalOptions.filter((option) => !isLater(option)).map((option) => `-${option.name}`);
  // Single letters, as other programs take them together.
  const apart = [...typed].map((letter) => `-${letter}`);
  const areAll = apart.length > 1 && apart.every((letter) => known.some((name) => name.startsWith(letter)));
  const together = areAll ? `options stand apart: ${apart.join(' ')}` : seeHelp.hint;
  const hint = suggest(`-${typed}`, known) ?? together;
  return new UsageError(`unknown option "${text}": expected ${listed(known)}`, { hint });
}

function nextValue(row: Working, words: string[]): string | undefined {
  if (!('value' in row && row.value.form === 'required')) return undefined;
  const value = words.shift();
  const expected = `-${row.name} ${row.value.placeholder}`;
  if (value === undefined) throw new UsageError(`"-${row.name}" needs a value: expected ${expected}`, seeHelp);
  return value;
}

function set(options: Mutable<GlobalOptions>, name: Working['name'], value: string | undefined): void {
  if (name === 'statistics') options.statistics += 1;
  else if (name === 'color') options.color = readValue(name, color, value ?? 'always');
  else if (name === 'netns') options.netns = readValue(name, netns, value ?? '').text;
  else if (name === 'human-readable') options.human = true;
  else if (name === 'iec') options.human = options.iec = true;
  else options[name as 'json' | 'pretty' | 'details' | 'brief' | 'oneline'] = true;
}

function readValue<T>(name: Working['name'], { parse }: Kind<T>, text: string): T {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`-${name}: ${error.message}`, { hint: error.hint ?? seeHelp.hint });
  }
}
