// SPDX-License-Identifier: MIT
import { offload, type Structs } from '../datapath/layout.gen';
import { isErrno } from '../errors';
import { getFeatures, setFeatures } from '../netlink/ethtool';
import { getLink, IFF_LOOPBACK, type LinkInfo } from '../netlink/link';
import { locateNetns } from '../netlink/nsid';
import { type GenericSocket, openGeneric } from '../netlink/socket';
import { inNetns } from '../netns';
import type { Undo } from '../undo';
import type { State } from './state';

/** What is turned off on an underlay, by the kernel's names; on the other end of a veth pair as `name of its other end`. */
export function offloadsOff(state: State, index: number): string[] {
  const off = state.maps.underlays.get(index)?.off ?? 0;
  const own = OFFLOADS.filter(([, bit]) => off & bit).map(([name]) => name);
  return off & offload.peer_csum ? [...own, `${CHECKSUM} of its other end`] : own;
}

/** Remembers an underlay, with nothing turned off yet, and the MAC address that it has now. */
export function noteUnderlay(state: State, device: LinkInfo, undo: Undo): void {
  const was = state.maps.underlays.get(device.index);
  const mac = device.address.length === MAC_LENGTH ? device.address : new Uint8Array(MAC_LENGTH);
  const is_veth = device.kind === 'veth' ? 1 : 0;
  if (was !== undefined && Buffer.compare(was.mac, mac) === 0 && was.is_veth === is_veth) return;
  note(state, device.index, { off: was?.off ?? 0, mac, is_veth }, undo);
}

/**
 * A virtual device would hand uncut super-packets with the length of one segment, and unfilled checksums, to a peer that reads them as
 * they are. So the cut and the sums happen here. Real NICs do both in hardware or in the stack.
 */
export function arrangeOffloads(state: State, device: LinkInfo, undo: Undo): void {
  if (device.parentDev !== undefined || device.flags & IFF_LOOPBACK) return;
  const features = getFeatures(state.generic(), device);
  const active = OFFLOADS.filter(([name]) => features.get(name)?.active && features.get(name)?.changeable);
  if (active.length === 0) return;
  addBits(
    state,
    device.index,
    active.reduce((bits, [, bit]) => bits | bit, 0),
    undo,
  );
  undo(() => switchOwn(state, device.index, active, true));
  switchOwn(state, device.index, active, false);
  const names = active.map(([name]) => name).join(', ');
  state.note(`turned off on ${device.name}: ${names}; given back with the last link on it`);
}

/**
 * Has the other end of a veth pair fill in the checksums of what it sends: the driver hands frames to XDP as they are, and nobody fills
 * them in behind it.
 */
export function arrangePeerChecksum(state: State, device: LinkInfo, undo: Undo): void {
  const peer = peerOf(state, device);
  if (peer === undefined) {
    state.note(
      `${device.name}: its other end is in a network namespace that has neither a name nor a process here; what it sends with open checksums goes by tc`,
    );
    return;
  }
  const feature = peer.use((generic) => getFeatures(generic, peer.device).get(CHECKSUM));
  if (!feature?.active || !feature.changeable) return;
  addBits(state, device.index, offload.peer_csum, undo);
  undo(() => switchPeer(state, device, true));
  switchPeer(state, device, false);
  state.note(`turned off on ${peer.device.name}, the other end of ${device.name}: ${CHECKSUM}; given back with XDP`);
}

/** Gives an underlay back what is turned off on it, and forgets it. */
export function giveBack(state: State, index: number, undo: Undo): void {
  const was = state.maps.underlays.get(index);
  if (was === undefined) return;
  givePeerBack(state, index, undo);
  const off = OFFLOADS.filter(([, bit]) => was.off & bit);
  undo(() => {
    state.maps.underlays.put(index, was);
    switchOwn(state, index, off, false);
  });
  switchOwn(state, index, off, true);
  state.maps.underlays.delete(index);
}

/** Gives the other end of a veth pair back what arrangePeerChecksum has turned off. */
export function givePeerBack(state: State, index: number, undo: Undo): void {
  const was = state.maps.underlays.get(index);
  if (was === undefined || !(was.off & offload.peer_csum)) return;
  const device = getLink(state.route, { index });
  if (device !== undefined) {
    undo(() => switchPeer(state, device, false));
    switchPeer(state, device, true);
  }
  note(state, index, { ...was, off: was.off & ~offload.peer_csum }, undo);
}

const CHECKSUM = 'tx-checksum-ip-generic';
const OFFLOADS = [
  ['tx-udp_tnl-segmentation', offload.tnl],
  ['tx-udp_tnl-csum-segmentation', offload.tnl_csum],
  [CHECKSUM, offload.csum],
] as const;
const MAC_LENGTH = 6;

function note(state: State, index: number, underlay: Structs['underlay'], undo: Undo): void {
  const was = state.maps.underlays.get(index);
  undo(() => (was === undefined ? void state.maps.underlays.delete(index) : state.maps.underlays.put(index, was)));
  state.maps.underlays.put(index, underlay);
}

// Before anything is switched, so that a command that is killed leaves nothing off that nobody knows of.
function addBits(state: State, index: number, bits: number, undo: Undo): void {
  const was = state.maps.underlays.get(index) ?? { off: 0, mac: new Uint8Array(MAC_LENGTH), is_veth: 0 };
  note(state, index, { ...was, off: was.off | bits }, undo);
}

// Nothing to do on a device that has gone, perhaps at this moment.
function switchOwn(state: State, index: number, which: readonly (typeof OFFLOADS)[number][], on: boolean): void {
  const device = getLink(state.route, { index });
  if (device === undefined || which.length === 0) return;
  const wanted = Object.fromEntries(which.map(([name]) => [name, on]));
  unlessGone(() => void setFeatures(state.generic(), device, wanted));
}

function switchPeer(state: State, device: LinkInfo, on: boolean): void {
  const peer = peerOf(state, device);
  if (peer === undefined) return;
  unlessGone(() => void peer.use((generic) => setFeatures(generic, peer.device, { [CHECKSUM]: on })));
}

function unlessGone(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!isErrno(error, 'ENODEV')) throw error;
  }
}

/** The other end of a veth pair. */
export type Peer = { readonly device: LinkInfo; use<T>(act: (generic: GenericSocket) => T): T };

/** The other end of a veth pair and a way to ask ethtool there; undefined where nothing leads to its namespace. */
export function peerOf(state: State, { peerIndex = 0, netnsid }: LinkInfo): Peer | undefined {
  const device = getLink(state.route, { index: peerIndex }, { netnsid });
  if (device === undefined) return undefined;
  if (netnsid === undefined) return { device, use: (act) => act(state.generic()) };
  const netns = locateNetns(state.route, netnsid);
  if (netns === undefined) return undefined;
  return {
    device,
    use: (act) => {
      const generic = inNetns(netns.path, openGeneric);
      try {
        return act(generic);
      } finally {
        generic.close();
      }
    },
  };
}
