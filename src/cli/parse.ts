// SPDX-License-Identifier: MIT
import { UsageError } from '../errors';
import { type CommandSpec, commandAliases, grammar, isLater, type Later, type ObjectSpec, titleOf } from '../grammar';
import type { GlobalOptions } from './command';
import { readOptions } from './options';
import { suggest } from './suggest';
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
  if (object === 'help') return { ask: 'help' };
  const spec = known(grammar[object], object) as ObjectSpec;
  const [command, words] = spec.bare ? only(spec, after) : [pickCommand(spec, object, after[0]), after.slice(1)];
  if (command === 'help') return { ask: 'help', object };
  const title = titleOf(object, command);
  const commandSpec = known(spec.commands[command], title) as CommandSpec;
  if (words[0] === 'help') return { ask: 'help', object, command };
  return { ask: 'run', options, object, command, words: readWords(commandSpec, title, words) };
}

function batchOf(batch: Batch, isLine: boolean, [word]: readonly string[]): Batch {
  if (isLine) throw new UsageError('"-batch" stands in a batch: expected a command');
  if (word !== undefined)
    throw new UsageError(
      `"${word}" is one too many: expected no more words after -batch, whose file has the commands`,
      {
        hint: 'see "gtp help"',
      },
    );
  return batch;
}

type ObjectOrHelp = keyof typeof grammar | 'help';

function pickObject(text: string | undefined): ObjectOrHelp {
  const names = Object.keys(grammar);
  const shown = working(grammar);
  const help = { hint: 'see "gtp help"' };
  if (text === undefined) throw new UsageError(`"OBJECT" is missing: expected ${listed([...shown, 'help'])}`, help);
  const found = pick(text, [...names, 'help']);
  if (found !== undefined) return found as ObjectOrHelp;
  const hint = text.startsWith('-') ? help.hint : (suggest(text, shown) ?? help.hint);
  throw new UsageError(`unknown object "${text}": expected ${listed([...shown, 'help'])}`, { hint });
}

// The command of a bare object, and its words.
function only(spec: ObjectSpec, words: readonly string[]): [command: string, words: readonly string[]] {
  return [words[0] === 'help' ? 'help' : (Object.keys(spec.commands)[0] ?? ''), words];
}

function pickCommand(spec: ObjectSpec, object: string, text: string | undefined): string {
  const names = Object.keys(spec.commands);
  if (text === undefined && names.includes('show')) return 'show';
  const found = pick(text ?? '', [...names, ...Object.keys(commandAliases), 'help']);
  if (found !== undefined) return commandAliases[found] ?? found;
  const shown = working(spec.commands);
  const hint = suggest(text ?? '', shown) ?? `see "gtp ${object} help"`;
  throw new UsageError(`unknown command "${text ?? ''}" of ${object}: expected ${listed([...shown, 'help'])}`, {
    hint,
  });
}

function pick(text: string, names: readonly string[]): string | undefined {
  if (text === '') return undefined;
  return names.find((name) => name === text) ?? names.find((name) => name.startsWith(text));
}

function known<T extends object>(spec: T | Later | undefined, name: string): T {
  if (spec === undefined || isLater(spec)) throw new UsageError(`"${name}" is not supported yet`);
  return spec;
}

function working(table: object): string[] {
  return Object.entries(table)
    .filter(([, spec]) => !isLater(spec))
    .map(([name]) => name);
}

function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} or ${last}`;
}
