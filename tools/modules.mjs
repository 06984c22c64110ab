// SPDX-License-Identifier: MIT
// Which npm packages a bundle consists of, and which it needs beside it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';

const FOLDER = 'node_modules';

/**
 * The packages of a bundle, each as its folder from here: `inside` it, and `beside` it with all that they need in turn.
 * @param {import('esbuild').Metafile} metafile
 */
export function modulesOf({ inputs, outputs }) {
  const inside = new Set(Object.keys(inputs).filter(isForeign).map(folderOf));
  const imports = Object.values(outputs).flatMap((output) => output.imports);
  const outer = imports.filter(({ external, path }) => external && !isBuiltin(path));
  const beside = new Set();
  for (const { path } of outer) gather(folderOf(join(FOLDER, path)), beside);
  return { inside: [...inside].toSorted(), beside: [...beside].toSorted() };
}

/** The files of a package that Node may load on this machine; of prebuilt ones those for glibc and this processor. Programs are none. */
export function runtimeFiles(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  return paths.filter((path) => folderOf(path) === folder && isLoaded(path)).toSorted();
}

/** What the package says of itself. */
export function manifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}

function gather(folder, found) {
  if (found.has(folder)) return;
  found.add(folder);
  const { dependencies = {}, optionalDependencies = {} } = manifest(folder);
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    const at = resolve(name, folder);
    if (at !== undefined) gather(at, found);
    else if (!(name in optionalDependencies)) throw new Error(`${folder} needs ${name}, which is not there: npm ci`);
  }
}

/** Where Node finds a package that another one names. */
function resolve(name, from) {
  for (let dir = from; ; dir = dirname(dir)) {
    const at = join(dir, FOLDER, name);
    if (existsSync(at)) return at;
    if (dir === '.') return undefined;
  }
}

const isForeign = (path) => path.startsWith(`${FOLDER}/`);

/** The package that a file or a module belongs to: the last of those in its path. */
function folderOf(path) {
  const [, folder] = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)/.exec(path) ?? [];
  if (folder === undefined) throw new Error(`${path} is in no package`);
  return folder;
}

const PREBUILT = `/linux_${process.arch}/`;

function isLoaded(path) {
  if (path.endsWith('.node')) return path.includes(PREBUILT);
  return /\.(?:js|cjs|mjs|json)$/.test(path) && !readFileSync(path, 'latin1').startsWith('#!');
}
