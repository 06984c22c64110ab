// SPDX-License-Identifier: MIT
import { closeSync, readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { errno, isErrno, KernelError } from '../errors';
import { PORTS } from '../grammar';
import { createGtp, type GtpDevice, getGtp, type NewGtp, setAlias } from '../netlink/gtp-link';
import { deleteLink, finishEnd, getLink, setLink } from '../netlink/link';
import { giveNetnsid } from '../netlink/nsid';
import { openRoute, type RouteSocket } from '../netlink/socket';
import { openNetns, resolveNetns } from '../netns';
import { isNobody } from '../tunnels/address';
import type { Undo } from '../undo';
import { type Address, address, type NetnsWord, type Prefix } from '../values';
import { giveAddresses } from '../wiring/pair';
import { aliasOf, type KernelLink, linkOf, openPlace, type Place } from './links';

/** What a new link of the driver is made of. */
export type NewKernelLink = Omit<NewGtp, 'netnsFd' | 'local'> & {
  readonly local: Address;
  readonly netns?: NetnsWord | undefined;
};

/** What its device gets. */
export type DeviceWords = {
  readonly mtu?: number | undefined;
  readonly address?: readonly Prefix[] | undefined;
  readonly route?: readonly (Prefix | 'default')[] | undefined;
};

/**
 * Makes a link of the driver, down: sockets here, the device in `netns` if that is given. Throws KernelError where the driver
 * did not take the local address; nothing is left then.
 */
export function makeKernelLink(words: NewKernelLink, undo: Undo): KernelLink {
  const outer = openRoute();
  const place = openPlace(words.netns === undefined ? undefined : resolveNetns(words.netns.text));
  const device = makeDevice(outer, place, words);
  undo(() => deleteLink(place.route, device));
  // At once: by the alias it is found if this command is killed.
  setAlias(place.route, device, aliasOf(words.local));
  checkBound(words);
  return linkOf(find(place, words.name), place, outer);
}

/** Gives the device of a new link its MTU, addresses and routes, and brings it up. Returns the link as it is then. */
export function configureDevice({ device, place, outer }: KernelLink, words: DeviceWords): KernelLink {
  const { route } = place;
  if (words.mtu !== undefined) setLink(route, device, { mtu: words.mtu });
  finishEnd(route, device, { inet6AddrGenNone: true, up: true });
  // With the device goes what it has.
  giveAddresses(route, device, words, undefined, () => undefined);
  return linkOf(find(place, device.name), place, outer);
}

function makeDevice(outer: RouteSocket, place: Place, { netns: _, local, ...words }: NewKernelLink): GtpDevice {
  const tried = `create link ${words.name}`;
  if (place.netns !== undefined && getLink(outer, { name: words.name }) !== undefined) {
    throw new KernelError(tried, {
      errno: errno('EEXIST'),
      hint: 'this network namespace has a device of that name, too: give the link another',
    });
  }
  // Every IPv4 address is what each version of the driver binds to by itself.
  const bound = local.family === 4 && isNobody(local) ? undefined : local;
  const fd = place.netns === undefined ? undefined : openNetns(place.netns.path);
  try {
    if (fd !== undefined) giveNetnsid(outer, fd);
    createGtp(outer, { ...words, local: bound, netnsFd: fd });
  } catch (error) {
    throw error instanceof KernelError ? explained(error, local) : error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  return find(place, words.name);
}

function find({ route }: Place, name: string): GtpDevice {
  const device = getGtp(route, name);
  if (device === undefined) throw new Error(`${name} was made and is no device of the driver`);
  return device;
}

// What the user can do about a refusal.
function explained(error: KernelError, local: Address): KernelError {
  const hint = HINTS.find(([name]) => isErrno(error, name))?.[1];
  if (hint === undefined) return error;
  const { tried, said, errno: number } = error;
  const at = address.format(local);
  return new KernelError(tried, { errno: number as number, said, hint: hint.replace('ADDR', at), cause: error });
}

const HINTS = [
  ['EOPNOTSUPP', 'this kernel has no gtp driver: modprobe gtp, or a kernel with CONFIG_GTP; datapath bpf needs none'],
  ['EADDRINUSE', 'a link or a program has UDP port 2152 or 3386 of ADDR: ss -lun; links need a local address each'],
  ['EADDRNOTAVAIL', 'ADDR is no address of this network namespace'],
  ['EINVAL', 'the driver makes sockets of its own since Linux 5.18: use datapath bpf'],
] as const;

// A driver that does not know the attribute binds to all addresses, and says nothing.
function checkBound({ name, local }: NewKernelLink): void {
  if (local.family === 4 && isNobody(local)) return;
  const path = `/proc/thread-self/net/udp${local.family === 6 ? '6' : ''}`;
  const wanted = `${procAddress(local)}:${PORTS.gtp.toString(16).padStart(4, '0')}`.toUpperCase();
  const isThere = readFileSync(path, 'latin1')
    .split('\n')
    .some((line) => line.trim().split(/\s+/)[1] === wanted);
  if (isThere) return;
  throw new KernelError(`bind link ${name} to ${address.format(local)}`, {
    said: 'the gtp driver of this kernel receives at all IPv4 addresses',
    hint: 'it takes a local address, and IPv6, since Linux 6.10: leave out local',
  });
}

// The kernel writes addresses there as numbers of 32 bits of its own byte order.
function procAddress({ bytes }: Address): string {
  const octets = Buffer.from(bytes);
  return (endianness() === 'LE' ? octets.swap32() : octets).toString('hex');
}
