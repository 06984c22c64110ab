// SPDX-License-Identifier: MIT
import type { GlobalOptions, OutputValue } from './command';
import type { RecordObject } from './lines';
import type { Palette } from './palette';

/** The lines of -s. */
export function countLines(
  object: RecordObject,
  stats: OutputValue | undefined,
  options: GlobalOptions,
  palette: Palette,
): string[] {
  const lines = entries(stats)
    // A path has no traffic of its own: its sessions count it.
    .filter(([key]) => object !== 'path' || !TRAFFIC.includes(key))
    .map(([key, value]) => ({ key, counts: toldCounts(key, value, options) }))
    .filter(({ counts }) => counts.length > 0);
  const traffic = lines.filter(({ key }) => TRAFFIC.includes(key));
  // Both directions stand below each other.
  const width = (at: number): number => Math.max(0, ...traffic.map(({ counts }) => counts[at]?.[1].length ?? 0));
  return lines.map(({ key, counts }) => {
    const parts = counts.map(([name, text], at) => {
      const isLast = at === counts.length - 1;
      const shown = key === 'drops' && text !== '0' ? palette.bad(text) : text;
      const room = TRAFFIC.includes(key) && !isLast ? ' '.repeat(width(at) - text.length) : '';
      return `${name === '' ? '' : `${name} `}${shown}${room}`;
    });
    return [key, ...parts].join(' ');
  });
}

const TRAFFIC = ['encap', 'decap'];

// Traffic is told even when zero; whatever is rare only when it happened, or with a second -s.
function toldCounts(key: string, value: OutputValue, options: GlobalOptions): [name: string, text: string][] {
  const all = options.statistics > 1 || TRAFFIC.includes(key);
  const counts = typeof value === 'object' ? entries(value) : [['', value] as const];
  return counts
    .filter(([, count]) => count !== null && (all || Number(count) !== 0))
    .map(([name, count]) => [name, countText(count, options)]);
}

// Three digits and a letter, as `ip -s -h` has them.
function countText(count: OutputValue, { human, iec }: GlobalOptions): string {
  const base = iec ? 1024 : 1000;
  if (!human || !(Number(count) >= base)) return String(count);
  let [value, power] = [Number(count), 0];
  do [value, power] = [value / base, power + 1];
  while (value >= base - 0.5 && power < SUFFIXES.length - 1);
  const decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(decimals)}${SUFFIXES[power]}${iec ? 'i' : ''}`;
}

const SUFFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E'];

function entries(value: OutputValue | undefined): [string, OutputValue][] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
}
