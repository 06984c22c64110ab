// SPDX-License-Identifier: MIT
import type { GlobalOptions, OutputRecord, OutputValue } from './command';
import { briefCells, localTeidLine, type RecordObject, restLine, toldLine, wordLine } from './lines';
import type { Palette } from './palette';

/** What to print a command's records as. */
export type Printing = {
  readonly object: RecordObject;
  readonly options: GlobalOptions;
  readonly palette: Palette;
  /** The command changes state: in text it says nothing but a TEID that it chose. */
  readonly changes: boolean;
  readonly chose: boolean;
};

/** The whole answer of a command: one JSON array with -j, else text of whole lines; empty if there is nothing to say. */
export function printRecords(records: readonly OutputRecord[], printing: Printing): string {
  const { object, options, palette } = printing;
  if (options.json) return `${printJson(records, options.pretty)}\n`;
  if (printing.changes) return printing.chose ? printChosen(records) : '';
  if (options.brief) return printTable(records.map((record) => briefCells(object, record)));
  const separator = options.oneline ? '\\' : '\n';
  return records.map((record) => `${recordLines(record, object, options, palette).join(separator)}\n`).join('');
}

/** JSON with every bigint as a number of all its digits. */
export function printJson(value: OutputValue | readonly OutputRecord[], pretty: boolean): string {
  const text = JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? `${MARK}${item}` : item), pretty ? 4 : 0);
  return text.replaceAll(MARKED, '$1');
}

// No text of ours holds a NUL, which JSON writes as an escape.
const MARK = '\0';
const MARKED = /"\\u0000(-?\d+)"/g;

function printChosen(records: readonly OutputRecord[]): string {
  const teid = records.map((record) => record['local_teid'] ?? null).find((value) => value !== null);
  return teid === undefined ? '' : `${localTeidLine(teid)}\n`;
}

function printTable(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function recordLines(record: OutputRecord, object: RecordObject, options: GlobalOptions, palette: Palette): string[] {
  const { stats, details } = record;
  const indented = [
    toldLine(object, record),
    ...(options.details ? [] : [troubleLine(record, palette)]),
    ...(options.details ? [restLine(object, record, palette), ...entries(details).map(detailLine)] : []),
    ...(options.statistics > 0 ? countsOf(object, stats).map(([key, value]) => countLine(key, value, options)) : []),
  ];
  return [wordLine(object, record, palette), ...indented.filter((line) => line !== '').map((line) => `    ${line}`)];
}

// A record that looks well should be well.
function troubleLine({ state }: OutputRecord, palette: Palette): string {
  return typeof state !== 'string' || state === 'up' ? '' : `state ${palette.bad(state)}`;
}

function entries(value: OutputValue | undefined): [string, OutputValue][] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
}

function detailLine([key, value]: [string, OutputValue]): string {
  if (value === null || (Array.isArray(value) && value.length === 0)) return '';
  const parts = entries(value);
  if (parts.length > 0) return `${key} ${parts.map(([name, part]) => `${name} ${part}`).join(' ')}`;
  return `${key} ${Array.isArray(value) ? value.join(',') : value}`;
}

// A path has no traffic of its own: its sessions count it.
function countsOf(object: RecordObject, stats: OutputValue | undefined): [string, OutputValue][] {
  return entries(stats).filter(([key]) => object !== 'path' || !TRAFFIC.includes(key));
}

const TRAFFIC = ['encap', 'decap'];

// Traffic is told even when zero; whatever is rare only when it happened, or with a second -s.
function countLine(key: string, value: OutputValue, options: GlobalOptions): string {
  const all = options.statistics > 1 || TRAFFIC.includes(key);
  const parts = typeof value === 'object' ? entries(value) : [['', value] as const];
  const told = parts.filter(([, count]) => count !== null && (all || Number(count) !== 0));
  if (told.length === 0) return '';
  return [key, ...told.flatMap(([name, count]) => [name, countText(count, options)])]
    .filter((part) => part !== '')
    .join(' ');
}

function countText(count: OutputValue, options: GlobalOptions): string {
  if (!options.human || (typeof count !== 'number' && typeof count !== 'bigint')) return String(count);
  const base = options.iec ? 1024 : 1000;
  let value = Number(count);
  let power = 0;
  while (value >= base && power < SUFFIXES.length - 1) {
    value /= base;
    power += 1;
  }
  return power === 0 ? String(count) : `${value.toFixed(1)}${SUFFIXES[power]}${options.iec ? 'i' : ''}`;
}

const SUFFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E'];
