// SPDX-License-Identifier: MIT
// What tests could leave on a machine.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** One line for each network namespace, link, mount and pin of this machine. */
export function globalState() {
  return [...namespaces(), ...links(), ...mounts(), ...pins()];
}

/** Processes that have `NAME=VALUE` in their environment, except this one. */
export function processesWith(mark) {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.flatMap((pid) => {
    if (!read(`/proc/${pid}/environ`).includes(mark)) return [];
    return [{ pid: Number(pid), command: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() }];
  });
}

function namespaces() {
  return existsSync('/run/netns') ? readdirSync('/run/netns').map((name) => `namespace ${name}`) : [];
}

function links() {
  const { stdout } = spawnSync('ip', ['-json', 'link'], { encoding: 'utf8' });
  return JSON.parse(stdout).map(({ ifname }) => `link ${ifname}`);
}

function mounts() {
  const lines = read('/proc/self/mounts').split('\n');
  return lines.filter((line) => / (?:bpf|nsfs) /.test(line)).map((line) => `mount ${line.split(' ')[1]}`);
}

function pins() {
  const root = process.env.GTP_BPFFS ?? '/sys/fs/bpf';
  return existsSync(root) ? readdirSync(root, { recursive: true }).map((path) => `pin ${root}/${path}`) : [];
}

/** Text of a file of /proc; empty when its process is gone meanwhile. */
function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes(error.code)) return '';
    throw error;
  }
}
