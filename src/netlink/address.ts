// SPDX-License-Identifier: MIT
import { errno, isErrno, KernelError } from '../errors';
import { interfaceAddress, type Prefix } from '../values';
import { bytes, decodeAttributes, encodeAttributes, struct, u32, withoutAttribute } from './attributes';
import { indexOf, type LinkRef, nameOf } from './link';
import { type Message, NLM_F_CREATE, NLM_F_EXCL, type RouteSocket } from './socket';

/** An address of a device. */
export type LinkAddress = { readonly index: number; readonly prefix: Prefix };

/** `noprefixroute`: the kernel makes no route to the address's network. */
export type AddressFlags = { readonly noprefixroute?: boolean };

/**
 * Gives a device an address; its prefix length makes the connected route. IPv6 skips duplicate address detection, so it can
 * be used at once. Throws KernelError, EEXIST when the device has it already.
 */
export function addAddress(
  sock: RouteSocket,
  link: LinkRef,
  prefix: Prefix,
  { noprefixroute }: AddressFlags = {},
): void {
  const { family, bytes: octets } = prefix.address;
  const header = { family: FAMILIES[family], prefixLength: prefix.length, index: indexOf(link) };
  const flags = flagsOf(prefix, noprefixroute);
  const values = { local: octets, address: octets, flags: flags === 0 ? undefined : flags };
  const body = Buffer.concat([ifaddrmsg.encode(header), encodeAttributes(addressAttributes, values)]);
  addTo(sock, link, prefix, body);
}

function addTo(sock: RouteSocket, link: LinkRef, prefix: Prefix, body: Buffer): void {
  const tried = `add address ${interfaceAddress.format(prefix)} to ${nameOf(link)}`;
  try {
    sock.request(tried, RTM_NEWADDR, body, NLM_F_CREATE | NLM_F_EXCL);
  } catch (error) {
    if (prefix.address.family === 4 || !isErrno(error, 'EACCES')) throw error;
    const hint = `IPv6 is off there: sysctl net.ipv6.conf.${nameOf(link)}.disable_ipv6=0 turns it on`;
    throw new KernelError(tried, { errno: errno('EACCES'), said: error.said, hint, cause: error });
  }
}

/** Takes an address off a device. Throws KernelError EADDRNOTAVAIL when it is not there. */
export function deleteAddress(sock: RouteSocket, link: LinkRef, prefix: Prefix): void {
  const { family, bytes: octets } = prefix.address;
  const header = { family: FAMILIES[family], prefixLength: prefix.length, index: indexOf(link) };
  const body = Buffer.concat([ifaddrmsg.encode(header), encodeAttributes(addressAttributes, { local: octets })]);
  sock.request(`delete address ${interfaceAddress.format(prefix)} of ${nameOf(link)}`, RTM_DELADDR, body);
}

/** The addresses of the namespace, or of one device, both families. Throws KernelError ENODEV for an unknown device. */
export function listAddresses(sock: RouteSocket, of: { readonly index?: number } = {}): LinkAddress[] {
  const body = ifaddrmsg.encode({ index: of.index ?? 0 });
  return sock.dump('list addresses', RTM_GETADDR, body).map(decodeAddress);
}

/** What a device has of addresses, each as the kernel tells it, with lifetimes and labels. */
export type SavedAddress = LinkAddress & {
  /** It is of the link alone: where it is an IPv6 one, the kernel as a rule makes it by itself. */
  readonly isLinkLocal: boolean;
  readonly noprefixroute: boolean;
  readonly data: Buffer;
};

/** The addresses of a device, to be put back by restoreAddress. */
export function saveAddresses(sock: RouteSocket, link: LinkRef): SavedAddress[] {
  const body = ifaddrmsg.encode({ index: indexOf(link) });
  return sock.dump('list addresses', RTM_GETADDR, body).map((message) => {
    const { values: header, rest } = ifaddrmsg.decode(message.data);
    const isLinkLocal = header.scope === RT_SCOPE_LINK && header.family === FAMILIES[6];
    const noprefixroute = ((decodeAttributes(addressAttributes, rest).flags ?? 0) & IFA_F_NOPREFIXROUTE) !== 0;
    return { ...decodeAddress(message), isLinkLocal, noprefixroute, data: message.data };
  });
}

/** Puts a saved address back, with other flags. Throws KernelError, EEXIST when it is there. */
export function restoreAddress(
  sock: RouteSocket,
  link: LinkRef,
  saved: SavedAddress,
  { noprefixroute }: AddressFlags,
): void {
  const { values: header, rest } = ifaddrmsg.decode(saved.data);
  const flags = flagsOf(saved.prefix, noprefixroute);
  const body = Buffer.concat([
    ifaddrmsg.encode({ ...header, flags: 0 }),
    withoutAttribute(rest, addressAttributes.flags[0]),
    encodeAttributes(addressAttributes, { flags }),
  ]);
  addTo(sock, link, saved.prefix, body);
}

/** AF_INET and AF_INET6 by the number of the IP version. */
export const FAMILIES = { 4: 2, 6: 10 } as const;

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const RT_SCOPE_LINK = 253;
const IFA_F_NODAD = 0x2;
const IFA_F_NOPREFIXROUTE = 0x200;

const ifaddrmsg = struct({ family: 1, prefixLength: 1, flags: 1, scope: 1, index: 4 });
const addressAttributes = { address: [1, bytes], local: [2, bytes], flags: [8, u32] } as const;

function flagsOf({ address }: Prefix, noprefixroute?: boolean): number {
  return (address.family === 6 ? IFA_F_NODAD : 0) | (noprefixroute ? IFA_F_NOPREFIXROUTE : 0);
}

// IFA_LOCAL is the device's own address; IFA_ADDRESS differs from it on point-to-point devices, and is alone for IPv6.
function decodeAddress(message: Message): LinkAddress {
  const { values: header, rest } = ifaddrmsg.decode(message.data);
  const { address, local } = decodeAttributes(addressAttributes, rest);
  const family = header.family === FAMILIES[4] ? 4 : 6;
  const octets = local ?? address ?? new Uint8Array(family === 4 ? 4 : 16);
  return { index: header.index, prefix: { address: { family, bytes: octets }, length: header.prefixLength } };
}
