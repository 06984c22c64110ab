// SPDX-License-Identifier: MIT

/** Registers how to take the step just done back. */
export type Undo = (back: () => void) => void;

/**
 * Runs steps that belong together. When one throws, those before it are undone in reverse, and the error goes on; what
 * could not be undone is told as the errors of an AggregateError, with the first error's message in front.
 */
export function withUndo<T>(steps: (undo: Undo) => T): T {
  const done: (() => void)[] = [];
  try {
    return steps((back) => done.push(back));
  } catch (error) {
    const failures = done.reverse().flatMap(failureOf);
    if (failures.length === 0) throw error;
    throw new AggregateError([error, ...failures], `${[error, ...failures].map(String).join('; then: ')}`);
  }
}

function failureOf(back: () => void): unknown[] {
  try {
    back();
    return [];
  } catch (error) {
    return [error];
  }
}
