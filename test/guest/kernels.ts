// SPDX-License-Identifier: MIT
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** A kernel of Debian that guests run, and what its drivers can. */
export interface Kernel {
  /** Names its folder in the cache. */
  readonly name: string;
  /** How its version starts; empty for the newest that there is when it is fetched. */
  readonly release: string;
  /** What kind of machine it is made for: User Mode Linux is a process, the other is emulated and takes seconds to boot. */
  readonly boots: 'uml' | 'qemu';
  /** Node's name of the processor that it has been built for. */
  readonly arch: string;
  /** Each with the release of Debian that has it. */
  readonly packages: readonly string[];
  /** IPv6 outside and inside: since 6.10. */
  readonly ipv6: boolean;
  /** G-PDUs with extension headers are taken. */
  readonly extensions: boolean;
  /** Version 3 of L2TP. */
  readonly l2tp: boolean;
  /** Our hooks are tcx links there: since 6.6; before, filters of clsact qdiscs. */
  readonly tcx: boolean;
}

/** The only list of kernels: what is fetched, booted, and tested against. */
export const kernels: readonly Kernel[] = [
  {
    name: 'uml-6.1',
    release: '6.1.',
    boots: 'uml',
    arch: 'x64',
    packages: ['user-mode-linux/bookworm', 'libc6/bookworm'],
    ipv6: false,
    extensions: false,
    l2tp: false,
    tcx: false,
  },
  {
    name: 'uml-6.12',
    release: '6.12.',
    boots: 'uml',
    arch: 'x64',
    packages: ['user-mode-linux/trixie', 'libc6/trixie'],
    ipv6: true,
    extensions: true,
    l2tp: false,
    tcx: true,
  },
  {
    name: 'qemu-6.1',
    release: '6.1.',
    boots: 'qemu',
    arch: 'x64',
    packages: ['linux-image-amd64/bookworm', 'busybox-static/trixie'],
    ipv6: false,
    extensions: false,
    l2tp: true,
    tcx: false,
  },
  {
    name: 'qemu-6.12',
    release: '6.12.',
    boots: 'qemu',
    arch: 'x64',
    packages: ['linux-image-amd64/trixie', 'busybox-static/trixie'],
    ipv6: true,
    extensions: true,
    l2tp: true,
    tcx: true,
  },
  {
    name: 'qemu-newest',
    release: '',
    boots: 'qemu',
    arch: 'x64',
    packages: ['linux-image-amd64/trixie-backports', 'busybox-static/trixie'],
    ipv6: true,
    extensions: true,
    l2tp: true,
    tcx: true,
  },
];

/** Those that boot in about a second. */
export const quickKernels = kernels.filter(({ boots }) => boots === 'uml');

/** Those that are emulated, and run our programs: User Mode Linux has no BPF to speak of. */
export const emulatedKernels = kernels.filter(({ boots }) => boots !== 'uml');

/** Emulation takes its time: `npm run test:kernels` has all kernels in all tests, other runs those on the edges. */
const ALL = process.env['KERNELS'] === 'all';

/** Those of them in which `gtp` runs: else the oldest and the newest. */
export const insideKernels = emulatedKernels.filter((_, at, { length }) => ALL || at === 0 || at === length - 1);

/** Those of whose own tunnels all is shown: else the newest. What 6.1 has is the same, but for GTP. */
export const peerKernels = emulatedKernels
  .filter(({ ipv6 }) => ipv6)
  .filter((_, at, { length }) => ALL || at === length - 1);

/** What is kept of them (unpack.ts): another number when that changes. */
const CONTENTS = '2';

/** Where kernels are kept, outside the checkout: they are large and seldom change with anything in it. */
export const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'gtp-test', CONTENTS);

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
  // `vmlinux` is entered where a hypervisor enters it: unpacking itself would take it seconds. See stage1.sh for the rest.
  qemu: (folder, init, job, nic) => [
    ...['qemu-system-x86_64', '-accel', 'tcg,thread=single', '-cpu', 'max,la57=off', '-m', '512', '-no-reboot'],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-serial', 'stdio'],
    ...shared('host', '/', ',readonly=on'),
    ...shared('job', job),
    ...['-netdev', `tap,id=nic,fd=${nic}`, '-device', 'virtio-net-pci,netdev=nic,romfile='],
    ...['-kernel', `${folder}/vmlinux`, '-initrd', `${folder}/initrd`, '-append'],
    `console=ttyS0 mitigations=off tsc=reliable no_timer_check quiet loglevel=3 panic=-1 reboot=t -- ${init}`,
  ],
};

const shared = (tag: string, path: string, words = ''): string[] => [
  ...['-fsdev', `local,id=${tag},path=${path},security_model=none,multidevs=remap${words}`],
  ...['-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
];
