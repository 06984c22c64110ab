// SPDX-License-Identifier: MIT

/** A hint that names the candidates nearest to a mistyped word; undefined where none is near, or too many are. */
export function suggest(text: string, candidates: readonly string[]): string | undefined {
  return didYouMean(nearest(text, candidates));
}

/** The hint that names some words; undefined for none, or too many to be of help. */
export function didYouMean(words: readonly string[]): string | undefined {
  const isHelp = words.length > 0 && words.length <= MOST;
  return isHelp ? `did you mean ${listed(words.map((word) => `"${word}"`))}?` : undefined;
}

/** The candidates nearest to a text: those that begin with it or have it as a part, else those with the fewest mistakes. */
export function nearest(text: string, candidates: readonly string[]): readonly string[] {
  const typed = fold(text);
  if (typed === '') return [];
  const all = [...new Set(candidates)];
  const same = all.filter((candidate) => fold(candidate) === typed);
  if (same.length > 0) return same;
  const part = typed.split('-').at(-1) ?? typed;
  const parted = all.filter((candidate) => fold(candidate).split('-').includes(part));
  if (part.length > 1 && parted.length > 0) return parted;
  const begun = all.filter((candidate) => fold(candidate).startsWith(typed));
  return begun.length > 0 ? begun : mistyped(typed, all);
}

/** Words in a sentence: "a, b or c". */
export function listed(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} or ${last}`;
}

const MOST = 3;

// People take upper case for lower, and _ for -.
function fold(text: string): string {
  return text.toLowerCase().replaceAll('_', '-');
}

// Those with the fewest mistakes, if these are in no more than a third of the text.
function mistyped(typed: string, candidates: readonly string[]): string[] {
  const edits = candidates.map((candidate) => distance(typed, fold(candidate)));
  const least = Math.min(Math.floor(typed.length / 3), ...edits);
  return least === 0 ? [] : candidates.filter((_, at) => edits[at] === least);
}

// Insertions, deletions, replacements, and neighbours that changed places.
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, at) => at)];
  const cost = (i: number, j: number) => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    rows[i] = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = cost(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? cost(i - 2, j - 2) + 1 : replaced;
      rows[i]?.push(Math.min(replaced, swapped, cost(i - 1, j) + 1, cost(i, j - 1) + 1));
    }
  }
  return cost(a.length, b.length);
}
