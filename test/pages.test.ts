// SPDX-License-Identifier: MIT
// The pages for users: what they tell to type is typed, on a machine without anything of anybody, and does what the page says.
import { readFileSync } from 'node:fs';
import test from 'ava';
import { count, NOTHING, onMachine } from './machine';
import { type Block, blocksOf, commandsIn } from './pages';

const README = 'README.md';
const RECIPES = 'docs/recipes.md';

interface Story {
  readonly page: string;
  /** What stands below these headlines is one script. */
  readonly sections: readonly string[];
  /** What the user's own shell has that a script has not. */
  readonly shell?: string;
  /** What it prints, and how often. */
  readonly shows: readonly (readonly [pattern: RegExp, times: number])[];
}

const STORIES: readonly Story[] = [
  {
    page: README,
    sections: ['See it'],
    shell: 'unset -f gtp\nshopt -s expand_aliases\n',
    shows: [
      [/^gtp \d+\.\d+\.\d+$/m, 1],
      [/^GTP\(8\) .* GTP\(8\)$/m, 1],
    ],
  },
  {
    page: README,
    sections: ['First tunnel'],
    shows: [
      [/^3 packets transmitted, 3 received/m, 1],
      [/^gtp1 type gtp local 127\.0\.0\.2 dev lo netns alice inner eth0 mtu \d+ role ggsn$/m, 1],
      [/^dev gtp[12] type gtp local-teid 0x0000000[12] .*\n {4}encap packets 3 bytes 252\n {4}decap packets 3 /m, 2],
      [/^ {4}mtu \d+ - 20 IPv4 - 8 UDP - 8 GTP-U = \d+$/m, 1],
    ],
  },
  {
    page: README,
    sections: ['Two machines', 'Be a gNB', 'Be a UPF', '5G QoS flows'],
    shows: [
      [/^2 packets transmitted, 2 received/m, 4],
      [/^14 bytes from 192\.0\.2\.1: seq=[12] /m, 2],
      [
        /^dev upf0 type gtp .* ue 10\.45\.0\.\d\/32 name phone[12]\n {4}encap packets 2 bytes 168\n {4}decap packets 2 /m,
        2,
      ],
      [/^dev ue1 type gtp .* qfi 9\n(.*\n)* {4}mtu 1500 - .* with QFI = 1456\n(.*\n)* {4}seen_qfi 5\n/m, 1],
      [/^192\.0\.2\.1,10\.45\.0\.1\t0x00000201\t1\t9$/m, 2],
      [/^192\.0\.2\.2,10\.45\.255\.254\t0x00000101\t0\t5$/m, 2],
    ],
  },
  {
    page: README,
    sections: ['A thousand UEs'],
    shows: [
      [/^1 packets transmitted, 1 received/m, 3],
      [
        /^dev upf0 .* local-teid 0x000007d0 remote-teid 0x000003e8 .* ue 10\.45\.4\.1\/32\n {4}encap packets 1 .*\n {4}decap packets 1 /m,
        1,
      ],
    ],
  },
  {
    page: README,
    sections: ['Overlapping UEs'],
    shows: [
      [/^dev upf-a type gtp .* ue 10\.45\.0\.1\/32\n {4}encap packets 2 bytes 168\n {4}decap packets 2 /m, 1],
      [/^dev upf-b type gtp .* ue 10\.45\.0\.1\/32\n {4}encap packets 3 bytes 252\n {4}decap packets 3 /m, 1],
      [/, 0% packet loss/, 2],
    ],
  },
  {
    page: README,
    sections: ['L2TP'],
    shows: [
      [/^3 packets transmitted, 3 received/m, 1],
      [/^10\.47\.0\.2 dev eth0 lladdr (\w\w:){5}\w\w /m, 1],
    ],
  },
  {
    page: README,
    sections: ['Scripts'],
    shows: [
      [/^phone[123] is to send to \d+$/m, 3],
      [/^phone([123])\t127\.0\.0\.2\t10\.45\.0\.\1\/32\tup\t0$/m, 3],
      [/^silent: phone1 phone2 phone3$/m, 1],
      [/^\{"ifname":"upf0","drops":\{"no_session":1\}\}$/m, 1],
    ],
  },
  {
    page: RECIPES,
    sections: ['Other tunnels'],
    shows: [
      [/^3 packets transmitted, 3 received/m, 1],
      [/^dev vx[12] type vxlan vni 5 remote 127\.0\.0\.[23] local 127\.0\.0\.[23] dstport 4789$/m, 2],
    ],
  },
  {
    page: RECIPES,
    sections: ['Signalling'],
    shows: [
      [/^3 packets transmitted, 3 received/m, 1],
      [/^local 127\.0\.0\.3 remote 127\.0\.0\.2 sessions 1\n {4}echo requests 3/m, 1],
      [/^no answer\ndev gtp1 type gtp .*\n {4}state error_indicated\n(.*\n){3} {4}received errind 1$/m, 1],
      [/^ {4}sent echo 3 errind 1\n {4}drops unknown_teid 1$/m, 1],
    ],
  },
];

/** The file with what does something, and how that can be seen in it. */
interface Elsewhere {
  readonly file: string;
  readonly sign: RegExp;
}

/** Lines that no test of this file types. */
const LINES: { readonly [line: string]: Elsewhere } = {
  'npm run demo': { file: 'test/demo.test.ts', sign: /onMachine\('node tools\/demo\.mjs'\)/ },
  'npm test': { file: 'package.json', sign: /"test": ".*node tools\/test\.mjs"/ },
  'npm run deb': { file: 'test/package/deb.test.ts', sign: /'tools\/deb\.mjs'/ },
  'apt install ./dist/gtp_*.deb': { file: 'test/package/deb.test.ts', sign: / install .*gtp\.deb$/m },
  'npm pack': { file: 'test/package/npm.test.ts', sign: /\['pack', / },
  'npm install -g ./gtp-0.1.0.tgz': { file: 'test/package/npm.test.ts', sign: /\['npm', 'install', / },
  'source <(gtp completion bash)': { file: 'test/completion/terminal.ts', sign: /`source <\(gtp completion bash\)\\n/ },
};

/** Sections with scripts that no test of this file runs. */
const SECTIONS: { readonly [section: string]: Elsewhere } = {
  "The kernel's own driver": {
    file: 'test/guest/kernel.test.ts',
    sign: /commandsIn\('docs\/recipes\.md', "The kernel's own driver"\)/,
  },
};

for (const { page, sections, shell = '', shows } of STORIES)
  test.serial(`${page}: ${sections.join(', ')}`, async (t) => {
    const { status, stdout, stderr } = await onMachine(shell + commandsIn(page, ...sections));
    t.is(status, 0, stderr + stdout);
    for (const [pattern, times] of shows) t.is(count(stdout, pattern), times, `${pattern} in\n${stdout}`);
    t.regex(stdout, NOTHING);
  });

for (const page of [README, RECIPES])
  test(`every block of ${page} is run by a test`, (t) => {
    for (const block of blocksOf(page)) t.true(isCovered(page, block), `${block.section}: ${block.text}`);
  });

/** Pictures are texts; what the table of the command line has to say is written by `npm run gen`, which `npm run check` compares. */
function isCovered(page: string, { section, language, text }: Block): boolean {
  const lines = text.split('\n').filter((line) => line !== '');
  if (language === 'text') return lines.every((line) => !/^ *([$#]|gtp|ip|npm|apt)\b/.test(line));
  if (language === 'sh') return isTold(page, section) || isSeen(SECTIONS[section]);
  return text.startsWith('Usage: gtp ') || lines.every((line) => isSeen(LINES[line.replace(/ +# .*/, '')]));
}

function isTold(page: string, section: string): boolean {
  return STORIES.some((story) => story.page === page && story.sections.includes(section));
}

function isSeen(elsewhere: Elsewhere | undefined): boolean {
  return elsewhere?.sign.test(readFileSync(elsewhere.file, 'utf8')) ?? false;
}
