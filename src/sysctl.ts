// SPDX-License-Identifier: MIT
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { isRefusal, missingHint } from './bindings/capabilities';
import { KernelError } from './errors';

/**
 * Reads a file under /proc/sys, such as "net/ipv4/conf/eth0/rp_filter": slashes, for device names may hold dots. Those of
 * net/ belong to the network namespace of the calling thread. Throws KernelError.
 */
export function readSysctl(path: string): string {
  return access(`read sysctl ${path}`, () => readFileSync(`${ROOT}/${path}`, 'utf8').trim());
}

/** Whether there is such a file: not every device and protocol has all of them. */
export function hasSysctl(path: string): boolean {
  return existsSync(`${ROOT}/${path}`);
}

/** Writes a file under /proc/sys; see readSysctl. Throws KernelError. */
export function writeSysctl(path: string, value: string | number): void {
  access(`write sysctl ${path}`, () => writeFileSync(`${ROOT}/${path}`, String(value), { flag: 'r+' }));
}

const ROOT = '/proc/sys';

function access<T>(tried: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    const { errno } = cause as NodeJS.ErrnoException;
    if (errno === undefined) throw cause;
    const hint = isRefusal(errno) ? missingHint(['CAP_NET_ADMIN']) : undefined;
    throw new KernelError(tried, { errno: -errno, cause, ...(hint === undefined ? {} : { hint }) });
  }
}
