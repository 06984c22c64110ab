// SPDX-License-Identifier: MIT
import { kind, type Structs, tx_flag } from '../datapath/layout.gen';
import { type Address, type Teid, type Tid, teid as teidKind, tid as tidKind } from '../values';
import { toMapped } from './address';

type TxConfig = Structs['tx_config'];

/** GTP-U's own port (TS 29.281, 4.4.2). */
export const GTPU_PORT = 2152;

/** The port of GTP version 0 (GSM 09.60, 11.1.3). */
export const GTP0_PORT = 3386;

/** What a session is known by on receipt, beside its local address: a TEID, or in version 0 a TID. */
export type ReceiveId = { readonly version: 1; readonly local_teid: Teid } | { readonly version: 0; readonly tid: Tid };

/** Both halves: version 0 has one TID for both directions, and in each a flow label that its receiver chose. */
export type SessionId =
  | { readonly version: 1; readonly local_teid: Teid; readonly remote_teid: Teid }
  | { readonly version: 0; readonly tid: Tid; readonly flow: number; readonly remote_flow: number };

/** The receive key of a session (G22: local address and TEID; the outer source is no part of it). */
export function rxKey(local: Address, id: ReceiveId, linkPort: number): Structs['rx_key'] {
  const shared = { local: toMapped(local), port: portOf(id.version, linkPort), scope: 0 };
  return id.version === 0
    ? { ...shared, id: id.tid, kind: kind.gtp0 }
    : { ...shared, id: BigInt(id.local_teid), kind: kind.gtp };
}

/** The outer port of a version's packets: that of the link, unless that is the one of version 1 alone. */
export function portOf(version: 0 | 1, linkPort: number): number {
  return version === 0 && linkPort === GTPU_PORT ? GTP0_PORT : linkPort;
}

/** The port that `srcport fixed` means. */
export function fixedPort(version: 0 | 1): number {
  return version === 0 ? GTP0_PORT : GTPU_PORT;
}

/** The receive half as it is typed: "local-teid 0x00000001". */
export function formatId(id: ReceiveId): string {
  return id.version === 0 ? `tid ${tidKind.format(id.tid)}` : `local-teid ${teidKind.format(id.local_teid)}`;
}

/** How an ID stands in the send half: the TID in two halves, the peer's flow label where else an extension would be. */
export function storeId(id: SessionId): Pick<TxConfig, 'teid' | 'local_teid'> & { readonly flow: readonly number[] } {
  if (id.version === 1) return { teid: id.remote_teid, local_teid: id.local_teid, flow: [] };
  const flow = [id.remote_flow >> 8, id.remote_flow & 0xff];
  return { teid: Number(id.tid >> 32n), local_teid: Number(id.tid & 0xffffffffn), flow };
}

/** The inverse of storeId; `flow` is what the receive half has. */
export function loadId({ flags, teid, local_teid, ext }: TxConfig, flow = 0): SessionId {
  if (!(flags & tx_flag.v0)) return { version: 1, local_teid, remote_teid: teid };
  const [high = 0, low = 0] = ext;
  return { version: 0, tid: (BigInt(teid) << 32n) | BigInt(local_teid), flow, remote_flow: (high << 8) | low };
}
