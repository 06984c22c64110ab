// SPDX-License-Identifier: MIT
// PDP contexts of the kernel's own gtp driver, which are its half of a session: linux/gtp.h, generic netlink family "gtp".
import { tolerating } from '../errors';
import type { Address, Prefix } from '../values';
import { FAMILIES } from './address';
import { type Attributes, bytes, decodeAttributes, encodeAttributes, u8, u16, u32, u64 } from './attributes';
import { type Events, openEvents } from './events';
import { genlmsghdr, hasFamily, resolveFamily, resolveGroup } from './generic';
import { indexOf, type LinkRef, nameOf } from './link';
import { type GenericSocket, type Message, NLM_F_EXCL } from './socket';

/** What a context is known by on receipt. */
export type ContextKey =
  | { readonly version: 1; readonly localTeid: number }
  | { readonly version: 0; readonly tid: bigint };

/** All of its ID: version 0 has one TID, and the label of what is sent. */
export type ContextId =
  | { readonly version: 1; readonly localTeid: number; readonly remoteTeid: number }
  | { readonly version: 0; readonly tid: bigint; readonly flow: number };

/** A context: one IPv4 address or one IPv6 prefix of 64 bits, and the peer that has it. */
export type Context = { readonly id: ContextId; readonly peer: Address; readonly ue: Prefix };

/** An Echo Response that came, as the driver tells it. */
export type EchoAnswer = { readonly version: number; readonly peer: Uint8Array; readonly local: Uint8Array };

/**
 * Makes a context on a device of the socket's namespace. Throws KernelError: EEXIST where the ID or the `ue` is taken,
 * EAFNOSUPPORT where the device has sockets of another family than the peer.
 */
export function addContext(sock: GenericSocket, link: LinkRef, { id, peer, ue }: Context, tried: string): void {
  const values = { ...keyValues(link, id), ...idValues(id), ...peerValues(peer), ...ueValues(ue) };
  request(sock, tried, CMD_NEWPDP, values, NLM_F_EXCL);
}

/** Removes a context. Throws KernelError ENOENT when it is not there. */
export function deleteContext(sock: GenericSocket, link: LinkRef, { id, ue }: Context): void {
  const values = { ...keyValues(link, id), family: FAMILIES[ue.address.family] };
  request(sock, `delete a context of ${nameOf(link)}`, CMD_DELPDP, values);
}

/** The contexts of one device by their ID: one for each family of inner addresses at most. */
export function findContexts(sock: GenericSocket, link: LinkRef, key: ContextKey): Context[] {
  return ([4, 6] as const).flatMap((family) => {
    const values = { ...keyValues(link, key), family: FAMILIES[family] };
    const find = (): Message[] => request(sock, `find a context of ${nameOf(link)}`, CMD_GETPDP, values);
    const found = (tolerating(['ENOENT'], find) ?? []).map((message) => decodeContext(message).context);
    // A driver that knows IPv4 alone has passed over the family.
    return found.filter(({ ue }) => ue.address.family === family);
  });
}

/** All contexts of the socket's namespace, by the index of their device: the driver cannot be asked for those of one. */
export function listContexts(sock: GenericSocket): Map<number, Context[]> {
  const body = encodeMessage(CMD_GETPDP, {});
  const all = new Map<number, Context[]>();
  for (const { link, context } of sock.dump('list contexts', family(sock), body).map(decodeContext)) {
    const list = all.get(link) ?? [];
    if (list.length === 0) all.set(link, list);
    list.push(context);
  }
  return all;
}

/** Lets the driver send an Echo Request from `local`; over IPv4 alone. Throws KernelError: ENODEV without a route, ENETDOWN. */
export function requestEcho(sock: GenericSocket, link: LinkRef, version: 0 | 1, local: Address, peer: Address): void {
  const values = { link: indexOf(link), version, ue4: local.bytes, peer4: peer.bytes };
  request(sock, `send an Echo Request by ${nameOf(link)}`, CMD_ECHOREQ, values);
}

/** Reads what the driver tells its multicast group; undefined for what is no Echo Response. */
export function readEchoAnswer({ data }: Message): EchoAnswer | undefined {
  const { values, rest } = genlmsghdr.decode(data);
  const { version, peer4, ue4 } = decodeAttributes(contextAttributes, rest);
  if (values.command !== CMD_ECHOREQ || version === undefined || peer4 === undefined || ue4 === undefined)
    return undefined;
  return { version, peer: peer4, local: ue4 };
}

/** Whether the kernel has the driver, and so may have devices of it. */
export function hasDriver(sock: GenericSocket): boolean {
  return hasFamily(sock, FAMILY);
}

/** Hears of Echo Responses that come to devices of the namespace. */
export function openEchoAnswers(sock: GenericSocket): Events {
  return openEvents(resolveGroup(sock, FAMILY, FAMILY));
}

// The group has the same name.
const FAMILY = 'gtp';
const CMD_NEWPDP = 0;
const CMD_DELPDP = 1;
const CMD_GETPDP = 2;
const CMD_ECHOREQ = 3;

// Addresses are in network order, all numbers in host order.
const contextAttributes = {
  link: [1, u32],
  version: [2, u32],
  tid: [3, u64],
  peer4: [4, bytes],
  ue4: [5, bytes],
  flow: [6, u16],
  localTeid: [8, u32],
  remoteTeid: [9, u32],
  peer6: [11, bytes],
  ue6: [12, bytes],
  family: [13, u8],
} as const;

type Values = Attributes<typeof contextAttributes>;

function family(sock: GenericSocket): number {
  return resolveFamily(sock, FAMILY);
}

function request(sock: GenericSocket, tried: string, command: number, values: Values, flags = 0): Message[] {
  return sock.request(tried, family(sock), encodeMessage(command, values), flags);
}

function encodeMessage(command: number, values: Values): Buffer {
  return Buffer.concat([genlmsghdr.encode({ command }), encodeAttributes(contextAttributes, values)]);
}

function keyValues(link: LinkRef, key: ContextKey): Values {
  const of = { link: indexOf(link), version: key.version };
  return key.version === 1 ? { ...of, localTeid: key.localTeid } : { ...of, tid: key.tid };
}

function idValues(id: ContextId): Values {
  return id.version === 1 ? { remoteTeid: id.remoteTeid } : { flow: id.flow };
}

function peerValues({ family: of, bytes: octets }: Address): Values {
  return of === 4 ? { peer4: octets } : { peer6: octets };
}

function ueValues({ address: { family: of, bytes: octets } }: Prefix): Values {
  return { ...(of === 4 ? { ue4: octets } : { ue6: octets }), family: FAMILIES[of] };
}

function decodeContext({ data }: Message): { readonly link: number; readonly context: Context } {
  const values = decodeAttributes(contextAttributes, genlmsghdr.decode(data).rest);
  const { link = 0, version, tid = 0n, flow = 0, localTeid = 0, remoteTeid = 0 } = values;
  const id = version === 0 ? ({ version: 0, tid, flow } as const) : ({ version: 1, localTeid, remoteTeid } as const);
  const ue = addressOf(values.ue4, values.ue6);
  const peer = addressOf(values.peer4, values.peer6);
  return { link, context: { id, peer, ue: { address: ue, length: ue.family === 4 ? 32 : UE_BITS } } };
}

/** The driver tells IPv6 users apart by so many bits. */
const UE_BITS = 64;

function addressOf(v4: Uint8Array | undefined, v6: Uint8Array | undefined): Address {
  return v6 === undefined ? { family: 4, bytes: v4 ?? new Uint8Array(4) } : { family: 6, bytes: v6 };
}
