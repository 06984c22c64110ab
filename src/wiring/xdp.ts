// SPDX-License-Identifier: MIT
import { errno, KernelError, UsageError } from '../errors';
import { getFeatures, setFeatures } from '../netlink/ethtool';
import { getLink, IFF_LOOPBACK, type LinkInfo, LOOPBACK } from '../netlink/link';
import { NAME_IT } from '../netlink/nsid';
import type { Link } from '../tunnels/link';
import type { Undo } from '../undo';
import { arrangeXdpOffloads, giveXdpBack, isOffForXdp, peerOf } from './offloads';
import { pinOf, readPin } from './pin-names';
import type { State } from './state';

/** What links want of native XDP on an underlay. */
export type XdpWord = 'auto' | 'on' | 'off';

/** The word of a link that has something for XDP to take: GTP-U with IP packets. */
export function xdpWordOf({ type, frames, xdp }: Pick<Link, 'type' | 'frames' | 'xdp'>): XdpWord {
  return type === 'gtp' && !frames ? xdp : 'off';
}

/** Whether a word asks for XDP on this device: `auto` does on devices of a bus, whose drivers have no skb yet. */
export function isXdpWanted({ parentDev, flags }: LinkInfo, word: XdpWord): boolean {
  if (flags & IFF_LOOPBACK) return false;
  return word === 'on' || (word === 'auto' && parentDev !== undefined);
}

/**
 * Attaches the XDP program to an underlay that has the tc one, unless it is, with what its driver or the other end of a veth pair has
 * to do for it. Programs of somebody else stay, and tc serves: one of XDP always, one of tc where nobody said `on`, as it would
 * not see any more what XDP takes. Throws KernelError where `on` cannot be.
 */
export function arrangeXdp(state: State, device: LinkInfo, word: XdpWord, undo: Undo): void {
  const { index, name } = device;
  if (!isXdpWanted(device, word) || state.isAttached(pinOf('xdp', index))) return;
  if (device.address.length === 0) throw refused(device, 'it has no Ethernet header');
  if (state.hasOthers(index)) {
    const seen = 'programs of others on tc do not see what XDP takes';
    state.note(word === 'on' ? `${name}: ${seen}` : `${name}: tc serves there, as ${seen}; xdp on has it all the same`);
    if (word === 'auto') return;
  }
  // First, for to switch offloads may restart a NIC, which has a driver without XDP perhaps.
  if (!attachXdp(state, device, word, undo)) return;
  const why = arrangeXdpOffloads(state, device, undo);
  if (why === undefined) return;
  if (word === 'on') throw refused(device, why);
  removeXdp(state, index, undo);
}

/** Throws UsageError where `xdp on` is said of lo alone, whose driver has none; notes where it is for nothing. */
export function checkXdp(state: State, link: Link, word: XdpWord | undefined): void {
  if (word !== 'on') return;
  if (xdpWordOf(link) === 'off')
    state.note('xdp on: XDP takes GTP-U with IP packets, and what this link carries goes by tc');
  if (link.dev.some((index) => index !== LOOPBACK)) return;
  throw new UsageError('"xdp on": lo has no native XDP', { hint: 'leave it out: packets of this machine go by tc' });
}

/**
 * Has the inner end of a link take what XDP hands over: a veth does so only while it polls, as it does for GRO. Throws KernelError where
 * that end cannot be reached.
 */
export function takeFromXdp(state: State, device: LinkInfo, undo: Undo): void {
  const inner = peerOf(state, device);
  if (inner === undefined) {
    throw new KernelError(`turn on ${GRO} at the inner end of ${device.name}`, {
      said: 'it is in a network namespace that has neither a name nor a process',
      hint: NAME_IT,
    });
  }
  const isOn = inner.within((generic) => getFeatures(generic, inner.device).get(GRO)?.active);
  if (isOn) return;
  const set = (on: boolean): void =>
    void inner.within((generic) => void setFeatures(generic, inner.device, { [GRO]: on }));
  undo(() => set(false));
  set(true);
  state.note(`turned on at ${inner.device.name}, the inner end of ${device.name}: ${GRO}, which XDP needs`);
}

/** Takes XDP off every underlay where no link wants it any more. `words` has the word of each underlay that links listen on. */
export function settleXdp(state: State, words: ReadonlyMap<number, XdpWord>, undo: Undo): void {
  const isWanted = (index: number): boolean => {
    const device = getLink(state.route, { index });
    return device !== undefined && isXdpWanted(device, words.get(index) ?? 'off');
  };
  const served = new Set<number>();
  for (const { pin, ifindex } of state.attached()) {
    const { kind, index } = readPin(pin);
    if (kind !== 'xdp') continue;
    if (ifindex === 0) state.detach(pin);
    else if (isWanted(index)) served.add(index);
    else removeXdp(state, index, undo);
  }
  // Of a command that was killed.
  for (const [index, { off }] of state.maps.underlays.entries()) {
    if (isOffForXdp(off) && !served.has(index) && state.isAttached(pinOf('underlay', index)))
      giveXdpBack(state, index, undo);
  }
}

/** The stronger of two words about one underlay. */
export function strongerXdp(a: XdpWord, b: XdpWord): XdpWord {
  if (a === 'on' || b === 'on') return 'on';
  return a === 'auto' || b === 'auto' ? 'auto' : 'off';
}

const GRO = 'rx-gro';

// Offloads first, as in stopListening.
function removeXdp(state: State, index: number, undo: Undo): void {
  const pin = pinOf('xdp', index);
  giveXdpBack(state, index, undo);
  undo(() => {
    if (!state.isAttached(pin)) state.attach('underlay_xdp', index, 'xdp', pin);
  });
  state.detach(pin);
}

// What the kernel says of a native program that is there, and of a generic one or one on a device above.
const TAKEN = ['EBUSY', 'EEXIST'];
// What drivers say that have no XDP, or not like this.
const CANNOT: Readonly<Record<string, string>> = {
  EOPNOTSUPP: 'its driver has no native XDP; xdp auto takes it where it can be had',
  ENOTSUPP: 'its driver has no native XDP; xdp auto takes it where it can be had',
  EINVAL: 'its driver takes no such program as it is set up now; see dmesg',
  ERANGE: 'its MTU, or that of its other end, is too large for XDP',
  ENOSPC: 'it has fewer queues to receive by than its other end sends by',
  E2BIG: 'its MTU is too large for XDP',
};

// Returns whether it is attached.
function attachXdp(state: State, device: LinkInfo, word: XdpWord, undo: Undo): boolean {
  const pin = pinOf('xdp', device.index);
  try {
    state.attach('underlay_xdp', device.index, 'xdp', pin);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    const isOne = (name: string): boolean => error.errno === errno(name);
    const hint = Object.entries(CANNOT).find(([name]) => isOne(name))?.[1];
    const isTaken = TAKEN.some(isOne);
    if (!isTaken && (hint === undefined || word === 'on')) throw refused(device, error.said, hint, error);
    if (isTaken) state.note(`${device.name} has another XDP program already, which stays; tc serves there`);
    return false;
  }
  undo(() => state.detach(pin));
  return true;
}

function refused(
  { name }: LinkInfo,
  said: string,
  hint = 'xdp auto takes it where it can be had',
  cause?: KernelError,
): KernelError {
  const number = cause?.errno === undefined ? {} : { errno: cause.errno };
  return new KernelError(`attach XDP to ${name}`, { ...number, said, hint, cause });
}
