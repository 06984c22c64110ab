// SPDX-License-Identifier: MIT
// `gtp session` on links of the kernel's own gtp driver.
import { isDeepStrictEqual } from 'node:util';
import type { OutputRecord } from '../cli/command';
import { UsageError } from '../errors';
import type { Request } from '../grammar';
import { type KernelLink, listKernelLinks } from '../kernel/links';
import {
  checkUe,
  createKernelSession,
  deleteKernelSession,
  findKernelSession,
  hasKernelSession,
  type KernelSession,
} from '../kernel/sessions';
import { isNobody, NOBODY } from '../tunnels/address';
import { checkEnds } from '../tunnels/config';
import type { GtpId, SessionWords } from '../tunnels/words';
import { type Undo, withUndo } from '../undo';
import { type Address, address, sameAddress } from '../values';
import { randomTeid } from '../wiring/find';
import { chooseKernelSessions, wordsOfKernel } from './kernel-record';
import { checkWords, LINK_ALWAYS } from './kernel-words';
import { fresh, type Home, merged, type NewSession, receiveId } from './session-words';

/** A link as far as its words tell; `local` as in KernelLink. */
export type End = { readonly name: string; readonly local: Address | undefined };

type Filter = Request<'session', 'show'>;
type Named = Request<'session', 'get'>;

/** Makes a session; `local-teid auto` takes a free one. */
export function addKernelSession(link: KernelLink, words: NewSession, undo: Undo): KernelSession {
  const teid = words.local_teid === 'auto' ? freeTeid(link) : undefined;
  const session = planned(endOf(link), words, teid);
  createKernelSession(link, session, undo);
  return session;
}

/** What the words of a new session come to. Throws UsageError for what the driver cannot do. */
export function planned(end: End, words: NewSession, teid?: number, command?: 'replace'): KernelSession {
  return wanted(end, words, fresh(words, homeOf(end), teid, command));
}

/** Changes a session: the driver can only have the old one no more, and then the new one. */
export function changeKernelSession(link: KernelLink, words: Request<'session', 'change'>, undo: Undo): KernelSession {
  const was = namedSession(link, words, 'change');
  const next = wanted(endOf(link), words, merged(wordsOfKernel(link, was), words, homeOf(endOf(link))));
  return exchange(link, was, next, undo);
}

/** Makes a session, or changes the one with that ID. */
export function replaceKernelSession(
  link: KernelLink,
  words: Request<'session', 'replace'>,
  undo: Undo,
): KernelSession {
  if (words.local_teid === 'auto') return addKernelSession(link, words, undo);
  const next = planned(endOf(link), words, undefined, 'replace');
  if (!hasKernelSession(link, next.id)) return addKernelSession(link, words, undo);
  return exchange(link, findKernelSession(link, next.id), next, undo);
}

/** The session that the words of a command name. */
export function namedSession(
  link: KernelLink,
  words: Named | Request<'session', 'change'>,
  command: 'get' | 'del' | 'change' | 'endmarker',
): KernelSession {
  if (command === 'change') checkWords.session(words);
  else checkWords.sessionDel(words);
  checkLocal(endOf(link), words.local);
  const id = receiveId(words, homeOf(endOf(link)), command);
  if (id.type !== 'gtp') throw new Error(`a session of type ${id.type} passed as one of the driver`);
  return findKernelSession(link, id);
}

/** Removes a session by the words that name it. */
export function removeKernelSession(link: KernelLink, words: Request<'session', 'del'>, undo: Undo): void {
  deleteKernelSession(link, namedSession(link, words, 'del'), undo);
}

/** Removes those sessions that a filter wants; without `links`, of those that we made here. */
export function flushKernelSessions(filter: Filter, links?: readonly KernelLink[]): readonly OutputRecord[] {
  const ours = links ?? listKernelLinks().filter(({ home }) => home === 'here');
  return withUndo((undo) => {
    for (const [link, sessions] of chooseKernelSessions(filter, ours))
      for (const session of sessions) deleteKernelSession(link, session, undo);
    return [];
  });
}

/** Throws UsageError: the driver sends no End Marker. */
export function refuseEndMarker(): never {
  throw new UsageError(`the kernel's gtp driver cannot do "session endmarker"`, {
    hint: 'links of datapath bpf send End Markers',
  });
}

function freeTeid(link: KernelLink): number {
  return randomTeid((local_teid) => hasKernelSession(link, { type: 'gtp', version: 1, local_teid }));
}

function endOf({ device, local }: KernelLink): End {
  return { name: device.name, local };
}

function homeOf({ name, local = NOBODY }: End): Home {
  const { type, port } = LINK_ALWAYS;
  return { name, type, frames: false, port, local };
}

// What words come to, as far as the driver can.
function wanted(end: End, words: Partial<Request<'session', 'add'>>, { id, remote, ue }: SessionWords): KernelSession {
  checkWords.session(words);
  checkLocal(end, words.local);
  const { local } = end;
  checkEnds(local === undefined || isNobody(local) ? undefined : local, remote, 'remote');
  checkUe(ue);
  if (id.type !== 'gtp') throw new Error(`a session of type ${id.type} passed as one of the driver`);
  return { id: oneFlow(id, words), remote, ue };
}

function checkLocal({ name, local }: End, given: Address | undefined): void {
  if (given === undefined || (local !== undefined && sameAddress(given, local))) return;
  const has = local === undefined ? 'the sockets of another program' : `local ${address.format(local)}`;
  throw new UsageError(
    `the kernel's gtp driver cannot do "local ${address.format(given)}": all sessions of ${name} have ${has}`,
    { hint: 'leave it out' },
  );
}

// GSM 09.60, 7.5.1: the label is the same in both directions.
function oneFlow(id: GtpId, { flow, remote_flow }: Partial<Request<'session', 'add'>>): GtpId {
  if (id.version === 1) return id;
  if (flow !== undefined && remote_flow !== undefined && flow !== remote_flow) {
    throw new UsageError(`the kernel's gtp driver cannot do "flow ${flow} remote-flow ${remote_flow}"`, {
      hint: 'it has one label for both directions: give both the same',
    });
  }
  const label = remote_flow ?? flow ?? id.remote_flow;
  return { ...id, flow: label, remote_flow: label };
}

function exchange(link: KernelLink, was: KernelSession, next: KernelSession, undo: Undo): KernelSession {
  if (isDeepStrictEqual(was, next)) return next;
  deleteKernelSession(link, was, undo);
  createKernelSession(link, next, undo);
  return next;
}
