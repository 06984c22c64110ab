// SPDX-License-Identifier: MIT
// Checks that the arrows between the parts of src/ point one way: node tools/run.mjs tools/check-layers.ts
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** Which parts a part may import, besides its own files and the data that everybody may read. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  main: ['cli', 'commands', 'netns', 'batch', 'output', 'signals'],
  batch: ['cli', 'output', 'scope', 'signals'],
  output: [],
  signals: [],
  scope: [],
  cli: [],
  commands: ['kernel', 'wiring', 'tunnels', 'netlink', 'datapath', 'udp', 'netns', 'undo', 'cli'],
  kernel: ['wiring', 'tunnels', 'netlink', 'udp', 'netns', 'undo'],
  wiring: ['tunnels', 'netlink', 'datapath', 'udp', 'netns', 'sysctl', 'undo', 'scope'],
  tunnels: [],
  netlink: ['netns', 'sysctl', 'bindings', 'scope'],
  datapath: ['netns', 'undo', 'bindings'],
  udp: ['bindings'],
  netns: ['bindings'],
  sysctl: ['bindings'],
  bindings: [],
  grammar: [],
  values: [],
  errors: [],
  suggest: [],
  undo: [],
};

/** Data, and the errors that all of them throw, with their hints. */
const FOR_ALL = ['grammar', 'values', 'errors', 'suggest', 'datapath/layout.gen', '../package.json'];

/** The only part that may import a package: one place to look when it changes. */
const PACKAGES: Readonly<Record<string, string>> = {
  koffi: 'bindings',
  netlink: 'netlink',
  chalk: 'cli',
  yargs: 'cli',
  'ipaddr.js': 'values',
};

/** The thread's network namespace changes in one place only. */
const SETNS = { name: /\bsetns\b/, mayUse: ['netns', 'bindings'] };

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const wrong = files.flatMap(faults);
for (const line of wrong) console.error(line);
if (wrong.length > 0) process.exitCode = 1;

function faults(file: string): string[] {
  const text = readFileSync(join('src', file), 'utf8');
  const part = partOf(file);
  if (!(part in ARROWS)) return [`src/${file}: no such part in tools/check-layers.ts: ${part}`];
  const found = importsOf(text).map((name) =>
    name.startsWith('.') ? arrowFault(file, name) : packageFault(part, name),
  );
  if (SETNS.name.test(text) && !SETNS.mayUse.includes(part))
    found.push('setns belongs to src/netns.ts alone: use inNetns');
  return found.filter((fault) => fault !== undefined).map((fault) => `src/${file}: ${fault}`);
}

function arrowFault(file: string, name: string): string | undefined {
  const target = relative('src', join('src', dirname(file), name));
  if (target.endsWith('.js') || target.endsWith('.ts')) return `import '${name}': leave out the extension`;
  const [from, to] = [partOf(file), partOf(target)];
  if (from === to || FOR_ALL.includes(target) || ARROWS[from]?.includes(to)) return undefined;
  return `no arrow ${from} -> ${to} (import '${name}')`;
}

function packageFault(part: string, name: string): string | undefined {
  const packageName = name.split('/')[0] ?? name;
  if (name.startsWith('node:')) return undefined;
  const owner = PACKAGES[packageName];
  if (owner === undefined) return `package ${packageName} has no owner in tools/check-layers.ts`;
  return owner === part ? undefined : `only ${owner} may import ${packageName}`;
}

/** Static imports, re-exports, import() and require() alike; types count as well. The word 'from' alone is none. */
function importsOf(text: string): string[] {
  const pattern = /(?:\bfrom\s+|\bimport\s+|\bimport\(\s*|\brequire\(\s*)'([^'\n]+)'/g;
  return [...text.matchAll(pattern)].map(([, name = '']) => name);
}

/** First folder, or the file's name without extension at the top. */
function partOf(file: string): string {
  return file.split('/')[0]?.replace(/(\.gen)?\.ts$/, '') ?? file;
}
