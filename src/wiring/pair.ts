// SPDX-License-Identifier: MIT

import { closeSync, statSync } from 'node:fs';
import { isErrno, KernelError, UsageError } from '../errors';
import { setFeatures } from '../netlink/ethtool';
import { createVeth, deleteLink, getLink, type LinkInfo, setLink } from '../netlink/link';
import { NAME_IT } from '../netlink/nsid';
import { addQdisc } from '../netlink/qdisc';
import { addRoute, deleteRoute } from '../netlink/route';
import { openGeneric, openRoute, type RouteSocket } from '../netlink/socket';
import { inNetns, listNamed, type Netns, openNetns, resolveNetns } from '../netns';
import type { Undo } from '../undo';
import type { Mac, NetnsWord, Prefix } from '../values';
import type { LiveLink } from './links';
import type { State } from './state';
import { enslave, findVrf, giveAddress, type Vrf } from './vrf';

/** What decides on a new pair of ends. */
export type PairWords = {
  readonly ifname: string;
  readonly inner: string;
  readonly netns?: NetnsWord | undefined;
  readonly lladdr?: Mac | undefined;
  readonly vrf?: string | undefined;
  /** The ends talk Ethernet: ARP, neighbour discovery, broadcast. */
  readonly frames: boolean;
};

/** Where the inner end goes (undefined: it stays), how the link remembers that, the MAC addresses of both ends, and the inner one's VRF. */
export type Plan = {
  readonly there: Netns | undefined;
  readonly netns: string;
  readonly dmac: Mac;
  readonly smac: Mac;
  readonly vrf: Vrf | undefined;
};

/** What the inner end gets. */
export type InnerWords = {
  readonly inner: string;
  readonly netns?: NetnsWord | undefined;
  readonly address?: readonly Prefix[] | undefined;
  readonly route?: readonly (Prefix | 'default')[] | undefined;
};

/** Decides on what makePair makes. */
export function planPair(state: State, { netns, lladdr, vrf }: PairWords): Plan {
  const there = netns === undefined ? undefined : resolveNetns(netns.text);
  return {
    there,
    netns: there === undefined ? '' : lastingName(there),
    dmac: randomMac(),
    smac: lladdr ?? randomMac(),
    vrf: vrf === undefined || vrf === 'none' ? undefined : vrfIn(state, there, vrf),
  };
}

function vrfIn({ route, note }: State, there: Netns | undefined, name: string): Vrf {
  if (there === undefined) return findVrf(route, name, note);
  const inside = inNetns(there.path, openRoute);
  try {
    return findVrf(inside, name, note);
  } finally {
    inside.close();
  }
}

/** Makes the two ends, both down: the one that stays here and the inner one, at once in its namespace. */
export function makePair(state: State, words: PairWords, plan: Plan, undo: Undo): LinkInfo {
  const fd = plan.there === undefined ? undefined : openNetns(plan.there.path);
  try {
    const inner = words.frames ? FRAMES_INNER : END;
    const peer = { ...inner, name: words.inner, address: plan.dmac, ...(fd === undefined ? {} : { netnsFd: fd }) };
    const device = createEnds(state, words, {
      ...(words.frames ? FRAMES_END : END),
      name: words.ifname,
      mtu: OUTER_END_MTU,
      address: plan.smac,
      peer,
    });
    undo(() => deleteLink(state.route, device));
    return device;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/**
 * Sets offloads, addresses and routes, and brings both ends up, the inner one last: it can send at once. It does GRO, and what comes to it by the
 * outer end's transmit side is cut there, so that GRO sees packets (deliver bulk); a queue in front lets it push back.
 */
export function configureInner(
  state: State,
  live: LiveLink,
  words: InnerWords,
  { vrf }: Pick<Plan, 'vrf'>,
  undo: Undo,
): void {
  const { device } = live;
  setFeatures(state.generic(), device, CUT_ON_DELIVERY);
  setLink(state.route, device, { txQueueLength: DELIVERY_QUEUE });
  addQdisc(state.route, device, { kind: 'pfifo_fast' });
  undo(() => setLink(state.route, device, { up: false }));
  setLink(state.route, device, { up: true });
  within(words.netns, () => {
    const generic = openGeneric();
    const route = openRoute();
    try {
      const inner = { index: device.peerIndex as number, name: words.inner };
      enslave(route, inner, vrf);
      setLink(route, inner, { up: true });
      // While it is up: only then the kernel lets XDP redirect to the other end.
      setFeatures(generic, inner, { 'rx-gro': true });
      // With the device goes what it has, but for rules, which are swept.
      giveAddresses(route, inner, words, vrf, () => undefined);
    } finally {
      generic.close();
      route.close();
    }
  });
  waitUntilUp(state, device);
}

/** Waits until a link carries: the kernel starts the end that came up first by work of its own, some moments after the other. */
export function waitUntilUp(state: State, device: LinkInfo): void {
  const end = Date.now() + UP_WITHIN_MS;
  const clock = new Int32Array(new SharedArrayBuffer(4));
  while (getLink(state.route, { index: device.index })?.operstate !== 'up') {
    if (Date.now() > end) throw new KernelError(`bring up link ${device.name}`, { said: 'it stayed without carrier' });
    Atomics.wait(clock, 0, 0, 1);
  }
}

/** Adds addresses, then routes, to an inner end that is up; the routes to the table of its VRF, if it is in one. */
export function giveAddresses(
  route: RouteSocket,
  inner: { index: number; name: string },
  words: Omit<InnerWords, 'inner'>,
  vrf: Vrf | undefined,
  undo: Undo,
): void {
  for (const prefix of words.address ?? []) giveAddress(route, inner, prefix, vrf, undo);
  const families = new Set((words.address ?? []).map((prefix) => prefix.address.family));
  // "default" means every family that the end has an address of; without any, IPv4.
  const defaults = families.size > 0 ? [...families] : ([4] as const);
  for (const dst of words.route ?? []) {
    for (const family of dst === 'default' ? defaults : [dst.address.family]) {
      const line = { dst, family, oif: inner, scope: 'link', table: vrf?.table } as const;
      addRoute(route, line);
      undo(() => deleteRoute(route, line));
    }
  }
}

/** The inner end as it is now, in whatever namespace; undefined when it was moved on or is going. */
export function readPeer(state: State, device: LinkInfo): LinkInfo | undefined {
  return getLink(state.route, { index: device.peerIndex as number }, { netnsid: device.netnsid });
}

/** Remembers where a link's inner end is if that is in this namespace: no packet may leave by it for a peer of the link (X12). */
export function noteInnerEnd({ maps }: State, { index, peerIndex = 0, netnsid }: LinkInfo, undo: Undo): void {
  const was = maps.inner_ends.get(peerIndex);
  const stays = netnsid === undefined;
  if (stays ? was === index : was !== index) return;
  undo(() => (was === undefined ? void maps.inner_ends.delete(peerIndex) : maps.inner_ends.put(peerIndex, was)));
  if (stays) maps.inner_ends.put(peerIndex, index);
  else maps.inner_ends.delete(peerIndex);
}

/** Runs `act` in the namespace that a link's inner end went to. */
export function within(netns: NetnsWord | undefined, act: () => void): void {
  if (netns === undefined) act();
  else inNetns(resolveNetns(netns.text).path, act);
}

// A process ends sooner than the name of its namespace.
function lastingName({ name, path }: Netns): string {
  if (name !== undefined) return name;
  const { ino } = statSync(path);
  const lasting = listNamed().find(({ inode }) => inode === ino)?.name ?? path;
  if (Buffer.byteLength(lasting) <= NETNS_MAX) return lasting;
  throw new UsageError(`netns: expected at most ${NETNS_MAX} octets, got "${path}"`, { hint: NAME_IT });
}

// The kernel says "File exists" for either name.
function createEnds(state: State, words: PairWords, veth: Parameters<typeof createVeth>[1]): LinkInfo {
  try {
    return createVeth(state.route, veth);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    if (getLink(state.route, { name: words.ifname }) !== undefined) throw nameTaken(error, words.ifname);
    const where = words.netns === undefined ? 'this network namespace' : `network namespace ${words.netns.text}`;
    throw new KernelError(`create link ${words.ifname}`, {
      errno: error.errno as number,
      said: `its inner end would be ${words.inner}, and ${where} has a device of that name`,
      hint: 'give the inner end another name with inner IFNAME',
      cause: error,
    });
  }
}

function nameTaken({ tried, said, errno }: KernelError, name: string): KernelError {
  const hint = `gtp link set ${name} changes a link of that name, and ip link show ${name} tells of any device`;
  return new KernelError(tried, { said, hint, ...(errno === undefined ? {} : { errno }) });
}

const END = { noarp: true, inet6AddrGenNone: true } as const;
// The inner end is as any other device; on the other one nobody talks.
const FRAMES_INNER = { noarp: false, inet6AddrGenNone: false } as const;
const FRAMES_END = { noarp: false, inet6AddrGenNone: true } as const;
const CUT_ON_DELIVERY = {
  'tx-tcp-segmentation': false,
  'tx-tcp6-segmentation': false,
  'tx-tcp-ecn-segmentation': false,
  'tx-tcp-mangleid-segmentation': false,
} as const;
// The user may raise the inner end's own MTU: what is too big then has to arrive here to be answered with ICMP.
const OUTER_END_MTU = 65535;
// char netns[96] of bpf/maps.h
const NETNS_MAX = 95;
const UP_WITHIN_MS = 5000;
// More than the 256 slots of the inner end's ring, which drops what overflows.
const DELIVERY_QUEUE = 4000;

// Locally administered, unicast. node:crypto is loaded only by who makes a link (see find.ts).
function randomMac(): Mac {
  const octets = Uint8Array.from(process.getBuiltinModule('node:crypto').randomBytes(6));
  octets[0] = ((octets[0] ?? 0) & 0xfc) | 0x02;
  return octets;
}
