// SPDX-License-Identifier: MIT
import type { GlobalOptions, OutputRecord, OutputValue } from './command';
import { countLines } from './counts';
import { detailLines } from './details';
import {
  briefCells,
  type Cell,
  localTeidLine,
  paintState,
  type RecordObject,
  restLine,
  toldLine,
  usualLine,
  wordLine,
} from './lines';
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
  if (options.brief) return printTable(records.map((record) => briefCells(object, record, palette)));
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

// A line has all columns, so that programs can count them, and no blanks behind the last.
function printTable(rows: readonly Cell[][]): string {
  const widths = (rows[0] ?? []).map((_, at) =>
    rows.reduce((most, row) => Math.max(most, row[at]?.text.length ?? 0), 0),
  );
  const line = (row: readonly Cell[]): string =>
    row
      .map(({ text, shown }, at) => shown + ' '.repeat(at === row.length - 1 ? 0 : (widths[at] ?? 0) - text.length))
      .join('  ');
  return rows.map((row) => `${line(row)}\n`).join('');
}

function recordLines(record: OutputRecord, object: RecordObject, options: GlobalOptions, palette: Palette): string[] {
  const { stats, details } = record;
  const indented = [
    toldLine(object, record),
    ...(options.details
      ? [restLine, usualLine].map((line) => line(object, record, palette))
      : [troubleLine(record, palette)]),
    ...(options.details ? detailLines(details, palette) : []),
    ...(options.statistics > 0 ? countLines(object, stats, options, palette) : []),
  ];
  return [wordLine(object, record, palette), ...indented.filter((line) => line !== '').map((line) => `    ${line}`)];
}

// A record that looks well should be well.
function troubleLine({ state }: OutputRecord, palette: Palette): string {
  return typeof state !== 'string' || state === 'up' ? '' : `state ${paintState(state, palette)}`;
}
