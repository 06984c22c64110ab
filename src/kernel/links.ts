// SPDX-License-Identifier: MIT
// Links of the kernel's own gtp driver. A device may be in another namespace than its sockets, and the driver tells neither that
// one nor the address that they are bound to: an alias of the device does, for those that we made.
import { statSync } from 'node:fs';
import { KernelError, tolerating } from '../errors';
import { hasDriver } from '../netlink/gtp';
import { type GtpDevice, getGtp, listGtp } from '../netlink/gtp-link';
import { getLink } from '../netlink/link';
import { listNetnsids, locateNetns, NAME_IT } from '../netlink/nsid';
import { type GenericSocket, openGeneric, openRoute, type RouteSocket } from '../netlink/socket';
import { inNetns, type Netns, netnsCookie } from '../netns';
import { type Address, address } from '../values';

/** A network namespace that has devices of the driver, or gets one. */
export type Place = {
  /** undefined: where the command runs. */
  readonly netns: Netns | undefined;
  readonly route: RouteSocket;
  /** The driver's side of sessions. */
  generic(): GenericSocket;
  /** Runs something synchronous there: what it opens stays in that namespace. */
  inside<T extends object>(act: () => T): T;
};

/** A link of the driver that can be used from this network namespace. */
export type KernelLink = {
  readonly device: GtpDevice;
  /** What its sockets are bound to; undefined where we did not make it. */
  readonly local: Address | undefined;
  /** Where its sockets are; undefined where we did not make it. */
  readonly home: 'here' | 'elsewhere' | undefined;
  /** Where the device is. */
  readonly place: Place;
  /** Looks for routes to its peers. */
  readonly outer: RouteSocket;
};

/** The link of that name: a device of the driver here, or one that was made here and is in another namespace. */
export function findKernelLink(name: string): KernelLink | undefined {
  const here = openPlace(undefined);
  const found = getLink(here.route, { name });
  if (found !== undefined) {
    // It may go by an alternative name.
    const device = found.kind === 'gtp' ? getGtp(here.route, found.name) : undefined;
    return device === undefined ? undefined : linkOf(device, here, here.route);
  }
  return hasDriver(here.generic()) ? linksElsewhere(here.route, name)[0] : undefined;
}

/** All links of the driver here, and those that were made here and are in other namespaces. */
export function listKernelLinks(): KernelLink[] {
  const here = openPlace(undefined);
  if (!hasDriver(here.generic())) return [];
  return [...listGtp(here.route).map((device) => linkOf(device, here, here.route)), ...linksElsewhere(here.route)];
}

/** Opens what there is to say to a namespace. */
export function openPlace(netns: Netns | undefined): Place {
  let generic: GenericSocket | undefined;
  const inside = <T extends object>(act: () => T): T =>
    netns === undefined ? act() : (inNetns(netns.path, act as () => object) as T);
  return {
    netns,
    route: inside(openRoute),
    generic: () => {
      generic ??= inside(openGeneric);
      return generic;
    },
    inside,
  };
}

/** The alias of a device whose sockets are in this namespace. */
export function aliasOf(local: Address): string {
  return `gtp: local ${address.format(local)} netns-cookie ${netnsCookie()}`;
}

/** A device as a link. */
export function linkOf(device: GtpDevice, place: Place, outer: RouteSocket): KernelLink {
  return { device, place, outer, ...originOf(device) };
}

function originOf({ alias }: GtpDevice): Pick<KernelLink, 'local' | 'home'> {
  const [, local, cookie] = /^gtp: local (\S+) netns-cookie (\d+)$/.exec(alias) ?? [];
  if (local === undefined || cookie === undefined) return { local: undefined, home: undefined };
  return { local: address.parse(local), home: BigInt(cookie) === netnsCookie() ? 'here' : 'elsewhere' };
}

// Those that were made here: our numbers of namespaces lead to them.
function linksElsewhere(outer: RouteSocket, name?: string): KernelLink[] {
  const own = statSync(OWN).ino;
  return listNetnsids(outer).flatMap((netnsid) => {
    const isOurs = (device: GtpDevice): boolean =>
      (name === undefined || device.name === name) && originOf(device).home === 'here';
    const devices = listThere(outer, netnsid).filter(isOurs);
    if (devices.length === 0) return [];
    const netns = locateNetns(outer, netnsid) ?? lost(devices[0]?.name ?? '', netnsid);
    // A namespace may have a number for itself.
    if (statSync(netns.path).ino === own) return [];
    const place = openPlace(netns);
    return devices.map((device) => linkOf(device, place, outer));
  });
}

// A namespace that is being taken down still has its number.
function listThere(outer: RouteSocket, netnsid: number): GtpDevice[] {
  return tolerating(['EINVAL', 'ENODEV'], () => listGtp(outer, { netnsid })) ?? [];
}

const OWN = '/proc/thread-self/ns/net';

function lost(name: string, netnsid: number): never {
  throw new KernelError(`find the network namespace of link ${name}`, {
    said: `the one of nsid ${netnsid} has neither a name nor a process`,
    hint: NAME_IT,
  });
}
