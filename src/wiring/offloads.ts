// SPDX-License-Identifier: MIT
import { existsSync } from 'node:fs';
import { lock, programsPath, stateDir } from '../datapath/bpffs';
import { offload, type Structs } from '../datapath/layout.gen';
import { type OpenMaps, openMaps } from '../datapath/maps';
import { KernelError, tolerating } from '../errors';
import { getFeatures, setFeatures } from '../netlink/ethtool';
import { getLink, IFF_LOOPBACK, type LinkInfo } from '../netlink/link';
import { locateNetns } from '../netlink/nsid';
import { type GenericSocket, openGeneric } from '../netlink/socket';
import { inNetns, netnsCookie } from '../netns';
import type { Undo } from '../undo';
import type { State } from './state';

/** The other end of a veth pair, and a way to run something in its namespace. */
export type Peer = {
  readonly device: LinkInfo;
  readonly isHere: boolean;
  within<T>(act: (generic: GenericSocket) => T extends PromiseLike<unknown> ? never : T): T;
};

/** The other end of a veth pair; undefined for other devices, and where nothing leads to its namespace. */
export function peerOf(state: State, { kind, peerIndex = 0, netnsid }: LinkInfo): Peer | undefined {
  const device = kind === 'veth' ? getLink(state.route, { index: peerIndex }, { netnsid }) : undefined;
  if (device === undefined) return undefined;
  if (netnsid === undefined) return { device, isHere: true, within: (act) => act(state.generic()) };
  const netns = locateNetns(state.route, netnsid);
  if (netns === undefined) return undefined;
  return { device, isHere: false, within: (act) => inNetns(netns.path, () => withGeneric(act)) };
}

/** What is turned off on an underlay, by the kernel's names; of the other end of a veth pair that is said. */
export function offloadsOff(state: State, index: number): string[] {
  const off = state.maps.underlays.get(index)?.off ?? 0;
  const named = (knobs: readonly Knob[]): string[] => knobs.filter(({ bit }) => off & bit).map(({ name }) => name);
  return [...named([...CUT, ...OWN_XDP]), ...named(PEER_XDP).map((name) => `${name} of its other end`)];
}

/** Remembers an underlay, and the MAC address that it has now. */
export function noteUnderlay(state: State, device: LinkInfo, undo: Undo): void {
  const was = state.maps.underlays.get(device.index);
  const mac = device.address.length === MAC_LENGTH ? device.address : new Uint8Array(MAC_LENGTH);
  const is_virtual = device.parentDev === undefined ? 1 : 0;
  if (was !== undefined && Buffer.compare(was.mac, mac) === 0 && was.is_virtual === is_virtual) return;
  put(state, device.index, { off: was?.off ?? 0, mac, is_virtual }, undo);
}

/**
 * A virtual device would hand uncut super-packets with the length of one segment, and unfilled checksums, to a peer that reads them as
 * they are. So the cut and the sums happen here. Real NICs do both in hardware or in the stack.
 */
export function arrangeOffloads(state: State, device: LinkInfo, undo: Undo): void {
  if (device.parentDev !== undefined || device.flags & IFF_LOOPBACK) return;
  turnOff(state, device.index, ownEnd(state, device), CUT, undo);
}

/**
 * Has frames reach XDP with all that belongs to them: VLAN tags in the octets, where a driver would put them beside; over a veth pair the other
 * end does that, and fills in checksums. Returns why that cannot be, or undefined.
 */
export function arrangeXdpOffloads(state: State, device: LinkInfo, undo: Undo): string | undefined {
  if (device.kind !== 'veth') return turnOff(state, device.index, ownEnd(state, device), OWN_XDP, undo);
  const peer = peerOf(state, device);
  if (peer === undefined)
    return 'its other end, which has to fill in checksums and VLAN tags, is in a network namespace that has neither a name nor a process here';
  return turnOff(state, device.index, peerEnd(device, peer), PEER_XDP, undo);
}

/** Gives an underlay back what is turned off on it, and forgets it. */
export function giveBack(state: State, index: number, undo: Undo): void {
  if (state.maps.underlays.get(index) === undefined) return;
  giveXdpBack(state, index, undo);
  const device = getLink(state.route, { index });
  if (device !== undefined) turnOn(state, index, ownEnd(state, device), CUT, undo);
  const was = state.maps.underlays.get(index);
  if (was === undefined) return;
  undo(() => state.maps.underlays.put(index, was));
  state.maps.underlays.delete(index);
}

/** Gives back what arrangeXdpOffloads has turned off. */
export function giveXdpBack(state: State, index: number, undo: Undo): void {
  const off = state.maps.underlays.get(index)?.off ?? 0;
  if (!(off & bitsOf(FOR_XDP))) return;
  const device = getLink(state.route, { index });
  if (device === undefined) return;
  turnOn(state, index, ownEnd(state, device), OWN_XDP, undo);
  const peer = peerOf(state, device);
  if (peer === undefined) {
    const names = PEER_XDP.filter(({ bit }) => off & bit).map(({ name }) => name);
    if (names.length > 0)
      state.note(`${device.name}: its other end cannot be reached, and keeps ${names.join(', ')} off`);
    return;
  }
  // An underlay over there, whose own commands would have turned it off by now, had it not been off already.
  const left = passOn(state, peer) ? PEER_XDP.filter(({ bit }) => bit !== offload.peer_csum) : PEER_XDP;
  turnOn(state, index, peerEnd(device, peer), left, undo);
}

/** Whether something is turned off for the sake of XDP. */
export function isOffForXdp(off: number): boolean {
  return (off & bitsOf(FOR_XDP)) !== 0;
}

type Knob = { readonly name: string; readonly bit: number };
type End = Pick<Peer, 'device' | 'within'> & { readonly called: string };

const CHECKSUM = 'tx-checksum-ip-generic';
const CUT: readonly Knob[] = [
  { name: 'tx-udp_tnl-segmentation', bit: offload.tnl },
  { name: 'tx-udp_tnl-csum-segmentation', bit: offload.tnl_csum },
  { name: CHECKSUM, bit: offload.csum },
];
const OWN_XDP: readonly Knob[] = [
  { name: 'rx-vlan-hw-parse', bit: offload.vlan },
  { name: 'rx-vlan-stag-hw-parse', bit: offload.stag },
];
const PEER_XDP: readonly Knob[] = [
  { name: CHECKSUM, bit: offload.peer_csum },
  { name: 'tx-vlan-hw-insert', bit: offload.peer_vlan },
  { name: 'tx-vlan-stag-hw-insert', bit: offload.peer_stag },
];
const FOR_XDP = [...OWN_XDP, ...PEER_XDP];
const MAC_LENGTH = 6;
// Two commands may wait for each other.
const PATIENCE_MS = 1000;

function bitsOf(knobs: readonly Knob[]): number {
  return knobs.reduce((bits, { bit }) => bits | bit, 0);
}

function ownEnd(state: State, device: LinkInfo): End {
  return { device, within: (act) => act(state.generic()), called: device.name };
}

function peerEnd({ name }: LinkInfo, { device, within }: Peer): End {
  return { device, within, called: `${device.name}, the other end of ${name}` };
}

function withGeneric<T>(act: (generic: GenericSocket) => T): T {
  const generic = openGeneric();
  try {
    return act(generic);
  } finally {
    generic.close();
  }
}

// Returns what cannot be turned off, as a reason. Remembered before it is switched, so that a command that is killed leaves nothing off that
// nobody knows of.
function turnOff(state: State, index: number, end: End, knobs: readonly Knob[], undo: Undo): string | undefined {
  const features = end.within((generic) => getFeatures(generic, end.device));
  const active = knobs.filter(({ name }) => features.get(name)?.active);
  const which = active.filter(({ name }) => features.get(name)?.changeable);
  if (which.length > 0) {
    const was = state.maps.underlays.get(index);
    if (was !== undefined) put(state, index, { ...was, off: was.off | bitsOf(which) }, undo);
    undo(() => switchAll(end, which, true));
    switchAll(end, which, false);
    const names = which.map(({ name }) => name).join(', ');
    state.note(`turned off on ${end.called}: ${names}; given back with the last link on it`);
  }
  const fixed = active.filter((knob) => !which.includes(knob)).map(({ name }) => name);
  return fixed.length === 0 ? undefined : `${end.called} does not let ${fixed.join(', ')} be turned off`;
}

function turnOn(state: State, index: number, end: End, knobs: readonly Knob[], undo: Undo): void {
  const was = state.maps.underlays.get(index);
  const which = knobs.filter(({ bit }) => was !== undefined && was.off & bit);
  if (was === undefined || which.length === 0) return;
  undo(() => switchAll(end, which, false));
  switchAll(end, which, true);
  put(state, index, { ...was, off: was.off & ~bitsOf(which) }, undo);
}

function put(state: State, index: number, underlay: Structs['underlay'], undo: Undo): void {
  const was = state.maps.underlays.get(index);
  undo(() => (was === undefined ? void state.maps.underlays.delete(index) : state.maps.underlays.put(index, was)));
  state.maps.underlays.put(index, underlay);
}

// Nothing to do on a device that has gone, perhaps at this moment.
function switchAll({ device, within }: End, which: readonly Knob[], on: boolean): void {
  const wanted = Object.fromEntries(which.map(({ name }) => [name, on]));
  tolerating(['ENODEV'], () => within((generic) => void setFeatures(generic, device, wanted)));
}

// Leaves it to the links over there to turn the checksum on again, if they would have turned it off.
function passOn(state: State, { device, isHere, within }: Peer): boolean {
  if (isHere) return takeOver(state.maps, device.index);
  return within(() => {
    const dir = stateDir(netnsCookie());
    if (!existsSync(programsPath(dir))) return false;
    try {
      return withMapsOf(dir, (maps) => takeOver(maps, device.index));
    } catch (error) {
      // Of another version perhaps, or a command is at work there: it has the checksum on, then, and may turn it off.
      if (error instanceof KernelError) return false;
      throw error;
    }
  });
}

function withMapsOf<T>(dir: string, act: (maps: OpenMaps) => T): T {
  const held = lock(dir, PATIENCE_MS);
  const maps = openMaps(dir);
  try {
    return act(maps);
  } finally {
    maps.close();
    held.release();
  }
}

function takeOver({ underlays }: Pick<State['maps'], 'underlays'>, index: number): boolean {
  const was = underlays.get(index);
  if (was === undefined || !(was.off & (offload.tnl | offload.tnl_csum))) return false;
  underlays.put(index, { ...was, off: was.off | offload.csum });
  return true;
}
