// SPDX-License-Identifier: MIT
// Rewrites what the pages of man/ and README.md take from the table of the command line and from that of drop reasons: everything
// between a line that ends in "generated NAME" and one that ends in "end NAME". `--check` only tells whether they are up to
// date.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { version } from '../package.json';
import { help, optionNotation, rowHelp, shownOptions, topHelp, wrap } from '../src/cli/help';
import { overview } from '../src/cli/overview';
import { notation, rowsOf } from '../src/cli/reading';
import { working } from '../src/cli/synopsis';
import { type CommandSpec, grammar, type ObjectSpec, type Row, titleOf } from '../src/grammar';
import { DROP_WORDS } from './drop-words';

/** When the pages were last gone over as a whole. */
const DATE = '2026-11-22';
/** Pages of others that every page names. */
const OTHERS = ['ip', 'ip\\-netns', 'bpftool'];
/** So many words are not told a second time. */
const MANY = 8;
/** Alternatives of more octets may stand in two lines. */
const LONG = 37;
const PAGES = readdirSync('man').map((name) => `man/${name}`);
const objects = Object.entries(working<ObjectSpec>(grammar));

const SECTIONS: { readonly [name: string]: (file: string) => string } = {
  synopsis: manTopSynopsis,
  objects: manObjects,
  options: manOptions,
  'drop reasons': manDropReasons,
  'see also': manSeeAlso,
  help: () => `\`\`\`\n${topHelp().trimEnd()}\n\`\`\``,
  ...Object.fromEntries(
    objects.flatMap(([object]) => [
      [`synopsis ${object}`, () => manSynopsis(object)],
      [object, () => manCommands(object)],
      [`help ${object}`, () => `\`\`\`\n${help(object).trimEnd()}\n\`\`\``],
    ]),
  ),
};

const stale = [...PAGES, 'README.md'].filter((file) => existsSync(file) && rewrite(file));
if (process.argv.includes('--check')) {
  for (const file of stale)
    console.error(`${file} is not what src/grammar and tools/drop-words.ts have: run npm run gen`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else for (const file of stale) console.log(`wrote ${file}`);

// Whether the file was out of date.
function rewrite(file: string): boolean {
  const before = readFileSync(file, 'utf8');
  const after = before
    .replace(/^\.TH .*$/m, manTitle(file))
    .replace(
      /^(.*\bgenerated ([a-z ]+?)(?: -->)?)\n(?:.*\n)*?(.*\bend \2(?: -->)?)$/gm,
      (section, start, name, end) => {
        if (isToCome(name)) return section;
        const text = SECTIONS[name];
        if (text === undefined) throw new Error(`${file}: no section "${name}"`);
        return `${start}\n${text(file)}\n${end}`;
      },
    );
  if (after !== before && !process.argv.includes('--check')) writeFileSync(file, after);
  return after !== before;
}

// What is about an object that a later version brings stays as it was written.
function isToCome(section: string): boolean {
  const object = section.split(' ').at(-1) ?? '';
  return object in grammar && !objects.some(([name]) => name === object);
}

function manTitle(file: string): string {
  return `.TH ${escaped(basename(file, '.8').toUpperCase())} 8 ${DATE} "gtp ${version}" "System administration"`;
}

function manTopSynopsis(): string {
  const names = objects.map(([name]) => name).join(' | ');
  return [
    manSyntax('gtp', ['[ OPTIONS ]', 'OBJECT', '{ COMMAND | help }']),
    manSyntax('gtp', ['help', '[ OBJECT [ COMMAND ] ]']),
    ...(shownOptions().some(({ name }) => name === 'batch')
      ? [manSyntax('gtp', ['[ OPTIONS ]', '[ -force ]', '-batch { FILE | - }'])]
      : []),
    manSyntax('OBJECT :=', [`{ ${names} }`]),
  ].join('\n');
}

// What ID stands for is told apart from it, so that the commands stand together.
function manSynopsis(object: string): string {
  const { lines, definitions, ids } = overview(object);
  return [
    ...lines.map(({ title, tokens }) => manSyntax(`gtp ${title}`, tokens)),
    ...[...definitions].map(([name, tokens]) => manSyntax(`${name} :=`, tokens)),
    ...ids.map(({ name, tokens }) => manSyntax(`ID (${name}) :=`, tokens)),
  ].join('\n');
}

// Keywords bold, placeholders in italics; a token is not broken but for long alternatives, and the dots after one end no sentence.
function manSyntax(start: string, tokens: readonly string[]): string {
  const lines = tokens.map((token) =>
    token
      .replaceAll(
        /802\.1\w+|-?[a-z][a-z0-9_-]*|[A-Z][A-Z-]*|-/g,
        (word) => `\\f${/^[A-Z]/.test(word) ? 'I' : 'B'}${escaped(word)}\\fR`,
      )
      .replaceAll(' ', '\\~')
      .replaceAll('|\\~', token.length > LONG ? '|\n' : '|\\~')
      .replace(/\.$/, '.\\&'),
  );
  return [`.SY "${escaped(start)}"`, ...lines, '.YS'].join('\n');
}

function manObjects(): string {
  return objects
    .flatMap(([object, { help: what }]) => [
      '.TP',
      bold(`gtp ${object}`),
      sentence(what),
      'See',
      `.BR ${pageOf(object)} (8).`,
    ])
    .join('\n');
}

// The other pages, and those of others that every page names.
function manSeeAlso(file: string): string {
  const own = ['gtp', ...objects.map(([object]) => pageOf(object))].filter(
    (page) => page !== escaped(basename(file, '.8')),
  );
  const pages = [...own, ...OTHERS].map((page, at, all) => `.BR ${page} (8)${at === all.length - 1 ? '' : ','}`);
  return pages.join('\n');
}

function pageOf(object: string): string {
  return `gtp\\-${object}`;
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

type Named = { readonly object: string; readonly title: string; readonly spec: CommandSpec };

function manCommands(object: string): string {
  const { idsOf } = overview(object);
  const others = idsOf === undefined ? [] : commandsOf(idsOf);
  return commandsOf(object)
    .map((command, at, all) => manCommand(command, [...all.slice(0, at), ...others]))
    .join('\n');
}

function commandsOf(object: string): Named[] {
  const { commands } = working<ObjectSpec>(grammar)[object] as ObjectSpec;
  return Object.entries(working<CommandSpec>(commands)).map(([name, spec]) => ({
    object,
    title: titleOf(object, name),
    spec,
  }));
}

// Words that another command has as well are told there, where they are many or all.
function manCommand(command: Named, others: readonly Named[]): string {
  const rows = rowsOf(command.spec).map(([word, row]) => ({
    name: notation(word, row).split(' ')[0] ?? word,
    text: manRow(word, row),
  }));
  const [like] = others
    .map((other) => {
      const theirs = new Set(rowsOf(other.spec).map((entry) => manRow(...entry)));
      return { other, most: theirs.size, same: rows.filter(({ text }) => theirs.has(text)) };
    })
    .sort((a, b) => b.same.length - a.same.length);
  const isWhole = rows.length > 1 && like?.same.length === rows.length && like.most === rows.length;
  const told = like !== undefined && (isWhole || like.same.length >= MANY) ? like.same : [];
  return [
    `.SS gtp ${command.title}`,
    sentence(command.spec.help),
    ...rows.filter((row) => !told.includes(row)).map(({ text }) => text),
    ...(like === undefined || told.length === 0
      ? []
      : manSame(command, like.other, told, { isWhole, isOnly: told.length === rows.length })),
  ].join('\n');
}

type Extent = { readonly isWhole: boolean; readonly isOnly: boolean };

// That words are as in another command: all that this has, or some.
function manSame(
  { object }: Named,
  other: Named,
  words: readonly { readonly name: string }[],
  { isWhole, isOnly }: Extent,
): string[] {
  const end = isWhole ? '.' : ':';
  const where =
    other.object === object
      ? [`.BR "gtp ${other.title}" ${end}`]
      : [`.B gtp ${other.title}`, `in \\fB${pageOf(other.object)}\\fR(8)${end}`];
  const list = isWhole ? [] : [...new Set(words.map(({ name }) => name))];
  const names = list.map((name, at) => `.BR ${escaped(name)} ${at === list.length - 1 ? '.' : ','}`);
  return ['.PP', isWhole ? 'The words are those of' : isOnly ? 'As in' : 'And, as in', ...where, ...names];
}

function manRow(word: string, row: Row): string {
  return ['.TP', bold(notation(word, row)), sentence(rowHelp(row))].join('\n');
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
