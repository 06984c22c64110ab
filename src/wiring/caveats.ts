// SPDX-License-Identifier: MIT
// Settings of the machine that keep packets from a link. They are the user's: told in notes, never changed.
import { closeSync } from 'node:fs';
import { tolerating } from '../errors';
import { policyChains } from '../netlink/firewall';
import { locateNetns, netnsidOf } from '../netlink/nsid';
import { routeTo } from '../netlink/route';
import { openRoute } from '../netlink/socket';
import { inNetns, openNetns, resolveNetns } from '../netns';
import { readSysctl } from '../sysctl';
import { type Prefix, prefix as prefixKind } from '../values';
import type { LiveLink } from './links';
import { readPeer } from './pair';
import { isForwarding, SHIM_IN } from './shim';
import type { State } from './state';

/** Tells when nothing finds its way: route look-ups enter by the shim, and whoever turns ip_forward off turns it off there as well. */
export function tellForwarding(state: State): void {
  if (isForwarding()) return;
  state.note(
    `forwarding is off at ${SHIM_IN}, so packets find no route (ip_forward was turned off?): the next command that changes something turns it on there`,
  );
}

/**
 * Tells when rp_filter of the inner end drops what a session brings from its `ue`: the way back has to lead through the inner
 * end (strict), or anywhere at all (loose). IPv4 alone has it.
 */
export function tellReversePath(state: State, live: LiveLink, ue: readonly Prefix[]): void {
  const first = ue.find(({ address }) => address.family === 4);
  if (live.link.role !== 'ggsn' || live.link.frames || first === undefined) return;
  const inner = readPeer(state, live.device);
  // In a VRF or a bridge, that one's routes count.
  if (inner === undefined || inner.master !== undefined) return;
  inInner(state, live, () => {
    const filter = Math.max(
      ...['all', inner.name].map((name) => Number(readSysctl(`net/ipv4/conf/${name}/rp_filter`))),
    );
    if (filter === 0) return;
    const oif = wayBack(first);
    if (filter === STRICT ? oif === inner.index : oif !== undefined) return;
    const way = oif === undefined ? 'there is no route back' : 'the route back leads elsewhere';
    state.note(
      `rp_filter is ${filter} at ${inner.name}, which drops what comes from ${prefixKind.format(first)}: ${way} (route PREFIX of the link makes one; a route in a table of rules does not count)`,
    );
  });
}

/** Tells which chains of nftables drop what nobody lets in, where no rule of theirs names the inner end. */
export function tellFirewall(state: State, live: LiveLink): void {
  const inner = readPeer(state, live.device);
  if (inner === undefined) return;
  inInner(state, live, () => {
    const chains = policyChains(inner.name);
    if (chains.length === 0) return;
    const forwards = readSysctl('net/ipv4/ip_forward') !== '0';
    const told = chains.filter(({ hook }) => hook !== 'forward' || forwards);
    const names = told.map(({ hook, table, chain }) => `${hook} (chain ${chain} of ${table})`).join(', ');
    if (told.length > 0) state.note(`nftables drops by default, and no rule there names ${inner.name}: ${names}`);
  });
}

const STRICT = 1;

// Where the inner end is now. Who may not look there gets no notes of it, and no command fails for want of one.
function inInner(state: State, { device, link }: LiveLink, look: () => void): void {
  tolerating(UNSEEN, () => {
    const path = device.netnsid === undefined ? undefined : pathOf(state, device.netnsid, link.netns);
    if (path !== undefined) inNetns(path, look);
    else if (device.netnsid === undefined) look();
  });
}

const UNSEEN = ['EPERM', 'EACCES', 'ENOENT', 'ENODEV', 'EINVAL'];

// By the name that the link was made with, if that still leads there; to look through all of them takes a while.
function pathOf(state: State, netnsid: number, name: string): string | undefined {
  const path = name === '' ? undefined : resolveNetns(name).path;
  if (path === undefined) return locateNetns(state.route, netnsid)?.path;
  const fd = openNetns(path);
  try {
    return netnsidOf(state.route, fd) === netnsid ? path : locateNetns(state.route, netnsid)?.path;
  } finally {
    closeSync(fd);
  }
}

function wayBack({ address }: Prefix): number | undefined {
  const route = openRoute();
  try {
    return tolerating(NO_ROUTE, () => routeTo(route, address).oif);
  } finally {
    route.close();
  }
}

const NO_ROUTE = ['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL'];
