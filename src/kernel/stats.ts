// SPDX-License-Identifier: MIT
import type { GtpDevice } from '../netlink/gtp-link';
import { NO_STATS } from '../wiring/stats';

type Counts = { readonly [name: string]: bigint | null | Counts };

/** The counters of a session: the driver counts none of its own, so that all of them are null. */
export const SESSION_STATS: Counts = unknown(NO_STATS);

/**
 * The counters of a device in the shape of ours: inner packets and octets. Of the drops it tells two by reason, and the others by
 * the names that `ip -s link` has; what it does not count is null.
 */
export function deviceStats({ stats }: GtpDevice): Counts {
  const { tx_errors, tx_carrier_errors, collisions, rx_errors, rx_dropped, tx_dropped } = stats;
  return {
    ...SESSION_STATS,
    encap: { packets: stats.tx_packets, bytes: stats.tx_bytes },
    decap: { packets: stats.rx_packets, bytes: stats.rx_bytes },
    drops: {
      ...unknown(NO_STATS.drops),
      no_route: tx_carrier_errors,
      loop: collisions,
      // Both are among the errors.
      tx_errors: tx_errors - tx_carrier_errors - collisions,
      ...{ tx_dropped, rx_errors, rx_dropped },
    },
  };
}

function unknown(counts: object): Counts {
  const entries = Object.entries(counts) as [string, unknown][];
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'object' && value !== null ? unknown(value) : null]),
  );
}
