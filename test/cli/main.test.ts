// SPDX-License-Identifier: MIT
// The built command as a process: what goes where, and the exit status.
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { version } from '../../package.json';

const GTP = 'dist/gtp.cjs';

type Ending = { readonly status: number; readonly stdout?: RegExp; readonly stderr?: RegExp };

const ends = (t: ExecutionContext, line: string, { status, stdout = /^$/, stderr = /^$/ }: Ending) => {
  const ended = spawnSync(process.execPath, [GTP, ...line.split(' ').filter(Boolean)], { encoding: 'utf8' });
  t.regex(ended.stderr, stderr);
  t.regex(ended.stdout, stdout);
  t.is(ended.status, status);
};

test('-V prints the version', ends, '-V', { status: 0, stdout: new RegExp(`^gtp ${version}\n$`) });
test('-help prints usage and options', ends, '-help', { status: 0, stdout: /^Usage: gtp (.|\n)+--json/ });
test('help that was asked for is an answer', ends, 'help', { status: 0, stdout: /^Usage: gtp / });
test('help of a command', ends, 'link add help', { status: 0, stdout: /^Usage: gtp link add NAME/ });
test('no words at all are wrong words', ends, '', { status: 1, stderr: /^Error: "OBJECT" is missing/ });
test('wrong words: one line of error, one of hint', ends, 'link sho x y', {
  status: 1,
  stderr: /^Error: .+\nHint: .+\n$/,
});
test('-j does not put errors on stdout', ends, '-j link show x y', { status: 1, stderr: /^Error: / });
test('a namespace that does not exist', ends, '-n no-such-namespace link', {
  status: 2,
  stderr: /^Error: .*no-such-namespace/,
});

test('a reader that went away is no error', (t) => {
  const ended = spawnSync('sh', ['-c', `"$0" ${GTP} session help | :`, process.execPath], { encoding: 'utf8' });
  t.is(ended.stderr, '');
});

test('an answer that cannot be written is a refusal of the kernel', (t) => {
  const full = openSync('/dev/full', 'w');
  const ended = spawnSync(process.execPath, [GTP, 'help'], { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' });
  closeSync(full);
  t.is(ended.stderr, 'Error: write the answer: No space left on device\n');
  t.is(ended.status, 2);
});
