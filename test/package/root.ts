// SPDX-License-Identifier: MIT
// A fresh Debian, made by debootstrap, in namespaces of its own: nothing of it is left when its first process ends.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { prefix, scratch } from '../fixture';
import { cache } from '../guest/kernels';
import { type Result, run } from '../run';

/** The first release of Debian whose Node is new enough. */
export const SUITE = 'trixie';

/** What the package needs, recommends and suggests, and `ping`: then it can be installed without a network. */
export const PACKAGES = ['nodejs', 'libbpf1', 'bash-completion', 'iproute2', 'systemd', 'iputils-ping'];

/** Where it is kept, packed; another number when what is in it changes. */
export const archive = join(dirname(cache), 'root-1.tar.zst');

/** The file that says why it could not be had. */
export const reasonFile = `${archive}.reason`;

/** Why there is none here, or undefined. Throws when nobody has tried to get it. */
export function whyNoRoot(): string | undefined {
  if (existsSync(archive)) return undefined;
  if (existsSync(reasonFile)) return readFileSync(reasonFile, 'utf8').trim();
  throw new Error(`no ${archive}: node tools/setup.mjs test makes it`);
}

/** Runs a script of bash in a fresh Debian, where `deb` is /gtp.deb. */
export function inRoot(deb: string, script: string): Promise<Result> {
  return run([...UNSHARED, 'bash', '-euc', `${ENTER} exec $there bash -euc "$2"`, 'root', deb, script], PATIENT);
}

/**
 * Boots a fresh Debian after a script of bash has run in it. The other script is its last service; what it writes is the answer, and
 * the status is its own. Gives undefined where there is no cgroup for it to live in.
 */
export async function booted(deb: string, prepare: string, look: string): Promise<Result | undefined> {
  const cgroup = makeCgroup();
  if (cgroup === undefined) return undefined;
  const shared = `${scratch}/booted`;
  mkdirSync(shared, { recursive: true });
  try {
    const join = `echo $$ > "$1/cgroup.procs"; shift; exec "$@"`;
    const boot = [...UNSHARED, '--cgroup', 'bash', '-euc', `${ENTER} ${BOOT}`, 'root', deb, prepare, look, shared];
    const result = await run(['bash', '-euc', join, 'boot', cgroup, ...boot], PATIENT);
    const file = `${shared}/answer`;
    return { ...result, stdout: existsSync(file) ? readFileSync(file, 'utf8') : result.stdout };
  } finally {
    await run(['find', cgroup, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', '+']);
    rmSync(shared, { recursive: true });
  }
}

const PATIENT = { seconds: 180 };
const UNSHARED = ['unshare', '--mount', '--net', '--uts', '--ipc', '--pid', '--fork', '--kill-child'];

const ENTER = `
  root=/mnt
  mount -t tmpfs -o mode=0755 tmpfs $root
  tar -C $root --numeric-owner --zstd -xf '${archive}'
  cp "$1" $root/gtp.deb
  mount -t proc proc $root/proc
  mount -t sysfs sysfs $root/sys
  mount -t bpf bpf $root/sys/fs/bpf
  ip link set lo up
  there='env -i HOME=/root PATH=/usr/sbin:/usr/bin DEBIAN_FRONTEND=noninteractive chroot /mnt'
`;

// As the first process in a container, systemd ends with the status that a unit asks for.
const BOOT = `
  $there bash -euc "$2" >&2
  mkdir $root/shared
  mount --bind "$4" $root/shared
  printf '%s' "$3" > $root/look
  $there tee /etc/systemd/system/look.service << 'END' > /dev/null
[Unit]
After=gtp.service
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
Environment=DEBIAN_FRONTEND=noninteractive
ExecStart=/bin/bash -eu /look
StandardOutput=file:/shared/answer
StandardError=file:/shared/answer
[Install]
WantedBy=multi-user.target
END
  $there systemctl --quiet enable look
  mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
  mount -t tmpfs tmpfs $root/run
  cd $root
  mkdir old
  pivot_root . old
  umount -l /old
  exec env -i container=other /usr/lib/systemd/systemd --log-target=console --log-level=warning --unit=multi-user.target >&2
`;

/** A cgroup of our own, or undefined where the second version of them cannot be written. */
function makeCgroup(): string | undefined {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  const [, mountPoint] = /^(?:\S+ ){4}(\S+) .* - cgroup2 /m.exec(mounts) ?? [];
  if (mountPoint === undefined) return undefined;
  const path = join(mountPoint, prefix);
  try {
    mkdirSync(path);
    return path;
  } catch (error) {
    if (['EROFS', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
