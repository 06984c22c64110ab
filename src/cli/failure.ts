// SPDX-License-Identifier: MIT
import { KernelError, UsageError } from '../errors';

/** Exit statuses of the contract. */
export const STATUS = { done: 0, usage: 1, kernel: 2, bug: 70 } as const;

/** An error as the user sees it on stderr, in whole lines, and the exit status that goes with it. */
export function describeFailure(error: unknown, details: boolean): { readonly text: string; readonly status: number } {
  if (error instanceof UsageError) return { text: lines(error.message, [], error.hint), status: STATUS.usage };
  if (error instanceof KernelError) {
    return { text: lines(error.message, detailLines(error.detail, details), error.hint), status: STATUS.kernel };
  }
  const said = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error && error.stack !== undefined ? error.stack.split('\n').slice(1) : [];
  return {
    text: lines(`this is a bug in gtp: ${said}`, stack, 'please report it with these lines'),
    status: STATUS.bug,
  };
}

function lines(message: string, detail: readonly string[], hint: string | undefined): string {
  const oneLine = message.trim().replaceAll(/\s*\n\s*/g, ' ');
  return [`Error: ${oneLine}`, ...detail, ...(hint === undefined ? [] : [`Hint: ${hint}`]), ''].join('\n');
}

// A verifier's reason stands at the end of its log, before its statistics.
function detailLines(detail: string | undefined, whole: boolean): string[] {
  const all = (detail ?? '').split('\n').map((line) => line.trimEnd());
  const told = all.filter((line) => line !== '');
  return (whole ? told : told.filter((line) => !NOISE.test(line)).slice(-2)).map((line) => `  ${line.trimStart()}`);
}

const NOISE = /^\s*(processed \d+ insns|verification time|stack depth|-- (BEGIN|END) PROG LOAD LOG|mark_precise:)/;
