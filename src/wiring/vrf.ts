// SPDX-License-Identifier: MIT
import { link_word, type Structs } from '../datapath/layout.gen';
import { errno, KernelError, tolerating, UsageError } from '../errors';
import {
  addAddress,
  deleteAddress,
  listAddresses,
  restoreAddress,
  type SavedAddress,
  saveAddresses,
} from '../netlink/address';
import { getLink, IFF_UP, type LinkInfo, listLinks, setLink } from '../netlink/link';
import { openRouteAt } from '../netlink/nsid';
import { addRoute, deleteRoute, type NewRoute, removeRoute, restoreRoute, saveRoutes } from '../netlink/route';
import { addRule, deleteRule, type KnownRule, listRules, type Rule } from '../netlink/rule';
import { openRoute, type RouteSocket } from '../netlink/socket';
import { tableName, tableNumber } from '../netlink/tables';
import { inNetns, resolveNetns } from '../netns';
import { suggest } from '../suggest';
import type { Undo } from '../undo';
import { maskPrefix, type Prefix, sameAddress } from '../values';
import type { LiveLink } from './links';
import type { Note, State } from './state';

/** What an inner end's routes are kept apart by: a VRF, or where `device` is undefined a table to which rules lead. */
export type Vrf = { readonly name: string; readonly table: number; readonly device?: number };

type Inner = { readonly index: number; readonly name: string };

/**
 * The VRF of that name in the namespace of the socket, else the routing table of that name or number. Throws
 * KernelError when there is neither, UsageError for a table that all share.
 */
export function findVrf(route: RouteSocket, name: string, note: Note): Vrf {
  const device = getLink(route, { name });
  if (device?.vrfTable !== undefined) {
    if ((device.flags & IFF_UP) === 0) note(`VRF ${name} is down, and routes nothing: ip link set ${name} up`);
    return { name: device.name, table: device.vrfTable, device: device.index };
  }
  const table = tableNumber(name);
  if (table !== undefined && !SHARED_TABLES.includes(table)) return { name: tableName(table), table };
  if (table !== undefined)
    throw new UsageError(`vrf: expected a VRF or a table of its own, got "${name}", which all share`, {
      hint: 'give another number, or a VRF: ip link show type vrf lists them',
    });
  const tried = `find VRF ${name}`;
  if (device !== undefined)
    throw new KernelError(tried, { said: 'that device is no VRF', hint: 'ip link show type vrf lists them' });
  const vrfs = listLinks(route).filter(({ vrfTable }) => vrfTable !== undefined);
  const near = suggest(
    name,
    vrfs.map((vrf) => vrf.name),
  );
  const make = `ip link add ${name} type vrf table N makes it; where the kernel has none, give the number of a routing table`;
  throw new KernelError(tried, {
    errno: errno('ENODEV'),
    said: 'no device and no routing table has that name',
    hint: near ?? make,
  });
}

/** Whether rules stand for a VRF. */
export function isByRules(vrf: Vrf | undefined): vrf is Vrf {
  return vrf !== undefined && vrf.device === undefined;
}

/** Puts an inner end that has no addresses yet into a VRF, or makes the rules that stand for one. */
export function enslave(route: RouteSocket, inner: Inner, vrf: Vrf | undefined): void {
  if (vrf?.device !== undefined) setLink(route, inner, { master: vrf.device });
  else if (vrf !== undefined) for (const rule of deviceRules(inner, vrf)) makeRule(route, rule);
}

/** Gives an inner end an address; the route to its network, and what else the address needs, stand in its VRF's table. */
export function giveAddress(route: RouteSocket, inner: Inner, prefix: Prefix, vrf: Vrf | undefined, undo: Undo): void {
  const byRules = isByRules(vrf);
  addAddress(route, inner, prefix, { noprefixroute: byRules });
  undo(() => deleteAddress(route, inner, prefix));
  if (!byRules) return;
  undo(() => tolerating(['ENOENT'], () => deleteRule(route, addressRule(prefix, vrf))));
  const lines = networkRoutes(inner, prefix, vrf);
  undo(() => {
    for (const line of lines) tolerating(['ESRCH'], () => deleteRoute(route, line));
  });
  lead(route, inner, prefix, vrf);
}

/** The VRF that an inner end is in now, or whose place rules take. `rules`: the link may have some. */
export function vrfOf(route: RouteSocket, inner: LinkInfo, rules: boolean): Vrf | undefined {
  const master = inner.master === undefined ? undefined : getLink(route, { index: inner.master });
  if (master?.vrfTable !== undefined) return { name: master.name, table: master.vrfTable, device: master.index };
  return rules ? ruledVrf(route, inner) : undefined;
}

/** The same for an inner end in whatever namespace, by name. */
export function vrfName(state: State, { device, link }: LiveLink, inner: LinkInfo): string | null {
  const { netnsid } = device;
  if (inner.master !== undefined) {
    const master = getLink(state.route, { index: inner.master }, { netnsid });
    if (master?.vrfTable !== undefined) return master.name;
  }
  if (!link.rules) return null;
  if (netnsid === undefined) return ruledVrf(state.route, inner)?.name ?? null;
  const route = tryRouteAt(state, netnsid);
  if (route === undefined) return null;
  try {
    return ruledVrf(route, inner)?.name ?? null;
  } finally {
    route.close();
  }
}

/** To be called when the device of a link with rules has gone: removes them where its inner end is now. */
export function sweeperOf(state: State, { netnsid }: LinkInfo): () => void {
  const route = netnsid === undefined ? state.route : tryRouteAt(state, netnsid);
  return () => {
    if (route === undefined) return;
    dropLostRules(route);
    if (route !== state.route) route.close();
  };
}

// A namespace may be out of reach: without name and process, or for want of a capability.
function tryRouteAt(state: State, netnsid: number): RouteSocket | undefined {
  try {
    return openRouteAt(state.route, netnsid);
  } catch (error) {
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}

/** Takes an inner end with its addresses and routes out of one VRF and into another; the kernel takes it down for that moment. */
export function moveToVrf(
  route: RouteSocket,
  inner: LinkInfo,
  from: Vrf | undefined,
  to: Vrf | undefined,
  undo: Undo,
): void {
  if (from?.device === to?.device && from?.table === to?.table) return;
  const addresses = saveAddresses(route, inner);
  const routes = saveRoutes(route, inner, from?.table);
  const move = (was: Vrf | undefined, next: Vrf | undefined): void => {
    for (const line of routes) tolerating(['ESRCH'], () => removeRoute(route, line, was?.table));
    leave(route, inner, addresses, was);
    if (was?.device !== undefined && next?.device === undefined) setLink(route, inner, { master: 0 });
    enslave(route, inner, next);
    for (const saved of addresses) putBack(route, inner, saved, from, next);
    for (const line of routes) tolerating(['EEXIST'], () => restoreRoute(route, line, next?.table));
  };
  undo(() => move(to, from));
  move(from, to);
}

/**
 * Removes the rules of links that have gone: their devices are no more, so they fit nothing. `home`: the namespace that the links were in;
 * undefined if it has gone, and with it rules for inner ends that had stayed there.
 */
export function sweepRules(home: RouteSocket | undefined, gone: readonly Structs['link_words'][]): void {
  const places = new Set(gone.filter(({ words }) => words & link_word.rules).map(({ netns }) => netns));
  for (const netns of places) {
    const route = netns === '' ? home : openNamed(netns);
    if (route === undefined) continue;
    try {
      dropLostRules(route);
    } finally {
      if (route !== home) route.close();
    }
  }
}

// unspec, default, main, local
const SHARED_TABLES: readonly number[] = [0, 253, 254, 255];
const FAMILIES = [4, 6] as const;

function ruledVrf(route: RouteSocket, { name }: Inner): Vrf | undefined {
  const table = listRules(route).find(({ iif }) => iif === name)?.table;
  return table === undefined ? undefined : { name: tableName(table), table };
}

function deviceRules({ name }: Inner, { table }: Vrf): Rule[] {
  return FAMILIES.flatMap((family) => [
    { family, table, iif: name },
    { family, table, oif: name },
  ]);
}

// What answers from an address is routed as what comes to it.
function addressRule({ address }: Prefix, { table }: Vrf): Rule {
  return { family: address.family, table, from: address };
}

function networkRoutes(inner: Inner, prefix: Prefix, { table }: Vrf): NewRoute[] {
  const { address, length } = prefix;
  if (length === address.bytes.length * 8) return [];
  const shared = { oif: inner, table, protocol: 'kernel', scope: 'link' } as const;
  return [{ ...shared, dst: maskPrefix(prefix), family: address.family, prefsrc: address }];
}

function lead(route: RouteSocket, inner: Inner, prefix: Prefix, vrf: Vrf): void {
  for (const line of networkRoutes(inner, prefix, vrf)) tolerating(['EEXIST'], () => addRoute(route, line));
  makeRule(route, addressRule(prefix, vrf));
}

// Two ends may have one address and one table. A kernel without IPv6 has no rules for it.
function makeRule(route: RouteSocket, rule: Rule): void {
  tolerating(rule.family === 6 ? ['EEXIST', 'EAFNOSUPPORT', 'EOPNOTSUPP'] : ['EEXIST'], () => addRule(route, rule));
}

function leave(route: RouteSocket, inner: Inner, addresses: readonly SavedAddress[], was: Vrf | undefined): void {
  if (isByRules(was)) {
    const rules = [...deviceRules(inner, was), ...addresses.map(({ prefix }) => addressRule(prefix, was))];
    for (const rule of rules) tolerating(['ENOENT', 'EAFNOSUPPORT', 'EOPNOTSUPP'], () => deleteRule(route, rule));
    const lines = addresses.flatMap(({ prefix }) => networkRoutes(inner, prefix, was));
    for (const line of lines) tolerating(['ESRCH'], () => deleteRoute(route, line));
  }
  dropAddresses(route, inner, addresses);
}

// One goes by itself when the first of its network does; what the kernel makes by itself stays.
function dropAddresses(route: RouteSocket, inner: Inner, addresses: readonly SavedAddress[]): void {
  for (const { prefix, isLinkLocal } of addresses)
    if (!isLinkLocal) tolerating(['EADDRNOTAVAIL'], () => deleteAddress(route, inner, prefix));
}

function putBack(
  route: RouteSocket,
  inner: Inner,
  saved: SavedAddress,
  from: Vrf | undefined,
  to: Vrf | undefined,
): void {
  const byRules = isByRules(to) && !saved.isLinkLocal;
  const noprefixroute = byRules || (saved.noprefixroute && !isByRules(from));
  tolerating(['EEXIST'], () => restoreAddress(route, inner, saved, { noprefixroute }));
  if (byRules) lead(route, inner, saved.prefix, to);
}

// A rule for an address goes with the last of our devices that has it.
function dropLostRules(route: RouteSocket): void {
  const rules = listRules(route);
  const isHeld = ({ from, table }: KnownRule): boolean => {
    const names = rules.filter((rule) => rule.table === table && !rule.detached).flatMap(({ iif }) => iif ?? []);
    return names.some((name) => hasAddress(route, name, from));
  };
  for (const rule of rules) {
    if (rule.from === undefined ? rule.detached : !isHeld(rule)) tolerating(['ENOENT'], () => deleteRule(route, rule));
  }
}

function hasAddress(route: RouteSocket, name: string, address: Rule['from']): boolean {
  const index = getLink(route, { name })?.index;
  if (index === undefined || address === undefined) return false;
  return listAddresses(route, { index }).some(({ prefix }) => sameAddress(prefix.address, address));
}

// Rules end with their namespace.
function openNamed(netns: string): RouteSocket | undefined {
  return tolerating(['ENOENT', 'EINVAL'], () => inNetns(resolveNetns(netns).path, openRoute));
}
