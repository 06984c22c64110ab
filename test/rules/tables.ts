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

export interface Session {
  readonly version: 0 | 1;
  readonly local: Address;
  readonly port: number;
  /** TEID, or TID of version 0. */
  readonly id: bigint;
  readonly remote: Address;
  readonly remoteTeid: number;
  readonly strict: boolean;
  readonly zeroChecksum: boolean;
  readonly antispoof: boolean;
  readonly role: 'ggsn' | 'sgsn';
  readonly ue: readonly Prefix[];
  /** False: its link's device is gone. */
  readonly hasLink: boolean;
}

export interface Prefix {
  readonly address: Address;
  readonly length: number;
}

/** What receipt depends on beside the frame. */
export interface Tables {
  /** Whether answers may be sent: no token bucket is empty. */
  readonly hasTokens: boolean;
  endpoint(local: Address, port: number): Endpoint | undefined;
  session(version: 0 | 1, local: Address, port: number, id: bigint): Session | undefined;
  /** The session that sends to this peer with this TEID: what an Error Indication is about (G18). */
  sender(local: Address, port: number, remote: Address, remoteTeid: number): Session | undefined;
  /** Whether some session of this address has this peer. */
  hasPeer(local: Address, remote: Address): boolean;
}

/** Tables to look endpoints and sessions up in. */
export function makeTables(endpoints: readonly Endpoint[], sessions: readonly Session[], hasTokens = true): Tables {
  const byPlace = new Map(endpoints.map((endpoint) => [`${endpoint.local} ${endpoint.port}`, endpoint]));
  const byId = new Map(sessions.map((one) => [`${one.version} ${one.local} ${one.port} ${one.id}`, one]));
  const v1 = sessions.filter((one) => one.version === 1);
  const bySender = new Map(v1.map((one) => [`${one.local} ${one.port} ${one.remote} ${one.remoteTeid}`, one]));
  const peers = new Set(sessions.map((one) => `${one.local} ${one.remote}`));
  return {
    hasTokens,
    endpoint: (local, port) => byPlace.get(`${local} ${port}`),
    session: (version, local, port, id) => byId.get(`${version} ${local} ${port} ${id}`),
    sender: (local, port, remote, remoteTeid) => bySender.get(`${local} ${port} ${remote} ${remoteTeid}`),
    hasPeer: (local, remote) => peers.has(`${local} ${remote}`),
  };
}
