// SPDX-License-Identifier: MIT
import { type CommandSpec, isLater, type Row } from '../grammar';

/** The word whose value is a form of the command: `version 0` has other words than `version 1`. */
export const CHOOSER = 'version';

/** Words of a command with their rows. */
export type Rows = readonly (readonly [word: string, row: Row])[];

/** What was given so far: each word with its text. */
type Given = ReadonlyMap<string, string>;

/** Words of a form that cannot be given together with the rest. */
export type Clash = {
  readonly word: string;
  readonly of: string;
  /** The form that holds, and the word that says so, unless it is the default or `version` itself. */
  readonly form: string | undefined;
  readonly rival: string | undefined;
};

/** The form that holds: as `version` says, or its default, or the first word that belongs to one. */
export function formOf(spec: CommandSpec, given: Given): string | undefined {
  const chooser = spec.words[CHOOSER];
  if (chooser === undefined || isLater(chooser)) return undefined;
  const text = given.get(CHOOSER);
  const chosen = text === undefined ? chooser.default : chooser.kind?.parse(text);
  return chosen === undefined ? formed(spec, given)[0]?.[1] : `${CHOOSER} ${chosen}`;
}

/** The first word given that belongs to another form than the one that holds. */
export function findClash(spec: CommandSpec, given: Given): Clash | undefined {
  const form = formOf(spec, given);
  const all = formed(spec, given);
  const [word, of] = all.find((each) => each[1] !== form) ?? [];
  if (word === undefined || of === undefined) return undefined;
  const rival = given.has(CHOOSER) ? undefined : all.find((each) => each[1] === form)?.[0];
  return { word, of, form, rival };
}

/** Whether a row may be given along with what was given. */
export function isOpen(spec: CommandSpec, given: Given, { of }: Row): boolean {
  if (of === undefined || (!given.has(CHOOSER) && formed(spec, given).length === 0)) return true;
  return of === formOf(spec, given);
}

function formed({ words }: CommandSpec, given: Given): [word: string, form: string][] {
  return [...given.keys()].flatMap((word) => {
    const row = words[word];
    return row === undefined || isLater(row) || row.of === undefined ? [] : [[word, row.of]];
  });
}
