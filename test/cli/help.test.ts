// SPDX-License-Identifier: MIT
import test from 'ava';
import { answerGlobals } from '../../src/cli/globals';
import { help } from '../../src/cli/help';
import { parse } from '../../src/cli/parse';
import { rowsOf } from '../../src/cli/reading';
import { grammar, isLater, titleOf } from '../../src/grammar';
import { commands } from './arbitraries';
import { golden } from './golden';

const OBJECTS = [...new Set(commands.map(([object]) => object))];
const PAGES = [
  [],
  ...OBJECTS.map((object) => [object]),
  ...commands.map(([object, command]) => titleOf(object, command).split(' ')).filter((words) => words.length > 1),
];

test('help is as the golden file says', (t) => {
  golden(
    t,
    'help.golden.txt',
    PAGES.map((page) => `$ gtp ${[...page, 'help'].join(' ')}\n${help(...page)}`).join('\n'),
  );
});

test('-help and -V are as the golden file says', async (t) => {
  const pages = [
    `$ gtp -help\n${await answerGlobals('options', '1.2.3')}`,
    `$ gtp -V\n${await answerGlobals('version', '1.2.3')}`,
  ];
  golden(t, 'globals.golden.txt', pages.join('\n'));
});

test('no line of help is wider than 100 columns', (t) => {
  for (const page of PAGES)
    t.true(
      help(...page)
        .split('\n')
        .every((line) => line.length <= 100),
      page.join(' '),
    );
});

test('every word of a command stands in its help', (t) => {
  for (const [object, command, spec] of commands) {
    const text = help(object, command);
    for (const [word, row] of rowsOf(spec))
      t.true(text.includes(row.placeholder ?? row.as ?? word) && row.help !== '', `${object} ${command} ${word}`);
  }
});

test('the help of an object is no longer than a screen', (t) => {
  for (const object of OBJECTS) t.true(help(object).split('\n').length <= 45, object);
});

test('what help shows for example is accepted', (t) => {
  for (const [object, command, { examples = [] }] of commands)
    for (const line of examples) {
      t.true(help(object, command).includes(`\nExample: ${line}\n`), line);
      t.like(parse(line.split(' ').slice(1)), { ask: 'run', object, command }, line);
    }
});

test('what is not supported yet is left out of help', (t) => {
  for (const [object, command, spec] of commands) {
    const words = help(object, command).split(/[\s[\]]+/);
    const late = Object.entries(spec.words).filter(([, row]) => isLater(row));
    // "key", "flow" and the like could stand in prose; these cannot.
    for (const [word] of late.filter(([name]) => /[-_]|csum|vni|vrf/.test(name)))
      t.false(words.includes(word), `${object} ${command} ${word}`);
  }
  const objects = Object.entries(grammar).filter(([, spec]) => isLater(spec));
  for (const [name] of objects) t.false(help().includes(` ${name} `), name);
});
