// SPDX-License-Identifier: MIT
// Installs what a Debian machine lacks: node tools/setup.mjs demo | deb | test
// Builtins only, for node_modules does not exist yet. A second run finds everything and changes nothing.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { findClang, findProgram, findStrip } from './toolchain.mjs';

const NODE = [20, 19];

// What must be there, how to see it, and the Debian packages that bring it: the first one that apt knows.
const NEEDS = {
  libbpf: { what: 'libbpf.so.1', isThere: () => hasLibrary('libbpf.so.1'), packages: ['libbpf1'] },
  clang: { what: 'clang', isThere: findClang, packages: ['clang-19', 'clang'] },
  strip: { what: 'llvm-strip', isThere: () => findStrip(findClang() ?? ''), packages: ['llvm-19', 'llvm'] },
  libbpfHeaders: file('/usr/include/bpf/bpf_helpers.h', 'libbpf-dev'),
  linuxHeaders: file('/usr/include/linux/bpf.h', 'linux-libc-dev'),
  ip: program('ip', 'iproute2'),
  ping: program('ping', 'iputils-ping'),
  sysctl: program('sysctl', 'procps'),
  nsenter: program('nsenter', 'util-linux'),
  ethtool: program('ethtool', 'ethtool'),
  iperf3: program('iperf3', 'iperf3'),
  tcpdump: program('tcpdump', 'tcpdump'),
  tshark: program('tshark', 'tshark'),
  // Debian's own interpreter: another python3 that comes first in PATH does not see Debian's packages.
  scapy: file('/usr/lib/python3/dist-packages/scapy', 'python3-scapy'),
};

// What makes the Debian package.
const PACKAGER = { dpkgDeb: program('dpkg-deb', 'dpkg') };

// What looks at packages: rules of Debian, and the base of a system to install them in.
const PACKAGES = { lintian: program('lintian', 'lintian'), debootstrap: program('debootstrap', 'debootstrap') };

// What only tests look with.
const LINTERS = {
  shellcheck: program('shellcheck', 'shellcheck'),
  mandoc: program('mandoc', 'mandoc'),
  groff: program('groff', 'groff'),
  man: program('man', 'man-db'),
};

// What scripts of users read answers with.
const READERS = { jq: program('jq', 'jq') };

// Shells that complete words of gtp.
const SHELLS = {
  bashCompletion: file('/usr/share/bash-completion/bash_completion', 'bash-completion'),
  zsh: program('zsh', 'zsh'),
  fish: program('fish', 'fish'),
};

// Firewalls that tunnels have to live with. By its path: npm puts another program of that name first in PATH.
const FIREWALLS = { nft: file('/usr/sbin/nft', 'nftables') };

// Other people's ends of tunnels.
const PEERS = { openVSwitch: program('ovs-vswitchd', 'openvswitch-switch') };

// Services of such packages: tests start these programs themselves.
const SERVICES = { 'openvswitch-switch': ['openvswitch-switch.service', 'ovs-record-hostname.service'] };

// What the guests of test/guest take from this machine; their kernels come from other releases than its own as well.
const GUESTS = {
  modprobe: program('modprobe', 'kmod'),
  debianKeys: file('/usr/share/keyrings/debian-archive-keyring.gpg', 'debian-archive-keyring'),
  xz: program('xz', 'xz-utils'),
  zstd: program('zstd', 'zstd'),
};

// The emulated ones are for this processor, and share the files of this machine.
const EMULATOR = process.arch === 'x64' ? { qemu: program('qemu-system-x86_64', 'qemu-system-x86') } : {};

const { scapy: _scapy, tcpdump: _tcpdump, ...demo } = NEEDS;
const { clang, strip, libbpfHeaders, linuxHeaders } = NEEDS;
const pack = { clang, strip, libbpfHeaders, linuxHeaders };
const PROFILES = {
  demo,
  pack,
  deb: { ...pack, ...PACKAGER },
  test: {
    ...NEEDS,
    ...LINTERS,
    ...SHELLS,
    ...READERS,
    ...FIREWALLS,
    ...PEERS,
    ...GUESTS,
    ...EMULATOR,
    ...PACKAGER,
    ...PACKAGES,
  },
};
// Making a package is for anybody who has what it takes.
const NEED_ROOT = ['demo', 'test'];
// What tests keep in a cache outside the checkout.
const FETCHERS = ['test/guest/fetch.ts', 'test/package/bootstrap.ts'];

try {
  await setUp(process.argv[2]);
} catch (error) {
  console.error(`setup: ${error.message}`);
  process.exitCode = 1;
}

async function setUp(profile) {
  const needs = PROFILES[profile];
  if (needs === undefined) throw new Error(`usage: node tools/setup.mjs ${Object.keys(PROFILES).join(' | ')}`);
  checkNode();
  const lacking = Object.values(needs).filter(({ isThere }) => !isThere());
  const isRoot = process.getuid() === 0;
  if (!isRoot && NEED_ROOT.includes(profile))
    return refuse(lacking, 'network namespaces and BPF programs need root: run this as root');
  if (!isRoot && lacking.length > 0) return refuse(lacking, 'apt-get needs root: run this as root, or install these');
  if (lacking.length > 0 && !findProgram('apt-get')) return refuse(lacking, 'no apt-get: install these by hand');
  if (lacking.length > 0) installPackages(lacking);
  const packagesChanged = installModules();
  if (profile === 'test') await Promise.all(FETCHERS.map(fetch));
  if (lacking.length === 0 && !packagesChanged) say('everything is there');
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > NODE[0] || (major === NODE[0] && minor >= NODE[1])) return;
  throw new Error(`Node ${process.versions.node} is too old: ${NODE.join('.')} or newer is needed`);
}

function refuse(lacking, why) {
  for (const { what, packages } of lacking) console.error(`setup: missing ${what} (Debian package ${packages[0]})`);
  throw new Error(why);
}

function installPackages(lacking) {
  let known = candidates(lacking);
  if (known.some((name) => name === undefined)) {
    update();
    known = candidates(lacking);
  }
  const unknown = lacking.filter((_, index) => known[index] === undefined);
  if (unknown.length > 0) refuse(unknown, 'apt knows no such package: add a source that has it, or install it by hand');
  maskServices(known);
  say(`install ${known.join(' ')}`);
  // Mirrors drop old versions, so lists that are a few days old can name files that are gone.
  if (!install(known).ok) {
    update();
    install(known).orThrow();
  }
  const still = lacking.filter(({ isThere }) => !isThere());
  if (still.length > 0) refuse(still, 'still missing after apt-get install');
}

/** Keeps the services of packages that are to come from starting, now and later. */
function maskServices(packages) {
  const units = packages.flatMap((name) => SERVICES[name] ?? []);
  if (units.length === 0 || !existsSync('/run/systemd/system')) return;
  say(`mask ${units.join(' ')}, which no test needs (systemctl unmask gives them back)`);
  run('systemctl', ['mask', '--quiet', ...units]).orThrow();
}

/** The package to install for each need; undefined where apt has none. */
function candidates(needs) {
  const words = ['policy', ...needs.flatMap(({ packages }) => packages)];
  const { stdout } = spawnSync('apt-cache', words, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  const known = new Set();
  for (const [, name, version] of stdout.matchAll(/^(\S+):\n.*\n {2}Candidate: (.+)$/gm))
    if (version !== '(none)') known.add(name);
  return needs.map(({ packages }) => packages.find((name) => known.has(name)));
}

function update() {
  say('update the package lists');
  apt('update').orThrow();
}

function install(packages) {
  return apt('install', '--yes', '--no-install-recommends', ...packages);
}

function apt(...words) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return run('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...words], env);
}

/** Fetches what a cache lacks. What cannot be had is no failure: the fetcher says so, and the tests do. */
function fetch(fetcher) {
  const child = spawn(process.execPath, ['tools/run.mjs', fetcher], { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => (status === 0 ? resolve() : reject(new Error(`${fetcher}: status ${status}`))));
  });
}

/** Runs `npm ci` unless node_modules holds what the lock file says; true if it ran. */
function installModules() {
  if (modulesAreCurrent()) return false;
  if (!findProgram('npm')) throw new Error('missing npm (it comes with Node)');
  say('npm ci');
  // No install script is needed: native parts come as prebuilt files. They are optional dependencies, so nothing that
  // omits those may be inherited, and npm hands its own settings down in the environment.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !isNpmSetting(name)));
  const words = ['ci', '--include=dev', '--include=optional', '--ignore-scripts', '--no-audit', '--no-fund'];
  run('npm', words, env).orThrow();
  return true;
}

function isNpmSetting(name) {
  return /^npm_config_/i.test(name) && !/registry|proxy|cafile|cache|auth|userconfig/i.test(name);
}

/** Compares the lock file with the one that npm leaves inside node_modules, whoever called npm. */
function modulesAreCurrent() {
  const installed = lockedPackages('node_modules/.package-lock.json');
  return Object.entries(lockedPackages('package-lock.json')).every(([path, { integrity, os, cpu, libc }]) => {
    if (path === '') return true;
    const isForUs = admits(os, process.platform) && admits(cpu, process.arch) && admits(libc, 'glibc');
    return !isForUs || (installed[path]?.integrity === integrity && existsSync(path));
  });
}

function lockedPackages(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : {};
}

function admits(list, value) {
  if (list === undefined) return true;
  return list.every((each) => each.startsWith('!')) ? !list.includes(`!${value}`) : list.includes(value);
}

/** Runs a program quietly. Its output is shown by orThrow, if it failed. */
function run(command, words, env) {
  const { status, error, stdout, stderr } = spawnSync(command, words, { env, encoding: 'utf8', maxBuffer: 1 << 28 });
  const orThrow = () => {
    if (error) throw error;
    if (status === 0) return;
    process.stderr.write(stdout + stderr);
    throw new Error(`${command} ${words.join(' ')}: status ${status}`);
  };
  return { ok: status === 0, orThrow };
}

function say(text) {
  console.log(`setup: ${text}`);
}

function program(name, debianPackage) {
  return { what: name, isThere: () => findProgram(name), packages: [debianPackage] };
}

function file(path, debianPackage) {
  return { what: path, isThere: () => existsSync(path), packages: [debianPackage] };
}

function hasLibrary(name) {
  return spawnSync(findProgram('ldconfig') ?? 'ldconfig', ['-p'], { encoding: 'utf8' }).stdout?.includes(name) ?? false;
}
