// SPDX-License-Identifier: MIT
import { errno, KernelError, UsageError } from '../errors';
import { setFeatures } from '../netlink/ethtool';
import { getLink, IFF_LOOPBACK, type LinkInfo, LOOPBACK } from '../netlink/link';
import type { Undo } from '../undo';
import { arrangePeerChecksum, givePeerBack, peerOf } from './offloads';
import type { State } from './state';

/** What links want of native XDP on an underlay. */
export type XdpWord = 'auto' | 'on' | 'off';

/** The pin of an underlay's XDP hook. */
export function xdpPin(index: number): string {
  return `xdp-${index}`;
}

/**
 * Attaches the XDP program to an underlay that has the tc one, unless it is: `auto` where a real NIC's driver takes it, `on` wherever a
 * driver does, with what a veth pair needs. A program of somebody else stays, and tc serves. Throws KernelError where `on` cannot be.
 */
export function arrangeXdp(state: State, device: LinkInfo, word: XdpWord, undo: Undo): void {
  if (!isWanted(device, word) || device.flags & IFF_LOOPBACK || state.isAttached(xdpPin(device.index))) return;
  if (word === 'on' && device.address.length === 0)
    throw refused(device, 'it has no Ethernet header, which XDP programs of gtp need');
  state.detach(xdpPin(device.index)); // of an earlier device with this index
  try {
    state.attach('underlay_xdp', device.index, 'xdp', xdpPin(device.index));
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    if (TAKEN.some((name) => error.errno === errno(name))) {
      state.note(`${device.name} has an XDP program of somebody else, which stays; tc serves there`);
      return;
    }
    if (word === 'auto') return;
    throw refused(device, error.said, error);
  }
  undo(() => state.detach(xdpPin(device.index)));
  if (device.kind === 'veth') arrangePeerChecksum(state, device, undo);
}

/** Throws UsageError where `xdp on` is said of lo alone: its driver has none. */
export function refuseNoXdp(devices: readonly number[], word: XdpWord | undefined): void {
  if (word !== 'on' || devices.some((index) => index !== LOOPBACK)) return;
  throw new UsageError('"xdp on": lo has no native XDP', { hint: 'leave it out: packets of this machine go by tc' });
}

/** Has the inner end of a link take what XDP hands over: a veth does so only where it polls, as for GRO. */
export function takeFromXdp(state: State, device: LinkInfo): void {
  const inner = peerOf(state, device);
  inner?.use((generic) => setFeatures(generic, inner.device, { 'rx-gro': true }));
}

/** Takes XDP off every underlay where no link wants it any more. `words` has the word of each underlay that links listen on. */
export function settleXdp(state: State, words: ReadonlyMap<number, XdpWord>, undo: Undo): void {
  for (const { pin, ifindex } of state.attached()) {
    const index = Number(/^xdp-(\d+)$/.exec(pin)?.[1] ?? 0);
    if (index === 0) continue;
    const device = ifindex === 0 ? undefined : getLink(state.route, { index });
    if (device !== undefined && isWanted(device, words.get(index) ?? 'off')) continue;
    if (device !== undefined) undo(() => state.attach('underlay_xdp', index, 'xdp', pin));
    state.detach(pin);
    givePeerBack(state, index, undo);
  }
}

/** The stronger of two words about one underlay. */
export function strongerXdp(a: XdpWord, b: XdpWord): XdpWord {
  if (a === 'on' || b === 'on') return 'on';
  return a === 'auto' || b === 'auto' ? 'auto' : 'off';
}

// What the kernel says of a native program that is there, and of a generic one.
const TAKEN = ['EBUSY', 'EEXIST'] as const;

// A veth or a tap has made an skb already, or would lose what it leaves to be done.
function isWanted(device: LinkInfo, word: XdpWord): boolean {
  return word === 'on' || (word === 'auto' && device.parentDev !== undefined);
}

function refused({ name }: LinkInfo, said: string, cause?: KernelError): KernelError {
  return new KernelError(`attach XDP to ${name}`, {
    ...(cause?.errno === undefined ? {} : { errno: cause.errno }),
    said,
    hint: `its driver may not have native XDP, or not with this MTU; xdp auto takes it where it can be had`,
    cause,
  });
}
