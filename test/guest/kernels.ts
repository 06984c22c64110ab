// SPDX-License-Identifier: MIT
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** A kernel of Debian that guests run, and what its gtp driver can. */
export interface Kernel {
  /** Names its folder in the cache. */
  readonly name: string;
  /** What kind of machine it is made for. */
  readonly boots: 'uml';
  /** Node's name of the processor that it has been built for. */
  readonly arch: string;
  /** The release of Debian that has it. */
  readonly suite: string;
  readonly packages: readonly string[];
  /** IPv6 outside and inside: since 6.10. */
  readonly ipv6: boolean;
  /** G-PDUs with extension headers are taken. */
  readonly extensions: boolean;
}

/** The only list of kernels: what is fetched, booted, and tested against. */
export const kernels: readonly Kernel[] = [
  {
    name: 'uml-6.1',
    boots: 'uml',
    arch: 'x64',
    suite: 'bookworm',
    packages: ['user-mode-linux', 'libc6'],
    ipv6: false,
    extensions: false,
  },
  {
    name: 'uml-6.12',
    boots: 'uml',
    arch: 'x64',
    suite: 'trixie',
    packages: ['user-mode-linux', 'libc6'],
    ipv6: true,
    extensions: true,
  },
];

/** Where kernels are kept, outside the checkout: they are large and change with nothing in it. */
export const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'gtp-test');

/** The folder of a kernel; it is there whole or not at all. */
export const folderOf = ({ name }: Kernel): string => join(cache, name);

/** The file that says why a kernel could not be had. */
export const reasonFileOf = ({ name }: Kernel): string => join(cache, `${name}.reason`);

/** Why there is no such kernel here, or undefined. Throws when nobody has tried to get it. */
export function whyNot(kernel: Kernel): string | undefined {
  if (existsSync(folderOf(kernel))) return undefined;
  if (existsSync(reasonFileOf(kernel))) return readFileSync(reasonFileOf(kernel), 'utf8').trim();
  throw new Error(`no kernel ${kernel.name} in ${cache}: node tools/setup.mjs test fetches it`);
}

/** The words that start a kernel with `init` (a path of this machine) as its first process and descriptor `nic` as its NIC. */
export function vmWords(kernel: Kernel, init: string, job: string, nic: number): string[] {
  return VM_WORDS[kernel.boots](folderOf(kernel), init, job, nic);
}

const VM_WORDS: Record<Kernel['boots'], (folder: string, init: string, job: string, nic: number) => string[]> = {
  // Its C library is in its own folder, by a relative path. The NIC has no offloads: see tap.py.
  uml: (folder, init, job, nic) => [
    ...['env', '-C', folder, 'LD_LIBRARY_PATH=.', './linux.uml', 'mem=256M', `uml_dir=${job}/uml`, 'umid=vm'],
    ...['root=none', 'rootfstype=hostfs', 'rootflags=/', 'ro', `init=${init}`],
    ...['con=null', 'con0=fd:0,fd:1', 'ssl=null', 'quiet', 'loglevel=3', 'panic=-1'],
    `vec0:transport=fd,fd=${nic},vec=0,gro=0`,
  ],
};
