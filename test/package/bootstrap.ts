// SPDX-License-Identifier: MIT
// Makes the Debian that packages are tried in, if the cache lacks it: node tools/run.mjs test/package/bootstrap.ts
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '../guest/unpack';
import { archive, PACKAGES, reasonFile, SUITE } from './root';

const MIRROR = 'http://deb.debian.org/debian';

if (!existsSync(archive)) makeRoot();

/** One that cannot be had is no failure: tests say why. */
function makeRoot(): void {
  mkdirSync(dirname(archive), { recursive: true });
  const work = mkdtempSync(join(dirname(archive), 'tmp-'));
  try {
    const failure = bootstrap(work);
    if (failure === undefined) pack(work);
    note(failure);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Why it could not be done, on one line, or undefined. What it mounts is seen by nobody else. */
function bootstrap(work: string): string | undefined {
  const words = ['--variant=minbase', `--include=${PACKAGES.join(',')}`, SUITE, 'root', MIRROR];
  const own = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  try {
    run(work, 'unshare', [...own, 'debootstrap', ...words]);
    return undefined;
  } catch (error) {
    return (error as Error).message.replace(/\s+/g, ' ').slice(-200);
  }
}

/** Without what apt can fetch again. Another run may have been quicker. */
function pack(work: string): void {
  const leave = ['./var/lib/apt/lists/*', './var/cache/apt/*'].map((path) => `--exclude=${path}`);
  const part = join(work, 'root.tar.zst');
  run(work, 'tar', ['-C', 'root', '--numeric-owner', ...leave, '--zstd', '-cf', part, '.']);
  renameSync(part, archive);
}

function note(failure: string | undefined): void {
  if (failure === undefined) {
    rmSync(reasonFile, { force: true });
    process.stdout.write(`setup: a Debian ${SUITE} to try packages in is ${archive}\n`);
  } else {
    writeFileSync(reasonFile, `${failure}\n`);
    process.stderr.write(`setup: NO DEBIAN ${SUITE} to try packages in, tests will be skipped: ${failure}\n`);
  }
}
