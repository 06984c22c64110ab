// SPDX-License-Identifier: MIT
// Fetches the kernels of the guests that the cache lacks, by apt from Debian: node tools/run.mjs test/guest/fetch.ts
// The machine's own package lists and packages stay as they are.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { cache, folderOf, type Kernel, kernels, reasonFileOf } from './kernels';

const KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** What keeps a kernel from us is no fault of ours. */
class Unavailable extends Error {}

const lacking = kernels.filter((kernel) => !existsSync(folderOf(kernel)));
for (const kernel of lacking) {
  mkdirSync(cache, { recursive: true });
  const failure = tried(() => fetchKernel(kernel));
  note(kernel, failure);
}

/** Says, and keeps for the tests, how it went. */
function note(kernel: Kernel, failure: string | undefined): void {
  if (failure === undefined) {
    rmSync(reasonFileOf(kernel), { force: true });
    process.stdout.write(`setup: kernel ${kernel.name} for guests is in ${folderOf(kernel)}\n`);
  } else {
    writeFileSync(reasonFileOf(kernel), `${failure}\n`);
    process.stderr.write(`setup: NO KERNEL ${kernel.name} for guests, its tests will be skipped: ${failure}\n`);
  }
}

function fetchKernel(kernel: Kernel): void {
  if (kernel.arch !== process.arch)
    throw new Unavailable(`it is for ${kernel.arch}, and this machine is ${process.arch}`);
  const work = mkdtempSync(join(cache, 'tmp-'));
  try {
    const apt = aptIn(work, kernel.suite);
    const [debs, files, made] = [join(work, 'debs'), join(work, 'files'), join(work, 'made')];
    for (const each of [debs, files, made]) mkdirSync(each);
    apt(debs, 'update');
    apt(debs, 'download', ...kernel.packages.map((name) => `${name}/${kernel.suite}`));
    for (const deb of readdirSync(debs)) run(debs, 'dpkg-deb', '-x', deb, files);
    const unpack = { uml: unpackUml }[kernel.boots];
    unpack(files, made);
    // Another run may have been quicker.
    if (!existsSync(folderOf(kernel))) renameSync(made, folderOf(kernel));
  } finally {
    rmSync(work, { recursive: true });
  }
}

type Apt = (folder: string, ...words: readonly string[]) => void;

/** An apt-get with lists of its own, for one release of Debian. */
function aptIn(work: string, suite: string): Apt {
  for (const each of ['sources', 'lists/partial', 'cache/archives/partial'])
    mkdirSync(join(work, each), { recursive: true });
  const source = {
    Types: 'deb',
    URIs: 'http://deb.debian.org/debian',
    Suites: suite,
    Components: 'main',
    'Signed-By': KEYS,
  };
  const lines = Object.entries(source).map(([name, value]) => `${name}: ${value}\n`);
  writeFileSync(join(work, 'sources/debian.sources'), lines.join(''));
  const settings = {
    'Dir::Etc::SourceList': '/dev/null',
    'Dir::Etc::SourceParts': join(work, 'sources'),
    'Dir::State::Lists': join(work, 'lists'),
    'Dir::Cache': join(work, 'cache'),
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
    'Acquire::http::Timeout': '30',
    'APT::Update::Error-Mode': 'any',
    'APT::Sandbox::User': 'root',
  };
  const options = Object.entries(settings).map(([name, value]) => `-o${name}=${value}`);
  return (folder, ...words) => {
    try {
      run(folder, 'apt-get', '-q', ...options, ...words);
    } catch (error) {
      throw new Unavailable((error as Error).message);
    }
  };
}

function unpackUml(files: string, made: string): void {
  const paths = readdirSync(files, { recursive: true, encoding: 'utf8' });
  for (const name of ['linux.uml', 'ld-linux-x86-64.so.2', 'libc.so.6']) {
    const path = paths.find((each) => /^(usr\/)?(bin|lib\/[^/]+)\/[^/]+$/.test(each) && each.endsWith(`/${name}`));
    if (path === undefined) throw new Error(`the packages have no ${name}`);
    renameSync(join(files, path), join(made, name));
  }
  useLoaderBeside(join(made, 'linux.uml'));
  renameSync(join(files, 'usr/lib/uml'), join(made, 'lib'));
}

/**
 * Makes a program look for its loader in the current folder, as the C library of its release may be newer than ours.
 * Starting it by its loader would not do: this kernel wants its heap right behind its own image.
 */
function useLoaderBeside(program: string): void {
  const [from, to] = ['/lib64/ld-linux-x86-64.so.2\0', './ld-linux-x86-64.so.2\0'];
  const octets = readFileSync(program);
  const at = octets.indexOf(from);
  if (at < 0) throw new Error(`${program} has another loader than ${from}`);
  octets.fill(0, at, at + from.length).write(to, at);
  writeFileSync(program, octets);
}

/** Why it could not be done, on one line, or undefined. */
function tried(action: () => void): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    return error.message.replace(/\s+/g, ' ').slice(0, 200);
  }
}

function run(cwd: string, program: string, ...words: readonly string[]): void {
  const { status, error, stderr } = spawnSync(program, words, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ${words.at(-1)}: ${stderr.trim() || `status ${status}`}`);
}
