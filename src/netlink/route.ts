// SPDX-License-Identifier: MIT
import { type Address, address as addressKind, type Prefix, prefixOrDefault } from '../values';
import { FAMILIES } from './address';
import { type Attributes, bytes, decodeAttributes, encodeAttributes, nest, struct, u32 } from './attributes';
import { indexOf, type LinkRef, nameOf } from './link';
import { type Message, NLM_F_CREATE, NLM_F_EXCL, type RouteSocket } from './socket';

/** A route through a device of the main table. */
export type NewRoute = {
  readonly dst: Prefix | 'default';
  /** Says which default is meant. */
  readonly family: 4 | 6;
  readonly oif: LinkRef;
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

/** Adds a route to the main table. Throws KernelError, EEXIST when there is such a route. */
export function addRoute(sock: RouteSocket, route: NewRoute): void {
  const tried = `add route ${prefixOrDefault.format(route.dst)} dev ${nameOf(route.oif)}`;
  sock.request(tried, RTM_NEWROUTE, encodeNew(route), NLM_F_CREATE | NLM_F_EXCL);
}

/** Takes a route out of the main table. Throws KernelError ESRCH when there is none like it. */
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

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
const RTM_F_FIB_MATCH = 0x2000;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
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
  mark: [16, u32],
  via: [18, bytes],
} as const;

function encodeNew({ dst, family, gateway, prefsrc, scope, oif }: NewRoute): Buffer {
  const header = {
    family: FAMILIES[family],
    dstLength: dst === 'default' ? 0 : dst.length,
    table: RT_TABLE_MAIN,
    protocol: RTPROT_STATIC,
    scope: scope === 'link' ? RT_SCOPE_LINK : 0,
    type: RTN_UNICAST,
  };
  const dstBytes = dst === 'default' ? undefined : dst.address.bytes;
  return encodeRoute(header, { dst: dstBytes, oif: indexOf(oif), gateway: gateway?.bytes, prefsrc: prefsrc?.bytes });
}

function encodeRoute(header: Parameters<typeof rtmsg.encode>[0], values: Attributes<typeof routeAttributes>): Buffer {
  return Buffer.concat([rtmsg.encode(header), encodeAttributes(routeAttributes, values)]);
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
