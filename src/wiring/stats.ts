// SPDX-License-Identifier: MIT

import { ofEndpoint, readDrops } from '../datapath/drops';
import { drop_reason, type Structs } from '../datapath/layout.gen';
import type { Stored } from '../datapath/sessions';
import type { Received, Tally } from '../datapath/tally';
import type { State } from './state';

type Count = { readonly packets: bigint; readonly bytes: bigint };

/** Counters as records show them: packets and inner octets, signalling, and every reason for a drop. */
export type Stats = {
  readonly encap: Count;
  readonly decap: Count;
  /** Signalling that was taken note of or answered. */
  readonly answered: bigint;
  readonly passed: bigint;
  readonly sent: { readonly echo: bigint; readonly errind: bigint; readonly extnotify: bigint; readonly icmp: bigint };
  readonly received: Received;
  readonly drops: { readonly [reason: string]: bigint };
};

/** What one session has counted. */
export function sessionStats(state: State, stored: Stored): Stats {
  const { key, rx, rxConfig, encap } = stored;
  const drops = readDrops(state.maps, { ifindex: rxConfig.ifindex, of: key });
  const { end_markers, errinds, reordered } = rx;
  return {
    ...NO_STATS,
    encap,
    decap: { packets: rx.packets, bytes: rx.bytes },
    ...signalling({ end_marker: BigInt(end_markers), errind: BigInt(errinds), reordered: BigInt(reordered) }),
    drops: { ...NO_STATS.drops, ...drops },
  };
}

/** What a link has counted, its sessions included. */
export function linkStats(tally: Tally | undefined, icmp: bigint): Stats {
  const { encap, decap, received, drops } = tally ?? NO_STATS;
  return {
    ...NO_STATS,
    encap,
    decap,
    ...signalling(received),
    sent: { ...NO_STATS.sent, icmp },
    drops: { ...NO_STATS.drops, ...drops },
  };
}

/** What came to a local address of ours and belongs to no session. */
export function endpointStats(state: State, key: Structs['endpoint_key'], endpoint: Structs['endpoint']): Stats {
  const drops = readDrops(state.maps, ofEndpoint(key));
  return {
    ...NO_STATS,
    answered: endpoint.answered,
    passed: endpoint.passed,
    sent: {
      echo: endpoint.sent_echo,
      errind: endpoint.sent_errind,
      extnotify: endpoint.sent_extnotify,
      icmp: 0n,
    },
    drops: { ...NO_STATS.drops, ...drops },
  };
}

/** What a peer sent that belongs to no session: notifications. The rest stands with sessions and endpoints. */
export function peerStats({ extnotifies }: Structs['peer']): Stats {
  return { ...NO_STATS, answered: extnotifies };
}

const NO_REASON: readonly string[] = ['none', 'reasons'];
const REASONS = Object.keys(drop_reason).filter((reason) => !NO_REASON.includes(reason));

// Each of these messages is consumed at its session.
function signalling(received: Received): Pick<Stats, 'answered' | 'received'> {
  return { answered: received.end_marker + received.errind, received };
}

/** Nothing counted. */
export const NO_STATS: Stats = {
  encap: { packets: 0n, bytes: 0n },
  decap: { packets: 0n, bytes: 0n },
  answered: 0n,
  passed: 0n,
  sent: { echo: 0n, errind: 0n, extnotify: 0n, icmp: 0n },
  received: { end_marker: 0n, errind: 0n, reordered: 0n },
  drops: Object.fromEntries(REASONS.map((reason) => [reason, 0n])),
};
