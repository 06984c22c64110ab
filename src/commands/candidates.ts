// SPDX-License-Identifier: MIT
// What completion offers where only the kernel knows: links, and the values that sessions have for a word. It looks, changes
// nothing and waits for nobody.
import type { OutputRecord, OutputValue } from '../cli/command';
import { findBpffs } from '../datapath/mountpoint';
import { readSessions } from '../datapath/sessions';
import { grammar, isLater, keyOf, type Later, type Request, type Row } from '../grammar';
import { type KernelLink, listKernelLinks } from '../kernel/links';
import { listKernelSessions } from '../kernel/sessions';
import { findLink, type LiveLink, listLinks } from '../wiring/links';
import { wordsOf } from '../wiring/sessions';
import { type State, viewState } from '../wiring/state';
import { ofBoth, onEither } from './either';
import { wordsOfKernel } from './kernel-record';
import { wordsRecord } from './words-record';

type Words = Request<'completion', 'values'>;

/** A value, and what it belongs to. */
export type Candidate = { readonly value: string; readonly help: string };

/** What the word of a command may be followed by. Throws KernelError where that cannot be found out. */
export function candidates({ word, dev, type }: Words): Candidate[] {
  if (word === 'link') return ofBoth(QUIET, { bpf: () => inState(links), kernel: kernelLinks }).map(linkCandidate);
  const found = sessions(dev)
    .filter((each) => type === undefined || each['type'] === type)
    .flatMap((each) => valuesIn(each, word).map((value) => [value, about(each, word, dev)] as const));
  return [...new Map(found)].map(([value, help]) => ({ value, help })).sort(byValue);
}

// Numbers by their size, texts by their letters: zsh and fish show them in this order.
function byValue({ value: a }: Candidate, { value: b }: Candidate): number {
  return Number(a) - Number(b) || (a < b ? -1 : 1);
}

const QUIET = { note: () => undefined };

// The driver is asked only where it may have what is looked for: to find it takes longer than all of the rest.
function sessions(dev: string | undefined): readonly OutputRecord[] {
  if (dev !== undefined)
    return onEither(dev, {
      bpf: () => inState((state) => sessionsOf(state, findLink(state, dev))),
      kernel: (link) => kernelSessions([link]),
    });
  return ofBoth(QUIET, {
    bpf: () =>
      inState((state) => (state === undefined ? [] : listLinks(state).flatMap((live) => sessionsOf(state, live)))),
    kernel: () => kernelSessions(listKernelLinks()),
  });
}

// Whoever only looks mounts no bpffs.
function inState(look: (state: State | undefined) => OutputRecord[]): OutputRecord[] {
  return findBpffs() === undefined ? look(undefined) : viewState(QUIET.note, look);
}

function links(state: State | undefined): OutputRecord[] {
  const all = state === undefined ? [] : listLinks(state);
  return all.map(({ device, link }) => ({ ifname: device.name, type: link.type, role: link.role }));
}

function kernelLinks(): OutputRecord[] {
  return listKernelLinks().map(({ device }) => ({ ifname: device.name, type: 'gtp', role: device.role }));
}

function linkCandidate({ ifname, type, role }: OutputRecord): Candidate {
  return { value: String(ifname), help: `type ${type} role ${role}` };
}

function sessionsOf(state: State | undefined, { device }: LiveLink): OutputRecord[] {
  if (state === undefined) return [];
  const { labels } = state.maps;
  return readSessions(state.maps, device.index).map((stored) => {
    const name = labels.get(stored.key)?.name ?? null;
    return { ...wordsRecord(wordsOf(stored)), dev: device.name, name };
  });
}

function kernelSessions(wanted: readonly KernelLink[]): OutputRecord[] {
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
