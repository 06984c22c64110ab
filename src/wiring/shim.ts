// SPDX-License-Identifier: MIT
import { zero } from '../datapath/codec';
import { control } from '../datapath/control';
import { setFeatures } from '../netlink/ethtool';
import { createVeth, deleteLink, getLink, type LinkInfo, setLink } from '../netlink/link';
import type { RouteSocket } from '../netlink/socket';
import { hasSysctl, readSysctl, writeSysctl } from '../sysctl';
import type { Undo } from '../undo';
import { pinOf, readPin } from './pin-names';
import type { State } from './state';

/**
 * Makes the veth pair in which the stack cuts super-packets and completes checksums (bpf/shim.h), unless it is there.
 * Forwarding is on at its far end, since route look-ups of the programs enter by it; no packet is ever forwarded from there.
 */
export function ensureShim(state: State, undo: Undo): void {
  const config = state.maps.config.get(0) ?? zero('config');
  const far = getLink(state.route, { name: SHIM_IN });
  if (far !== undefined && far.index === config.shim_in && state.isAttached(pinOf('shim', far.index))) return;
  if (far !== undefined && isShim(state, far)) deleteLink(state.route, far);
  const out = createVeth(state.route, { ...END, name: SHIM_OUT, peer: { ...END, name: SHIM_IN } });
  undo(() => deleteLink(state.route, out));
  const shimIn = { index: out.peerIndex as number, name: SHIM_IN };
  setFeatures(state.generic(), out, OFF);
  state.maps.devices.put(shimIn.index, shimIn.index); // it goes with the device: so others see whether the namespace is there (hooks.ts)
  const pin = pinOf('shim', shimIn.index);
  state.attach('shim', shimIn.index, 'ingress', pin);
  undo(() => state.detach(pin));
  keepForwarding();
  for (const end of [shimIn, out]) setLink(state.route, end, { up: true });
  undo(() => state.maps.config.put(0, { ...config, epoch: state.maps.config.get(0)?.epoch ?? 0 }));
  state.maps.config.put(0, { ...config, shim_out: out.index, shim_in: shimIn.index });
}

/** Turns forwarding on at the shim's far end, if it is not: whoever turns ip_forward off turns it off there, too. */
export function keepForwarding(): void {
  for (const path of forwardings()) if (readSysctl(path) === '0') writeSysctl(path, 1);
}

/** Whether forwarding is on at the shim's far end; also when there is no shim. */
export function isForwarding(): boolean {
  return forwardings().every((path) => readSysctl(path) !== '0');
}

/** Removes the shim, when the last link has gone; also one that a killed command left. */
export function removeShim(state: State): void {
  const config = state.maps.config.get(0);
  if (config !== undefined) state.maps.config.put(0, { ...config, shim_out: 0, shim_in: 0 });
  removeLostShim(state.route);
  for (const { pin } of state.attached()) if (readPin(pin).kind === 'shim') state.detach(pin);
}

/** Removes a shim that no state knows of any more. */
export function removeLostShim(route: RouteSocket): void {
  const far = getLink(route, { name: SHIM_IN });
  if (far !== undefined && isShim({ route }, far)) deleteLink(route, far);
}

/** Has every session look its path up anew with its next packet. */
export function renewPaths(state: State): void {
  control(state.control, { what: 'epoch' });
}

/** The names of the shim's two ends. */
export const SHIM_OUT = 'gtpshim0';
export const SHIM_IN = 'gtpshim1';

// 65535: trains of outer packets pass here as well, and nothing may be too long for it.
const END = { mtu: 65535, noarp: true, inet6AddrGenNone: true } as const;

// Without checksum offload the kernel offers no TSO either; both are named so that the reason stands here.
const OFF = {
  'tx-checksum-ip-generic': false,
  'tx-checksum-sctp': false,
  'tx-tcp-segmentation': false,
  'tx-tcp-ecn-segmentation': false,
  'tx-tcp-mangleid-segmentation': false,
  'tx-tcp6-segmentation': false,
  'tx-udp-segmentation': false,
} as const;

// Without the shim there are none, without IPv6 one.
function forwardings(): string[] {
  return ['ipv4', 'ipv6'].map((family) => `net/${family}/conf/${SHIM_IN}/forwarding`).filter(hasSysctl);
}

// A device of ours, not somebody's who likes the name.
function isShim({ route }: Pick<State, 'route'>, far: LinkInfo): boolean {
  if (far.kind !== 'veth' || far.peerIndex === undefined) return false;
  return getLink(route, { index: far.peerIndex })?.name === SHIM_OUT;
}
