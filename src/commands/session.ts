// SPDX-License-Identifier: MIT
import type { Commands, Context, OutputRecord } from '../cli/command';
import { keyOf, keyText } from '../datapath/key';
import { readSession, readSessions, type Stored } from '../datapath/sessions';
import { UsageError } from '../errors';
import type { Request } from '../grammar';
import type { KernelLink } from '../kernel/links';
import { txConfig } from '../tunnels/config';
import { typeOf } from '../tunnels/tunnels';
import type { ReceiveId, SessionWords } from '../tunnels/words';
import { type Undo, withUndo } from '../undo';
import { type Address, containsAddress, sameAddress } from '../values';
import { tellForwarding, tellReversePath } from '../wiring/caveats';
import { sendEndMarker } from '../wiring/endmarker';
import { findSession, freeTeid, gtpKey } from '../wiring/find';
import { findLink, type LiveLink, listLinks } from '../wiring/links';
import { createSession, deleteSessions, forgetHalf, updateSession, wordsOf } from '../wiring/sessions';
import { changeState, type State, viewState } from '../wiring/state';
import { sweepOrRetire } from '../wiring/sweep';
import { ofBoth, onEither } from './either';
import { kernelRecordOf, kernelSessionRecord, showKernelSessions } from './kernel-record';
import {
  addKernelSession,
  changeKernelSession,
  flushKernelSessions,
  namedSession,
  refuseEndMarker,
  removeKernelSession,
  replaceKernelSession,
} from './kernel-session';
import { sessionRecord } from './session-record';
import { fresh, type Home, merged, type NewSession, receiveId } from './session-words';

export const commands: Commands<'session'> = {
  add: (words, context) =>
    onLink(context, words.dev, {
      bpf: (state, live, undo) => [add(state, live, words, undo, context)],
      kernel: (link, undo) => [kernelRecordOf(link, addKernelSession(link, words, undo), context)],
    }),

  change: (words, context) =>
    onLink(context, words.dev, {
      bpf: (state, live, undo) => {
        const id = receiveId(words, homeOf(live), 'change');
        const stored = findSession(state, live, id, words, 'preference');
        const next = merged(wordsOf(stored), words, homeOf(live));
        return [alter(state, live, stored, next, words.name, undo, context)];
      },
      kernel: (link, undo) => [kernelRecordOf(link, changeKernelSession(link, words, undo), context)],
    }),

  replace: (words, context) =>
    onLink(context, words.dev, {
      bpf: (state, live, undo) => {
        if (words.local_teid === 'auto') return [add(state, live, words, undo, context)];
        const next = fresh(words, homeOf(live), undefined, 'replace');
        const stored = readSession(state.maps, keyOf(txConfig(live.link, next)));
        if (stored === undefined || stored.rxConfig.ifindex !== live.device.index) {
          return [add(state, live, words, undo, context)];
        }
        return [alter(state, live, stored, next, words.name ?? null, undo, context)];
      },
      kernel: (link, undo) => [kernelRecordOf(link, replaceKernelSession(link, words, undo), context)],
    }),

  del: (words, context) =>
    onLink(context, words.dev, {
      bpf: (state, live, undo) => {
        const id = receiveId(words, homeOf(live), 'del');
        const last = words.endmarker ? endMarkerOf(id) : undefined;
        const isHalf = last === undefined && isHalfGtp(state, live, id, words.local);
        if (!isHalf) deleteSessions(state, live, [findSession(state, live, id, words)], undo, last);
        return [];
      },
      kernel: (link, undo) => {
        removeKernelSession(link, words, undo);
        return [];
      },
    }),

  endmarker: (words, { note }) =>
    onEither(words.dev, {
      bpf: () =>
        viewState(note, (state) => {
          const live = findLink(state, words.dev);
          const id = receiveId(words, homeOf(live), 'endmarker');
          const send = endMarkerOf(id);
          if (state !== undefined) send(findSession(state, live, id, words));
          return [];
        }),
      kernel: refuseEndMarker,
    }),

  get: (words, { options, note }) =>
    onEither(words.dev, {
      bpf: () =>
        viewState(note, (state) => {
          const live = findLink(state, words.dev);
          const id = receiveId(words, homeOf(live), 'get');
          return state === undefined ? [] : [sessionRecord(state, live, findSession(state, live, id, words), options)];
        }),
      kernel: (link) => [kernelSessionRecord(link, namedSession(link, words, 'get'), options)],
    }),

  show: (words, context) => {
    const bpf = () => showSessions(words, context);
    return words.dev === undefined
      ? ofBoth(context, { bpf, kernel: () => showKernelSessions(words, context) })
      : onEither(words.dev, { bpf, kernel: (link) => showKernelSessions(words, context, [link]) });
  },

  flush: (words, context) => {
    if (words.dev === undefined) {
      const flushed = flushSessions(words, context);
      flushKernelSessions(words);
      return flushed;
    }
    return onEither(words.dev, {
      bpf: () => flushSessions(words, context),
      kernel: (link) => flushKernelSessions(words, [link]),
    });
  },
};

/** Adds a session to a link; `local-teid auto` takes a free one. Returns its receive key. */
export function addSessionTo(state: State, live: LiveLink, words: NewSession, undo: Undo): Stored['key'] {
  const isAuto = words.local_teid === 'auto';
  const teid = isAuto ? freeTeid(state, live, words.local ?? live.link.local) : undefined;
  const key = createSession(state, live, fresh(words, homeOf(live), teid), undo);
  setLabel(state, key, words.name, undo);
  return key;
}

/** What a link says about its sessions. */
export function homeOf({ device, link }: LiveLink): Home {
  return { name: device.name, type: link.type, frames: link.frames, port: link.port, local: link.local };
}

function endMarkerOf(id: ReceiveId): (stored: Stored) => void {
  if (id.type === 'gtp' && id.version === 1) return sendEndMarker;
  const word = id.type === 'gtp' ? '"tid": GTP version 0' : `"endmarker": type ${id.type}`;
  throw new UsageError(`${word} has no End Marker: expected local-teid`);
}

// The key is free then.
function isHalfGtp(state: State, live: LiveLink, id: ReceiveId, local: Address | undefined): boolean {
  if (id.type !== 'gtp') return false;
  const key = gtpKey(live.link, local ?? live.link.local, id);
  return state.maps.rx.get(key) !== undefined && forgetHalf(state, key);
}

function add(state: State, live: LiveLink, words: NewSession, undo: Undo, context: Context): OutputRecord {
  const key = addSessionTo(state, live, words, undo);
  tellReversePath(state, live, words.ue ?? []);
  return recordOf(state, live, key, context);
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
  const key = updateSession(state, live, stored, words, undo);
  setLabel(state, key, name, undo);
  tellReversePath(state, live, words.ue);
  return recordOf(state, live, key, context);
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
  act: {
    readonly bpf: (state: State, live: LiveLink, undo: Undo) => readonly OutputRecord[];
    readonly kernel: (link: KernelLink, undo: Undo) => readonly OutputRecord[];
  },
): readonly OutputRecord[] {
  return onEither(name, {
    bpf: () =>
      changeState(context.note, (state, undo) => {
        if (state !== undefined) sweepOrRetire(state);
        const live = findLink(state, name);
        return state === undefined ? [] : act.bpf(state, live, undo);
      }),
    kernel: (link) => withUndo((undo) => act.kernel(link, undo)),
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

function showSessions(filter: Filter, { options, note }: Context): OutputRecord[] {
  return viewState(note, (state) => {
    const chosen = select(state, filter);
    if (state !== undefined) tellForwarding(state);
    return state === undefined
      ? []
      : chosen.flatMap(([live, list]) => list.map((stored) => sessionRecord(state, live, stored, options)));
  });
}

function flushSessions(filter: Filter, { note }: Context): readonly OutputRecord[] {
  return changeState(note, (state, undo) => {
    if (state !== undefined) sweepOrRetire(state);
    const chosen = select(state, filter);
    if (state !== undefined) for (const [live, list] of chosen) deleteSessions(state, live, list, undo);
    return [];
  });
}

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
    Buffer.compare(a.key.local, b.key.local) || a.key.kind - b.key.kind || compare(a.key, b.key);
  return links.flatMap((live) => {
    const list = byLink.get(live.device.index);
    return list === undefined ? [] : [[live, list.sort(order)] as [LiveLink, Stored[]]];
  });
}

function compare(a: Stored['key'], b: Stored['key']): number {
  if (a.id === b.id) return keyText(a) < keyText(b) ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}

function matches(stored: Stored, { remote, ue, type }: Filter): boolean {
  if (type !== undefined && typeOf(stored.txConfig) !== type) return false;
  if (remote === undefined && ue === undefined) return true;
  const words = wordsOf(stored);
  if (remote !== undefined && !sameAddress(words.remote, remote)) return false;
  return ue === undefined || words.ue.some((each) => containsAddress(each, ue));
}
