// SPDX-License-Identifier: MIT

/** 4 or 16 octets in hex: an IPv4 address never equals an IPv6 one. */
export type Address = string;

/** A local address and UDP port of ours. */
export interface Endpoint {
  readonly local: Address;
  readonly port: number;
  /** Versions of GTP that are served here. */
  readonly versions: readonly (0 | 1)[];
  readonly echo: boolean;
  readonly errind: boolean;
  readonly extnotify: boolean;
  /** Takes UDP without checksum over IPv6. */
  readonly zeroChecksum: boolean;
  /** What a v0 Echo Response tells (Z4). */
  readonly restart: number;
}

/** What sessions of all kinds receive by. */
export interface Receiving {
  readonly local: Address;
  readonly port: number;
  /** TEID, TID of version 0, key, VNI, session ID, VLAN id. */
  readonly id: bigint;
  readonly remote: Address;
  readonly strict: boolean;
  readonly zeroChecksum: boolean;
  readonly antispoof: boolean;
  readonly role: 'ggsn' | 'sgsn';
  readonly ue: readonly Prefix[];
  /** False: its link's device is gone. */
  readonly hasLink: boolean;
  /** What the link carries. */
  readonly carries: 'packets' | 'frames';
}

/** A session of GTP. */
export interface Session extends Receiving {
  readonly version: 0 | 1;
  readonly remoteTeid: number;
  readonly payload: 'ip' | 'ethernet';
}

export type TunnelKind = 'gre' | 'geneve' | 'vxlan' | 'l2tp' | 'l2tp_ip';

/** A local address of ours for another kind than GTP; the port is 0 where there is no UDP. */
export interface TunnelEndpoint {
  readonly kind: TunnelKind;
  readonly local: Address;
  readonly port: number;
}

/** A session of another kind than GTP. */
export interface TunnelSession extends Receiving {
  readonly kind: TunnelKind | 'vlan';
  /** GRE: with a key, and with frames. */
  readonly form: { readonly key: boolean; readonly frames: boolean };
  /** Whether its remote is part of its name (R7). */
  readonly namesRemote: boolean;
  /** L2TP: in hex, empty without one. */
  readonly cookie: string;
  readonly sublayer: boolean;
  /** Takes packets with numbers alone, and in order. */
  readonly wantsOrder: boolean;
}

/** How a packet names its session. */
export type TunnelName = Pick<TunnelSession, 'kind' | 'local' | 'port' | 'id' | 'form'>;

export interface Prefix {
  readonly address: Address;
  readonly length: number;
}

/** What receipt depends on beside the frame. */
export interface Tables {
  /** Whether answers may be sent: no token bucket is empty. */
  readonly hasTokens: boolean;
  endpoint(local: Address, port: number): Endpoint | undefined;
  /** One that is reached by UDP, or by an IP protocol of its own. */
  tunnelEndpoint(local: Address, protocol: number, port: number): TunnelEndpoint | undefined;
  /** The session that takes packets from `source`: one that names it first (R7). */
  tunnelSession(name: TunnelName, source: Address): TunnelSession | undefined;
  session(version: 0 | 1, local: Address, port: number, id: bigint): Session | undefined;
  /** The session that sends to this peer with this TEID: what an Error Indication is about (G18). */
  sender(local: Address, port: number, remote: Address, remoteTeid: number): Session | undefined;
  /** Whether some session of this address has this peer. */
  hasPeer(local: Address, remote: Address): boolean;
}

/** Tables to look endpoints and sessions up in. */
export function makeTables(
  endpoints: readonly Endpoint[],
  sessions: readonly Session[],
  hasTokens = true,
  tunnels: Tunnels = NO_TUNNELS,
): Tables {
  const byReach = new Map(tunnels.endpoints.map((one) => [`${one.local} ${protocolOf(one)} ${one.port}`, one]));
  const byName = new Map(tunnels.sessions.map((one) => [nameOf(one, one.namesRemote ? one.remote : ''), one]));
  const byPlace = new Map(endpoints.map((endpoint) => [`${endpoint.local} ${endpoint.port}`, endpoint]));
  const byId = new Map(sessions.map((one) => [`${one.version} ${one.local} ${one.port} ${one.id}`, one]));
  const v1 = sessions.filter((one) => one.version === 1);
  const bySender = new Map(v1.map((one) => [`${one.local} ${one.port} ${one.remote} ${one.remoteTeid}`, one]));
  const peers = new Set(sessions.map((one) => `${one.local} ${one.remote}`));
  return {
    hasTokens,
    endpoint: (local, port) => byPlace.get(`${local} ${port}`),
    tunnelEndpoint: (local, protocol, port) => byReach.get(`${local} ${protocol} ${port}`),
    tunnelSession: (name, source) => byName.get(nameOf(name, source)) ?? byName.get(nameOf(name, '')),
    session: (version, local, port, id) => byId.get(`${version} ${local} ${port} ${id}`),
    sender: (local, port, remote, remoteTeid) => bySender.get(`${local} ${port} ${remote} ${remoteTeid}`),
    hasPeer: (local, remote) => peers.has(`${local} ${remote}`),
  };
}

/** What there is of other kinds than GTP. */
export interface Tunnels {
  readonly endpoints: readonly TunnelEndpoint[];
  readonly sessions: readonly TunnelSession[];
}

const NO_TUNNELS: Tunnels = { endpoints: [], sessions: [] };

/** The IP protocol that a kind runs over. */
export function protocolOf({ kind }: Pick<TunnelEndpoint, 'kind'>): number {
  return kind === 'gre' ? 47 : kind === 'l2tp_ip' ? 115 : 17;
}

function nameOf({ kind, local, port, id, form }: TunnelName, remote: Address): string {
  return [kind, local, port, id, form.key, form.frames, remote].join(' ');
}
