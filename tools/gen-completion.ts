// SPDX-License-Identifier: MIT
// Writes completions/: the tables of the command line in bash, the engine that reads them, and what each shell needs to ask it.
// `--check` only tells whether they are up to date.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { rowHelp } from '../src/cli/help';
import { rowsOf } from '../src/cli/reading';
import { stateDir } from '../src/datapath/bpffs';
import { hookPath } from '../src/datapath/object';
import {
  type CommandSpec,
  commandAliases,
  FORMS,
  type Form,
  formsOfType,
  globalOptions,
  grammar,
  isLater,
  isShown,
  type Later,
  type ObjectSpec,
  type OptionSpec,
  type Row,
  TYPES,
} from '../src/grammar';
import { pinOf } from '../src/wiring/pin-names';
import { SHIM_IN, SHIM_OUT } from '../src/wiring/shim';

const NOTE = '# Completion of gtp. Made from src/grammar and tools/completion by npm run gen: not to be edited.';
const ALL_FORMS = 2 ** FORMS.length - 1;
const HELP = ['help', { help: 'what can be typed' }] as const;
const objects = Object.entries<ObjectSpec | Later>(grammar);

// What stands in the engine as @NAME@: the devices and pins that it knows without asking gtp.
const NAMES: Readonly<Record<string, string>> = {
  SHIM_OUT,
  SHIM_IN,
  HOOKS: dirname(hookPath(stateDir(0n, ''), 'any')).replace('/0/', '/*/'),
  SHIM_PIN: pinOf('shim', 0).replace('0', ''),
  LINK_PIN: pinOf('link', 0).replace('0', ''),
};

const engine = `${tables()}\n\n${fill(template('engine.bash'), NAMES).trimEnd()}`;
const script = `${engine}\n_gtp_complete "$@"\nprintf '%s\\n' "\${found[@]}"\n`;
const FILES = {
  'gtp.bash': `${NOTE}\n# shellcheck shell=bash\n\n${engine}\n${template('gtp.bash')}`,
  // Between single quotes, as each of them wants it.
  _gtp: fill(template('_gtp'), { NOTE, ENGINE: script.replaceAll("'", "'\\''") }),
  'gtp.fish': fill(template('gtp.fish'), { NOTE, ENGINE: script.replace(/[\\']/g, '\\$&') }),
};

const isCheck = process.argv.includes('--check');
mkdirSync('completions', { recursive: true });
for (const [name, text] of Object.entries(FILES)) {
  const path = `completions/${name}`;
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  if (isCheck) {
    console.error(`${path} is not what src/grammar and tools/completion have: run npm run gen`);
    process.exitCode = 1;
  } else {
    writeFileSync(path, text);
    console.log(`wrote ${path}`);
  }
}

function template(name: string): string {
  return readFileSync(`tools/completion/${name}`, 'utf8');
}

function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/@([A-Z_]+)@/g, (found, name) => values[name] ?? found);
}

function tables(): string {
  return [
    '# Options: name, abbreviation, what follows, source, choices, placeholder, help.',
    array('_gtp_options', globalOptions.map(optionFields)),
    '# Objects and commands with their help; those without any are not offered.',
    array('_gtp_objects', named([...objects, HELP])),
    array('_gtp_aliases', named(Object.keys(commandAliases).map((alias) => [alias, { help: 'the same' }]))),
    cases('_gtp_commands', objects.flatMap(commandCase)),
    cases('_gtp_rows', objects.flatMap(rowCases)),
    cases(
      '_gtp_forms_of_type',
      TYPES.map((type) => [type, `type_forms=${bits(formsOfType(type))}`]),
    ),
  ].join('\n');
}

function optionFields(option: OptionSpec | (Later & { readonly name: string; readonly short?: string })): string[] {
  const { name, short = '' } = option;
  if (isLater(option)) return [name, short, 'later', '', '', '', ''];
  const { value, help } = option;
  const placeholder = value?.placeholder ?? '';
  const form = name === 'help' || name === 'Version' ? 'last' : (value?.form ?? 'flag');
  const source = name === 'netns' ? 'netns' : placeholder.includes('FILE') ? 'file' : '';
  const choices = form === 'equals' ? placeholder.replaceAll(/[{}|]/g, ' ').trim() : '';
  return [name, short, form, source, choices, placeholder, help];
}

function named(entries: readonly (readonly [string, object])[]): string[][] {
  return entries.map(([name, spec]) => [`${name}\t${isShown(spec) ? (spec as { help: string }).help : ''}`]);
}

function commandCase([object, spec]: [string, ObjectSpec | Later]): [string, string][] {
  if (isLater(spec)) return [];
  const commands = Object.entries(spec.commands);
  if (spec.bare) return [[object, `only=${quoted(commands[0]?.[0] ?? '')}`]];
  return [[object, array('commands', named([...commands, HELP]))]];
}

function rowCases([object, spec]: [string, ObjectSpec | Later]): [string, string][] {
  if (isLater(spec)) return [];
  return Object.entries(spec.commands).flatMap(([command, each]): [string, string][] => {
    if (isLater(each) || !isShown(each)) return [];
    const rows = array(
      'rows',
      rowsOf(each).map(([word, row]) => rowFields(each, word, row)),
    );
    const names = [command, ...Object.keys(commandAliases).filter((alias) => commandAliases[alias] === command)];
    return names.map((name) => [`${object} ${name}`, each.exclusive ? `exclusive=1\n${rows}` : rows]);
  });
}

function rowFields(spec: CommandSpec, word: string, row: Row): string[] {
  const source = row.source ?? row.kind?.source ?? '';
  return [
    word,
    row.positional ? '' : (row.as ?? word),
    String(row.of === undefined ? ALL_FORMS : bits(row.of)),
    flagsOf(row),
    ruledOutBy(spec, word, row).join(' '),
    defaultForms(word, row),
    source === 'none' ? '' : source,
    [...(row.kind?.choices ?? []), ...(row.kind?.aliases ?? [])].join(' '),
    row.placeholder ?? row.kind?.placeholder ?? '',
    rowHelp(row),
  ];
}

function flagsOf({ positional, required, repeat, flag, no }: Row): string {
  const flags = { P: positional, Q: required, R: repeat, F: flag, N: no };
  return Object.entries(flags)
    .filter(([, isSet]) => isSet)
    .map(([letter]) => letter)
    .join('');
}

// What isRuledOut of src/cli/reading.ts asks for.
function ruledOutBy({ either = [] }: CommandSpec, word: string, { not = [], with: needed }: Row): string[] {
  const opposites = [word, needed].flatMap((each) =>
    each !== undefined && either.includes(each) ? either.filter((other) => other !== each) : [],
  );
  return [...new Set([...opposites, ...not])];
}

// As limitOf of src/cli/forms.ts: a default version says nothing about other types.
function defaultForms(word: string, row: Row): string {
  if (row.default === undefined) return '';
  if (word === 'type') return String(bits(formsOfType(String(row.default))));
  if (word !== 'version') return '';
  return String(bits(FORMS.filter((form) => form === `version ${row.default}` || !formsOfType('gtp').includes(form))));
}

function bits(forms: readonly Form[]): number {
  return forms.reduce((all, form) => all | (1 << FORMS.indexOf(form)), 0);
}

function array(name: string, lines: readonly (readonly string[])[]): string {
  return [`${name}=(`, ...lines.map((fields) => `  ${fields.map(quoted).join(' ')}`), ')'].join('\n');
}

// A function that knows cases by its first word, those with the same body once.
function cases(name: string, all: readonly (readonly [string, string])[]): string {
  const byBody = new Map<string, string[]>();
  for (const [pattern, body] of all) byBody.set(body, [...(byBody.get(body) ?? []), quoted(pattern)]);
  const branches = [...byBody].map(
    ([body, patterns]) => `    ${patterns.join(' | ')})\n${body.replaceAll(/^/gm, '      ')}\n      ;;`,
  );
  return [`${name}() {`, '  case $1 in', ...branches, '    *) return 1 ;;', '  esac', '}'].join('\n');
}

function quoted(text: string): string {
  if (text.includes('\t')) return `$'${text.replaceAll(/[\\']/g, '\\$&').replaceAll('\t', '\\t')}'`;
  return /^[\w.@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
