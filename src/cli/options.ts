// SPDX-License-Identifier: MIT
import { UsageError } from '../errors';
import { globalOptions, isLater, type OptionSpec } from '../grammar';
import { netns } from '../values';
import type { GlobalOptions } from './command';
import { suggest } from './suggest';

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
const COLORS = ['auto', 'always', 'never'] as const;

// As in ip: the first row whose name starts with the text. -b and -h would else mean -brief and -help.
function findOption(text: string): { row: Working; value: string | undefined } {
  const [typed = '', ...values] = text.replace(/^--?/, '').split('=');
  const value = values.length > 0 ? values.join('=') : undefined;
  const exact = { b: 'batch', h: 'human-readable', version: 'Version' }[typed];
  const row = globalOptions.find((option) =>
    typed !== '' && exact ? option.name === exact : fits(option.name, typed),
  );
  if (row === undefined) throw unknownOption(text, typed);
  if (!isWorking(row)) throw new UsageError(`"-${row.name}" is not supported yet`);
  if (value !== undefined && !('value' in row && row.value.form === 'equals')) {
    throw new UsageError(`"-${row.name}" takes no "=": got "${text}"`, usageHint);
  }
  return { row, value };
}

function isWorking(row: (typeof globalOptions)[number]): row is Working {
  return !isLater(row);
}

function fits(name: string, typed: string): boolean {
  return typed !== '' && name.startsWith(typed);
}

const usageHint = { hint: 'see "gtp help"' };

function unknownOption(text: string, typed: string): UsageError {
  const expected = globalOptions.filter((option) => !isLater(option)).map((option) => `-${option.name}`);
  const hint = suggest(`-${typed}`, expected) ?? usageHint.hint;
  return new UsageError(`unknown option "${text}": expected ${expected.join(', ')}`, { hint });
}

function nextValue(row: Working, words: string[]): string | undefined {
  if (!('value' in row && row.value.form === 'required')) return undefined;
  const value = words.shift();
  const expected = `-${row.name} ${row.value.placeholder}`;
  if (value === undefined) throw new UsageError(`"-${row.name}" needs a value: expected ${expected}`);
  return value;
}

function set(options: Mutable<GlobalOptions>, name: Working['name'], value: string | undefined): void {
  if (name === 'statistics') options.statistics += 1;
  else if (name === 'color') options.color = readColor(value);
  else if (name === 'netns') options.netns = readNetns(value ?? '');
  else if (name === 'human-readable') options.human = true;
  else if (name === 'iec') options.human = options.iec = true;
  else options[name as 'json' | 'pretty' | 'details' | 'brief' | 'oneline'] = true;
}

function readColor(value: string | undefined): GlobalOptions['color'] {
  if (value === undefined) return 'always';
  const found = COLORS.find((color) => color === value);
  if (found === undefined) throw new UsageError(`-color: expected one of ${COLORS.join(', ')}, got "${value}"`);
  return found;
}

function readNetns(text: string): string {
  try {
    return netns.parse(text).text;
  } catch (error) {
    throw error instanceof UsageError ? new UsageError(`-netns: ${error.message}`) : error;
  }
}
