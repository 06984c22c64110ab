// SPDX-License-Identifier: MIT
import { offload } from '../datapath/layout.gen';
import type { Attachment, Side } from '../datapath/object';
import { isErrno, KernelError } from '../errors';
import { listAddresses } from '../netlink/address';
import { getFeatures, setFeatures } from '../netlink/ethtool';
import { getLink, IFF_LOOPBACK, type LinkInfo } from '../netlink/link';
import type { Undo } from '../undo';
import { type Address, address as addressKind, sameAddress } from '../values';
import type { State } from './state';

/** lo in every network namespace. */
export const LOOPBACK = 1;

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

/** Attaches the receiving program to an underlay, unless it is, and sees to its offloads. */
export function listenOn(state: State, index: number, keepsGso: boolean, undo: Undo): void {
  const pin = underlayPin(index);
  const device = getLink(state.route, { index });
  if (device === undefined) throw new KernelError(`find underlay #${index}`, { said: 'No such device' });
  hook(state, device.address.length === 0 ? 'underlay_l3' : 'underlay', index, 'ingress', pin, undo);
  if (state.maps.underlays.get(index) === undefined) {
    undo(() => void state.maps.underlays.delete(index));
    state.maps.underlays.put(index, { off: 0 });
  }
  if (!keepsGso) arrangeOffloads(state, device, undo);
}

/** Takes the hooks off every underlay that `needed` does not name, and gives its offloads back. */
export function stopListening(
  state: State,
  needed: ReadonlySet<number>,
  neededOut: ReadonlySet<number>,
  undo: Undo,
): void {
  // Offloads first: a hook that is half gone looks like one whose device has gone, and those are not given anything back.
  for (const [index] of state.maps.underlays.entries()) if (!needed.has(index)) giveBack(state, index, undo);
  for (const hook of state.attached()) {
    const [, kind, number] = /^(underlay|local)-(\d+)$/.exec(hook.pin) ?? [];
    if (kind === undefined) continue;
    const isNeeded = (kind === 'underlay' ? needed : neededOut).has(Number(number));
    if (!isNeeded || hook.ifindex === 0) detachHook(state, hook, undo);
  }
}

/** Forgets hooks whose device has gone and what was changed on it: another device may get its index. */
export function sweepHooks(state: State): void {
  for (const { pin, ifindex } of state.attached()) {
    if (ifindex !== 0) continue;
    const index = Number(/^underlay-(\d+)$/.exec(pin)?.[1] ?? 0);
    state.maps.underlays.delete(index);
    state.detach(pin);
  }
}

/** Attaches the program that turns packets to this machine's own IPv4 address on `index` into lo. */
export function loopOut(state: State, index: number, undo: Undo): void {
  if (index !== LOOPBACK) hook(state, 'local_out', index, 'egress', `local-${index}`, undo);
}

/** The pin of an underlay's hook. */
export function underlayPin(index: number): string {
  return `underlay-${index}`;
}

/** What is turned off on an underlay, by the kernel's names. */
export function offloadsOff(state: State, index: number): string[] {
  const off = state.maps.underlays.get(index)?.off ?? 0;
  return OFFLOADS.filter(([, bit]) => off & bit).map(([name]) => name);
}

const OFFLOADS = [
  ['tx-udp_tnl-segmentation', offload.tnl],
  ['tx-udp_tnl-csum-segmentation', offload.tnl_csum],
  ['tx-checksum-ip-generic', offload.csum],
] as const;

function isLoopback(address: Address): boolean {
  if (address.family === 4) return address.bytes[0] === 127;
  return address.bytes.every((octet, at) => octet === (at === 15 ? 1 : 0));
}

function findUnderlay(state: State, name: string): number {
  const device = getLink(state.route, { name });
  if (device !== undefined) return device.index;
  throw new KernelError(`find underlay ${name}`, { said: 'No such device', hint: 'ip link shows the devices' });
}

// A virtual device would hand uncut super-packets with the length of one segment, and unfilled checksums, to a peer that
// reads them as they are. So the cut and the sums happen here. Real NICs do both in hardware or in the stack.
function arrangeOffloads(state: State, device: LinkInfo, undo: Undo): void {
  if (device.parentDev !== undefined || device.flags & IFF_LOOPBACK) return;
  const features = getFeatures(state.generic(), device);
  const active = OFFLOADS.filter(([name]) => features.get(name)?.active && features.get(name)?.changeable);
  if (active.length === 0) return;
  const was = state.maps.underlays.get(device.index);
  const off = active.reduce((bits, [, bit]) => bits | bit, was?.off ?? 0);
  undo(() => {
    switchOffloads(state, device.index, active, true);
    if (was === undefined) state.maps.underlays.delete(device.index);
    else state.maps.underlays.put(device.index, was);
  });
  state.maps.underlays.put(device.index, { off });
  switchOffloads(state, device.index, active, false);
  const names = active.map(([name]) => name).join(', ');
  state.note(`turned off on ${device.name}: ${names}; given back with the last link on it`);
}

function giveBack(state: State, index: number, undo: Undo): void {
  const was = state.maps.underlays.get(index);
  if (was === undefined) return;
  const off = OFFLOADS.filter(([, bit]) => was.off & bit);
  undo(() => {
    state.maps.underlays.put(index, was);
    switchOffloads(state, index, off, false);
  });
  switchOffloads(state, index, off, true);
  state.maps.underlays.delete(index);
}

// Nothing to do on a device that has gone, perhaps at this moment.
function switchOffloads(state: State, index: number, which: readonly (typeof OFFLOADS)[number][], on: boolean): void {
  const device = getLink(state.route, { index });
  if (device === undefined || which.length === 0) return;
  try {
    setFeatures(state.generic(), device, Object.fromEntries(which.map(([name]) => [name, on])));
  } catch (error) {
    if (!isErrno(error, 'ENODEV')) throw error;
  }
}

function hook(state: State, program: string, index: number, side: Side, pin: string, undo: Undo): void {
  if (state.isAttached(pin)) return;
  state.detach(pin); // of an earlier device with this index
  state.attach(program, index, side, pin);
  undo(() => state.detach(pin));
}

function detachHook(state: State, { pin, program, ifindex, side }: Attachment, undo: Undo): void {
  if (ifindex !== 0 && program !== undefined) undo(() => hook(state, program, ifindex, side, pin, () => undefined));
  state.detach(pin);
}
