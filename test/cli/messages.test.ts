// SPDX-License-Identifier: MIT
import test from 'ava';
import { type CommandSpec, grammar, isLater, type Later, type ObjectSpec } from '../../src/grammar';
import { golden } from './golden';
import { readMessages } from './messages';

const sites = readMessages();

test('the golden file has every error, hint and note of the program: a new one is read there before users read it', (t) => {
  const files = [...new Set(sites.map(({ file }) => file))];
  const text = files.map((file) => {
    const own = sites.filter((site) => site.file === file);
    return `# ${file}\n\n${own.map(({ where, lines }) => `${where}\n${lines.map((line) => `  ${line}\n`).join('')}`).join('\n')}`;
  });
  golden(t, 'messages.golden.txt', text.join('\n'));
});

test('they are single lines without a full stop, and what they tell to type exists', (t) => {
  const objects: Readonly<Record<string, ObjectSpec | Later>> = grammar;
  for (const line of sites.flatMap(({ lines }) => lines)) {
    t.notRegex(line, /\n|\.$(?<!\.\.\.$)| {2}/, line);
    for (const [typed, object = '', command = ''] of line.matchAll(/\bgtp ([a-z]+)(?: ([a-z]+))?/g)) {
      const spec = objects[object];
      if (spec === undefined) continue; // "gtp driver"
      t.false(isLater(spec), typed);
      const commands: Readonly<Record<string, CommandSpec | Later>> = isLater(spec) ? {} : spec.commands;
      if (!isLater(spec) && !spec.bare) t.false(isLater(commands[command] ?? { later: true }), typed);
    }
  }
});
