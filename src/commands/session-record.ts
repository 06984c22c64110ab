// SPDX-License-Identifier: MIT
import type { OutputRecord } from '../cli/command';
import { session_state } from '../datapath/layout.gen';
import type { Stored } from '../datapath/sessions';
import { IFF_UP } from '../netlink/link';
import { isNobody } from '../tunnels/address';
import { mtuArithmetic } from '../tunnels/mtu';
import type { SessionWords } from '../tunnels/words';
import { address } from '../values';
import { secondsSince } from '../wiring/coarse';
import type { LiveLink } from '../wiring/links';
import { partsOf } from '../wiring/refresh';
import { reachOf, wayTo } from '../wiring/routes';
import { wordsOf } from '../wiring/sessions';
import type { State } from '../wiring/state';
import { sessionStats } from '../wiring/stats';
import { wordsRecord } from './words-record';

/** What a record shall hold besides the words. */
export type Extent = { readonly statistics: number; readonly details: boolean };

/** A session as `session show` answers it. */
export function sessionRecord(state: State, live: LiveLink, stored: Stored, extent: Extent): OutputRecord {
  const words = wordsOf(stored);
  return {
    dev: live.device.name,
    ...wordsRecord(words),
    name: state.maps.labels.get(stored.key)?.name ?? null,
    state: stateOf(state, live, stored, words),
    ...(extent.details ? { details: details(state, live, stored, words) } : {}),
    ...(extent.statistics > 0 ? { stats: sessionStats(state, stored) } : {}),
  };
}

const NONE_SEEN = 255;

// What the peer told comes before what this machine knows of the way to it.
function stateOf(state: State, live: LiveLink, { rx }: Stored, { remote, local }: SessionWords): string {
  if (!(live.device.flags & IFF_UP)) return 'down';
  if (rx.state === session_state.error_indicated) return 'error_indicated';
  if (rx.state === session_state.ended) return 'ended';
  return reachOf(state, live, remote, local);
}

function details(state: State, live: LiveLink, stored: Stored, words: SessionWords): OutputRecord {
  const { rx, txConfig } = stored;
  const way = wayTo(state, words.remote, words.local);
  return {
    mtu: way === undefined && !isNobody(words.remote) ? null : mtuArithmetic(...partsOf(state, live, txConfig)),
    gateway: way?.gateway === undefined ? null : address.format(way.gateway),
    seen_qfi: rx.qfi === NONE_SEEN ? null : rx.qfi,
    seen_rqi: rx.qfi !== NONE_SEEN && rx.rqi !== 0 ? true : null,
    seen_ppi: rx.ppi === NONE_SEEN ? null : rx.ppi,
    last_seen: secondsSince(rx.seen),
  };
}
