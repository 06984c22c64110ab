// SPDX-License-Identifier: MIT
// A shell between two machines: node tools/shell.mjs
// It has mounts, a network and processes of its own, so that its end takes everything along, however it ends.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { buildLab, PICTURE } from './lab.mjs';
import { env, openTerminal, say } from './terminal.mjs';

const INSIDE = '--inside';
const PRIVATE = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];

try {
  process.exitCode = process.argv.includes(INSIDE) ? inside() : outside();
} catch (error) {
  console.error(`shell: ${error.message}`);
  process.exitCode = 1;
}

function outside() {
  return run('unshare', ...PRIVATE, process.execPath, ...process.argv.slice(1), INSIDE);
}

function inside() {
  openTerminal();
  mkdirSync('/run/netns', { recursive: true });
  must('mount', '-t', 'tmpfs', 'tmpfs', '/run/netns');
  must('mount', '-t', 'bpf', 'bpf', '/sys/fs/bpf');
  must('ip', 'link', 'set', 'lo', 'up');
  buildLab('');
  say(`${PICTURE}
   client, server: namespaces without addresses for m3, a machine without a wire

Every name is a network namespace: gtp -n m1 ..., ip netns exec ue1 ...
The first tunnel:

  gtp -n m1 link add gtp0 netns ue1 address 10.45.0.1/24 local-teid 1 remote-teid 2 remote 192.0.2.2
  gtp -n m2 link add gtp0 netns ue2 address 10.45.0.2/24 local-teid 2 remote-teid 1 remote 192.0.2.1
  ip netns exec ue1 ping 10.45.0.2

The end of this shell removes everything.
`);
  return run('bash', '--noprofile', '--norc');
}

/** Runs a program on our terminal and gives its status. */
function run(...command) {
  const { GTP_BPFFS: _, ...rest } = env;
  const { status, error } = spawnSync(command[0], command.slice(1), {
    stdio: 'inherit',
    env: { ...rest, PS1: '[ue1,ue3 - m1 == m2 - ue2,ue4 | m3] \\$ ' },
  });
  if (error) throw error;
  return status ?? 1;
}

function must(...command) {
  const status = run(...command);
  if (status !== 0) throw new Error(`${command.join(' ')}: status ${status}`);
}
