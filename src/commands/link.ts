// SPDX-License-Identifier: MIT
import { statSync } from 'node:fs';
import type { Commands, Context, OutputRecord } from '../cli/command';
import { zero } from '../datapath/codec';
import { UsageError } from '../errors';
import type { Request } from '../grammar';
import { deleteLink } from '../netlink/link';
import { openRoute } from '../netlink/socket';
import { resolveNetns } from '../netns';
import type { ReceiveId } from '../tunnels/id';
import { type Link, MAX_UNDERLAYS, storeLink } from '../tunnels/link';
import type { Undo } from '../undo';
import type { Address } from '../values';
import { addEndpoints } from '../wiring/endpoints';
import { BEING_MADE, findLink, ipv6Flag, type LiveLink, linkFlags, linkPin, listLinks } from '../wiring/links';
import { configureInner, makePair, noteInnerEnd, planPair } from '../wiring/pair';
import { refuseLoop, sourceTowards } from '../wiring/routes';
import { findSession, refresh } from '../wiring/sessions';
import { endpointOf, retire } from '../wiring/settle';
import { ensureShim, removeLostShim } from '../wiring/shim';
import { changeState, type State, sweepNamespaces, viewState } from '../wiring/state';
import { forgetLinks, sweep, sweepOrRetire } from '../wiring/sweep';
import { listenOn, sweepHooks, underlaysOf } from '../wiring/underlay';
import { linkRecords } from './link-record';
import { setLink } from './link-set';
import { addSessionTo } from './session';
import { sessionRecord } from './session-record';
import type { NewSession } from './session-words';

type Add = Request<'link', 'add'>;

export const commands: Commands<'link'> = {
  add: (words, context) => {
    const inner = innerName(words);
    sweepNamespaces();
    return changeState(
      context.note,
      (state, undo) => {
        sweepHooks(state);
        sweep(state);
        const id = addLink(state, { ...words, inner }, undo);
        return [answer(state, words.ifname, id, context)];
      },
      'make',
    );
  },

  set: (words, context) =>
    changeState(context.note, (state, undo) => {
      if (state !== undefined) sweepAll(state);
      const live = findLink(state, words.ifname);
      if (state !== undefined) setLink(state, live, words, undo);
      return [];
    }),

  del: ({ ifname }, context) =>
    changeState(context.note, (state) => {
      if (state !== undefined) sweepAll(state);
      const live = findLink(state, ifname);
      if (state !== undefined) removeLinks(state, [live]);
      return [];
    }),

  show: ({ ifname, netns }, { options, note }) =>
    viewState(note, (state) => {
      if (ifname !== undefined) findLink(state, ifname);
      const wanted = netns === undefined ? undefined : statSync(resolveNetns(netns.text).path).ino;
      if (state === undefined) return [];
      const links = listLinks(state)
        .filter(({ device }) => ifname === undefined || device.name === ifname)
        .filter(({ link }) => wanted === undefined || isNetns(link.netns, wanted));
      return linkRecords(state, links, options);
    }),

  flush: (_, context) => {
    sweepNamespaces();
    return changeState(context.note, (state) => {
      if (state === undefined) {
        removeLostShim(openRoute());
        return [];
      }
      sweepHooks(state);
      sweep(state);
      removeLinks(state, listLinks(state));
      return [];
    });
  },
};

// Hooks first: an underlay that has gone may not be taken for another with its index.
function sweepAll(state: State): void {
  sweepHooks(state);
  sweepOrRetire(state);
}

// Until the last step the link stands as one that is being made, so that it goes when this command is killed. Returns
// what the session is known by that was made along with it.
function addLink(state: State, words: Add & { readonly inner: string }, undo: Undo): ReceiveId | undefined {
  const { maps } = state;
  const local = localOf(state, words);
  const dev = underlaysOf(state, words.dev, local);
  if (dev.length > MAX_UNDERLAYS)
    throw new UsageError(`a link listens on at most ${MAX_UNDERLAYS} devices, lo included`);
  ensureShim(state, undo);
  const plan = planPair(words);
  const { netns, dmac, smac } = plan;
  const link: Link = { ...settingsOf(words), local, dev, netns, dmac, smac };
  undo(() => void maps.link_words.delete(BEING_MADE));
  maps.link_words.put(BEING_MADE, storeLink(link));
  const device = makePair(state, words, plan, undo);
  const live: LiveLink = { device, link, config: { flags: linkFlags(device, link) | ipv6Flag(words.address), mtu: 0 } };
  register(state, live, undo);
  for (const index of dev) listenOn(state, index, link.gso === 'keep', undo);
  addEndpoints(state, [endpointOf(link)], undo);
  state.attach('link', live.device.index, 'ingress', linkPin(live.device.index));
  undo(() => state.detach(linkPin(live.device.index)));
  const session = sessionOf(words);
  const id = session === undefined ? undefined : addSessionTo(state, live, session, undo);
  if (session === undefined) refresh(state, live, undo);
  configureInner(state, live, words, undo);
  // Only now its routes are there, and the session's remote may lie behind one of them.
  if (words.remote !== undefined) refuseLoop(state, live, words.remote, local);
  maps.link_words.delete(BEING_MADE);
  return id;
}

// Without -j only a TEID that was chosen is told; with it, the first session beside the link.
function answer(state: State, name: string, id: ReceiveId | undefined, { options }: Context): OutputRecord {
  if (!options.json) return id?.version === 1 ? { local_teid: id.local_teid } : {};
  const live = findLink(state, name);
  const record = linkRecords(state, [live], options)[0] ?? {};
  if (id === undefined) return record;
  const session = sessionRecord(state, live, findSession(state, live, id), options);
  return { ...record, local_teid: id.version === 1 ? id.local_teid : null, session };
}

function innerName(words: Add): string {
  const name = words.inner ?? (words.netns === undefined ? `${words.ifname}i` : 'eth0');
  if (name.length <= 15) return name;
  throw new UsageError(`the inner end would be called "${name}", which is longer than 15 characters`, {
    hint: 'give its name with inner IFNAME',
  });
}

function localOf(state: State, words: Add): Address {
  if (words.local !== undefined) return words.local;
  if (words.remote !== undefined) return sourceTowards(state, words.remote);
  throw new UsageError('"local" is missing', { hint: 'the outer address of this end, or a session with its remote' });
}

function settingsOf(words: Add): Omit<Link, 'local' | 'dev' | 'netns' | 'dmac' | 'smac'> {
  return {
    port: words.port ?? 2152,
    role: words.role ?? 'ggsn',
    srcport: words.srcport ?? 'fixed',
    ttl: words.ttl ?? 64,
    tos: words.tos ?? 0,
    udpcsum: words.udpcsum,
    df: words.df ?? 'set',
    gso: words.gso ?? 'auto',
    deliver: words.deliver ?? 'auto',
    hairpin: words.hairpin !== 'off',
    xdp: words.xdp ?? 'auto',
    mtu: words.mtu,
    echo: words.echo !== 'off',
    errind: words.errind !== 'off',
    extnotify: words.extnotify !== 'off',
    errind_action: words.errind_action ?? 'mark',
    restart_count: words.restart_count ?? 0,
  };
}

// The session's own settings are the link's: `ttl` and its like stand once in the command.
function sessionOf(words: Add): NewSession | undefined {
  const { remote, version, local_teid, remote_teid, tid, flow, remote_flow } = words;
  if (remote === undefined) return undefined;
  const { ue, name, peer, antispoof, qfi, rqi, ppi, psc, seq } = words;
  const id = { version, local_teid, remote_teid, tid, flow, remote_flow };
  return { ...id, remote, ue, name, peer, antispoof, qfi, rqi, ppi, psc, seq };
}

function register(state: State, live: LiveLink, undo: Undo): void {
  const { maps } = state;
  const { index } = live.device;
  maps.link_words.put(index, storeLink(live.link));
  undo(() => void maps.link_words.delete(index));
  maps.links.put(index, { ...zero('link_state'), config: live.config });
  undo(() => void maps.links.delete(index));
  maps.devices.put(index, index);
  undo(() => void maps.devices.delete(index));
  noteInnerEnd(state, live.device, undo);
}

// The devices first: with them all traffic ends, and what a killed command leaves behind is swept by the next.
function removeLinks(state: State, links: readonly LiveLink[]): void {
  for (const { device } of links) deleteLink(state.route, device);
  forgetLinks(
    state,
    links.map(({ device }) => device.index),
  );
  retire(state);
}

// The same namespace may be called by a name, a PID or a path.
function isNetns(stored: string, wanted: number): boolean {
  return stored !== '' && statSync(resolveNetns(stored).path).ino === wanted;
}
