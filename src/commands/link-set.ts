// SPDX-License-Identifier: MIT
import { control } from '../datapath/control';
import { link_flag } from '../datapath/layout.gen';
import { addSession, readSessions, removeSession, type Stored } from '../datapath/sessions';
import { UsageError } from '../errors';
import type { Request } from '../grammar';
import { setLink as setDevice } from '../netlink/link';
import { openRoute } from '../netlink/socket';
import { type Link, MAX_UNDERLAYS, storeLink } from '../tunnels/link';
import type { Undo } from '../undo';
import { sameAddress } from '../values';
import { type LiveLink, settle } from '../wiring/links';
import { giveAddresses, within } from '../wiring/pair';
import { createSession, leastMtu, setMtu, updateSession, wordsOf } from '../wiring/sessions';
import type { State } from '../wiring/state';
import { listenOn, underlaysOf } from '../wiring/underlay';

type Set = Request<'link', 'set'>;

/** Changes a link: what its sessions take from it changes with them, in place. */
export function setLink(state: State, live: LiveLink, words: Set, undo: Undo): void {
  const link = changed(state, live, words);
  const next: LiveLink = { ...live, link };
  const sessions = readSessions(state.maps, live.device.index);
  const moves = link.port !== live.link.port || !sameAddress(link.local, live.link.local);
  store(state, live, next, undo);
  for (const index of link.dev) listenOn(state, index, link.gso === 'keep', undo);
  undo(settle(state));
  for (const stored of sessions) {
    if (moves) moveSession(state, live, next, stored, undo);
    else updateSession(state, next, stored, wordsOf(stored), undo);
  }
  settle(state);
  if (words.mtu !== undefined) setMtu(state, next, words.mtu);
  else if (link.mtu === undefined) followMtu(state, next, undo);
  setEnds(state, next, words);
}

function changed(state: State, { link }: LiveLink, words: Set): Link {
  const local = words.local ?? link.local;
  const follows = words.dev === undefined && words.local === undefined;
  const dev = follows ? link.dev : underlaysOf(state, words.dev, local);
  if (dev.length > MAX_UNDERLAYS)
    throw new UsageError(`a link listens on at most ${MAX_UNDERLAYS} devices, lo included`);
  const { hairpin, echo, errind, extnotify, lladdr, role, port, srcport, ttl, tos, udpcsum, df, gso, deliver } = words;
  const plain = { role, port, srcport, ttl, tos, udpcsum, df, gso, deliver };
  const switches = { hairpin, echo, errind, extnotify };
  return {
    ...link,
    ...given({ ...plain, mtu: words.mtu, xdp: words.xdp, errind_action: words.errind_action, smac: lladdr }),
    ...Object.fromEntries(Object.entries(given(switches)).map(([word, value]) => [word, value === 'on'])),
    local,
    dev,
  };
}

// Without the words that were not given, so that they do not hide what holds.
function given<T extends object>(words: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(words).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

function store(state: State, live: LiveLink, next: LiveLink, undo: Undo): void {
  const { index } = live.device;
  const role = next.link.role === 'sgsn' ? link_flag.sgsn : 0;
  const config = { flags: (live.config.flags & ~link_flag.sgsn) | role, mtu: next.link.mtu ?? live.config.mtu };
  const write = (link: Link, to: LiveLink['config']): void => {
    state.maps.link_words.put(index, storeLink(link));
    control(state.control, { what: 'link', tx_key: { ifindex: index, addr: new Uint8Array(16) }, link: to });
  };
  write(next.link, config);
  undo(() => write(live.link, live.config));
}

// The receive key has the local address and the port in it: the session is made under the new one, then the old one goes.
function moveSession(state: State, live: LiveLink, next: LiveLink, stored: Stored, undo: Undo): void {
  const words = wordsOf(stored);
  const follows = sameAddress(words.local, live.link.local);
  const restore = (): void =>
    addSession(
      state.maps,
      state.control,
      {
        key: stored.key,
        rx: stored.rxConfig,
        tx: stored.txConfig,
        places: stored.places,
        localDev: stored.tx.local_dev,
      },
      () => undefined,
    );
  removeSession(state.maps, state.control, stored);
  undo(restore);
  createSession(state, next, { ...words, local: follows ? next.link.local : words.local }, undo);
}

function followMtu(state: State, live: LiveLink, undo: Undo): void {
  const { index } = live.device;
  const config = state.maps.links.get(index)?.config ?? live.config;
  const mtu = leastMtu(state, live, readSessions(state.maps, index));
  if (mtu === config.mtu) return;
  const write = (value: number): void => {
    control(state.control, {
      what: 'link',
      tx_key: { ifindex: index, addr: new Uint8Array(16) },
      link: { ...config, mtu: value },
    });
    setMtu(state, live, value);
  };
  write(mtu);
  undo(() => write(config.mtu));
}

function setEnds(state: State, { device, link }: LiveLink, words: Set): void {
  const netns = link.netns === '' ? undefined : { text: link.netns };
  const inner = { index: device.peerIndex as number, name: 'the inner end' };
  if (words.lladdr !== undefined) setDevice(state.route, device, { address: words.lladdr });
  if (words.up || words.down) setDevice(state.route, device, { up: words.up === true });
  if (!words.up && words.address === undefined && words.route === undefined) return;
  within(netns, () => {
    const route = openRoute();
    try {
      if (words.up) setDevice(route, inner, { up: true });
      giveAddresses(route, inner, words);
    } finally {
      route.close();
    }
  });
}
