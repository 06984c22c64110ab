// SPDX-License-Identifier: MIT
// The namespaces that `npm run demo` and `npm run shell` play in: three machines and the users behind them.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { env } from './terminal.mjs';

// m1 and m2 have a wire between them; m3 is alone.
const MACHINES = ['m1', 'm2', 'm3'];
const USERS = ['ue1', 'ue2', 'ue3', 'ue4', 'client', 'server'];

/** Where m1 and m2 are and who is behind them. */
export const PICTURE = `\
   ue1 10.45.0.1 --+                                        +-- 10.45.0.2 ue2
                   +-- m1 192.0.2.1 ==wire== 192.0.2.2 m2 --+
   ue3 10.45.0.1 --+    2001:db8::1          2001:db8::2    +-- 10.45.0.2 ue4`;

/** Makes the namespaces, and the wire between m1 and m2. Gives their whole names: { m1: `${prefix}m1`, ... }. */
export function buildLab(prefix) {
  const names = Object.fromEntries([...MACHINES, ...USERS].map((short) => [short, `${prefix}${short}`]));
  for (const name of Object.values(names)) {
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
  }
  const { m1, m2 } = names;
  ip('-n', m1, 'link', 'add', 'wire', 'type', 'veth', 'peer', 'name', 'wire', 'netns', m2);
  for (const [machine, host] of Object.entries({ [m1]: 1, [m2]: 2 })) {
    ip('-n', machine, 'address', 'add', `192.0.2.${host}/24`, 'dev', 'wire');
    ip('-n', machine, 'address', 'add', `2001:db8::${host}/64`, 'dev', 'wire', 'nodad');
    ip('-n', machine, 'link', 'set', 'wire', 'up');
  }
  return names;
}

/** The lines that remove a lab: first what `gtp` made, then the namespaces. */
export function removalLines(prefix) {
  const present = namespacesOf(prefix).join(' ');
  const words = present.replaceAll(/(\S+ \S+ \S+) /g, '$1 \\\n      ');
  return [
    ...machinesOf(prefix).map((name) => `gtp -n ${name} link flush`),
    ...(present === '' ? [] : [`for each in ${words}; do ip netns del $each; done`]),
  ];
}

/** Ends every process in the namespaces of a lab, and tells which there were. */
export function endProcesses(prefix) {
  return namespacesOf(prefix).flatMap((name) => {
    const pids = ip('netns', 'pids', name).split('\n').filter(Boolean);
    return pids.map((pid) => {
      const command = readProc(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
      process.kill(Number(pid), 'SIGKILL');
      return `process ${pid} in ${name}: ${command}`;
    });
  });
}

/** Where `gtp` pins the state of the machines of a lab that have links. */
export function pinDirectories(prefix) {
  return machinesOf(prefix).flatMap((name) => {
    const { status, stdout } = spawnSync('gtp', ['-n', name, '-j', '-d', 'link', 'show'], { encoding: 'utf8', env });
    return status === 0 ? [...new Set(JSON.parse(stdout).map(({ details }) => dirname(details.pins)))] : [];
  });
}

/** What is left of a lab. */
export function remainders(prefix, pins) {
  return [
    ...namespacesOf(prefix).map((name) => `namespace ${name}`),
    ...pins.filter((path) => existsSync(path)).map((path) => `pins in ${path}`),
  ];
}

/** The prefixes of all labs that begin with `word` and the PID of a process that has ended. */
export function abandonedLabs(word) {
  const pattern = new RegExp(`^${word}\\d+-`);
  const prefixes = new Set(namespaces().flatMap((name) => pattern.exec(name)?.[0] ?? []));
  return [...prefixes].filter((prefix) => {
    const pid = prefix.slice(word.length, -1);
    return !readProc(`/proc/${pid}/cmdline`).includes(`${word}.mjs`);
  });
}

function machinesOf(prefix) {
  return namespacesOf(prefix).filter((name) => MACHINES.includes(name.slice(prefix.length)));
}

function namespacesOf(prefix) {
  return namespaces().filter((name) => name.startsWith(prefix));
}

function namespaces() {
  return existsSync('/run/netns') ? readdirSync('/run/netns').sort() : [];
}

function ip(...words) {
  const { status, error, stdout, stderr } = spawnSync('ip', words, { encoding: 'utf8', env });
  if (error) throw error;
  if (status !== 0) throw new Error(`ip ${words.join(' ')}: ${stderr.trim()}`);
  return stdout;
}

/** Text of a file of /proc; empty when its process has gone. */
function readProc(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(error.code)) return '';
    throw error;
  }
}
