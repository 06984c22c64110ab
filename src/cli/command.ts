// SPDX-License-Identifier: MIT
import type { CommandName, ObjectName, Request, Runs } from '../grammar';

/** The options that stand before OBJECT. */
export type GlobalOptions = {
  readonly json: boolean;
  readonly pretty: boolean;
  readonly details: boolean;
  /** How often -s was given. */
  readonly statistics: number;
  readonly brief: boolean;
  readonly oneline: boolean;
  readonly human: boolean;
  readonly iec: boolean;
  readonly color: 'auto' | 'always' | 'never';
  /** A name, PID or path; commands already run in that namespace. */
  readonly netns: string | undefined;
};

/** What a command may know besides its words. */
export type Context = {
  readonly options: GlobalOptions;
  /** Tells the user on stderr, when the command has succeeded, what was done beside what was asked. */
  readonly note: (text: string) => void;
};

/** A value that JSON can say; bigint for counters of 64 bits. */
export type OutputValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly OutputValue[]
  | { readonly [key: string]: OutputValue };

/**
 * One object of the answer. Keys are words of the grammar with "-" as "_", plus what cli/print.ts names: `stats`
 * (with -s) and `details` (with -d: texts and numbers that no word sets). Not set is null, never undefined.
 */
export type OutputRecord = { readonly [key: string]: OutputValue };

/** A command: synchronous, so that a change of network namespace cannot leak into other work. */
export type Command<Words> = (words: Words, context: Context) => readonly OutputRecord[];

/** A command that prints while it runs: what it needs of a network namespace it opens before it returns. */
export type Starter<Words> = (words: Words, context: Context) => Run;

/** What goes on after a Starter has returned, until it is done. */
export type Run = (progress: Progress) => Promise<Outcome>;

export type Progress = {
  /** Prints whole lines of text at once; with -j they are left out. */
  readonly print: (text: string) => void;
  /** Set when the user interrupts or nobody reads any more: then the run ends, and tells what it has. */
  readonly stop: AbortSignal;
};

/** How a run ended: the records of -j, and whether the peer or the kernel refused what was asked. */
export type Outcome = { readonly records: readonly OutputRecord[]; readonly failed: boolean };

/** What a file in src/commands exports as `commands`. */
export type Commands<O extends ObjectName> = {
  readonly [C in CommandName<O>]: Runs<O, C> extends true ? Starter<Request<O, C>> : Command<Request<O, C>>;
};
