// SPDX-License-Identifier: MIT
// The manual: pages that groff and mandoc take without a word, that name sections which there are, and whose examples
// run as they stand, each page on a machine of its own.
import { readdirSync } from 'node:fs';
import test from 'ava';
import { man, version } from '../package.json';
import { parse } from '../src/cli/parse';
import { grammar, isLater } from '../src/grammar';
import { NOTHING, onMachine } from './machine';
import { type Example, examplesOf, sectionsOf } from './man-page';
import { must, run } from './run';

const PAGES = readdirSync('man').map((name) => `man/${name}`);
const OBJECTS = Object.keys(grammar).filter((object) => !isLater(grammar[object as keyof typeof grammar]));

const BACKSPACE = String.fromCharCode(8);

// A kernel may lack what an example needs: how to see it.
const NEEDS: Readonly<Record<string, string>> = {
  'gtp.ko': 'gtp link add probe0 datapath kernel && gtp link del probe0',
};

test('there is a page for gtp and for each object, and the package has all of them', (t) => {
  t.deepEqual([...man].sort(), [...PAGES].sort());
  t.deepEqual([...PAGES].sort(), ['man/gtp.8', ...OBJECTS.map((object) => `man/gtp-${object}.8`)].sort());
});

test('each page has the sections that readers look for, in their order', (t) => {
  const usual = ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'EXAMPLES', 'EXIT STATUS', 'FILES', 'SEE ALSO'];
  for (const page of PAGES)
    t.deepEqual(
      sectionsOf(page).filter((name) => usual.includes(name)),
      usual,
      page,
    );
});

test('each page has examples, and most of them show something', (t) => {
  for (const page of PAGES) {
    const shown = examplesOf(page).filter(({ shows }) => shows !== undefined);
    t.true(shown.length >= (/-(link|session)/.test(page) ? 5 : 2), page);
  }
});

test('mandoc and groff find nothing wrong with the pages', async (t) => {
  const clean = { status: 0, stdout: '', stderr: '' };
  t.deepEqual(await run(['mandoc', '-T', 'lint', '-W', 'warning', ...PAGES]), clean);
  t.deepEqual(await run(['groff', '-man', '-ww', '-z', '-Kutf8', ...PAGES]), clean);
});

test('man shows the pages without a warning, in 80 columns, with the version', async (t) => {
  const env = { ...process.env, MANROFFSEQ: '', MANWIDTH: '80', LC_ALL: 'C.UTF-8' };
  for (const page of PAGES) {
    const { stdout, stderr } = await run(['man', '--warnings', '-E', 'UTF-8', '-l', '-Tutf8', page], { env });
    t.is(stderr, '', page);
    const lines = plain(stdout).split('\n');
    t.true(lines.length > 40, page);
    t.deepEqual(
      lines.filter((line) => line.length > 80),
      [],
      page,
    );
    t.regex(
      lines.at(-2) ?? '',
      new RegExp(`^gtp ${version.replaceAll('.', '\\.')} +\\d{4}-\\d{2}-\\d{2} +GTP.*\\(8\\)$`),
    );
  }
});

test('a section that one page names in another is there', async (t) => {
  const references = await Promise.all(PAGES.map(referencesOf));
  for (const { page, section, text } of references.flat()) t.true(sectionsOf(page).includes(section), text);
  t.true(references.flat().length >= 8);
});

for (const page of PAGES) {
  test.serial(`${page}: the examples run as they stand`, async (t) => {
    const examples = examplesOf(page);
    const { status, stdout, stderr } = await onMachine(`${examples.map(guarded).join('\n')}
      echo '== end'
      ip -brief address show dev lo`);
    t.is(status, 0, stderr + stdout);
    const answers = stdout.split(/^== \w+\n/m).slice(1);
    for (const [at, example] of examples.entries()) {
      const said = answers[at] ?? '';
      if (said.startsWith('SKIPPED')) {
        t.log(`${page}: ${said}`);
        for (const line of commandsOf(example)) t.notThrows(() => parse(line), line.join(' '));
      } else if (example.shows === undefined) t.is(said, '', example.script);
      else t.regex(said, example.shows, example.script);
    }
    t.regex(answers.at(-1) ?? '', /^lo +UNKNOWN +127\.0\.0\.1\/8 ::1\/128 *$/m);
    t.regex(stdout, NOTHING);
  });
}

// An example that says so when the kernel lacks what it needs.
function guarded({ script, needs }: Example, at: number): string {
  if (needs === undefined) return `echo '== ${at}'\n${script}`;
  return `echo '== ${at}'
if { ${NEEDS[needs]}; } 2> /dev/null; then
${script}
else echo 'SKIPPED: there is no ${needs} here: only the words are looked at'; fi`;
}

// The words of each command of gtp in an example.
function commandsOf({ script }: Example): readonly string[][] {
  const lines = script.replaceAll('\\\n', ' ').split('\n');
  const commands = lines.filter((line) => line.startsWith('gtp ')).map((line) => line.replace(/ [|<>].*/, ''));
  return commands.map((command) => command.split(/ +/).slice(1));
}

// What reads like "STATES in gtp-session(8)".
async function referencesOf(page: string) {
  const text = plain(await must(['mandoc', '-T', 'utf8', page])).replaceAll(/\s+/g, ' ');
  const found = text.matchAll(/\b([A-Z][A-Z' ]+[A-Z]) in (gtp[-a-z]*)\(8\)/g);
  return [...found].map(([reference, section = '', other]) => ({
    page: `man/${other}.8`,
    section,
    text: `${page}: ${reference}`,
  }));
}

// Without what printers do for bold and underlined characters.
function plain(text: string): string {
  return text.replaceAll(new RegExp(`.${BACKSPACE}`, 'gu'), '');
}
