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

// What is read when the pipe has long been full, and what a command prints whose pipes never are.
const SLOW_READER = `
import array, fcntl, socket, subprocess, sys, termios, time
ours, theirs = socket.socketpair()
theirs.setblocking(False)
running = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs)
theirs.close()
ours.sendall(b'link add help\\n-V\\nsession help\\n' * 60)
ours.shutdown(socket.SHUT_WR)
waiting, before = array.array('i', [0]), -1
while waiting[0] != before or before == 0:
    before = waiting[0]
    time.sleep(0.2)
    fcntl.ioctl(ours, termios.FIONREAD, waiting)
read = b''.join(iter(lambda: ours.recv(65536), b''))
whole = subprocess.run(sys.argv[1:], input=b'link add help\\n-V\\nsession help\\n' * 60, stdout=subprocess.PIPE).stdout
print(running.wait(), read == whole, len(whole) > waiting[0])
`;

test('what a full pipe that does not block takes later stays in order', (t) => {
  const words = ['-c', SLOW_READER, process.execPath, GTP, '-batch', '-'];
  const { stdout, stderr } = spawnSync('/usr/bin/python3', words, { encoding: 'utf8' });
  t.deepEqual([stdout, stderr], ['0 True True\n', '']);
});
