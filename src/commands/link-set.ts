// SPDX-License-Identifier: MIT
import { isDeepStrictEqual } from 'node:util';
import { checkLinkWords } from '../cli/complete';
import { control } from '../datapath/control';
import { keyOf } from '../datapath/key';
import { link_flag } from '../datapath/layout.gen';
import { peerText } from '../datapath/outline';
import { readSessions, type Stored, slotIn } from '../datapath/sessions';
import { errno, KernelError } from '../errors';
import type { Request } from '../grammar';
import { IFF_UP, type LinkInfo, setLink as setDevice } from '../netlink/link';
import { openRouteAt } from '../netlink/nsid';
import type { RouteSocket } from '../netlink/socket';
import { fromMapped, isNobody } from '../tunnels/address';
import { checkUnderlays, type Link, storeLink } from '../tunnels/link';
import type { SessionId } from '../tunnels/words';
import type { Undo } from '../undo';
import { type Address, sameAddress } from '../values';
import { addEndpoints } from '../wiring/endpoints';
import { forgetFarEnds } from '../wiring/farends';
import { ipv6Flag, type LiveLink, linkFlags } from '../wiring/links';
import { moveSession } from '../wiring/move';
import { giveAddresses, noteInnerEnd, readPeer, waitUntilUp } from '../wiring/pair';
import { pinOf } from '../wiring/pin-names';
import { refresh, setMtu } from '../wiring/refresh';
import { isLoop, refuseLoop, wayTo } from '../wiring/routes';
import { configs, rewriteSession, wordsOf } from '../wiring/sessions';
import { endpointsOf, settle } from '../wiring/settle';
import type { State } from '../wiring/state';
import { holderOf, listenOn, underlaysOf } from '../wiring/underlay';
import { findVrf, isByRules, moveToVrf, vrfOf } from '../wiring/vrf';
import { checkXdp, takeFromXdp } from '../wiring/xdp';

type Set = Request<'link', 'set'>;

/** Changes a link: what its sessions take from it changes with them, in place. */
export function setLink(state: State, live: LiveLink, words: Set, undo: Undo): void {
  checkLinkWords(words, { name: live.device.name, type: live.link.type });
  const link = changed(state, live, words);
  const next: LiveLink = { ...live, link };
  checkXdp(state, link, words.xdp);
  if (words.xdp === 'on') takeFromXdp(state, live.device, undo);
  // One that has gone is not listened on again: its index may be somebody else's by now.
  const gone = new Set(live.link.dev.filter((index) => !state.isAttached(pinOf('underlay', index))));
  const heard = { ...link, xdp: words.xdp ?? (words.dev === undefined ? 'off' : link.xdp) }; // what was said before holds
  for (const index of link.dev.filter((each) => !gone.has(each))) listenOn(state, index, heard, undo);
  addEndpoints(state, endpointsOf(link), undo);
  setConfig(state, live, next, ipv6Flag(words.address), undo);
  noteInnerEnd(state, live.device, undo);
  const sessions = readSessions(state.maps, live.device.index);
  const moved = sessions.filter((stored) => follow(state, live, next, stored, undo) === 'moved');
  forgetFarEnds(state, moved, undo);
  if (words.mtu !== undefined) setMtu(state, next, words.mtu, undo);
  else if (link.mtu === undefined) refresh(state, next, undo);
  const rules = setEnds(state, live, words, undo);
  if (words.address !== undefined || words.route !== undefined) refuseLoops(state, live, next, sessions);
  // Last, so that the same command can be given again when this one is killed before.
  storeWords(state, live, rules ? withRules(next) : next, undo);
  settle(state, undo);
}

function changed(state: State, { link }: LiveLink, words: Set): Link {
  const local = words.local ?? link.local;
  const dev = underlaysAfter(state, link, words);
  checkUnderlays(dev);
  const { hairpin, echo, errind, extnotify, lladdr, role, port, srcport, ttl, tos, udpcsum, df, gso, deliver } = words;
  const plain = { role, port, srcport, ttl, tos, udpcsum, df, gso, deliver };
  const switches = { hairpin, echo, errind, extnotify };
  return {
    ...link,
    ...given({ ...plain, mtu: words.mtu, xdp: words.xdp, smac: lladdr }),
    ...given({ errind_action: words.errind_action, restart_count: words.restart_count }),
    ...Object.fromEntries(Object.entries(given(switches)).map(([word, value]) => [word, value === 'on'])),
    local,
    dev,
  };
}

// A new local address is listened for where it is held, besides the devices that there are.
function underlaysAfter(state: State, link: Link, { dev, local }: Set): readonly number[] {
  if (dev !== undefined) return underlaysOf(state, dev, local ?? link.local);
  // The link's own may be held by nobody: dev was given with it.
  if (local === undefined || (sameAddress(local, link.local) && holderOf(state, local) === undefined)) return link.dev;
  return [...new Set([...link.dev, ...underlaysOf(state, undefined, local)])];
}

// Without the words that were not given, so that they do not hide what holds.
function given<T extends object>(words: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(words).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

function setConfig(state: State, live: LiveLink, next: LiveLink, more: number, undo: Undo): void {
  const { index } = live.device;
  const kept = live.config.flags & ~(link_flag.sgsn | link_flag.here);
  const flags = kept | linkFlags(next.device, next.link) | more;
  const config = { ...live.config, flags, mtu: next.link.mtu ?? live.config.mtu };
  const write = (to: LiveLink['config']): void =>
    control(state.control, { what: 'link', tx_key: { ifindex: index, addr: new Uint8Array(16) }, link: to });
  undo(() => write(live.config));
  write(config);
}

// The receive key has the local address and the port in it: where they change, the session moves. One that a killed command
// has moved is there already, and the port of version 0 need not be that of the link.
function follow(state: State, live: LiveLink, next: LiveLink, stored: Stored, undo: Undo): 'moved' | undefined {
  const was = wordsOf(stored);
  const words = { ...was, local: followLocal(was.local, live, next), id: followPort(was.id, live, next) };
  const { tx, rx } = configs(next, words, slotIn(stored.rxConfig));
  const isSameRoute = (wayTo(state, words.remote, words.local)?.routeMtu ?? 0) === stored.tx.route_mtu;
  if (isSameRoute && isDeepStrictEqual(tx, stored.txConfig) && isDeepStrictEqual(rx, stored.rxConfig)) return undefined;
  const moves = !isDeepStrictEqual(keyOf(tx), stored.key);
  if (moves) moveSession(state, next, stored, words, undo);
  else rewriteSession(state, next, stored, words, stored.key, undo);
  return moves ? 'moved' : undefined;
}

function followLocal(local: Address, live: LiveLink, next: LiveLink): Address {
  return !isNobody(local) && sameAddress(local, live.link.local) ? next.link.local : local;
}

// Sessions of the link's own type that receive at its port.
function followPort(id: SessionId, live: LiveLink, next: LiveLink): SessionId {
  if (id.type !== next.link.type) return id;
  const port = (was: number): number => (was === live.link.port ? next.link.port : was);
  if ('vni' in id) return { ...id, port: port(id.port), dstport: port(id.dstport) };
  return id.type === 'l2tp' && id.encap === 'udp' ? { ...id, udp_sport: port(id.udp_sport) } : id;
}

// Where the inner end is in the namespace of its link, its routes may draw the way to a peer into the tunnel (X12). A loop
// that was there when `follow` looked is no fault of these words.
function refuseLoops(state: State, live: LiveLink, next: LiveLink, sessions: readonly Stored[]): void {
  const peers = new Map(sessions.map(({ txConfig }) => [peerText(txConfig), txConfig]));
  for (const { local, remote } of peers.values()) {
    const own = fromMapped(local);
    if (isNobody(fromMapped(remote))) continue;
    const from = sameAddress(own, live.link.local) ? next.link.local : own;
    if (!isLoop(state, next, fromMapped(remote), from)) refuseLoop(state, next, fromMapped(remote), from);
  }
}

function storeWords(state: State, live: LiveLink, next: LiveLink, undo: Undo): void {
  const write = (link: Link): void => state.maps.link_words.put(live.device.index, storeLink(link));
  undo(() => write(live.link));
  write(next.link);
}

// Returns whether there may be rules for the inner end.
function setEnds(state: State, live: LiveLink, words: Set, undo: Undo): boolean {
  const { device } = live;
  if (words.lladdr !== undefined) {
    undo(() => setDevice(state.route, device, { address: device.address }));
    setDevice(state.route, device, { address: words.lladdr });
  }
  if (words.up || words.down) setUp(state.route, device, words.up === true, undo);
  const { up, address, route, vrf } = words;
  const isInner = up || address !== undefined || route !== undefined || vrf !== undefined;
  return isInner ? setInner(state, live, words, undo) : live.link.rules;
}

// The inner end is where the user has taken it meanwhile, not where it was made.
function setInner(state: State, live: LiveLink, words: Set, undo: Undo): boolean {
  const { device } = live;
  const inner = readPeer(state, device);
  if (inner === undefined) {
    const hint = 'another program has removed it: remove the link and make it anew';
    throw new KernelError(`find the inner end of ${device.name}`, { errno: errno('ENODEV'), hint });
  }
  const route = device.netnsid === undefined ? state.route : openRouteAt(state.route, device.netnsid);
  if (words.up) setUp(route, inner, true, undo);
  const from = vrfOf(route, inner, live.link.rules);
  const to = words.vrf === undefined ? from : words.vrf === 'none' ? undefined : findVrf(route, words.vrf, state.note);
  const rules = live.link.rules || isByRules(to);
  // Before there are any: then they go with the link, whatever happens.
  if (rules && !live.link.rules) storeWords(state, live, withRules(live), undo);
  moveToVrf(route, inner, from, to, undo);
  giveAddresses(route, inner, words, to, undo);
  // Whoever was taken down and up carries again some moments later.
  if (to?.device !== from?.device && device.operstate === 'up' && !words.down) waitUntilUp(state, device);
  return rules;
}

function withRules(live: LiveLink): LiveLink {
  return { ...live, link: { ...live.link, rules: true } };
}

function setUp(route: RouteSocket, device: LinkInfo, up: boolean, undo: Undo): void {
  const was = (device.flags & IFF_UP) !== 0;
  if (was === up) return;
  undo(() => setDevice(route, device, { up: was }));
  setDevice(route, device, { up });
}
