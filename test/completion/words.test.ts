// SPDX-License-Identifier: MIT
// What completion offers is what the parser takes; and parser, help, manual pages and completion know the same words.
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import fc from 'fast-check';
import { isOpen } from '../../src/cli/forms';
import { help, topHelp } from '../../src/cli/help';
import { parse } from '../../src/cli/parse';
import { nameOf, notation, remaining, rowsOf } from '../../src/cli/reading';
import { working } from '../../src/cli/synopsis';
import { UsageError } from '../../src/errors';
import { type CommandSpec, grammar, isShown, type ObjectSpec, type Row, titleOf } from '../../src/grammar';
import { type GivenWord, request, typed } from '../cli/arbitraries';
import { run } from '../run';
import { offered, tables } from './engine';

type Named = { readonly object: string; readonly command: string; readonly title: string; readonly spec: CommandSpec };

const ALL: readonly Named[] = Object.entries(grammar).flatMap(([object, spec]) =>
  isShown(spec)
    ? Object.entries((spec as ObjectSpec).commands).flatMap(([command, each]) =>
        isShown(each) ? [{ object, command, title: titleOf(object, command), spec: each as CommandSpec }] : [],
      )
    : [],
);

test('the words that are offered behind any words are those that the parser still takes', async (t) => {
  const cases = ALL.flatMap((named) => fc.sample(request(named.spec), 30).flatMap((given) => prefixOf(named, given)));
  const answers = await offered(cases.map(({ line }) => [...line, '']));
  for (const [at, { line, expected }] of cases.entries())
    t.deepEqual(
      answers[at]?.filter((word) => word !== 'help').sort(),
      [...new Set(expected)].sort(),
      `gtp ${line.join(' ')}`,
    );
  t.true(cases.length > 300);
});

test('a word that is begun, or that needs a value, is offered as the grammar has it', async (t) => {
  const OFFERS: { readonly [line: string]: string } = {
    '': 'link session ping path completion help',
    s: 'session',
    'l s': 'set show',
    'session s': 'show',
    'link dele': 'delete',
    'help ': 'link session ping path completion',
    'help link ': 'add set del show flush',
    'link help ': '',
    '-j -': [...topHelp().matchAll(/-(\w+)\[?([\w-]*)/g)].length > 0 ? '*' : '',
    '-c=a': '-c=auto -c=always',
    '--js': '--json',
    '-j -- ses': 'session',
    '-c=never -s pi': 'ping',
    '-V ': '',
    '-nonsense ': '',
    'capture ': '',
    'link add x type g': 'gtp gre gretap geneve',
    'link add x role ': 'ggsn sgsn pgw upf gnb enb ue',
    'link add x mtu ': '',
    'link add x bogus ': '',
    'link add x local-teid 1 rem': 'remote-teid remote',
    'link add x local-teid 1 vn': '',
    'link add x type vxlan vn': 'vni',
    'session add dev x version 0 ti': 'tid',
    'session add dev x noan': 'noantispoof',
    'session add dev x antispoof no': 'noudpcsum noseq nocsum noiseq nooseq',
    'session add dev x seq s': 'send srcport',
    'session add dev x local-teid 1 seq s': 'srcport',
    'session change dev x session_id 1 seq ': 'none send recv both',
    'link show type gtp ': '',
    'ping 192.0.2.1 loc': 'local',
    'completion ': 'bash zsh fish help',
  };
  const lines = Object.keys(OFFERS).map((line) => line.split(' '));
  const answers = await offered(lines);
  for (const [at, [line, expected]] of Object.entries(OFFERS).entries()) {
    const given = (answers[at] ?? []).join(' ');
    if (expected === '*') t.true(given.includes('-json') && given.includes('-netns') && !given.includes('-timestamp'));
    else t.is(given, expected, `gtp ${line}`);
  }
});

test('parser, help, manual pages and completion know the same commands with the same words', async (t) => {
  const manual = manualWords();
  const completion = await tables(ALL.map(({ object, command }) => `${object} ${command}`));
  const vocabulary = [...new Set(ALL.flatMap(({ spec }) => typedWords(spec)))];
  for (const [at, { object, command, title, spec }] of ALL.entries()) {
    const told = rowsOf(spec).map((entry) => notation(...entry));
    const words = [...new Set(told.flatMap(spelled))].sort();
    t.deepEqual((completion[at] ?? []).flatMap((each) => firstOf(each)).sort(), words, `completion of ${title}`);
    t.deepEqual([...(manual.get(title) ?? [])].sort(), words, `manual page of ${title}`);
    t.deepEqual(helpWords(object, command).sort(), words, `help of ${title}`);
    const known = vocabulary.filter((word) => isKnown(title, spec, word)).sort();
    t.deepEqual(known, [...new Set(typedWords(spec))].sort(), `parser of ${title}`);
  }
  const [objects] = await offered([['']]);
  t.deepEqual(objects?.slice(0, -1), Object.keys(working(grammar as never)));
  t.deepEqual([...manual.keys()].sort(), ALL.map(({ title }) => title).sort());
});

test('shellcheck finds nothing in the completion of bash', async (t) => {
  t.deepEqual(await run(['shellcheck', 'completions/gtp.bash']), { status: 0, stdout: '', stderr: '' });
});

type Case = { readonly line: readonly string[]; readonly expected: readonly string[] };

// Some of the words of a request, and what may follow: a positional word that has to be there comes first.
function prefixOf({ title, spec }: Named, whole: readonly GivenWord[]): Case[] {
  const [given] = fc.sample(fc.integer({ min: 0, max: whole.length }), 1).map((length) => whole.slice(0, length));
  if (given === undefined) return [];
  const line = [...title.split(' '), ...typed(given)];
  const reading = {
    spec,
    title,
    given: new Map(given.map(({ word, row, values }) => [word, textOf(row, word, values)])),
  };
  const [first] = rowsOf(spec);
  if (first?.[1].positional && first[1].required && given.length === 0) return [{ line, expected: [] }];
  const rows = rowsOf(spec);
  const left = remaining(reading).flatMap((word) => {
    const hasNo = rows.some(([name, row]) => row.no && name === word && isOpen(spec, reading.given, row));
    return hasNo ? [word, `no${word}`] : [word];
  });
  // Behind a flag that shares its word with one that takes a value, that may follow as well.
  const last = given.at(-1);
  const before = new Map([...reading.given].slice(0, -1));
  const isTwin = (row: Row): boolean =>
    last?.row.flag === true && last.values.at(-1) === true && row.as === last.word && isOpen(spec, before, row);
  const twin = rows.find(([, row]) => isTwin(row))?.[1];
  return [{ line, expected: [...left, ...(twin?.kind?.choices ?? [])] }];
}

function textOf(row: GivenWord['row'], word: string, values: readonly unknown[]): string {
  return row.flag ? word : (row.kind?.format(values.at(-1)) ?? '');
}

function typedWords(spec: CommandSpec): string[] {
  return rowsOf(spec).flatMap(([word, row]) => {
    if (row.positional) return [];
    const name = nameOf({ spec }, word);
    return row.no ? [name, `no${name}`] : [name];
  });
}

// "[no]udpcsum" is two words; of a word with its value, the word.
function spelled(text: string): string[] {
  const word = text.startsWith('{') ? text : firstOf(text);
  return word.startsWith('[no]') ? [word.slice(4), `no${word.slice(4)}`] : [word];
}

function firstOf(text: string): string {
  return text.split(' ')[0] ?? '';
}

function isKnown(title: string, spec: CommandSpec, word: string): boolean {
  const [first] = rowsOf(spec);
  const line = [...title.split(' '), ...(first?.[1].positional ? ['192.0.2.1'] : []), word];
  try {
    parse(line);
    return true;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return !new RegExp(`^(unknown word "${word}"|"${word}" is a word of ".*", not of )`).test(error.message);
  }
}

function helpWords(object: string, command: string): string[] {
  const text = help(object, command);
  const body = text.slice(text.lastIndexOf('\n\n', text.lastIndexOf('\n  ')));
  return [...new Set([...body.matchAll(/^ {2}(\S+)/gm)].flatMap(([, word = '']) => spelled(word)))];
}

// The words below ".SS gtp COMMAND" of all pages: those with a paragraph of their own, and those that are as in another command.
function manualWords(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const page of readdirSync('man').filter((name) => name.endsWith('.8'))) {
    const text = readFileSync(`man/${page}`, 'utf8').replaceAll('\\-', '-');
    for (const [, title = '', body = ''] of text.matchAll(/^\.SS gtp (.*)\n((?:(?!\.S[HS] |\.\\" end ).*\n)*)/gm)) {
      const [, other] = /^\.BR? "gtp (.*)" \.$/m.exec(body) ?? [];
      const own = [...body.matchAll(/^\.BR? (?!"?gtp )(.*?)(?: [,.])?$/gm)].flatMap(([, word = '']) => spelled(word));
      found.set(title, new Set([...own, ...(other === undefined ? [] : (found.get(other) ?? []))]));
    }
  }
  return found;
}
