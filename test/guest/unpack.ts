// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cpio } from './cpio';
import type { Kernel } from './kernels';

/** Makes the folder of a kernel, `made`, from the files of its packages. */
export function unpack({ boots }: Kernel, files: string, made: string): void {
  ({ uml: unpackUml, qemu: unpackImage })[boots](files, made);
}

/** Runs a program in a folder, and gives what it wrote; any status but 0 throws. */
export function run(cwd: string, program: string, words: readonly string[], input?: Buffer): Buffer {
  const { status, error, stdout, stderr } = spawnSync(program, words, {
    cwd,
    input,
    env: { ...process.env, LC_ALL: 'C' },
    maxBuffer: 1 << 28,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ${words.at(-1)}: ${stderr.toString().trim() || `status ${status}`}`);
  return stdout;
}

function unpackUml(files: string, made: string): void {
  const paths = readdirSync(files, { recursive: true, encoding: 'utf8' });
  for (const name of ['linux.uml', 'ld-linux-x86-64.so.2', 'libc.so.6']) {
    const path = paths.find((each) => /^(usr\/)?(bin|lib\/[^/]+)\/[^/]+$/.test(each) && each.endsWith(`/${name}`));
    if (path === undefined) throw new Error(`the packages have no ${name}`);
    renameSync(join(files, path), join(made, name));
  }
  useLoaderBeside(join(made, 'linux.uml'));
  renameSync(join(files, 'usr/lib/uml'), join(made, 'lib'));
}

/**
 * Makes a program look for its loader in the current folder, as the C library of its release may be newer than ours.
 * Starting it by its loader would not do: this kernel wants its heap right behind its own image.
 */
function useLoaderBeside(program: string): void {
  const [from, to] = ['/lib64/ld-linux-x86-64.so.2\0', './ld-linux-x86-64.so.2\0'];
  const octets = readFileSync(program);
  const at = octets.indexOf(from);
  if (at < 0) throw new Error(`${program} has another loader than ${from}`);
  octets.fill(0, at, at + from.length).write(to, at);
  writeFileSync(program, octets);
}

/** What an emulated guest needs to get the files of this machine as its root, and a NIC. */
const FIRST_MODULES = ['virtio_pci', 'virtio_net', '9pnet_virtio', '9p'];

/** What tests ask for. Debian has 4000 modules more. */
const MODULES = [
  ...['veth', 'sch_ingress', 'cls_bpf', 'bridge', 'vrf', '8021q', 'gtp', 'geneve', 'vxlan', 'ip_gre', 'ip6_gre'],
  ...['l2tp_netlink', 'l2tp_eth', 'l2tp_ip', 'l2tp_ip6'],
];

function unpackImage(files: string, made: string): void {
  const lib = ['usr/lib/modules', 'lib/modules'].map((each) => join(files, each)).find(existsSync);
  if (lib === undefined) throw new Error('the packages have no modules');
  const [version = ''] = readdirSync(lib);
  const modules = join(lib, version);
  const image = [join(files, `boot/vmlinuz-${version}`), join(modules, 'vmlinuz')].find(existsSync);
  if (image === undefined) throw new Error(`the packages have no vmlinuz of ${version}`);
  writeFileSync(join(made, 'vmlinux'), vmlinuxOf(readFileSync(image)));

  const find = finderIn(modules);
  const kept = join(made, 'lib/modules', version);
  mkdirSync(kept, { recursive: true });
  for (const path of find([...FIRST_MODULES, ...MODULES])) writeFileSync(join(kept, plainName(path)), unpacked(path));
  run(made, 'depmod', ['-b', made, version]);
  const first = find(FIRST_MODULES).map((path, n) => [`modules/${10 + n}-${plainName(path)}`, unpacked(path)] as const);
  const initrd = cpio(['proc', 'dev', 'root', 'modules'], {
    init: readFileSync('test/guest/stage1.sh'),
    busybox: readFileSync(join(files, 'usr/bin/busybox')),
    ...Object.fromEntries(first),
  });
  writeFileSync(join(made, 'initrd'), initrd);
}

/** Where the kernel proper is: Documentation/arch/x86/boot.rst has these fields of the file that is booted. */
const SETUP_SECTORS = 0x1f1;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;

/** The kernel as an ELF file, which a hypervisor can enter at once, out of the one that unpacks itself. */
function vmlinuxOf(image: Buffer): Buffer {
  const start = (image.readUInt8(SETUP_SECTORS) + 1) * 512 + image.readUInt32LE(PAYLOAD_OFFSET);
  // The last four octets are its length when unpacked.
  return decompressed(image.subarray(start, start + image.readUInt32LE(PAYLOAD_LENGTH) - 4));
}

/** Gives the paths of modules, each behind those that it needs. What is built into the kernel has no path. */
function finderIn(modules: string): (names: readonly string[]) => string[] {
  const files = readdirSync(modules, { recursive: true, encoding: 'utf8' }).filter((path) => /\.ko(\.|$)/.test(path));
  const paths = new Map(files.map((path) => [moduleName(path), join(modules, path)]));
  const find = (names: readonly string[]): string[] => {
    const found = names.flatMap((name) => {
      const path = paths.get(name);
      if (path === undefined) return [];
      const needs = run(modules, 'modinfo', ['-F', 'depends', path]).toString().trim();
      return [...find(needs.split(',').map(moduleName)), path];
    });
    return [...new Set(found)];
  };
  return find;
}

const plainName = (path: string): string => basename(path).replace(/\.ko.*/, '.ko');
const moduleName = (path: string): string =>
  basename(path)
    .replace(/\.ko.*/, '')
    .replaceAll('-', '_');

const unpacked = (path: string): Buffer => decompressed(readFileSync(path));

function decompressed(octets: Buffer): Buffer {
  const magic = octets.readUInt32BE();
  if (magic === 0xfd377a58) return run('.', 'xz', ['-dc', '--single-stream'], octets);
  if (magic === 0x28b52ffd) return run('.', 'zstd', ['-dcq'], octets);
  if (magic === 0x7f454c46) return octets;
  throw new Error(`compressed in a way not known here: it starts with ${magic.toString(16)}`);
}
