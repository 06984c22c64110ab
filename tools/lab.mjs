// SPDX-License-Identifier: MIT
// The namespaces that `npm run demo` and `npm run shell` play in: three machines and the users behind them.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

// m1 and m2 have a wire between them; m3 is alone.
const MACHINES = ['m1', 'm2', 'm3'];
const USERS = ['ue1', 'ue2', 'ue3', 'ue4', 'client', 'server'];

/** A directory with the built command under its own name, and the environment that finds it there. */
export function commandOnPath() {
  const bin = resolve('dist/bin');
  mkdirSync(bin, { recursive: true });
  rmSync(`${bin}/gtp`, { force: true });
  symlinkSync('../gtp.cjs', `${bin}/gtp`);
  const path = [bin, dirname(process.execPath), process.env.PATH, '/usr/local/sbin:/usr/sbin:/sbin'].join(':');
  return { bin, env: { ...process.env, PATH: path } };
}

/** The whole name of each namespace: { m1: 'demo4711-m1', ... }. */
export function namesOf(prefix) {
  return Object.fromEntries([...MACHINES, ...USERS].map((short) => [short, `${prefix}-${short}`]));
}

/** Makes the namespaces, and the wire between m1 and m2 with its addresses. */
export function buildLab(prefix) {
  const names = namesOf(prefix);
  for (const name of Object.values(names)) {
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
  }
  const { m1, m2 } = names;
  ip('-n', m1, 'link', 'add', 'wire', 'type', 'veth', 'peer', 'name', 'wire', 'netns', m2);
  for (const [machine, host] of [[m1, 1], [m2, 2]]) {
    ip('-n', machine, 'address', 'add', `192.0.2.${host}/24`, 'dev', 'wire');
    ip('-n', machine, 'address', 'add', `2001:db8::${host}/64`, 'dev', 'wire', 'nodad');
    ip('-n', machine, 'link', 'set', 'wire', 'up');
  }
  return names;
}

/** The lines that remove a lab: what `gtp` made first, then the namespaces. */
export function removalLines(prefix) {
  const present = namespacesOf(prefix);
  const machines = present.filter((name) => MACHINES.includes(name.slice(prefix.length + 1)));
  return [
    ...machines.map((name) => `gtp -n ${name} link flush`),
    `for each in ${present.join(' \\\n      ')}; do ip netns del $each; done`,
  ];
}

/** Ends every process in the namespaces of a lab, and names them. */
export function endProcesses(prefix) {
  return namespacesOf(prefix).flatMap((name) => {
    const pids = ip('netns', 'pids', name).trim().split('\n').filter(Boolean);
    return pids.map((pid) => {
      const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
      process.kill(Number(pid), 'SIGKILL');
      return `process ${pid} in ${name}: ${command}`;
    });
  });
}

/** Where `gtp` pins the state of each machine of a lab. Ask while the machines are there. */
export function pinDirectories(prefix) {
  // SO_NETNS_COOKIE is 71. Node has no getsockopt, and perl is part of every Debian.
  const program = 'socket(S, AF_INET, SOCK_DGRAM, 0); print unpack("Q", getsockopt(S, SOL_SOCKET, 71))';
  return MACHINES.map((short) => {
    const cookie = ip('netns', 'exec', `${prefix}-${short}`, 'perl', '-MSocket', '-e', program);
    return `${process.env.GTP_BPFFS ?? '/sys/fs/bpf'}/gtp/${cookie}`;
  });
}

/** What is left of a lab. */
export function remainders(prefix, pins) {
  return [
    ...namespacesOf(prefix).map((name) => `namespace ${name}`),
    ...pins.filter((path) => existsSync(path)).map((path) => `pins ${path}`),
  ];
}

/** The prefixes of all labs of this machine that begin with `word` and whose process has ended. */
export function abandonedLabs(word) {
  const pattern = new RegExp(`^(${word}(\\d+))-`);
  const found = namespaces().map((name) => pattern.exec(name)).filter((match) => match !== null);
  const ended = found.filter(([, , pid]) => !/(?:demo|shell)\.mjs/.test(read(`/proc/${pid}/cmdline`)));
  return [...new Set(ended.map(([, prefix]) => prefix))];
}

function namespacesOf(prefix) {
  return namespaces().filter((name) => name.startsWith(`${prefix}-`));
}

function namespaces() {
  return existsSync('/run/netns') ? readdirSync('/run/netns').sort() : [];
}

function ip(...words) {
  const { status, error, stdout, stderr } = spawnSync('ip', words, { encoding: 'utf8', env: commandOnPathEnv });
  if (error) throw error;
  if (status !== 0) throw new Error(`ip ${words.join(' ')}: ${stderr.trim()}`);
  return stdout;
}

const commandOnPathEnv = { ...process.env, PATH: `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin` };

/** Text of a file of /proc; empty when its process has gone. */
function read(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
