// SPDX-License-Identifier: MIT
import type { CommandName, ObjectName, Request } from '../grammar';

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

/** What a file in src/commands exports as `commands`. */
export type Commands<O extends ObjectName> = {
  readonly [C in CommandName<O>]: Command<Request<O, C>>;
};
