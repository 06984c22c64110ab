// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { errno } from '../errors';

/** A capability of Linux that something of ours needs. */
export type Capability = keyof typeof NUMBERS;

/** What loading, attaching and using BPF programs of ours needs (capabilities(7)): CAP_PERFMON lets the verifier take arithmetic on pointers. */
export const FOR_BPF = ['CAP_BPF', 'CAP_NET_ADMIN', 'CAP_PERFMON'] as const;

/** Whether an errno may mean that a capability is missing; takes either sign. */
export function isRefusal(code: number): boolean {
  return REFUSALS.includes(Math.abs(code));
}

/** A hint that names which of these this process lacks; undefined if it has all. Call it when something was refused. */
export function missingHint(needed: readonly Capability[]): string | undefined {
  const missing = needed.filter((name) => !has(name));
  if (missing.length > 0) return `needs ${missing.join(', ')}: run as root, or see RUNNING WITHOUT ROOT in man gtp`;
  const isBpf = needed.some((name) => name === 'CAP_BPF');
  return isBpf && !isInitialUserNamespace()
    ? 'BPF asks for capabilities of the initial user namespace, and this process is in another: run gtp outside of it'
    : undefined;
}

// linux/capability.h
const NUMBERS = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13, CAP_SYS_ADMIN: 21, CAP_PERFMON: 38, CAP_BPF: 39 } as const;
// CAP_SYS_ADMIN had been what these were made from, and still stands for them.
const PARTS: readonly Capability[] = ['CAP_BPF', 'CAP_PERFMON'];
const REFUSALS = [errno('EPERM'), errno('EACCES')];

function has(name: Capability): boolean {
  const effective = BigInt(
    `0x${/^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0'}`,
  );
  const isSet = (each: Capability): boolean => ((effective >> BigInt(NUMBERS[each])) & 1n) === 1n;
  return isSet(name) || (PARTS.includes(name) && isSet('CAP_SYS_ADMIN'));
}

// user_namespaces(7): all numbers, mapped to themselves.
function isInitialUserNamespace(): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'latin1'));
}
