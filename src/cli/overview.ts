// SPDX-License-Identifier: MIT
// An object at a glance: commands with the same words share a line, and words that several commands have get a name.
import { type CommandSpec, grammar, type ObjectSpec } from '../grammar';
import { rowsOf } from './reading';
import { commandTokens, formWords, groups, type NamedWords, tokensOf, working } from './synopsis';

type Tokens = readonly string[];

/** The synopsis of an object, in tokens that are not to be broken. */
export type Overview = {
  /** What stands before the words of a command or of several, without "gtp": "session { add | replace }". */
  readonly lines: readonly { readonly title: string; readonly tokens: Tokens }[];
  /** What names such as LINK-WORDS stand for. */
  readonly definitions: ReadonlyMap<string, Tokens>;
  /** What ID stands for, by type; empty where another object has it. */
  readonly ids: readonly { readonly name: string; readonly tokens: Tokens }[];
  /** The object that says what ID stands for, where this one does not. */
  readonly idsOf: string | undefined;
};

/** The overview of an object by its name. */
export function overview(object: string): Overview {
  const spec = working<ObjectSpec>(grammar)[object];
  const commands = Object.entries(working<CommandSpec>(spec?.commands ?? {}));
  const specs = commands.map(([, command]) => command);
  const named = namedWords(object, specs);
  const inGroups = new Map(specs.flatMap((each) => [...groups(each)]));
  const ids = specs.map(formWords).find((list) => list.length > 0) ?? [];
  const owner = [...inGroups.keys()][0]?.replace(ENDING, '').toLowerCase();
  return {
    lines: together(commands, named).map(([text, names]) => ({
      title: [object, ...(spec?.bare ? [] : [choice(names)])].join(' '),
      tokens: text === '' ? [] : text.split(SEPARATOR),
    })),
    definitions: new Map([...(named === undefined ? [] : [definition(specs, named)]), ...inGroups]),
    ids: owner === undefined ? ids : [],
    idsOf: owner,
  };
}

const ENDING = '-WORDS';
const SEPARATOR = '\0';

// What the first command sets and another one changes.
function namedWords(object: string, specs: readonly CommandSpec[]): NamedWords | undefined {
  const [first] = specs;
  const change = specs.find(({ some }) => some);
  if (first === undefined || change === undefined) return undefined;
  const fixed = rowsOf(change).filter(([, row]) => row.required && row.of === undefined);
  const words = rowsOf(first).map(([word]) => word);
  return {
    name: `${object.toUpperCase()}${ENDING}`,
    words: words.filter((word) => word in change.words && !fixed.some(([other]) => other === word)),
  };
}

function definition([first]: readonly CommandSpec[], { name, words }: NamedWords): [string, Tokens] {
  return [name, first === undefined ? [] : tokensOf(rowsOf(first).filter(([word]) => words.includes(word)))];
}

// The names of commands by what follows them, in the order of the first of each.
function together(commands: readonly (readonly [string, CommandSpec])[], named: NamedWords | undefined) {
  const found = new Map<string, string[]>();
  for (const [name, spec] of commands) {
    const text = commandTokens(spec, named).join(SEPARATOR);
    found.set(text, [...(found.get(text) ?? []), name]);
  }
  return [...found];
}

function choice(names: readonly string[]): string {
  return names.length === 1 ? `${names[0]}` : `{ ${names.join(' | ')} }`;
}
