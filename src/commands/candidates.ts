// SPDX-License-Identifier: MIT
// What completion offers where only the kernel knows: links, and the values that sessions have for a word. It looks, changes
// nothing and waits for nobody.
import type { OutputRecord, OutputValue } from '../cli/command';
import { findBpffs } from '../datapath/mountpoint';
import { readSessions, type Stored } from '../datapath/sessions';
import { grammar, isLater, keyOf, type Later, type Request, type Row } from '../grammar';
import { listKernelLinks } from '../kernel/links';
import { listKernelSessions } from '../kernel/sessions';
import { type LiveLink, listLinks } from '../wiring/links';
import { wordsOf } from '../wiring/sessions';
import { type State, viewState } from '../wiring/state';
import { ofBoth } from './either';
import { wordsOfKernel } from './kernel-record';
import { wordsRecord } from './words-record';

type Words = Request<'completion', 'values'>;

/** A value, and what it belongs to. */
export type Candidate = { readonly value: string; readonly help: string };

/** What the word of a command may be followed by. Throws KernelError where that cannot be found out. */
export function candidates(words: Words): Candidate[] {
  const { word } = words;
  if (word === 'link') return ofBoth(QUIET, { bpf: () => inState(links), kernel: kernelLinks }).map(linkCandidate);
  const records = ofBoth(QUIET, {
    bpf: () => inState((state) => sessions(state, words)),
    kernel: () => kernelSessions(words),
  });
  const found = records
    .filter(({ type }) => words.type === undefined || type === words.type)
    .flatMap((record) => valuesIn(record, word).map((value) => [value, about(record, word, words.dev)] as const));
  return [...new Map(found)].map(([value, help]) => ({ value, help }));
}

const QUIET = { note: () => undefined };

// Whoever only looks mounts no bpffs.
function inState(look: (state: State) => OutputRecord[]): OutputRecord[] {
  if (findBpffs() === undefined) return [];
  return viewState(QUIET.note, (state) => (state === undefined ? [] : look(state)));
}

function links(state: State): OutputRecord[] {
  return listLinks(state).map(({ device, link }) => ({ ifname: device.name, type: link.type, role: link.role }));
}

function kernelLinks(): OutputRecord[] {
  return listKernelLinks().map(({ device }) => ({ ifname: device.name, type: 'gtp', role: device.role }));
}

function linkCandidate({ ifname, type, role }: OutputRecord): Candidate {
  return { value: String(ifname), help: `type ${type} role ${role}` };
}

function sessions(state: State, { dev }: Words): OutputRecord[] {
  const byIndex = new Map(listLinks(state).map((live) => [live.device.index, live]));
  return readSessions(state.maps).flatMap((stored) => {
    const live = byIndex.get(stored.rxConfig.ifindex);
    return live === undefined || (dev ?? live.device.name) !== live.device.name ? [] : [record(state, live, stored)];
  });
}

function record({ maps }: State, { device }: LiveLink, stored: Stored): OutputRecord {
  return { ...wordsRecord(wordsOf(stored)), dev: device.name, name: maps.labels.get(stored.key)?.name ?? null };
}

function kernelSessions({ dev }: Words): OutputRecord[] {
  const wanted = listKernelLinks().filter(({ device }) => (dev ?? device.name) === device.name);
  return [...listKernelSessions(wanted)].flatMap(([link, list]) =>
    list.map((session) => ({ ...wordsRecord(wordsOfKernel(link, session)), dev: link.device.name, name: null })),
  );
}

function valuesIn(record: OutputRecord, word: string): string[] {
  // A session may be named by the key of packets to us, whichever word gave it.
  const value = record[word === 'key' ? 'ikey' : keyOf(word)] ?? [];
  return [value].flat().map((each) => textOf(word, each));
}

const ROWS: { readonly [word: string]: Row | Later } = grammar.session.commands.change.words;

// As it is typed behind the word: one that lives in a prefix, not the prefix.
function textOf(word: string, value: OutputValue): string {
  if (word === 'ue') return String(value).replace(/\/\d+$/, '');
  const row = ROWS[word];
  const isNumber = typeof value === 'number' || typeof value === 'bigint';
  return isNumber && row !== undefined && !isLater(row) ? (row.kind?.format(value) ?? '') : String(value);
}

function about(record: OutputRecord, word: string, dev: string | undefined): string {
  const told = ['dev', 'remote', 'ue', 'name'].filter((key) => key !== word && !(key === 'dev' && dev !== undefined));
  return told.flatMap((key) => [record[key] ?? []].flat().map((each) => `${key} ${each}`)).join(' ');
}
