// SPDX-License-Identifier: MIT
import { UsageError } from '../errors';
import {
  type CommandSpec,
  commandAliases,
  grammar,
  isLater,
  isShown,
  type Later,
  type ObjectSpec,
  titleOf,
} from '../grammar';
import { didYouMean, listed } from '../suggest';
import type { GlobalOptions } from './command';
import { meant } from './habits';
import { lateOption, readOptions } from './options';
import { type ParsedWords, readWords } from './words';

/** What an argv asks for: to run a command, or for the version or some help. */
export type Parsed =
  | {
      readonly ask: 'run';
      readonly options: GlobalOptions;
      readonly object: string;
      readonly command: string;
      readonly words: ParsedWords;
    }
  | { readonly ask: 'version' | 'options' }
  | Batch
  | { readonly ask: 'help'; readonly object?: string; readonly command?: string };

/** A file of commands, or "-" for stdin; the options are those of each line that does not say others. */
export type Batch = {
  readonly ask: 'batch';
  readonly options: GlobalOptions;
  readonly file: string;
  /** Go on after a command that failed. */
  readonly force: boolean;
};

/**
 * Reads an argv without the program's name, or a line of a batch with the options `given` to that. Throws UsageError, and nothing else,
 * when it is not in the grammar.
 */
export function parse(argv: readonly string[], given?: GlobalOptions): Parsed {
  const { options, ask, batch, force, rest } = readOptions(argv, given);
  if (ask !== undefined) return { ask: ask === 'help' ? 'options' : ask };
  if (batch !== undefined) return batchOf({ ask: 'batch', options, file: batch, force }, given !== undefined, rest);
  const [objectText, ...after] = rest;
  const object = pickObject(objectText);
  if (object === 'help') return helpOn(after);
  const spec = known(grammar[object], object) as ObjectSpec;
  const [command, words] = spec.bare ? only(spec, after) : [pickCommand(spec, object, after[0]), after.slice(1)];
  if (command === 'help') return helpOn([object, ...words]);
  const title = titleOf(object, command);
  const commandSpec = known(spec.commands[command], title) as CommandSpec;
  if (words[0] === 'help') return { ask: 'help', object, command };
  return { ask: 'run', options, object, command, words: readWords(commandSpec, title, words) };
}

// gtp help [ OBJECT [ COMMAND ] ], and gtp OBJECT help [ COMMAND ].
function helpOn([objectText, commandText]: readonly string[]): Parsed {
  const object = objectText === undefined ? 'help' : pickObject(objectText);
  if (object === 'help') return { ask: 'help' };
  const spec = known(grammar[object], object) as ObjectSpec;
  if (commandText === undefined || spec.bare) return { ask: 'help', object };
  const command = pickCommand(spec, object, commandText);
  if (command === 'help') return { ask: 'help', object };
  known(spec.commands[command], titleOf(object, command));
  return { ask: 'help', object, command };
}

function batchOf(batch: Batch, isLine: boolean, [word]: readonly string[]): Batch {
  if (isLine) throw new UsageError('"-batch" stands in a batch: expected a command', { hint: 'see "gtp help"' });
  if (word !== undefined) {
    const isSwapped = batch.file.startsWith('-') && batch.file !== '-';
    throw new UsageError(
      `"${word}" is one too many: expected no more words after -batch, whose file has the commands`,
      { hint: isSwapped ? `options stand before -batch: gtp ${batch.file} -batch ${word}` : 'see "gtp help"' },
    );
  }
  return batch;
}

type ObjectOrHelp = keyof typeof grammar | 'help';

function pickObject(text: string | undefined): ObjectOrHelp {
  const names = Object.keys(grammar);
  const shown = working(grammar);
  const help = { hint: 'see "gtp help"' };
  if (text === undefined) throw missing('OBJECT', 'gtp [ OPTIONS ]', [...shown, 'help'], help);
  const found = pick(text, [...names, 'help']);
  if (found !== undefined) return found as ObjectOrHelp;
  const hint =
    text === 'gtp' ? 'leave out one "gtp"' : (didYouMean(meant(text, [...shown, ...OPTIONS_MEANT])) ?? help.hint);
  throw new UsageError(`unknown object "${text}": expected ${listed([...shown, 'help'])}`, { hint });
}

// Options that people type as if they were objects.
const OPTIONS_MEANT = ['-Version', '-color=always', '-color=auto', '-color=never'];

// The command of a bare object, and its words.
function only(spec: ObjectSpec, words: readonly string[]): [command: string, words: readonly string[]] {
  return [words[0] === 'help' ? 'help' : (Object.keys(spec.commands)[0] ?? ''), words];
}

function pickCommand(spec: ObjectSpec, object: string, text: string | undefined): string {
  const names = Object.keys(spec.commands);
  if (text === undefined && names.includes('show')) return 'show';
  const shown = working(spec.commands);
  const help = { hint: `see "gtp ${object} help"` };
  if (text === undefined) throw missing('COMMAND', `gtp ${object}`, [...shown, 'help'], help);
  const found = pick(text, [...names, ...Object.keys(commandAliases), 'help']);
  if (found !== undefined) return commandAliases[found] ?? found;
  const ways = [...shown, 'help'];
  const hint = didYouMean(meant(text, ways)) ?? lateOption(text, object) ?? help.hint;
  throw new UsageError(`unknown command "${text}" of ${object}: expected ${listed(ways)}`, { hint });
}

function missing(what: string, before: string, ways: readonly string[], help: { readonly hint: string }): UsageError {
  return new UsageError(`"${what}" is missing: expected ${before} { ${ways.join(' | ')} } ...`, help);
}

function pick(text: string, names: readonly string[]): string | undefined {
  if (text === '') return undefined;
  return names.find((name) => name === text) ?? names.find((name) => name.startsWith(text));
}

function known<T extends object>(spec: T | Later | undefined, name: string): T {
  if (spec === undefined || isLater(spec))
    throw new UsageError(`"${name}" is not supported yet`, { hint: 'see "gtp help"' });
  return spec;
}

function working(table: object): string[] {
  return Object.entries(table)
    .filter(([, spec]) => isShown(spec))
    .map(([name]) => name);
}
