// SPDX-License-Identifier: MIT

import { KernelError } from './errors';

/** Registers how to take the step just done back. */
export type Undo = (back: () => void) => void;

/**
 * Runs steps that belong together, and `settled` when they are all done or all undone. When one throws, those before it
 * are undone in reverse, and the error goes on; what could not be undone is told behind it.
 */
export function withUndo<T>(steps: (undo: Undo) => T, settled: () => void = () => undefined): T {
  const done: (() => void)[] = [];
  try {
    const result = steps((back) => done.push(back));
    settled();
    return result;
  } catch (error) {
    const undone = done.reverse().flatMap(failureOf);
    const failures = undone.length > 0 ? undone : failureOf(settled);
    if (failures.length === 0) throw error;
    throw joined(error, failures);
  }
}

// The kernel's refusals are no bugs, however many.
function joined(error: unknown, failures: readonly unknown[]): Error {
  const all = [error, ...failures];
  if (!(error instanceof KernelError) || !failures.every((each) => each instanceof KernelError)) {
    return new AggregateError(all, all.map(String).join('; then: '));
  }
  const { tried, said, errno, detail } = error;
  const undone = failures.map(({ message }) => message).join('; ');
  return new KernelError(tried, {
    said: `${said}; and on the way back: ${undone}`,
    ...(errno === undefined ? {} : { errno }),
    ...(detail === undefined ? {} : { detail }),
    hint: 'gtp link show tells what there is',
    cause: new AggregateError(all),
  });
}

function failureOf(back: () => void): unknown[] {
  try {
    back();
    return [];
  } catch (error) {
    return [error];
  }
}
