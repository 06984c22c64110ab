// SPDX-License-Identifier: MIT

/** A hint naming the candidate nearest to a mistyped word; undefined when none is within a third of its length. */
export function suggest(text: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.floor(text.length / 3) + 1;
  for (const candidate of candidates) {
    const edits = distance(text, candidate);
    if (edits < least) [best, least] = [candidate, edits];
  }
  return best === undefined ? undefined : `did you mean "${best}"?`;
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
