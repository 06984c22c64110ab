// SPDX-License-Identifier: MIT
// gtp completion: the files as they are installed, and the values that shells ask for.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { count, NOTHING, onMachine } from '../machine';
import { run } from '../run';

const FILES = { bash: 'gtp.bash', zsh: '_gtp', fish: 'gtp.fish' };
const gtp = (...words: readonly string[]) => run([process.execPath, 'dist/gtp.cjs', ...words]);

test('the file of each shell is printed as it stands; with -j it says where it is installed', async (t) => {
  for (const [shell, name] of Object.entries(FILES)) {
    const script = readFileSync(`completions/${name}`, 'utf8');
    t.deepEqual(await gtp('completion', shell), { status: 0, stdout: script, stderr: '' });
    const [record] = JSON.parse((await gtp('-j', 'completion', shell)).stdout);
    t.like(record, { shell, script });
    t.regex(record.place, /^\/usr\/share\/.*gtp(\.fish)?$/);
  }
});

test('the file is found beside the program, whatever link led to it; where it is missing, that is said', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'gtp-completion-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  for (const name of ['lib/dist', 'lib/completions', 'bin']) mkdirSync(join(dir, name), { recursive: true });
  copyFileSync('dist/gtp.cjs', join(dir, 'lib/dist/gtp.cjs'));
  copyFileSync('completions/gtp.bash', join(dir, 'lib/completions/gtp.bash'));
  symlinkSync('../lib/dist/gtp.cjs', join(dir, 'bin/gtp'));
  const installed = (shell: string) => run([process.execPath, join(dir, 'bin/gtp'), 'completion', shell]);
  t.is((await installed('bash')).stdout, readFileSync('completions/gtp.bash', 'utf8'));
  t.deepEqual(await installed('zsh'), {
    status: 2,
    stdout: '',
    stderr: `Error: read the completion of zsh, ${dir}/lib/completions/_gtp: No such file or directory\nHint: it comes with the package: install gtp again\n`,
  });
});

test('whoever asks for values changes nothing, waits for no lock, and mounts no bpffs', async (t) => {
  const { status, stdout, stderr } = await onMachine(`
    gtp link add ue1 local 127.0.0.1 local-teid 5 remote-teid 6 remote 127.0.0.2 ue 10.45.0.1 name joe
    dir=(/sys/fs/bpf/gtp/*/v1)
    before=$(ip -details link; find /sys/fs/bpf)
    exec 9< "$dir"
    flock 9
    for word in link local-teid remote ue name key addr; do echo "$word:" $(gtp completion values $word | tr '\\t' ' '); done
    exec 9<&-
    [[ $before = "$(ip -details link; find /sys/fs/bpf)" ]] && echo same
    gtp link flush
    while umount /sys/fs/bpf 2> /run/umount.err; do :; done
    echo "none:" $(gtp completion values link)
    grep -c ' /sys/fs/bpf bpf ' /proc/mounts || true
    mount -t bpf bpf /sys/fs/bpf`);
  t.is(status, 0, stderr);
  t.is(stderr, '');
  t.regex(stdout, /^link: ue1 type gtp role ggsn$/m);
  t.regex(stdout, /^local-teid: 0x00000005 dev ue1 remote 127\.0\.0\.2 ue 10\.45\.0\.1\/32 name joe$/m);
  t.regex(
    stdout,
    /^remote: 127\.0\.0\.2 .*\nue: 10\.45\.0\.1 .*\nname: joe .*\nkey:\naddr: 127\.0\.0\.2 .*\nsame\nnone:\n0$/m,
  );
  t.is(count(stdout, /Error/), 0);
  t.regex(stdout, NOTHING);
});
