// SPDX-License-Identifier: MIT
import type { Kind, Source } from '../values';
import type { ByType, Form } from './kinds';

type Value = string | number | boolean;

/** A word that takes a value, or a flag, or one that is known but refused until it is built. */
export type Row = {
  readonly help: string;
  readonly kind?: Kind<unknown>;
  /** How help calls the value, where the kind's own placeholder says too little. */
  readonly placeholder?: string;
  /** Where completion finds candidates, where the kind itself tells too little; none for names that are new. */
  readonly source?: Source | 'none';
  /** What is typed, where two rows share a word: a flag, and one that takes a value. */
  readonly as?: string;
  /** The first word of the command, without a keyword. */
  readonly positional?: true;
  readonly required?: true;
  readonly repeat?: true;
  /** A flag; with `no` it has a negative form with that prefix. */
  readonly flag?: true;
  readonly no?: true;
  /** It tells which one is meant, and changes nothing. */
  readonly names?: true;
  /** Words that contradict this one. */
  readonly not?: readonly string[];
  /** A word without which this one means nothing. */
  readonly with?: string;
  /** What holds when the word is not given, as records have it. Text output leaves it out. */
  readonly default?: Value;
  /** The same where it depends on the type. */
  readonly defaults?: ByType<Value>;
  /** Rows of one group are optional together: when one is given, the required ones of the group are required. */
  readonly group?: string;
  /** The forms that this word goes with, where not with all: those that all words given share are what the command is about. */
  readonly of?: readonly Form[];
} & ({ readonly kind: Kind<unknown> } | { readonly flag: true });

/** A word, command, object or option that a later version brings; known by name and refused. */
export type Later = { readonly later: true; readonly no?: true };

export type Words = { readonly [word: string]: Row | Later };

export type CommandSpec = {
  readonly help: string;
  readonly words: Words;
  /** It changes the kernel's state, so signals wait until it is done. */
  readonly changes?: true;
  /** At most one of its words may be given. */
  readonly exclusive?: true;
  /** At least one word besides the required ones must be given. */
  readonly some?: true;
  /** Exactly one of these words must be given. */
  readonly either?: readonly string[];
  /** Only completion asks for it: it is not told to users. */
  readonly hidden?: true;
  /** It prints while it runs, until it is done or interrupted. */
  readonly runs?: true;
  /** Whole command lines that help shows, 91 columns wide at most. */
  readonly examples?: readonly string[];
};

export type ObjectSpec = {
  readonly help: string;
  readonly commands: { readonly [command: string]: CommandSpec | Later };
  /** It has one command, whose name nobody types: its words follow the object. */
  readonly bare?: true;
};

export type OptionSpec = {
  readonly name: string;
  /** The least abbreviation, where it has one; help shows it so. */
  readonly short?: string;
  /** "required": the next word; "equals": optional, after "=". */
  readonly value?: { readonly placeholder: string; readonly form: 'required' | 'equals' };
  readonly help: string;
};

export const later = { later: true } as const;

/** Whether a row, command, object or option is one that a later version brings. */
export function isLater(spec: object): spec is Later {
  return 'later' in spec;
}

export function keys<W extends object>(words: W): (keyof W)[] {
  return Object.keys(words) as (keyof W)[];
}

/** Whether users are told of a row, command, object or option: it works now, and not for completion alone. */
export function isShown(spec: object): boolean {
  return !isLater(spec) && !('hidden' in spec);
}

/** A table without some of its words. */
export function without<W extends object, const K extends PropertyKey>(words: W, names: readonly K[]): Omit<W, K> {
  return Object.fromEntries(Object.entries(words).filter(([word]) => !names.includes(word as K))) as Omit<W, K>;
}

type Grouped<W> = { readonly [K in keyof W]: W[K] extends Later ? W[K] : W[K] & { readonly group: string } };

/** A table whose words are all of one group. */
export function grouped<W extends Words>(group: string, words: W): Grouped<W> {
  return mapRows<Grouped<W>>(words, (row) => ({ ...row, group }));
}

type Optional<W> = { readonly [K in keyof W]: Omit<W[K], 'required' | 'with'> };

/** A table whose words may all be left out, each by itself. */
export function optional<W extends Words>(words: W): Optional<W> {
  return mapRows<Optional<W>>(words, ({ required: _, with: __, ...row }) => row as Row);
}

function mapRows<R>(words: Words, change: (row: Row) => Row): R {
  return Object.fromEntries(Object.entries(words).map(([word, row]) => [word, isLater(row) ? row : change(row)])) as R;
}
