// SPDX-License-Identifier: MIT
import { readFileSync, writeFileSync } from 'node:fs';
import type { ExecutionContext } from 'ava';

/** Compares a text with a golden file below test/cli; UPDATE=1 rewrites the file, and its diff is the review. */
export function golden(t: ExecutionContext, file: string, text: string): void {
  const path = `test/cli/${file}`;
  if (process.env['UPDATE']) writeFileSync(path, text);
  t.deepEqual(text.split('\n'), readFileSync(path, 'utf8').split('\n'));
}
