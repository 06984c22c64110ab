// SPDX-License-Identifier: MIT
import type { Attachment, Side } from '../datapath/object';
import { KernelError } from '../errors';
import { listAddresses } from '../netlink/address';
import { getLink, LOOPBACK, listLinks } from '../netlink/link';
import { suggest } from '../suggest';
import type { Link } from '../tunnels/link';
import type { Undo } from '../undo';
import { type Address, address as addressKind, sameAddress } from '../values';
import { arrangeOffloads, giveBack, noteUnderlay } from './offloads';
import { pinOf, readPin } from './pin-names';
import type { State } from './state';
import { arrangeXdp, settleXdp, type XdpWord, xdpWordOf } from './xdp';

/** The device that holds an address: lo for 127.0.0.0/8 and ::1; undefined if none does. */
export function holderOf(state: State, address: Address): number | undefined {
  if (isLoopback(address)) return LOOPBACK;
  return listAddresses(state.route).find(({ prefix }) => sameAddress(prefix.address, address))?.index;
}

/** The devices by name, or when none is named the one that holds `local`; lo always, for peers on this machine. */
export function underlaysOf(state: State, names: readonly string[] | undefined, local: Address): number[] {
  const named = names?.map((name) => findUnderlay(state, name)) ?? [];
  if (named.length > 0) return [...new Set([...named, LOOPBACK])];
  const holder = holderOf(state, local);
  if (holder === undefined) {
    throw new KernelError(`find the device that holds ${addressKind.format(local)}`, {
      said: 'no device of this network namespace has that address',
      hint: 'add the address to a device, or name the device to listen on with dev',
    });
  }
  return [...new Set([holder, LOOPBACK])];
}

/** Attaches the receiving programs to an underlay, unless they are, and sees to its offloads. */
export function listenOn(
  state: State,
  index: number,
  link: Pick<Link, 'gso' | 'xdp' | 'type' | 'frames'>,
  undo: Undo,
): void {
  const device = getLink(state.route, { index });
  if (device === undefined) throw new KernelError(`find underlay #${index}`, { said: 'No such device' });
  hook(
    state,
    device.address.length === 0 ? 'underlay_l3' : 'underlay',
    index,
    'ingress',
    pinOf('underlay', index),
    undo,
  );
  noteUnderlay(state, device, undo);
  if (link.gso !== 'keep') arrangeOffloads(state, device, undo);
  arrangeXdp(state, device, xdpWordOf(link), undo);
}

/**
 * Takes the hooks off every underlay that `needed` does not name, and gives its offloads back; XDP also where its word there does not
 * ask for it.
 */
export function stopListening(
  state: State,
  needed: ReadonlyMap<number, XdpWord>,
  neededOut: ReadonlySet<number>,
  undo: Undo,
): void {
  settleXdp(state, needed, undo);
  // Offloads first: a hook that is half gone looks like one whose device has gone, and those are not given anything back.
  for (const [index] of state.maps.underlays.entries()) if (!needed.has(index)) giveBack(state, index, undo);
  for (const hook of state.attached()) {
    const { kind, index } = readPin(hook.pin);
    if (kind !== 'underlay' && kind !== 'local') continue;
    const isNeeded = (kind === 'underlay' ? needed : neededOut).has(index);
    if (!isNeeded || hook.ifindex === 0) detachHook(state, hook, undo);
  }
}

/** Forgets hooks whose device has gone and what was changed on it: another device may get its index. */
export function sweepHooks(state: State): void {
  for (const { pin, ifindex } of state.attached()) {
    if (ifindex !== 0) continue;
    const { kind, index } = readPin(pin);
    if (kind === 'underlay') state.maps.underlays.delete(index);
    state.detach(pin);
  }
}

/** Attaches the program that turns packets to this machine's own IPv4 address on `index` into lo. */
export function loopOut(state: State, index: number, undo: Undo): void {
  if (index !== LOOPBACK) hook(state, 'local_out', index, 'egress', pinOf('local', index), undo);
}

function isLoopback(address: Address): boolean {
  if (address.family === 4) return address.bytes[0] === 127;
  return address.bytes.every((octet, at) => octet === (at === 15 ? 1 : 0));
}

function findUnderlay(state: State, name: string): number {
  const device = getLink(state.route, { name });
  if (device !== undefined) return device.index;
  const names = listLinks(state.route).map((each) => each.name);
  const hint = suggest(name, names) ?? 'ip link shows the devices';
  throw new KernelError(`find underlay ${name}`, { said: 'No such device', hint });
}

function hook(state: State, program: string, index: number, side: Side, pin: string, undo: Undo): void {
  if (state.isAttached(pin)) return;
  state.attach(program, index, side, pin);
  undo(() => state.detach(pin));
}

function detachHook(state: State, { pin, program, ifindex, side }: Attachment, undo: Undo): void {
  if (ifindex !== 0 && program !== undefined) undo(() => hook(state, program, ifindex, side, pin, () => undefined));
  state.detach(pin);
}
