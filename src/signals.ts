// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

/** The signals that ask a program to end. */
export const ENDINGS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Those of them that the program was started to hear: nohup wants SIGHUP ignored, and a listener would not. */
export function heardEndings(): NodeJS.Signals[] {
  const [, mask = '0'] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  const ignored = BigInt(`0x${mask}`);
  return ENDINGS.filter((signal) => ((ignored >> BigInt(constants.signals[signal] - 1)) & 1n) === 0n);
}
