// SPDX-License-Identifier: MIT
// Builds dist/: the BPF object, the command and, with --tests, the tests. Skips a step when neither its inputs nor its
// outputs changed since it was done last.
//   node tools/build.mjs [--tests] [object | command]
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from './bundle.mjs';
import { compileBpf } from './compile.mjs';
import { compileSchemas } from './compile-schemas.mjs';
import { findClang } from './toolchain.mjs';

const STAMPS = 'dist/.stamps.json';
const words = process.argv.slice(2);
const only = words.find((word) => !word.startsWith('-'));
// Programs that run in guests are bundled along.
const tests = files('test').filter((file) => /\.(test|guest)\.ts$/.test(file));
const testObjects = files('test').filter((file) => file.endsWith('.bpf.c'));

const steps = [
  {
    name: 'object',
    makes: ['dist/gtp.bpf.o'],
    from: [...files('bpf'), 'tools/compile.mjs'],
    tool: findClang(),
    make: () => compileBpf('bpf/gtp.bpf.c', 'dist/gtp.bpf.o'),
  },
  {
    name: 'command',
    makes: ['dist/gtp.cjs'],
    from: [...files('src'), 'dist/gtp.bpf.o', 'tools/bundle.mjs', 'package.json', 'package-lock.json'],
    make: makeCommand,
  },
  {
    name: 'schemas',
    makes: ['dist/schemas.cjs'],
    from: [...files('docs/schema'), 'tools/compile-schemas.mjs', 'package-lock.json'],
    make: () => compileSchemas('docs/schema', 'dist/schemas.cjs'),
  },
  {
    name: 'tests',
    makes: [...tests, ...testObjects].map(testOutput),
    from: [
      ...files('test'),
      ...files('src'),
      ...files('bpf'),
      'tools/bundle.mjs',
      'dist/gtp.bpf.o',
      'tools/compile.mjs',
      'package-lock.json',
    ],
    make: makeTests,
  },
];

try {
  for (const step of steps) if (isWanted(step.name)) await take(step);
} catch (error) {
  console.error(`build: ${error.message}`);
  process.exitCode = 1;
}

function isWanted(name) {
  if (name === 'tests' || name === 'schemas') return words.includes('--tests');
  return only === undefined || only === name;
}

async function take({ name, makes, from, tool = '', make }) {
  const stamps = existsSync(STAMPS) ? JSON.parse(readFileSync(STAMPS, 'utf8')) : {};
  const stamp = hash([...from, ...makes], tool);
  if (stamps[name] === stamp) return console.log(`build ${name}: up to date`);
  const start = performance.now();
  await make();
  writeFileSync(STAMPS, JSON.stringify({ ...stamps, [name]: hash([...from, ...makes], tool) }));
  console.log(`build ${name}: ${summary(makes)} in ${Math.round(performance.now() - start)} ms`);
}

function summary(makes) {
  if (makes.length > 1) return `${makes.length} files`;
  const [file] = makes;
  return file === undefined ? 'nothing' : `${file}, ${readFileSync(file).length} octets,`;
}

async function makeCommand() {
  await bundle(['src/main.ts'], { outfile: 'dist/gtp.cjs', hashbang: true });
  chmodSync('dist/gtp.cjs', 0o755);
}

async function makeTests() {
  await bundle(tests, { outdir: 'dist', clean: 'dist/test', sourcemap: true });
  for (const source of testObjects) compileBpf(source, testOutput(source));
}

function testOutput(source) {
  return join('dist', source.replace(/\.ts$/, '.cjs').replace(/\.bpf\.c$/, '.bpf.o'));
}

function hash(paths, tool) {
  const sum = createHash('sha256').update(tool);
  for (const path of paths.toSorted())
    sum.update(`\0${path}\0`).update(existsSync(path) ? readFileSync(path) : 'absent');
  return sum.digest('hex');
}

function files(directory) {
  if (!existsSync(directory)) return [];
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
