// SPDX-License-Identifier: MIT
import { type Address, address as addressKind, type Prefix, prefixOrDefault } from '../values';
import { FAMILIES } from './address';
import {
  type Attributes,
  bytes,
  decodeAttributes,
  encodeAttributes,
  nest,
  struct,
  u32,
  withoutAttribute,
} from './attributes';
import { indexOf, type LinkRef, nameOf } from './link';
import { type Message, NLM_F_CREATE, NLM_F_EXCL, type RouteSocket } from './socket';

/** A route through a device. */
export type NewRoute = {
  readonly dst: Prefix | 'default';
  /** Says which default is meant. */
  readonly family: 4 | 6;
  readonly oif: LinkRef;
  /** The number of its table; the main one if undefined. */
  readonly table?: number | undefined;
  /** Who made it: the administrator, or like the kernel's own routes to the networks of its addresses. */
  readonly protocol?: 'static' | 'kernel';
  /** `link`: the destinations are neighbours on that device; else reached through `gateway`. */
  readonly scope?: 'link' | 'global';
  readonly gateway?: Address;
  readonly prefsrc?: Address;
};

/** Where the kernel would send a packet. */
export type RouteResult = {
  /** unicast, local (this machine), broadcast, multicast, or a route that refuses: blackhole, unreachable, prohibit. */
  readonly type: string;
  readonly oif: number;
  readonly gateway?: Address;
  readonly prefsrc?: Address;
  /** Octets; only where the route itself sets one, or a path MTU was learned. */
  readonly mtu?: number;
};

/** What else decides on the way of a packet: its source, a device that it is bound to, its mark (fwmark rules). */
export type RouteQuery = {
  readonly from?: Address;
  readonly oif?: number;
  readonly mark?: number;
  /** The entry of the table as it stands there, without a path MTU that was learned; of several next hops none is chosen. */
  readonly entry?: boolean;
};

/** Adds a route. Throws KernelError, EEXIST when there is such a route. */
export function addRoute(sock: RouteSocket, route: NewRoute): void {
  const tried = `add route ${prefixOrDefault.format(route.dst)} dev ${nameOf(route.oif)}`;
  sock.request(tried, RTM_NEWROUTE, encodeNew(route), NLM_F_CREATE | NLM_F_EXCL);
}

/** Takes a route out of its table. Throws KernelError ESRCH when there is none like it. */
export function deleteRoute(sock: RouteSocket, route: NewRoute): void {
  sock.request(
    `delete route ${prefixOrDefault.format(route.dst)} dev ${nameOf(route.oif)}`,
    RTM_DELROUTE,
    encodeNew(route),
  );
}

/**
 * Asks the kernel for the route to an address, rules and learned path MTUs included. Throws KernelError when there is
 * none: ENETUNREACH as a rule, EHOSTUNREACH or EACCES where a route says so.
 */
export function routeTo(sock: RouteSocket, dst: Address, query: RouteQuery = {}): RouteResult {
  const { from, oif, mark, entry } = query;
  const bits = dst.bytes.length * 8;
  const flags = entry ? RTM_F_FIB_MATCH : 0;
  const header = { family: FAMILIES[dst.family], dstLength: bits, srcLength: from ? bits : 0, flags };
  const body = encodeRoute(header, { dst: dst.bytes, src: from?.bytes, oif, mark });
  const [message] = sock.request(`find route to ${addressKind.format(dst)}`, RTM_GETROUTE, body);
  if (message === undefined) throw new Error('RTM_GETROUTE was acknowledged without an answer');
  return decodeRoute(message, dst.family);
}

/** A route as the kernel tells it, to be put back by restoreRoute. */
export type SavedRoute = { readonly data: Buffer };

/** The routes through a device alone that are in a table, without those that the kernel makes for addresses. */
export function saveRoutes(sock: RouteSocket, oif: LinkRef, table = RT_TABLE_MAIN): SavedRoute[] {
  return ([4, 6] as const).flatMap((family) => {
    const body = encodeRoute({ family: FAMILIES[family] }, { oif: indexOf(oif) });
    return sock.dump('list routes', RTM_GETROUTE, body).flatMap(({ data }) => {
      const { values: header, rest } = rtmsg.decode(data);
      const { table: long, multipath } = decodeAttributes(routeAttributes, rest);
      const isOwn = header.type === RTN_UNICAST && header.protocol !== PROTOCOLS.kernel && multipath === undefined;
      return isOwn && (long ?? header.table) === table ? [{ data }] : [];
    });
  });
}

/** Puts a saved route into a table, the main one if undefined. Throws KernelError, EEXIST when it is there. */
export function restoreRoute(sock: RouteSocket, saved: SavedRoute, table = RT_TABLE_MAIN): void {
  sock.request('add route', RTM_NEWROUTE, retabled(saved, table), NLM_F_CREATE | NLM_F_EXCL);
}

/** Takes a saved route out of a table, the main one if undefined. Throws KernelError ESRCH when it is not there. */
export function removeRoute(sock: RouteSocket, saved: SavedRoute, table = RT_TABLE_MAIN): void {
  sock.request('delete route', RTM_DELROUTE, retabled(saved, table));
}

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
const RTM_F_FIB_MATCH = 0x2000;
const RTNH_F_ONLINK = 4;
const RT_TABLE_MAIN = 254;
const PROTOCOLS = { kernel: 2, static: 4 } as const;
const RT_SCOPE_LINK = 253;
const RTN_UNICAST = 1;
// linux/rtnetlink.h, RTN_
const TYPES = [
  ...['unspec', 'unicast', 'local', 'broadcast', 'anycast', 'multicast'],
  ...['blackhole', 'unreachable', 'prohibit', 'throw', 'nat', 'xresolve'],
];

const rtmsg = struct({
  ...{ family: 1, dstLength: 1, srcLength: 1, tos: 1 },
  ...{ table: 1, protocol: 1, scope: 1, type: 1, flags: 4 },
} as const);
const routeAttributes = {
  dst: [1, bytes],
  src: [2, bytes],
  oif: [4, u32],
  gateway: [5, bytes],
  prefsrc: [7, bytes],
  metrics: [8, nest({ mtu: [2, u32] })],
  multipath: [9, bytes],
  table: [15, u32],
  mark: [16, u32],
  via: [18, bytes],
} as const;

function encodeNew({ dst, family, gateway, prefsrc, scope, oif, table = RT_TABLE_MAIN, protocol }: NewRoute): Buffer {
  const header = {
    family: FAMILIES[family],
    dstLength: dst === 'default' ? 0 : dst.length,
    table: table < 256 ? table : 0,
    protocol: PROTOCOLS[protocol ?? 'static'],
    scope: scope === 'link' ? RT_SCOPE_LINK : 0,
    type: RTN_UNICAST,
  };
  const dstBytes = dst === 'default' ? undefined : dst.address.bytes;
  const values = { dst: dstBytes, oif: indexOf(oif), gateway: gateway?.bytes, prefsrc: prefsrc?.bytes };
  return encodeRoute(header, table < 256 ? values : { ...values, table });
}

function encodeRoute(header: Parameters<typeof rtmsg.encode>[0], values: Attributes<typeof routeAttributes>): Buffer {
  return Buffer.concat([rtmsg.encode(header), encodeAttributes(routeAttributes, values)]);
}

// Without what the kernel says of the state of the next hop, which it does not take back.
function retabled({ data }: SavedRoute, table: number): Buffer {
  const { values: header, rest } = rtmsg.decode(data);
  return Buffer.concat([
    rtmsg.encode({ ...header, table: table < 256 ? table : 0, flags: header.flags & RTNH_F_ONLINK }),
    withoutAttribute(rest, routeAttributes.table[0]),
    encodeAttributes(routeAttributes, { table }),
  ]);
}

function decodeRoute(message: Message, family: 4 | 6): RouteResult {
  const { values: header, rest } = rtmsg.decode(message.data);
  const { oif, gateway, via, prefsrc, metrics } = decodeAttributes(routeAttributes, rest);
  const hop = gateway ? { family, bytes: gateway } : via ? decodeVia(via) : undefined;
  return {
    type: TYPES[header.type] ?? String(header.type),
    oif: oif ?? 0,
    ...(hop === undefined ? {} : { gateway: hop }),
    ...(prefsrc === undefined ? {} : { prefsrc: { family, bytes: prefsrc } }),
    ...(metrics?.mtu === undefined ? {} : { mtu: metrics.mtu }),
  };
}

// struct rtvia: a family in 2 octets, then the address. An IPv4 route through an IPv6 neighbour (RFC 8950) has it.
function decodeVia(via: Uint8Array): Address {
  const octets = via.subarray(2);
  return { family: octets.length === 4 ? 4 : 6, bytes: octets };
}
