// SPDX-License-Identifier: MIT
// Devices of the kernel's own gtp driver: linux/if_link.h, IFLA_GTP_.
import type { Address } from '../values';
import { type Attributes, bytes, decodeAttributes, encodeAttributes, string, u8, u32, u64 } from './attributes';
import { indexOf, type LinkRef, nameOf, type Where } from './link';
import { ifinfomsg, RTM_GETLINK, RTM_NEWLINK, RTM_SETLINK, readAttributes } from './link-message';
import { type Message, NLM_F_CREATE, NLM_F_EXCL, type RouteSocket } from './socket';

/** A device of the driver. Where its sockets are bound, and in which network namespace, the kernel does not tell. */
export type GtpDevice = {
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  /** The IFF_ bits. */
  readonly flags: number;
  readonly role: GtpRole;
  /** Buckets of each of its hash tables. */
  readonly hsize: number;
  readonly restartCount: number;
  /** What `ip link set alias` sets; empty without one. */
  readonly alias: string;
  readonly stats: DeviceStats;
};

export type GtpRole = 'ggsn' | 'sgsn';

/** What a device has counted: struct rtnl_link_stats64. */
export type DeviceStats = Readonly<Record<(typeof STATS)[number], bigint>>;

/** A new device. `local`: what its sockets are bound to, where that is not every IPv4 address. */
export type NewGtp = {
  readonly name: string;
  readonly role: GtpRole;
  readonly hsize?: number | undefined;
  readonly restartCount?: number | undefined;
  readonly local?: Address | undefined;
  /** Makes the device in the namespace of this descriptor; its sockets stay in that of the netlink socket. */
  readonly netnsFd?: number | undefined;
};

/**
 * Makes a device with UDP sockets of the kernel's own, ports 2152 and 3386, so that no process has to live. A driver older than
 * Linux 6.10 passes over `local`. Throws KernelError: EOPNOTSUPP without the driver, EADDRINUSE where a port is taken.
 */
export function createGtp(sock: RouteSocket, { name, role, hsize, restartCount, local, netnsFd }: NewGtp): void {
  const data = encodeAttributes(gtpAttributes, {
    hsize,
    role: ROLES.indexOf(role),
    createSockets: 1,
    restartCount,
    ...(local === undefined ? {} : local.family === 4 ? { local: local.bytes } : { local6: local.bytes }),
  });
  const body = encodeLink(0, { ifname: name, linkinfo: { kind: 'gtp', data }, netNsFd: netnsFd });
  sock.request(`create link ${name}`, RTM_NEWLINK, body, NLM_F_CREATE | NLM_F_EXCL);
}

/** The device of that name if it is one of the driver. Throws KernelError ENODEV when there is none of the name. */
export function getGtp(sock: RouteSocket, name: string, where: Where = {}): GtpDevice | undefined {
  const body = encodeLink(0, { ifname: name, targetNetnsid: where.netnsid });
  return sock.request(`find link ${name}`, RTM_GETLINK, body).flatMap(decodeGtp)[0];
}

/** The devices of the driver in the namespace. */
export function listGtp(sock: RouteSocket, where: Where = {}): GtpDevice[] {
  // A kernel without the driver answers with all the devices that there are.
  const body = encodeLink(0, { linkinfo: { kind: 'gtp' }, targetNetnsid: where.netnsid });
  return sock.dump('list links of the gtp driver', RTM_GETLINK, body).flatMap(decodeGtp);
}

/** Sets the alias of a device: text of at most 255 octets that stays with it wherever it goes. */
export function setAlias(sock: RouteSocket, link: LinkRef, alias: string): void {
  sock.request(`set the alias of ${nameOf(link)}`, RTM_SETLINK, encodeLink(indexOf(link), { alias }));
}

const ROLES: readonly GtpRole[] = ['ggsn', 'sgsn'];
/** The first fields of struct rtnl_link_stats64, in order. */
const STATS = [
  ...(['rx_packets', 'tx_packets', 'rx_bytes', 'tx_bytes', 'rx_errors', 'tx_errors', 'rx_dropped'] as const),
  ...(['tx_dropped', 'multicast', 'collisions', 'rx_length_errors', 'rx_over_errors', 'rx_crc_errors'] as const),
  ...(['rx_frame_errors', 'rx_fifo_errors', 'rx_missed_errors', 'tx_aborted_errors', 'tx_carrier_errors'] as const),
] as const;

const gtpAttributes = {
  hsize: [3, u32],
  role: [4, u32],
  createSockets: [5, u8],
  restartCount: [6, u8],
  local: [7, bytes],
  local6: [8, bytes],
} as const;
const linkAttributes = { ...readAttributes, alias: [20, string], stats64: [23, bytes] } as const;

function encodeLink(index: number, values: Attributes<typeof linkAttributes>): Buffer {
  return Buffer.concat([ifinfomsg.encode({ index }), encodeAttributes(linkAttributes, values)]);
}

// None for a device of another kind.
function decodeGtp({ data }: Message): GtpDevice[] {
  const { values: header, rest } = ifinfomsg.decode(data);
  const { ifname = '', mtu = 0, linkinfo, alias = '', stats64 } = decodeAttributes(linkAttributes, rest);
  if (linkinfo?.kind !== 'gtp') return [];
  const info = decodeAttributes(gtpAttributes, Buffer.from(linkinfo.data ?? []));
  return [
    {
      index: header.index,
      name: ifname,
      mtu,
      flags: header.flags,
      role: ROLES[info.role ?? 0] ?? 'ggsn',
      hsize: info.hsize ?? 0,
      restartCount: info.restartCount ?? 0,
      alias,
      stats: decodeStats(Buffer.from(stats64 ?? [])),
    },
  ];
}

function decodeStats(octets: Buffer): DeviceStats {
  const at = (n: number): bigint => (octets.length < 8 * n + 8 ? 0n : u64.decode(octets.subarray(8 * n, 8 * n + 8)));
  return Object.fromEntries(STATS.map((name, n) => [name, at(n)])) as DeviceStats;
}
