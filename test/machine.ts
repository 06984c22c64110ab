// SPDX-License-Identifier: MIT
import { type Result, run } from './run';

/** Runs a script of bash where there are no namespaces and no pins but its own, then tells what it left. */
export function onMachine(script: string): Promise<Result> {
  const whole = `
    unset GTP_BPFFS
    mount -t tmpfs tmpfs /run
    mkdir /run/netns
    mount -t bpf bpf /sys/fs/bpf
    ip link set lo up
    gtp() { node dist/gtp.cjs "$@"; }
    ${script}
    echo "left:" $(ls /run/netns /sys/fs/bpf) $(ip -brief link | grep -v ^lo)`;
  const own = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
  return run(['unshare', ...own, 'bash', '-euc', whole], { seconds: 180 });
}

/** What onMachine tells when nothing is left. */
export const NOTHING = /^left: \/run\/netns: \/sys\/fs\/bpf:( \w+\.debug)*$/m;

/** How often a text has what matches. */
export function count(text: string, pattern: RegExp): number {
  return [...text.matchAll(new RegExp(pattern, `${pattern.flags}g`))].length;
}
