// SPDX-License-Identifier: MIT
// Rewrites what man/gtp.8 and README.md take from the table of the command line and from that of drop reasons: everything
// between a line that ends in "generated NAME" and one that ends in "end NAME". `--check` only tells whether they are up to
// date.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import {
  formWords,
  groups,
  help,
  optionNotation,
  rowHelp,
  shownOptions,
  synopsis,
  topHelp,
  working,
  wrap,
} from '../src/cli/help';
import { notation, rowsOf } from '../src/cli/reading';
import { type CommandSpec, grammar, type ObjectSpec, titleOf } from '../src/grammar';
import { DROP_WORDS } from './drop-words';

const FILES = ['man/gtp.8', 'README.md'];
const objects = Object.entries(working<ObjectSpec>(grammar));

const SECTIONS: { readonly [name: string]: () => string } = {
  synopsis: manSynopsis,
  options: manOptions,
  'drop reasons': manDropReasons,
  ...Object.fromEntries(objects.map(([object, spec]) => [object, () => manCommands(object, spec)])),
  help: () => `\`\`\`\n${topHelp().trimEnd()}\n\`\`\``,
  ...Object.fromEntries(
    objects.map(([object]) => [`help ${object}`, () => `\`\`\`\n${help(object).trimEnd()}\n\`\`\``]),
  ),
};

const stale = FILES.filter((file) => existsSync(file) && rewrite(file));
if (process.argv.includes('--check')) {
  for (const file of stale)
    console.error(`${file} is not what src/grammar and tools/drop-words.ts have: run npm run gen`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else for (const file of stale) console.log(`wrote ${file}`);

// Whether the file was out of date.
function rewrite(file: string): boolean {
  const before = readFileSync(file, 'utf8');
  const after = before.replace(
    /^(.*\bgenerated ([a-z ]+?)(?: -->)?)\n(?:.*\n)*?(.*\bend \2(?: -->)?)$/gm,
    (_, start, name, end) => {
      const section = SECTIONS[name];
      if (section === undefined) throw new Error(`${file}: no section "${name}"`);
      return `${start}\n${section()}\n${end}`;
    },
  );
  if (after !== before && !process.argv.includes('--check')) writeFileSync(file, after);
  return after !== before;
}

function manSynopsis(): string {
  const names = objects.map(([name]) => name).join(' | ');
  const commands = objects.flatMap(([object]) =>
    synopsis(object).map(({ title, tokens }) => manSyntax(`gtp ${title}`, tokens)),
  );
  const words = objects.flatMap(([, spec]) =>
    Object.values(working<CommandSpec>(spec.commands)).flatMap((command) => [...groups(command)]),
  );
  return [
    manSyntax('gtp', ['[ OPTIONS ]', 'OBJECT', '{ COMMAND | help }']),
    manSyntax('OBJECT :=', [`{ ${names} }`]),
    ...commands,
    ...words.map(([name, tokens]) => manSyntax(`${name} :=`, tokens)),
    ...formWords(grammar.session.commands.add).map(({ name, tokens }) => manSyntax(`ID (${name}) :=`, tokens)),
  ].join('\n');
}

// Keywords bold, placeholders in italics; a token is not broken, and the dots after one end no sentence.
function manSyntax(start: string, tokens: readonly string[]): string {
  const lines = tokens.map((token) =>
    token
      .replaceAll(
        /[a-z][a-z0-9_-]*|[A-Z][A-Z-]*/g,
        (word) => `\\f${/[a-z]/.test(word) ? 'B' : 'I'}${escaped(word)}\\fR`,
      )
      .replaceAll(' ', '\\~')
      .replace(/\.$/, '.\\&'),
  );
  return [`.SY "${escaped(start)}"`, ...lines, '.YS'].join('\n');
}

function manOptions(): string {
  return shownOptions()
    .flatMap((option) => ['.TP', bold(optionNotation(option)), sentence(option.help)])
    .join('\n');
}

function manDropReasons(): string {
  return Object.entries(DROP_WORDS)
    .flatMap(([reason, words]) => ['.TP', bold(reason), sentence(words)])
    .join('\n');
}

function manCommands(object: string, spec: ObjectSpec): string {
  return Object.entries(working<CommandSpec>(spec.commands))
    .flatMap(([name, command]) => [
      `.SS gtp ${titleOf(object, name)}`,
      sentence(command.help),
      ...rowsOf(command).flatMap(([word, row]) => ['.TP', bold(notation(word, row)), sentence(rowHelp(row))]),
    ])
    .join('\n');
}

function bold(text: string): string {
  return `.B ${escaped(text)}`;
}

function sentence(text: string): string {
  return wrap(`${escaped(`${text[0]?.toUpperCase()}${text.slice(1)}`)}.`.split(' '), '', 0).join('\n');
}

// A line of roff must not begin with a dot or a quote, and a hyphen that is typed is "\-".
function escaped(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^[.']/, '\\&$&');
}
