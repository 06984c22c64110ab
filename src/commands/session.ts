// SPDX-License-Identifier: MIT
import type { Commands, Context, OutputRecord } from '../cli/command';
import { readSession, readSessions, type Stored } from '../datapath/sessions';
import { UsageError } from '../errors';
import type { Request } from '../grammar';
import type { SessionWords } from '../tunnels/gtp';
import { type ReceiveId, rxKey } from '../tunnels/id';
import type { Undo } from '../undo';
import { type Address, type Prefix, sameAddress } from '../values';
import { sendEndMarker } from '../wiring/endmarker';
import { findLink, type LiveLink, listLinks } from '../wiring/links';
import {
  createSession,
  deleteSessions,
  findSession,
  forgetHalf,
  freeTeid,
  updateSession,
  wordsOf,
} from '../wiring/sessions';
import { changeState, type State, viewState } from '../wiring/state';
import { sweepOrRetire } from '../wiring/sweep';
import { sessionRecord } from './session-record';
import { fresh, merged, type NewSession, receiveId, sessionId } from './session-words';

export const commands: Commands<'session'> = {
  add: (words, context) => onLink(context, words.dev, (state, live, undo) => [add(state, live, words, undo, context)]),

  change: (words, context) =>
    onLink(context, words.dev, (state, live, undo) => {
      const stored = findSession(state, live, receiveId(words), words.local);
      return [alter(state, live, stored, merged(wordsOf(stored), words), words.name, undo, context)];
    }),

  replace: (words, context) =>
    onLink(context, words.dev, (state, live, undo) => {
      const local = words.local ?? live.link.local;
      const stored =
        words.local_teid === 'auto'
          ? undefined
          : readSession(state.maps, rxKey(local, receiveId(words), live.link.port));
      if (stored === undefined || stored.rxConfig.ifindex !== live.device.index) {
        return [add(state, live, words, undo, context)];
      }
      const next = fresh(words, sessionId(words), local);
      return [alter(state, live, stored, next, words.name ?? null, undo, context)];
    }),

  del: (words, context) =>
    onLink(context, words.dev, (state, live, undo) => {
      const id = receiveId(words);
      const last = words.endmarker ? endMarkerOf(id) : undefined;
      const key = rxKey(words.local ?? live.link.local, id, live.link.port);
      const isHalf = last === undefined && state.maps.rx.get(key) !== undefined && forgetHalf(state, key);
      if (!isHalf) deleteSessions(state, live, [findSession(state, live, id, words.local)], undo, last);
      return [];
    }),

  endmarker: (words, { note }) =>
    viewState(note, (state) => {
      const send = endMarkerOf(receiveId(words));
      const live = findLink(state, words.dev);
      if (state !== undefined) send(findSession(state, live, receiveId(words), words.local));
      return [];
    }),

  get: (words, { options, note }) =>
    viewState(note, (state) => {
      const live = findLink(state, words.dev);
      return state === undefined
        ? []
        : [sessionRecord(state, live, findSession(state, live, receiveId(words), words.local), options)];
    }),

  show: (words, { options, note }) =>
    viewState(note, (state) => {
      const chosen = select(state, words);
      return state === undefined
        ? []
        : chosen.flatMap(([live, list]) => list.map((stored) => sessionRecord(state, live, stored, options)));
    }),

  flush: (words, context) =>
    changeState(context.note, (state, undo) => {
      if (state !== undefined) sweepOrRetire(state);
      const chosen = select(state, words);
      if (state !== undefined) for (const [live, list] of chosen) deleteSessions(state, live, list, undo);
      return [];
    }),
};

/** Adds a session to a link; `local-teid auto` takes a free one. Returns what it is known by. */
export function addSessionTo(state: State, live: LiveLink, words: NewSession, undo: Undo): ReceiveId {
  const local = words.local ?? live.link.local;
  const auto = words.local_teid === 'auto' ? { local_teid: freeTeid(state, local, live.link.port) } : {};
  const id = sessionId({ ...words, ...auto });
  createSession(state, live, fresh(words, id, local), undo);
  setLabel(state, rxKey(local, id, live.link.port), words.name, undo);
  return id;
}

function endMarkerOf({ version }: ReceiveId): (stored: Stored) => void {
  if (version === 1) return sendEndMarker;
  throw new UsageError('"tid": GTP version 0 has no End Marker: expected local-teid');
}

function add(state: State, live: LiveLink, words: NewSession, undo: Undo, context: Context): OutputRecord {
  const id = addSessionTo(state, live, words, undo);
  return recordOf(state, live, rxKey(words.local ?? live.link.local, id, live.link.port), context);
}

function alter(
  state: State,
  live: LiveLink,
  stored: Stored,
  words: SessionWords,
  name: string | null | undefined,
  undo: Undo,
  context: Context,
): OutputRecord {
  updateSession(state, live, stored, words, undo);
  setLabel(state, stored.key, name, undo);
  return recordOf(state, live, stored.key, context);
}

function recordOf(state: State, live: LiveLink, key: Stored['key'], { options }: Context): OutputRecord {
  // Text output says at most a TEID that was chosen: the rest need not be looked up.
  if (!options.json) return { local_teid: Number(key.id) };
  const stored = readSession(state.maps, key);
  if (stored === undefined) throw new Error('a session that was just written is not there');
  return sessionRecord(state, live, stored, options);
}

function onLink(
  context: Context,
  name: string,
  act: (state: State, live: LiveLink, undo: Undo) => readonly OutputRecord[],
): readonly OutputRecord[] {
  return changeState(context.note, (state, undo) => {
    if (state !== undefined) sweepOrRetire(state);
    const live = findLink(state, name);
    return state === undefined ? [] : act(state, live, undo);
  });
}

// undefined leaves the label alone, null takes it away.
function setLabel(state: State, key: Stored['key'], name: string | null | undefined, undo: Undo): void {
  const was = state.maps.labels.get(key);
  if (name === undefined || was?.name === (name ?? undefined)) return;
  undo(() => (was === undefined ? void state.maps.labels.delete(key) : state.maps.labels.put(key, was)));
  if (name === null) state.maps.labels.delete(key);
  else state.maps.labels.put(key, { name });
}

type Filter = Request<'session', 'show'>;

// The sessions of each link that the filter wants, in a stable order.
function select(state: State | undefined, filter: Filter): [LiveLink, Stored[]][] {
  if (filter.dev !== undefined) findLink(state, filter.dev);
  if (state === undefined) return [];
  const byLink = new Map<number, Stored[]>();
  for (const stored of readSessions(state.maps)) {
    const list = byLink.get(stored.rxConfig.ifindex) ?? [];
    if (list.length === 0) byLink.set(stored.rxConfig.ifindex, list);
    if (matches(stored, filter)) list.push(stored);
  }
  const links = listLinks(state).filter(({ device }) => filter.dev === undefined || device.name === filter.dev);
  const order = (a: Stored, b: Stored): number =>
    Buffer.compare(a.key.local, b.key.local) || a.key.kind - b.key.kind || (a.key.id < b.key.id ? -1 : 1);
  return links.flatMap((live) => {
    const list = byLink.get(live.device.index);
    return list === undefined ? [] : [[live, list.sort(order)] as [LiveLink, Stored[]]];
  });
}

function matches(stored: Stored, { remote, ue }: Filter): boolean {
  if (remote === undefined && ue === undefined) return true;
  const words = wordsOf(stored);
  if (remote !== undefined && !sameAddress(words.remote, remote)) return false;
  return ue === undefined || words.ue.some((each) => contains(each, ue));
}

function contains(outer: Prefix, address: Address): boolean {
  if (outer.address.family !== address.family) return false;
  const bits = (bytes: Uint8Array): string => [...bytes].map((octet) => octet.toString(2).padStart(8, '0')).join('');
  return bits(address.bytes).startsWith(bits(outer.address.bytes).slice(0, outer.length));
}
