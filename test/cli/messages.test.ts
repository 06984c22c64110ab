// SPDX-License-Identifier: MIT
import test from 'ava';
import { golden } from './golden';
import { readMessages } from './messages';

test('the golden file has every error, hint and note of the program: a new one is read there before users read it', (t) => {
  const sites = readMessages();
  const files = [...new Set(sites.map(({ file }) => file))];
  const text = files.map((file) => {
    const own = sites.filter((site) => site.file === file);
    return `# ${file}\n\n${own.map(({ where, lines }) => `${where}\n${lines.map((line) => `  ${line}\n`).join('')}`).join('\n')}`;
  });
  golden(t, 'messages.golden.txt', text.join('\n'));
});
