// SPDX-License-Identifier: MIT
import type { Mac } from '../values';
import {
  type Attributes,
  bytes,
  decodeAttributes,
  encodeAttributes,
  nest,
  s32,
  string,
  struct,
  u8,
  u32,
} from './attributes';
import type { Message } from './socket';

/** A network device. `flags` are the IFF_ bits. */
export type LinkInfo = {
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  readonly flags: number;
  /** Six octets for Ethernet; empty where the kind has none. */
  readonly address: Mac;
  /** As `ip link add type` spells it; real NICs and lo have none. */
  readonly kind?: string;
  /** IFLA_LINK: the other end of a veth, the lower device of a vlan. */
  readonly peerIndex?: number;
  /** The namespace of peerIndex if it is another one, as the asking namespace numbers it (see nsid.ts). */
  readonly netnsid?: number;
  /** The address on the bus (PCI and the like): only hardware has one. */
  readonly parentDev?: string;
  /** The state of RFC 2863 in the words of `ip link`, in lower case. */
  readonly operstate: string;
  /** The device that this one is enslaved to: a bridge, a VRF. */
  readonly master?: number;
  /** The routing table of a VRF. */
  readonly vrfTable?: number;
  readonly qdisc: string;
  readonly numTxQueues: number;
};

/** What a new veth end shall have. */
export type VethEnd = {
  readonly name: string;
  readonly mtu?: number | undefined;
  readonly address?: Mac | undefined;
  /** No ARP and no neighbour discovery: every frame goes out without a question. */
  readonly noarp?: boolean;
  /** No link-local IPv6 address, and hence no router solicitations either. */
  readonly inet6AddrGenNone?: boolean;
  readonly up?: boolean;
};

/** Flags that shall change; undefined ones stay as they are. */
export type LinkHeader = {
  readonly index?: number;
  readonly up?: boolean | undefined;
  readonly noarp?: boolean | undefined;
};

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;

export const IFF_UP = 0x1;
export const IFF_LOOPBACK = 0x8;
export const IFF_NOARP = 0x80;

/** The index of lo in every network namespace. */
export const LOOPBACK = 1;

/** The value of IFLA_AF_SPEC for IN6_ADDR_GEN_MODE_NONE. */
export const addrGenNone = { inet6: { addrGenMode: 1 } } as const;

/** The body of a link request: struct ifinfomsg and attributes. */
export function encodeLink(header: LinkHeader, values: Attributes<typeof linkAttributes>): Buffer {
  const { index = 0, up, noarp } = header;
  const flags = (up ? IFF_UP : 0) | (noarp ? IFF_NOARP : 0);
  const change = (up === undefined ? 0 : IFF_UP) | (noarp === undefined ? 0 : IFF_NOARP);
  return Buffer.concat([ifinfomsg.encode({ index, flags, change }), encodeAttributes(linkAttributes, values)]);
}

/** The body that makes one end of a veth; for the peer, it is the payload of VETH_INFO_PEER. */
export function encodeEnd(end: VethEnd, linkinfo: VethInfo | undefined, netNsFd?: number): Buffer {
  const { name, mtu, address, noarp } = end;
  return encodeLink({ noarp }, { ifname: name, mtu, address, netNsFd, linkinfo });
}

/** Reads one RTM_NEWLINK. */
export function decodeLink(message: Message): LinkInfo {
  const { values: header, rest } = ifinfomsg.decode(message.data);
  const { ifname, mtu, address, linkinfo, link, linkNetnsid, parentDevName, operstate, qdisc, numTxQueues, master } =
    decodeAttributes(readAttributes, rest);
  const { kind, data } = linkinfo ?? {};
  return {
    index: header.index,
    name: ifname ?? '',
    mtu: mtu ?? 0,
    flags: header.flags,
    address: address ?? new Uint8Array(0),
    ...(kind === undefined ? {} : { kind }),
    ...(link === undefined ? {} : { peerIndex: link }),
    ...(linkNetnsid === undefined ? {} : { netnsid: linkNetnsid }),
    ...(parentDevName === undefined ? {} : { parentDev: parentDevName }),
    ...(master === undefined ? {} : { master }),
    ...(kind === 'vrf' ? vrfTable(data) : {}),
    operstate: OPERSTATES[operstate ?? 0] ?? 'unknown',
    qdisc: qdisc ?? '',
    numTxQueues: numTxQueues ?? 1,
  };
}

function vrfTable(data: Uint8Array | undefined): Pick<LinkInfo, 'vrfTable'> {
  const { table } = data === undefined ? {} : decodeAttributes(vrfData, Buffer.from(data));
  return table === undefined ? {} : { vrfTable: table };
}

/** The attribute that names a device in a lookup: a plain name, or an alternative one, which may be longer. */
export function linkNames(name: string): Attributes<typeof linkAttributes> {
  return Buffer.byteLength(name) < IFNAMSIZ ? { ifname: name } : { altIfname: name };
}

type VethInfo = Attributes<typeof vethLinkinfo>;

const IFNAMSIZ = 16;
// linux/if.h, IF_OPER_
const OPERSTATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'];

/** struct ifinfomsg of linux/rtnetlink.h. */
export const ifinfomsg = struct({ family: 1, _pad: 1, type: 2, index: 4, flags: 4, change: 4 });
const vethLinkinfo = { kind: [1, string], data: [2, nest({ peer: [1, bytes] })] } as const;
const common = {
  address: [1, bytes],
  ifname: [3, string],
  mtu: [4, u32],
  link: [5, u32],
  qdisc: [6, string],
  master: [10, u32],
  txQueueLength: [13, u32],
  operstate: [16, u8],
  netNsFd: [28, u32],
  extMask: [29, u32],
  numTxQueues: [31, u32],
  linkNetnsid: [37, s32],
  targetNetnsid: [46, s32],
  altIfname: [53, string],
  parentDevName: [56, string],
} as const;
const linkAttributes = {
  ...common,
  linkinfo: [18, nest(vethLinkinfo)],
  afSpec: [26, nest({ inet6: [10, nest({ addrGenMode: [8, u8] })] })],
} as const;
/** As they are read. What IFLA_INFO_DATA holds depends on the kind. IFLA_AF_SPEC is long and not read. */
export const readAttributes = { ...common, linkinfo: [18, nest({ kind: [1, string], data: [2, bytes] })] } as const;
const vrfData = { table: [1, u32] } as const;
