// SPDX-License-Identifier: MIT
import { type CommandSpec, FORMS, type Form, formsOfType, isLater, type Row, TYPES, typeOfForm } from '../grammar';

/** The words whose values are forms of the command: `type vlan` has other words than `type gre`, `version 0` than `version 1`. */
export const CHOOSERS: readonly string[] = ['type', 'version'];

/** Words of a command with their rows. */
export type Rows = readonly (readonly [word: string, row: Row])[];

/** What was given so far: each word with its text. */
export type Given = ReadonlyMap<string, string>;

/** What leaves some forms only: a chooser that was given, its default, or a word. */
type Limit = {
  readonly forms: readonly Form[];
  readonly by: 'chooser' | 'default' | 'word';
  readonly word: string;
};

/** A word that cannot be given together with the rest. */
export type Clash = { readonly word: string; readonly of: readonly Form[]; readonly against: Limit };

/** Whether the command has several forms at all. */
export function hasForms({ words }: CommandSpec): boolean {
  return Object.values(words).some((row) => !isLater(row) && row.of !== undefined);
}

/** The forms that a command may still have: those that all words given share. None where the command has no forms. */
export function openForms(spec: CommandSpec, given: Given): readonly Form[] {
  return hasForms(spec) ? limits(spec, given).reduce(kept, FORMS) : [];
}

/** The first word given that shares no form with the choosers or the words before it. */
export function findClash(spec: CommandSpec, given: Given): Clash | undefined {
  const all = hasForms(spec) ? limits(spec, given) : [];
  let open: readonly Form[] = FORMS;
  for (const [at, { forms, word }] of all.entries()) {
    const left = narrow(open, forms);
    if (left.length === 0) return { word, of: forms, against: rivalOf(forms, all.slice(0, at), all) };
    open = left;
  }
  return undefined;
}

// What was typed is told rather than a default, if it agrees with that.
function rivalOf(forms: readonly Form[], before: readonly Limit[], all: readonly Limit[]): Limit {
  const against = (list: readonly Limit[]) => list.find((each) => narrow(each.forms, forms).length === 0);
  const first = against(before) ?? (before[0] as Limit);
  if (first.by !== 'default') return first;
  const words = all.filter((each) => each.by === 'word' && narrow(each.forms, first.forms).length > 0);
  return against(words) ?? first;
}

/** Whether a row may be given along with what was given. */
export function isOpen(spec: CommandSpec, given: Given, { of }: Row): boolean {
  return of === undefined || openForms(spec, given).some((form) => of.includes(form));
}

/** Whether a row belongs to half of the forms or more, so that help need not say to which. */
export function isCommon({ of }: Row): boolean {
  return of === undefined || of.length >= FORMS.length / 2;
}

/** Forms as errors call them: "geneve and vxlan", "version 0" among those of gtp alone. */
export function nameForms(forms: readonly Form[], amongGtp: boolean): string {
  const names = [...new Set(forms.map((form) => (amongGtp ? form : nameOfType(form, forms))))];
  const others = TYPES.filter((type) => !names.includes(type));
  if (!amongGtp && others.length === 1) return `all types but ${others[0]}`;
  return names.length < 2 ? `${names[0]}` : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** Whether all of the forms are versions of gtp. */
export function isGtp(forms: readonly Form[]): boolean {
  return forms.every((form) => typeOfForm(form) === 'gtp');
}

// One version of gtp alone is told as such where it is the lesser one.
function nameOfType(form: Form, among: readonly Form[]): string {
  return form === 'version 0' && !among.includes('version 1') ? 'gtp version 0' : typeOfForm(form);
}

// Choosers first, whatever the order in which they were typed.
function limits(spec: CommandSpec, given: Given): Limit[] {
  const chosen = CHOOSERS.flatMap((word) => limitOf(spec, given, word) ?? []);
  const words = [...given.keys()].flatMap((word): Limit[] => {
    const row = spec.words[word];
    const isNone = row === undefined || isLater(row) || row.of === undefined || CHOOSERS.includes(word);
    return isNone ? [] : [{ forms: row.of ?? [], by: 'word', word }];
  });
  return [...chosen.filter(({ by }) => by === 'chooser'), ...chosen.filter(({ by }) => by === 'default'), ...words];
}

function limitOf(spec: CommandSpec, given: Given, word: string): Limit | undefined {
  const row = spec.words[word];
  if (row === undefined || isLater(row)) return undefined;
  const text = given.get(word);
  const value = text === undefined ? row.default : row.kind?.parse(text);
  if (value === undefined) return undefined;
  const by = text === undefined ? 'default' : 'chooser';
  if (word === 'type') return { forms: formsOfType(String(value)), by, word };
  const form = `version ${value}`;
  // A default says which of the versions is meant, not that it is one of gtp.
  return { forms: FORMS.filter((each) => each === form || (by === 'default' && typeOfForm(each) !== 'gtp')), by, word };
}

// A word that clashes is no part of what the command is about.
function kept(open: readonly Form[], { forms }: Limit): readonly Form[] {
  const left = narrow(open, forms);
  return left.length === 0 ? open : left;
}

function narrow(open: readonly Form[], forms: readonly Form[]): readonly Form[] {
  return open.filter((form) => forms.includes(form));
}
