// SPDX-License-Identifier: MIT

import { drop_reason, type Structs } from '../datapath/layout.gen';
import { readDrops, type Stored } from '../datapath/sessions';
import type { Tally } from '../datapath/tally';
import type { State } from './state';

type Count = { readonly packets: bigint; readonly bytes: bigint };

/** Counters as records show them: packets and inner octets, and every reason for a drop. */
export type Stats = {
  readonly encap: Count;
  readonly decap: Count;
  readonly answered: bigint;
  readonly passed: bigint;
  readonly sent: { readonly echo: bigint; readonly errind: bigint; readonly extnotify: bigint; readonly icmp: bigint };
  readonly drops: { readonly [reason: string]: bigint };
};

/** What one session has counted. */
export function sessionStats(state: State, stored: Stored): Stats {
  const { key, rx, rxConfig, encap } = stored;
  const drops = readDrops(state.maps, { ifindex: rxConfig.ifindex, id: key.id, local: key.local });
  return {
    ...NO_STATS,
    encap,
    decap: { packets: rx.packets, bytes: rx.bytes },
    drops: { ...NO_STATS.drops, ...drops },
  };
}

/** What a link has counted, its sessions included. */
export function linkStats(tally: Tally | undefined, icmp: bigint): Stats {
  const { drops, ...counts } = tally ?? NO_STATS;
  return { ...NO_STATS, ...counts, sent: { ...NO_STATS.sent, icmp }, drops: { ...NO_STATS.drops, ...drops } };
}

/** What came to a local address of ours and belongs to no session. */
export function endpointStats(state: State, key: Structs['endpoint_key'], endpoint: Structs['endpoint']): Stats {
  const drops = readDrops(state.maps, { ifindex: 0, id: BigInt(key.port), local: key.local });
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

const NO_REASON: readonly string[] = ['none', 'reasons'];
const REASONS = Object.keys(drop_reason).filter((reason) => !NO_REASON.includes(reason));

/** Counters of what has counted nothing. */
export const NO_STATS: Stats = {
  encap: { packets: 0n, bytes: 0n },
  decap: { packets: 0n, bytes: 0n },
  answered: 0n,
  passed: 0n,
  sent: { echo: 0n, errind: 0n, extnotify: 0n, icmp: 0n },
  drops: Object.fromEntries(REASONS.map((reason) => [reason, 0n])),
};
