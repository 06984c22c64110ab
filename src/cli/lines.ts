// SPDX-License-Identifier: MIT
import { checksumOf, grammar, isLater, keyOf, type ObjectName, type Row, typeOfForm, type Words } from '../grammar';
import {
  address,
  greKey,
  interfaceAddress,
  l2tpId,
  mac,
  ownTeid,
  ownTeidOrAuto,
  port,
  prefix,
  prefixOrDefault,
  teid,
  tid,
  vlanId,
  vni,
} from '../values';
import type { OutputRecord, OutputValue } from './command';
import type { Palette } from './palette';

/** The objects whose commands answer with records. Others print while they run. */
export type RecordObject = Exclude<ObjectName, 'ping' | 'completion'>;

/** The first line of a record: words that `add` accepts, without those that say what holds anyway. */
export function wordLine(object: RecordObject, record: OutputRecord, palette: Palette): string {
  const layout = LAYOUTS[object];
  const words = rowsFor(object, record).filter(([word, row]) => isTold(layout, word, row, record));
  return words.flatMap(([word, row]) => tellWord(word, row, heldBy(word, row, record), palette)).join(' ');
}

/** The words of a record that its first line leaves out, for they say what holds anyway. For -d. */
export function usualLine(object: RecordObject, record: OutputRecord, palette: Palette): string {
  const layout = LAYOUTS[object];
  const { minor = [], twice = [] } = layout;
  const words = rowsFor(object, record).filter(
    ([word, row]) =>
      heldBy(word, row, record) !== null && ![...minor, ...twice].includes(word) && !isTold(layout, word, row, record),
  );
  return words.flatMap(([word, row]) => tellWord(word, row, heldBy(word, row, record), palette)).join(' ');
}

/** What a record holds besides words, counters and details: state, ifindex, a MAC address. For -d. */
export function restLine(object: RecordObject, record: OutputRecord, palette: Palette): string {
  const { minor = [], told = [], elsewhere = [] } = LAYOUTS[object];
  const words = new Set(
    orderedRows(object).flatMap(([word, row]) => (minor.includes(word) ? [] : [keyOf(row.as ?? word)])),
  );
  const { state = null, ...others } = record;
  const rest = Object.entries({ state, ...others }).filter(
    ([key, value]) => !words.has(key) && ![...told, ...elsewhere, 'stats', 'details'].includes(key) && value !== null,
  );
  return rest.map(([key, value]) => `${key} ${tellPlain(key, value, palette)}`).join(' ');
}

/** What is told of a record in a second line: what was seen of a peer. */
export function toldLine(object: RecordObject, record: OutputRecord): string {
  const told = (LAYOUTS[object].told ?? []).flatMap((key) => tellCounts(key, record[key] ?? null));
  return told.join(' ');
}

/** A text, and the same as it is shown: colours take no room. */
export type Cell = { readonly text: string; readonly shown: string };

/** The cells of -br, one a column. */
export function briefCells(object: RecordObject, record: OutputRecord, palette: Palette): Cell[] {
  const rows = new Map(orderedRows(object));
  const { brief, instead } = LAYOUTS[object];
  return brief.map((own) => {
    const isSet = (word: string): boolean => (record[keyOf(word)] ?? null) !== null;
    const word = isSet(own) ? own : (instead?.[own]?.find(isSet) ?? own);
    const value = record[keyOf(word)];
    const items = (Array.isArray(value) ? value : [value]) as readonly (OutputValue | undefined)[];
    const told = items.filter((item) => item !== null && item !== undefined);
    const texts = told.map((item) => formatValue(rows.get(word), item as OutputValue));
    const show = (text: string): string =>
      word === 'state' ? paintState(text, palette) : paint(rows.get(word), text, palette);
    return texts.length === 0 ? NONE : { text: texts.join(','), shown: texts.map(show).join(',') };
  });
}

const NONE: Cell = { text: '-', shown: '-' };

/** A TEID as a line of words, for `local-teid auto`. */
export function localTeidLine(value: OutputValue): string {
  return `local-teid ${formatValue(orderedRows('session').find(([word]) => word === 'local-teid')?.[1], value)}`;
}

type Layout = {
  /** The words that a record may hold. */
  readonly words: Words;
  /** Words that come first and are told even when they have their default. */
  readonly lead: readonly string[];
  /** Of these, those that are left out with their default all the same. */
  readonly usual?: readonly string[];
  /** Words that nobody has to give and that tell little: for -d. */
  readonly minor?: readonly string[];
  /** Words that say what another one says already. */
  readonly twice?: readonly string[];
  /** What no word says and is told even without -d, unless it is nothing. */
  readonly told?: readonly string[];
  /** What details tell with more of it. */
  readonly elsewhere?: readonly string[];
  /** Defaults that depend on the record. */
  readonly computed: { readonly [word: string]: (record: OutputRecord) => OutputValue };
  readonly brief: readonly string[];
  /** What stands in a column of -br where its own word is not set: the first that is. */
  readonly instead?: { readonly [word: string]: readonly string[] };
};

const LAYOUTS: { readonly [O in RecordObject]: Layout } = {
  link: {
    words: grammar.link.commands.add.words,
    lead: ['ifname', 'type', 'local', 'dev', 'netns', 'inner', 'mtu', 'role'],
    minor: ['lladdr'],
    elsewhere: ['hook'],
    computed: { udpcsum: (record) => checksumOf(typeOf(record), String(record['local']).includes(':') ? 6 : 4) },
    brief: ['ifname', 'state', 'type', 'local', 'netns', 'inner', 'sessions'],
  },
  session: {
    words: grammar.session.commands.add.words,
    lead: [
      ...['dev', 'type', 'version', 'local-teid', 'remote-teid', 'tid', 'key', 'ikey', 'okey', 'vni'],
      ...['session_id', 'peer_session_id', 'id', 'remote', 'local', 'ue', 'qfi'],
    ],
    usual: ['version', 'ikey', 'okey'],
    twice: ['ikey', 'okey'],
    computed: {
      antispoof: (record) => ((record['ue'] as OutputValue[] | undefined)?.length ?? 0) > 0,
      ikey: (record) => record['key'] ?? null,
      okey: (record) => record['key'] ?? null,
      ...Object.fromEntries(['seq', 'csum', 'iseq', 'oseq'].map((word) => [word, () => false])),
    },
    brief: ['dev', 'state', 'local-teid', 'remote-teid', 'remote', 'ue', 'name'],
    instead: {
      'local-teid': ['tid', 'ikey', 'vni', 'session_id', 'id'],
      'remote-teid': ['okey', 'peer_session_id'],
    },
  },
  path: {
    words: {
      ...grammar.path.commands.show.words,
      type: grammar.link.commands.add.words.type,
      port: grammar.link.commands.add.words.port,
      sessions: { kind: port, help: '' },
    },
    lead: ['local', 'remote', 'type', 'port', 'sessions'],
    usual: ['type'],
    told: ['echo', 'errinds', 'extnotifies', 'last_seen', 'mtu'],
    computed: {},
    brief: ['local', 'remote', 'port', 'state', 'sessions'],
    instead: { port: ['type'] },
  },
};

// The rows of `add` that belong to the object itself, the leading ones first.
function orderedRows(object: RecordObject): [word: string, row: Row][] {
  const all = Object.entries(LAYOUTS[object].words).filter((entry): entry is [string, Row] => !isLater(entry[1]));
  const own = all.filter(([, row]) => row.group === undefined);
  const { lead } = LAYOUTS[object];
  const place = (word: string) => (lead.includes(word) ? lead.indexOf(word) : lead.length);
  return own.sort(([a], [b]) => place(a) - place(b));
}

// The rows that a record of its type may have.
function rowsFor(object: RecordObject, record: OutputRecord): [word: string, row: Row][] {
  const type = typeOf(record);
  return orderedRows(object).filter(([, { of }]) => of === undefined || of.some((form) => typeOfForm(form) === type));
}

function typeOf(record: OutputRecord): string {
  return String(record['type'] ?? 'gtp');
}

function heldBy(word: string, row: Row, record: OutputRecord): OutputValue {
  return record[keyOf(row.as ?? word)] ?? null;
}

function isTold(layout: Layout, word: string, row: Row, record: OutputRecord): boolean {
  const value = heldBy(word, row, record);
  if (value === null || layout.minor?.includes(word)) return false;
  const byType = (row.defaults as { readonly [type: string]: OutputValue } | undefined)?.[typeOf(record)];
  const usual = layout.computed[word]?.(record) ?? row.default ?? byType;
  return (layout.lead.includes(word) && !layout.usual?.includes(word)) || value !== usual;
}

function tellWord(word: string, row: Row, value: OutputValue, palette: Palette): string[] {
  if (row.flag) return value === true ? [word] : row.no ? [`no${word}`] : [];
  const items = Array.isArray(value) ? (value as readonly OutputValue[]) : [value];
  return items.map((item) => {
    const text = paint(row, formatValue(row, item), palette);
    return row.positional ? text : `${row.as ?? word} ${text}`;
  });
}

// Records hold text as it is typed, and numbers that the kind knows to write (TEIDs in hexadecimal).
function formatValue(row: Row | undefined, value: OutputValue): string {
  const isNumber = typeof value === 'number' || typeof value === 'bigint';
  return isNumber && row?.kind !== undefined ? row.kind.format(value) : String(value);
}

const ADDRESSES: readonly unknown[] = [address, prefix, prefixOrDefault, interfaceAddress];
const IDS: readonly unknown[] = [ownTeid, ownTeidOrAuto, teid, tid, greKey, vni, l2tpId, vlanId];
const NAMES: readonly unknown[] = ['interface', 'link'];

function paint(row: Row | undefined, text: string, palette: Palette): string {
  if (row?.kind === undefined) return text;
  if (ADDRESSES.includes(row.kind)) return paintAddress(text, palette);
  if (IDS.includes(row.kind)) return palette.id(text);
  if (row.kind === mac) return palette.mac(text);
  return NAMES.includes(row.kind.source) ? palette.name(text) : text;
}

/** An address or prefix in the colour of its family. */
export function paintAddress(text: string, palette: Palette): string {
  return text.includes(':') ? palette.v6(text) : palette.v4(text);
}

/** A state: up, or one that wants care. */
export function paintState(text: string, palette: Palette): string {
  return text === 'up' ? palette.good(text) : palette.bad(text);
}

// "echo requests 3 responses 3": without what is 0 or not known; seconds may well be 0.
function tellCounts(key: string, value: OutputValue): string[] {
  const isNone = (each: OutputValue): boolean => each === null || (key !== 'last_seen' && Number(each) === 0);
  if (typeof value !== 'object' || value === null) return isNone(value) ? [] : [`${key} ${value}`];
  const parts = Object.entries(value).filter(([, each]) => !isNone(each));
  return parts.length === 0 ? [] : [key, ...parts.map(([name, each]) => `${name} ${each}`)];
}

function tellPlain(key: string, value: OutputValue, palette: Palette): string {
  const text = String(value);
  if (key === 'lladdr') return palette.mac(text);
  return key === 'state' ? paintState(text, palette) : text;
}
