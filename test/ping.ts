// SPDX-License-Identifier: MIT
import { bpffs, command, gtpTry } from './fixture';
import { type Background, background, type Result } from './run';

/** Answers to Echo Requests, Recovery 7, by version, in the notation of echoPeer. */
export const good = { 0: '1e020002SSSS0000ffffffff00000000000000000e07', 1: '3202000600000000SSSS00000e07' } as const;

/** The UDP ports of the versions. */
export const ports = { 0: 3386, 1: 2152 } as const;

/** The record of `gtp -j ping`. */
export interface PingRecord {
  readonly peer: string;
  readonly local: string;
  readonly port: number;
  readonly srcport: number;
  readonly version: number;
  readonly transmitted: number;
  readonly received: number;
  readonly late: number;
  readonly duplicates: number;
  readonly errors: number;
  readonly loss: number;
  readonly restart_count: number | null;
  readonly rtt: Readonly<Record<'min' | 'avg' | 'max' | 'mdev', number>> | null;
  readonly time: number;
  readonly replies: readonly {
    readonly seq: number;
    readonly bytes: number;
    readonly rtt: number;
    readonly restart_count: number | null;
    readonly late: boolean;
    readonly duplicate: boolean;
  }[];
}

/** The record of `gtp -j ping WORDS` on a machine, and its status. */
export async function pingJson(ns: string, words: string): Promise<PingRecord & { readonly status: number }> {
  const { status, stdout, stderr } = await gtpTry(ns, `-j ping ${words}`);
  if (stderr !== '') throw new Error(stderr);
  const [record, ...more] = JSON.parse(stdout) as PingRecord[];
  if (record === undefined || more.length > 0) throw new Error(stdout);
  return { ...record, status };
}

/** What it wrote, without the last newline. */
export const lines = ({ stdout }: Result): string[] => stdout.trimEnd().split('\n');

/** Starts `gtp OPTIONS -n NS ping WORDS` and waits until it has written `ready`, if that is given. */
export function startPing(ns: string, words: string, ready?: RegExp, options = ''): Promise<Background> {
  const line = `${options} -n ${ns} ping ${words}`.trim().split(' ');
  return background([process.execPath, command, ...line], ready, { GTP_BPFFS: bpffs });
}
