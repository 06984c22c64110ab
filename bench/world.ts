// SPDX-License-Identifier: MIT
import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { must, run, stopAll, within } from '../test/run';

/** Starts the names of everything that this run makes. */
export const prefix = `gb${process.pid}`;

/** The command that is measured. */
export const command = [process.execPath, resolve(process.env.GTP_COMMAND ?? 'dist/gtp.cjs')] as const;

/** The environment that makes `gtp` pin below a bpffs of this run alone. */
export const environment = { ...process.env, GTP_BPFFS: `/run/${prefix}-bpf` };

/** Runs `gtp -n NS WORDS` and wants status 0. */
export async function gtp(ns: string, words: string): Promise<string> {
  await mountBpffs();
  served.add(ns);
  return must([...command, '-n', ns, ...words.split(/\s+/)], { env: environment });
}

/** Makes a network namespace with `lo` up; gives its whole name. */
export async function namespace(label: string): Promise<string> {
  const name = `${prefix}-${label}`;
  namespaces.add(name);
  await must(['ip', 'netns', 'add', name]);
  await must(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
  return name;
}

/** Runs lines of `ip -batch` in a namespace. */
export const ip = (ns: string, ...lines: readonly string[]): Promise<string> =>
  must(['ip', '-n', ns, '-batch', '-'], { input: `${lines.join('\n')}\n` });

/** Joins two namespaces with a veth pair. */
export async function veth(a: End, b: End, mtu = 1500): Promise<void> {
  await ip(a.ns, `link add ${a.dev} mtu ${mtu} type veth peer name ${b.dev} mtu ${mtu} netns ${b.ns}`);
  for (const { ns, dev, address } of [a, b]) await ip(ns, `addr add ${address} dev ${dev}`, `link set ${dev} up`);
}

export interface End {
  readonly ns: string;
  readonly dev: string;
  readonly address: string;
}

/** Turns features of a device on or off. */
export const ethtool = (ns: string, dev: string, ...features: readonly string[]): Promise<string> =>
  must(within(ns, 'ethtool', '-K', dev, ...features));

/** Takes everything down; gives what was left that should not have been. */
export async function takeDown(): Promise<string[]> {
  await stopAll();
  const left: string[] = [];
  for (const ns of served) {
    const { status, stderr } = await run([...command, '-n', ns, 'link', 'flush'], { env: environment });
    if (status !== 0) left.push(`gtp -n ${ns} link flush: ${stderr.trim()}`);
  }
  for (const ns of namespaces) await run(['ip', 'netns', 'del', ns]);
  left.push(...(await unmountBpffs()));
  const names = await must(['ip', 'netns', 'list']);
  return [...left, ...names.split('\n').filter((line) => line.startsWith(`${prefix}-`))];
}

const namespaces = new Set<string>();
const served = new Set<string>();

async function mountBpffs(): Promise<void> {
  const bpffs = environment.GTP_BPFFS;
  if (existsSync(bpffs)) return;
  mkdirSync(bpffs);
  await must(['mount', '-t', 'bpf', 'bpf', bpffs]);
}

async function unmountBpffs(): Promise<string[]> {
  const bpffs = environment.GTP_BPFFS;
  if (!existsSync(bpffs)) return [];
  // The kernel puts files of its own beside ours.
  const ours = `${bpffs}/gtp`;
  const entries = existsSync(ours) ? readdirSync(ours, { recursive: true, withFileTypes: true }) : [];
  await must(['umount', bpffs]);
  rmdirSync(bpffs);
  return entries.filter((entry) => !entry.isDirectory()).map((pin) => `pin ${pin.name}`);
}
