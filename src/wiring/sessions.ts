// SPDX-License-Identifier: MIT
import { control } from '../datapath/control';
import { kind, link_flag, rx_flag } from '../datapath/layout.gen';
import { activeTx, type Place, placeOf, prefixOf, readPlace, sendHalves } from '../datapath/places';
import {
  activeRx,
  addSession,
  changeSession,
  forgetReceived,
  isOf,
  readSession,
  removeSession,
  type Stored,
  type Wanted,
} from '../datapath/sessions';
import { errno, KernelError } from '../errors';
import { getLink, setLink } from '../netlink/link';
import { fromMapped, fromMappedPrefix, hex, mappedLength, toMapped } from '../tunnels/address';
import {
  type Header,
  headerOf,
  IPV6_MIN_MTU,
  innerMtu,
  PLAIN_HEADER,
  rxConfig,
  type SessionWords,
  sessionWords,
  type TxConfig,
  txConfig,
} from '../tunnels/gtp';
import { formatId, loadId, type ReceiveId, rxKey } from '../tunnels/id';
import type { Undo } from '../undo';
import { type Address, type Prefix, prefix as prefixKind } from '../values';
import { addEndpoints } from './endpoints';
import { forgetFarEnds, isSameFarEnd, learnFarEnd } from './farends';
import { ipv6Flag, type LiveLink, setSelectFlags } from './links';
import { keepDrops, keepSession } from './restore';
import { refuseLoop, wayTo } from './routes';
import { endpointOf, settle } from './settle';
import type { State } from './state';
import { listenOn, loopOut, underlaysOf } from './underlay';

/** The words of a session that is there. */
export function wordsOf(stored: Stored): SessionWords {
  const prefixes = stored.places.flatMap((place) => {
    const found = prefixOf(place);
    return found === undefined ? [] : [fromMappedPrefix(found.addr, found.length)];
  });
  return sessionWords(stored.txConfig, stored.rxConfig, prefixes);
}

/** The session of a link by its receive half. Throws KernelError ENOENT. */
export function findSession(state: State, live: LiveLink, id: ReceiveId, local?: Address): Stored {
  const stored = readSession(state.maps, rxKey(local ?? live.link.local, id, live.link.port));
  if (stored !== undefined && stored.rxConfig.ifindex === live.device.index) return stored;
  throw new KernelError(`find session ${formatId(id)} of ${live.device.name}`, {
    errno: errno('ENOENT'),
    said: 'No such session',
    hint: `gtp session show dev ${live.device.name} lists them`,
  });
}

/** A free TEID that nobody can guess (G21): random, never 0. */
export function freeTeid(state: State, local: Address, port: number): number {
  for (let tries = 0; tries < 100; tries++) {
    const local_teid = randomInt(1, 2 ** 32 - 1);
    if (state.maps.rx.get(rxKey(local, { version: 1, local_teid }, port)) === undefined) return local_teid;
  }
  throw new KernelError('find a free TEID', { said: 'a hundred random ones were all in use' });
}

// node:crypto costs more to load than the rest of a command, so only who asks for a random number loads it.
function randomInt(least: number, most: number): number {
  return process.getBuiltinModule('node:crypto').randomInt(least, most + 1);
}

/** Makes a session on a link. Throws KernelError when its TEID or a prefix is taken. */
export function createSession(state: State, live: LiveLink, words: SessionWords, undo: Undo): void {
  const key = rxKey(words.local, words.id, live.link.port);
  const tried = `add session ${formatId(words.id)} to ${live.device.name}`;
  if (!forgetHalf(state, key)) {
    const { ifindex } = activeRx(state.maps.rx.get(key) as Stored['rx']);
    throw new KernelError(tried, {
      errno: errno('EEXIST'),
      hint: `link ${nameOfLink(state, ifindex)} has that ${words.id.version === 0 ? 'TID' : 'TEID'} at this local address`,
    });
  }
  checkPlaces(state, live, words, tried);
  refuseLoop(state, live, words.remote, words.local);
  const way = wayTo(state, words.remote, words.local);
  const wanted = { key, ...configs(live, words), places: placesOf(live, words.ue), ...sendingBy(way) };
  prepare(state, live, wanted, undo);
  learnFarEnd(state, { key, txConfig: wanted.tx }, undo);
  addSession(state.maps, state.control, wanted, undo);
  refreshAfterAdd(state, live, words, way?.mtu, undo);
}

/** Changes a session to `words`; what it has counted stays. */
export function updateSession(state: State, live: LiveLink, was: Stored, words: SessionWords, undo: Undo): void {
  const tried = `change session ${formatId(words.id)} of ${live.device.name}`;
  checkPlaces(state, live, words, tried, was);
  const next = { key: was.key, txConfig: txConfig(live.link, words) };
  if (hex(next.txConfig.remote) !== hex(was.txConfig.remote)) refuseLoop(state, live, words.remote, words.local);
  const isElsewhere = !isSameFarEnd(was, next);
  if (isElsewhere) learnFarEnd(state, next, undo);
  announce(state, live, words.ue, undo);
  rewriteSession(state, live, was, words, was.key, undo);
  if (isElsewhere) forgetFarEnds(state, [was], undo);
  refresh(state, live, undo, next.txConfig);
  if (!isAlone(live, was)) settle(state, undo);
}

/** Writes both halves of a session anew in place; `key` may be another, at which a receive half is. Checks nothing. */
export function rewriteSession(
  state: State,
  live: LiveLink,
  was: Stored,
  words: SessionWords,
  key: Stored['key'],
  undo: Undo,
): void {
  const way = sendingBy(wayTo(state, words.remote, words.local));
  const wanted = { key, ...configs(live, words), places: placesOf(live, words.ue), ...way };
  prepare(state, live, wanted, undo);
  keepSession(state, was, undo);
  changeSession(state.maps, state.control, was, wanted, undo);
}

/** Removes sessions of one link; `last` is told of each as soon as nothing is sent through it any more. */
export function deleteSessions(
  state: State,
  live: LiveLink,
  gone: readonly Stored[],
  undo: Undo,
  last?: (stored: Stored) => void,
): void {
  for (const stored of gone) {
    keepSession(state, stored, undo);
    keepDrops(state, stored, undo);
    removeSession(state.maps, state.control, stored, () => last?.(stored));
  }
  forgetFarEnds(state, gone, undo);
  refresh(state, live, undo, 'gone');
  if (!gone.every((stored) => isAlone(live, stored))) settle(state, undo);
}

// Whether nothing that links share is there for this session: it receives where its link does, and sends elsewhere.
function isAlone(live: LiveLink, { key, tx, rxConfig }: Stored): boolean {
  return tx.local_dev === 0 && isOwnEndpoint(live, { key, rx: rxConfig });
}

function isOwnEndpoint({ link }: LiveLink, { key, rx }: Pick<Wanted, 'key' | 'rx'>): boolean {
  const isPlain = key.kind === kind.gtp && !(rx.flags & rx_flag.zero_csum);
  return isPlain && hex(key.local) === hex(toMapped(link.local));
}

function sendingBy(way: ReturnType<typeof wayTo>): { localDev: number; routeMtu: number } {
  return { localDev: way?.localDev ?? 0, routeMtu: way?.routeMtu ?? 0 };
}

/**
 * Removes the receive half of a session of which nothing else is there, as a command that was killed leaves it. Returns
 * whether the key is free then.
 */
export function forgetHalf({ maps }: State, key: Stored['key']): boolean {
  if (maps.rx.get(key) === undefined) return true;
  // Also one that has just ended is whole: its other half would stay behind.
  if (readSession(maps, key, 'ended') !== undefined) return false;
  return forgetReceived(maps, key);
}

/**
 * Brings a link's flags and inner MTU in line with its sessions. After one of them went or was written anew (`changed`),
 * it reads no more of the others than it takes to see that they want what the link has.
 */
export function refresh(state: State, live: LiveLink, undo: Undo, changed: 'all' | TxConfig | 'gone' = 'all'): void {
  const { index } = live.device;
  const config = state.maps.links.get(index)?.config ?? live.config;
  const { select, prefix, ipv6, mtu: least } = survey(state, live, config, changed);
  const flags = setSelectFlags(config.flags, { select, prefix }) | (ipv6 ? link_flag.ipv6 : 0);
  const mtu = live.link.mtu ?? fitting(least, flags);
  if (flags === config.flags && mtu === config.mtu) return;
  undo(() => setLinkConfig(state, index, config));
  setLinkConfig(state, index, { flags, mtu });
  if (mtu !== config.mtu) setMtu(state, live, mtu, undo);
}

type Wants = { readonly select: boolean; readonly prefix: boolean; readonly ipv6: boolean; readonly mtu: number };

function fitting(mtu: number, flags: number): number {
  return flags & link_flag.ipv6 ? Math.max(mtu, IPV6_MIN_MTU) : mtu;
}

function isIpv6(place: Place): boolean {
  const prefix = prefixOf(place);
  return prefix !== undefined && fromMappedPrefix(prefix.addr, prefix.length).address.family === 6;
}

function survey(
  state: State,
  live: LiveLink,
  { flags, mtu }: LiveLink['config'],
  changed: Parameters<typeof refresh>[3],
): Wants {
  const had = { select: (flags & link_flag.select) !== 0, prefix: (flags & link_flag.prefix) !== 0 };
  const own = typeof changed === 'object' ? innerMtu(...partsOf(state, live, changed)) : Number.POSITIVE_INFINITY;
  const seen = { select: false, prefix: false, ipv6: (flags & link_flag.ipv6) !== 0, mtu: own };
  for (const [place, tx] of sendHalves(state.maps, live.device.index)) {
    seen.select ||= place.in !== 'fallback';
    seen.prefix ||= place.in === 'tx_prefix';
    seen.ipv6 ||= isIpv6(place);
    seen.mtu = Math.min(seen.mtu, innerMtu(...partsOf(state, live, activeTx(tx))));
    const isLow = seen.mtu <= mtu && (seen.ipv6 || seen.mtu >= IPV6_MIN_MTU);
    const isSame = isLow && seen.select === had.select && seen.prefix === had.prefix;
    if (isSame && changed !== 'all') return seen;
  }
  return Number.isFinite(seen.mtu) ? seen : { ...seen, mtu: innerMtu(...plainParts(state, live)) };
}

// One more session can only add flags and lower the MTU: no need to read the others.
function refreshAfterAdd(
  state: State,
  live: LiveLink,
  words: SessionWords,
  pathMtu: number | undefined,
  undo: Undo,
): void {
  const { index } = live.device;
  const config = state.maps.links.get(index)?.config ?? live.config;
  const isFirst = (live.config.flags & (link_flag.default | link_flag.select)) === 0;
  const own = innerMtu(pathMtu ?? underlayMtu(state, live), words.remote.family, headerOf(txConfig(live.link, words)));
  const flags = withPlaces(live, config.flags, words.ue) | ipv6Flag(words.ue);
  const mtu = live.link.mtu ?? fitting(isFirst ? own : Math.min(own, config.mtu), flags);
  if (flags === config.flags && mtu === config.mtu) return;
  undo(() => setLinkConfig(state, index, config));
  setLinkConfig(state, index, { flags, mtu });
  if (mtu !== config.mtu) setMtu(state, live, mtu, undo);
}

// Has the programs look where a session is going to stand: what they do not find there yet does no harm, and nobody looks
// in vain for what stands in a map that the link is not known to use.
function announce(state: State, live: LiveLink, ue: readonly Prefix[], undo: Undo): void {
  const { index } = live.device;
  const config = state.maps.links.get(index)?.config ?? live.config;
  const flags = withPlaces(live, config.flags, ue);
  if (flags === config.flags) return;
  undo(() => setLinkConfig(state, index, config));
  setLinkConfig(state, index, { ...config, flags });
}

function withPlaces(live: LiveLink, flags: number, ue: readonly Prefix[]): number {
  return setSelectFlags(flags, {
    select: (flags & link_flag.select) !== 0 || ue.length > 0,
    prefix: (flags & link_flag.prefix) !== 0 || placesOf(live, ue).some((place) => place.in === 'tx_prefix'),
  });
}

/** What an inner MTU is made of: the path's MTU, the outer family, the GTP header. */
export type MtuParts = readonly [path: number, family: 4 | 6, header: Header];

/** What decides on the inner MTU of a link: the least over its sessions, or a plain header to nobody in particular. */
export function leastParts(state: State, live: LiveLink): MtuParts {
  let least: MtuParts | undefined;
  for (const [, tx] of sendHalves(state.maps, live.device.index)) {
    const parts = partsOf(state, live, activeTx(tx));
    if (least === undefined || innerMtu(...parts) < innerMtu(...least)) least = parts;
  }
  return least ?? plainParts(state, live);
}

function partsOf(state: State, live: LiveLink, tx: TxConfig): MtuParts {
  const to = fromMapped(tx.remote);
  return [wayTo(state, to, fromMapped(tx.local))?.mtu ?? underlayMtu(state, live), to.family, headerOf(tx)];
}

function plainParts(state: State, live: LiveLink): MtuParts {
  return [underlayMtu(state, live), live.link.local.family, PLAIN_HEADER];
}

/** Sets the MTU of a link's inner end. */
export function setMtu(state: State, { device }: LiveLink, mtu: number, undo: Undo): void {
  const peer = { index: device.peerIndex as number, name: `the inner end of ${device.name}` };
  const where = { netnsid: device.netnsid };
  const was = getLink(state.route, { index: peer.index }, where)?.mtu ?? mtu;
  undo(() => setLink(state.route, peer, { mtu: was }, where));
  setLink(state.route, peer, { mtu }, where);
}

/** The least MTU of the underlays, of lo only where there is no other; looked up once in a command. */
export function underlayMtu(state: State, { link }: LiveLink): number {
  const known = underlayMtus.get(link) ?? leastMtu(state, link.dev);
  underlayMtus.set(link, known);
  return known;
}

const underlayMtus = new WeakMap<LiveLink['link'], number>();

function leastMtu(state: State, underlays: readonly number[]): number {
  const mtus = underlays.map((index) => getLink(state.route, { index })?.mtu ?? 65535);
  const others = mtus.filter((_, at) => underlays[at] !== 1);
  return Math.min(...(others.length > 0 ? others : mtus));
}

function setLinkConfig(state: State, ifindex: number, link: { flags: number; mtu: number }): void {
  control(state.control, { what: 'link', tx_key: { ifindex, addr: new Uint8Array(16) }, link });
}

/** What the two halves of a session hold. */
export function configs(live: LiveLink, words: SessionWords): { tx: Stored['txConfig']; rx: Stored['rxConfig'] } {
  const { device, link } = live;
  const target = { ifindex: device.index, dmac: link.dmac, smac: link.smac, here: device.netnsid === undefined };
  return { tx: txConfig(live.link, words), rx: rxConfig(live.link, words, target) };
}

function placesOf({ device }: LiveLink, ue: readonly Prefix[]): Place[] {
  if (ue.length === 0) return [{ in: 'fallback', ifindex: device.index }];
  return ue.map((prefix) => placeOf(device.index, toMapped(prefix.address), mappedLength(prefix)));
}

// A session may come from a local address of its own, and its remote may be an address of this machine.
function prepare(state: State, live: LiveLink, wanted: Wanted, undo: Undo): void {
  const { key, rx, localDev } = wanted;
  if (localDev !== 0) loopOut(state, localDev, undo);
  if (isOwnEndpoint(live, wanted)) return;
  if (hex(key.local) !== hex(toMapped(live.link.local))) {
    const devices = underlaysOf(state, undefined, fromMapped(key.local));
    for (const index of devices) listenOn(state, index, live.link.gso === 'keep', undo);
  }
  const at = { local: key.local, port: key.port, kind: key.kind, zeroCsum: (rx.flags & rx_flag.zero_csum) !== 0 };
  addEndpoints(state, [endpointOf(live.link, at)], undo);
}

function checkPlaces(state: State, live: LiveLink, words: SessionWords, tried: string, own?: Stored): void {
  const isOwn = (place: Place): boolean => {
    const found = readPlace(state.maps, place);
    return found === undefined || (own !== undefined && isOf(found, own.key));
  };
  if (words.ue.length === 0) {
    const others =
      (state.maps.links.get(live.device.index)?.config.flags ?? 0) & (link_flag.default | link_flag.select);
    const alone = own === undefined ? others === 0 : isOwn({ in: 'fallback', ifindex: live.device.index });
    if (alone) return;
    throw new KernelError(tried, {
      errno: errno('EEXIST'),
      said: `${live.device.name} has a session already, and this one has no ue`,
      hint: 'give ue PREFIX, so that the link can tell its sessions apart',
    });
  }
  for (const prefix of words.ue) {
    const place = placeOf(live.device.index, toMapped(prefix.address), mappedLength(prefix));
    const found = isOwn(place) ? undefined : readPlace(state.maps, place);
    if (found === undefined) continue;
    throw new KernelError(tried, {
      errno: errno('EEXIST'),
      said: `ue ${prefixKind.format(prefix)} belongs to session ${formatId(loadId(activeTx(found)))}`,
      hint: 'one prefix belongs to one session of a link; another link may have it, too',
    });
  }
}

function nameOfLink(state: State, index: number): string {
  return getLink(state.route, { index })?.name ?? `#${index}`;
}
