// SPDX-License-Identifier: MIT
// What is said to a word that a command does not have.
import type { UsageError } from '../errors';
import { type CommandSpec, grammar, isLater, isShown, type Later, type ObjectSpec, titleOf } from '../grammar';
import { didYouMean } from '../suggest';
import { linkName } from '../values';
import { meant } from './habits';
import { lateOption } from './options';
import { expectedWords, findWords, type Reading, remaining, rowsOf, wrong } from './reading';

/** The error for a word that is none of the command's, or of another one, or that may not stand here; `left` are those behind it. */
export function unknownWord(reading: Reading, text: string, left: readonly string[]): UsageError {
  const { spec, title } = reading;
  const home = homes(text, title.split(' ')[0] ?? '')[0];
  const what = home === undefined ? `unknown word "${text}"` : `"${text}" is a word of "${home}", not of "${title}"`;
  const open = remaining(reading);
  const all = rowsOf(spec).map(([word, row]) => row.as ?? word);
  const place = namePlace(reading, text, left);
  const candidates = place === undefined ? [open, home === undefined ? all : []] : [];
  const near = candidates.map((words) => meant(text, words)).find((words) => words.length > 0) ?? [];
  const apart = twoWords(text, all) ?? noValue(reading, text);
  const hint = place ?? apart ?? didYouMean(near) ?? lateOption(text, title);
  return wrong(reading, `${what}: expected ${expectedWords(open, near)}`, hint);
}

// ip takes the name of a device with dev or without.
function namePlace({ spec, title, given }: Reading, text: string, left: readonly string[]): string | undefined {
  const [first, row] = rowsOf(spec)[0] ?? [];
  if (row?.positional) {
    const name = given.get(first ?? '') ?? '';
    if (['dev', 'name'].includes(name)) return `the name stands without "${name}": gtp ${title} ${text}`;
    return row.required && name === '' && !text.startsWith('-')
      ? `the name comes first: gtp ${title} ${text} ...`
      : undefined;
  }
  // A word that is mistyped has its value behind it.
  const isValue = left[0] === undefined || findWords(spec.words, left[0]).length > 0;
  const isName = isValue && !text.startsWith('-') && text !== 'all' && !left.includes('dev');
  const isLink = row?.kind === linkName && given.size === 0 && isName;
  return isLink ? `the link is given with dev: gtp ${title} dev ${text} ...` : undefined;
}

// local-teid=5
function twoWords(text: string, words: readonly string[]): string | undefined {
  const [word = '', ...value] = text.split('=');
  return value.length > 0 && words.includes(word)
    ? `a word and its value stand apart: ${word} ${value.join('=')}`
    : undefined;
}

// udpcsum on
function noValue({ spec, given }: Reading, text: string): string | undefined {
  const last = [...given.keys()].at(-1) ?? '';
  const flag = rowsOf(spec).find(([word, row]) => word === last && row.flag);
  if (flag === undefined || !SWITCHES.includes(text.toLowerCase())) return undefined;
  return `"${last}" takes no value${flag[1].no ? `: "no${last}" is its opposite` : ''}`;
}

const SWITCHES = ['on', 'off', 'yes', 'no', 'true', 'false', '1', '0'];

// Commands that know the word, those of the same object first: it is foreign here rather than unknown.
function homes(text: string, object: string): string[] {
  const titles = Object.entries<ObjectSpec | Later>(grammar).flatMap(([name, spec]) =>
    Object.entries(isLater(spec) ? {} : spec.commands)
      .filter(([, command]) => isShown(command) && findWords((command as CommandSpec).words, text).length > 0)
      .map(([command]) => titleOf(name, command)),
  );
  return titles.sort((a, b) => Number(b.startsWith(object)) - Number(a.startsWith(object)));
}
