// SPDX-License-Identifier: MIT
// Fetches the kernels of the guests that the cache lacks, by apt from Debian: node tools/run.mjs test/guest/fetch.ts
// The machine's own package lists and packages stay as they are.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache, folderOf, type Kernel, kernels, reasonFileOf } from './kernels';
import { run, unpack } from './unpack';

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
    const apt = aptIn(work, kernel);
    const [debs, files, made] = [join(work, 'debs'), join(work, 'files'), join(work, 'made')];
    for (const each of [debs, files, made]) mkdirSync(each);
    apt(debs, 'apt-get', 'update');
    apt(debs, 'apt-get', 'download', ...packagesOf(kernel, apt));
    for (const deb of readdirSync(debs)) run(debs, 'dpkg-deb', ['-x', deb, files]);
    unpack(kernel, files, made);
    // Another run may have been quicker.
    if (!existsSync(folderOf(kernel))) renameSync(made, folderOf(kernel));
  } finally {
    rmSync(work, { recursive: true });
  }
}

type Apt = (folder: string, program: string, ...words: readonly string[]) => string;

/** Those of the table, and what Debian's newest image consists of: its own package only leads to them. */
function packagesOf({ packages }: Kernel, apt: Apt): string[] {
  const closure = apt('.', 'apt-cache', 'depends', '--recurse', '--important', ...packages);
  return [...packages, ...(closure.match(/^linux-(?:image|binary|base|modules)-\d\S*/gm) ?? [])];
}

/** The programs of apt with lists of their own, of the releases of Debian that have the kernel's packages. */
function aptIn(work: string, { packages }: Kernel): Apt {
  for (const each of ['sources', 'lists/partial', 'cache/archives/partial'])
    mkdirSync(join(work, each), { recursive: true });
  const source = {
    Types: 'deb',
    URIs: 'http://deb.debian.org/debian',
    Suites: [...new Set(packages.map((name) => name.replace(/.*\//, '')))].join(' '),
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
  return (folder, program, ...words) => {
    try {
      return run(folder, program, ['-q', ...options, ...words]).toString();
    } catch (error) {
      throw new Unavailable((error as Error).message);
    }
  };
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
