// SPDX-License-Identifier: MIT
import { statSync } from 'node:fs';
import type { Commands, Context, OutputRecord } from '../cli/command';
import { zero } from '../datapath/codec';
import { kind } from '../datapath/layout.gen';
import { readSession, type Stored } from '../datapath/sessions';
import { errno, KernelError, UsageError } from '../errors';
import { PAYLOADS, PORTS, type Request, SOURCE_PORTS } from '../grammar';
import { listKernelLinks } from '../kernel/links';
import { deleteLink } from '../netlink/link';
import { openRoute } from '../netlink/socket';
import { resolveNetns } from '../netns';
import { NOBODY } from '../tunnels/address';
import { checkUnderlays, type Link, storeLink } from '../tunnels/link';
import type { TunnelType } from '../tunnels/words';
import { type Undo, withUndo } from '../undo';
import type { Address } from '../values';
import { tellFirewall, tellForwarding, tellReversePath } from '../wiring/caveats';
import { addEndpoints } from '../wiring/endpoints';
import { BEING_MADE, findLink, ipv6Flag, type LiveLink, linkFlags, listLinks } from '../wiring/links';
import { configureInner, makePair, noteInnerEnd, planPair } from '../wiring/pair';
import { pinOf } from '../wiring/pin-names';
import { refresh } from '../wiring/refresh';
import { refuseLoop, sourceTowards } from '../wiring/routes';
import { endpointsOf, retire } from '../wiring/settle';
import { ensureShim, removeLostShim } from '../wiring/shim';
import { changeState, type State, sweepNamespaces, viewState } from '../wiring/state';
import { forgetLinks, sweep, sweepOrRetire } from '../wiring/sweep';
import { listenOn, sweepHooks, underlaysOf } from '../wiring/underlay';
import { isByRules, sweeperOf, sweepRules } from '../wiring/vrf';
import { checkXdp } from '../wiring/xdp';
import { kernelLinkCalled, ofBoth, onEither } from './either';
import { addKernelLink, deleteKernelLink, refuseKernelWords, setKernelLink } from './kernel-link';
import { chooseKernelLinks, kernelLinkRecords } from './kernel-record';
import { linkRecords } from './link-record';
import { setLink } from './link-set';
import { addSessionTo } from './session';
import { sessionRecord } from './session-record';
import { sessionOf } from './session-words';

type Add = Request<'link', 'add'>;
type NewLink = Add & { readonly inner: string; readonly type: TunnelType };

export const commands: Commands<'link'> = {
  add: (words, context) => {
    if (words.datapath === 'kernel') return withUndo((undo) => [addKernelLink(words, context, undo)]);
    refuseKernelWords(words);
    const inner = innerName(words);
    refuseNameOfDriver(words.ifname);
    sweepNamespaces();
    return changeState(
      context.note,
      (state, undo) => {
        sweepHooks(state);
        sweep(state);
        const key = addLink(state, { ...words, inner, type: words.type ?? 'gtp' }, undo);
        return [answer(state, words.ifname, key, context)];
      },
      'make',
    );
  },

  set: (words, context) =>
    onEither(words.ifname, {
      bpf: () =>
        changeState(context.note, (state, undo) => {
          if (state !== undefined) sweepAll(state);
          const live = findLink(state, words.ifname);
          if (state !== undefined) setLink(state, live, words, undo);
          return [];
        }),
      kernel: (link) =>
        withUndo((undo) => {
          setKernelLink(link, words, undo);
          return [];
        }),
    }),

  del: ({ ifname }, context) =>
    onEither(ifname, {
      bpf: () =>
        changeState(context.note, (state) => {
          if (state !== undefined) sweepAll(state);
          const live = findLink(state, ifname);
          if (state !== undefined) removeLinks(state, [live]);
          return [];
        }),
      kernel: (link) => {
        deleteKernelLink(link);
        return [];
      },
    }),

  show: (filter, context) => {
    const { ifname } = filter;
    if (ifname === undefined) {
      const all = ofBoth(context, {
        bpf: () => showLinks(filter, context),
        kernel: () => kernelLinkRecords(chooseKernelLinks(filter), context.options),
      });
      return all.sort(byName);
    }
    return onEither(ifname, {
      bpf: () => showLinks(filter, context),
      kernel: (link) => kernelLinkRecords([link], context.options),
    });
  },

  flush: (_, context) => {
    sweepNamespaces();
    const flushed = changeState(context.note, (state) => {
      if (state === undefined) {
        removeLostShim(openRoute());
        return [];
      }
      sweepHooks(state);
      sweep(state);
      removeLinks(state, listLinks(state));
      return [];
    });
    for (const link of listKernelLinks()) if (link.home === 'here') deleteKernelLink(link);
    return flushed;
  },
};

function showLinks({ ifname, netns, type }: Request<'link', 'show'>, { options, note }: Context): OutputRecord[] {
  return viewState(note, (state) => {
    if (ifname !== undefined) findLink(state, ifname);
    const wanted = netns === undefined ? undefined : statSync(resolveNetns(netns.text).path).ino;
    if (state === undefined) return [];
    tellForwarding(state);
    const links = listLinks(state)
      .filter(({ device }) => ifname === undefined || device.name === ifname)
      .filter(({ link }) => type === undefined || link.type === type)
      .filter(({ link }) => wanted === undefined || isNetns(link.netns, wanted));
    return linkRecords(state, links, options);
  });
}

function byName(a: OutputRecord, b: OutputRecord): number {
  return String(a['ifname']) < String(b['ifname']) ? -1 : 1;
}

// Hooks first: an underlay that has gone may not be taken for another with its index.
function sweepAll(state: State): void {
  sweepHooks(state);
  sweepOrRetire(state);
}

// One here is refused by the kernel.
function refuseNameOfDriver(name: string): void {
  if (kernelLinkCalled(name)?.place.netns === undefined) return;
  throw new KernelError(`create link ${name}`, {
    errno: errno('EEXIST'),
    said: 'a link of datapath kernel is called so, whose device is in another network namespace',
    hint: 'gtp link show lists the links',
  });
}

// Until the last step the link stands as one that is being made, so that it goes when this command is killed. Returns
// the receive key of the session that was made along with it.
function addLink(state: State, words: NewLink, undo: Undo): Stored['key'] | undefined {
  const { maps } = state;
  const local = localOf(state, words);
  const dev = underlaysOf(state, words.dev, local);
  checkUnderlays(dev);
  ensureShim(state, undo);
  const settings = settingsOf(words);
  const pair = { ...words, frames: settings.frames };
  const plan = planPair(state, pair);
  const { netns, dmac, smac, vrf } = plan;
  const link: Link = { ...settings, local, dev, netns, dmac, smac, rules: isByRules(vrf) };
  checkXdp(state, link, words.xdp);
  undo(() => void maps.link_words.delete(BEING_MADE));
  undo(() => sweepRules(state.route, [storeLink(link)]));
  maps.link_words.put(BEING_MADE, storeLink(link));
  const device = makePair(state, pair, plan, undo);
  const flags = linkFlags(device, link) | ipv6Flag(words.address);
  const live: LiveLink = { device, link, config: { flags, mtu: 0, slots: 0n } };
  register(state, live, undo);
  for (const index of dev) listenOn(state, index, link, undo);
  state.attach('link', live.device.index, 'ingress', pinOf('link', live.device.index));
  undo(() => state.detach(pinOf('link', live.device.index)));
  const session = sessionOf(words);
  const key = session === undefined ? undefined : addSessionTo(state, live, session, undo);
  // Behind the session: a peer that sends already is not told that nobody knows it.
  addEndpoints(state, endpointsOf(link), undo);
  if (session === undefined) refresh(state, live, undo);
  configureInner(state, live, words, plan, undo);
  // Only now its routes are there, and the session's remote may lie behind one of them.
  if (words.remote !== undefined) refuseLoop(state, live, words.remote, local);
  tellFirewall(state, live);
  tellReversePath(state, live, words.ue ?? []);
  maps.link_words.delete(BEING_MADE);
  return key;
}

// Without -j only a TEID that was chosen is told; with it, the first session beside the link.
function answer(state: State, name: string, key: Stored['key'] | undefined, { options }: Context): OutputRecord {
  const local_teid = key?.kind === kind.gtp ? Number(key.id) : null;
  if (!options.json) return local_teid === null ? {} : { local_teid };
  const live = findLink(state, name);
  const record = linkRecords(state, [live], options)[0] ?? {};
  const stored = key === undefined ? undefined : readSession(state.maps, key);
  return stored === undefined
    ? record
    : { ...record, local_teid, session: sessionRecord(state, live, stored, options) };
}

function innerName(words: Add): string {
  const name = words.inner ?? (words.netns === undefined ? `${words.ifname}i` : 'eth0');
  if (name.length <= 15) return name;
  throw new UsageError(`the inner end would be called "${name}", which is longer than 15 characters`, {
    hint: 'give its name with inner IFNAME',
  });
}

function localOf(state: State, words: NewLink): Address {
  if (words.type === 'vlan') return noLocal(words);
  if (words.local !== undefined) return words.local;
  if (words.remote !== undefined) return sourceTowards(state, words.remote);
  throw new UsageError('"local" is missing: expected gtp link add NAME local ADDR ...', {
    hint: 'ADDR is the outer address of this end; a session given along finds it by its remote',
  });
}

// Frames with a tag have no addresses outside, only a device that they go out by.
function noLocal({ local, dev = [] }: NewLink): Address {
  if (local !== undefined) throw new UsageError('"local" has no meaning for "type vlan"', { hint: 'leave it out' });
  if (dev.length > 0) return NOBODY;
  throw new UsageError('"dev" is missing: expected gtp link add NAME type vlan dev UNDERLAY ...', {
    hint: 'UNDERLAY is the device whose frames are tagged',
  });
}

function settingsOf(words: NewLink): Omit<Link, 'local' | 'dev' | 'netns' | 'dmac' | 'smac' | 'rules'> {
  const { type } = words;
  return {
    type,
    frames: (words.payload ?? PAYLOADS[type]) === 'ethernet',
    port: words.port ?? byType(PORTS, type) ?? 0,
    role: words.role ?? 'ggsn',
    srcport: words.srcport ?? byType(SOURCE_PORTS, type) ?? 'fixed',
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

function byType<T>(table: { readonly [type in TunnelType]?: T }, type: TunnelType): T | undefined {
  return table[type];
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
  // By then nobody knows any more where an inner end was that had been moved.
  const sweepers = links.filter(({ link }) => link.rules).map(({ device }) => sweeperOf(state, device));
  for (const { device } of links) deleteLink(state.route, device);
  for (const dropRules of sweepers) dropRules();
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
