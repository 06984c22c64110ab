// SPDX-License-Identifier: MIT
import type { OutputRecord } from '../cli/command';
import { session_state } from '../datapath/layout.gen';
import type { Stored } from '../datapath/sessions';
import { getLink, IFF_UP } from '../netlink/link';
import { isNobody } from '../tunnels/address';
import { MAX_OUTER, mtuArithmetic } from '../tunnels/mtu';
import type { SessionWords } from '../tunnels/words';
import { address, mac } from '../values';
import { secondsSince } from '../wiring/coarse';
import type { LiveLink } from '../wiring/links';
import { type MtuParts, partsOf } from '../wiring/refresh';
import { nextHop, reachOf, wayTo } from '../wiring/routes';
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
  const isLost = wayTo(state, words.remote, words.local) === undefined && !isNobody(words.remote);
  const parts = isLost ? undefined : partsOf(state, live, txConfig);
  return {
    mtu: parts === undefined ? null : mtuArithmetic(...parts),
    ...mtuDetails(parts),
    ...wayDetails(state, words),
    // Frames to nobody in particular: of a VLAN that is its underlay.
    ...(isNobody(words.remote) ? { oif: nameOf(state, txConfig.local_teid) } : {}),
    seen_qfi: rx.qfi === NONE_SEEN ? null : rx.qfi,
    seen_rqi: rx.qfi !== NONE_SEEN && rx.rqi !== 0 ? true : null,
    seen_ppi: rx.ppi === NONE_SEEN ? null : rx.ppi,
    last_seen: secondsSince(rx.seen),
  };
}

/** What an inner MTU is made of. */
export function mtuDetails(parts: MtuParts | undefined): OutputRecord {
  if (parts === undefined) return { path_mtu: null, headers: null };
  const [path, headers] = parts;
  return { path_mtu: Math.min(path, MAX_OUTER), headers: headers.map(([name, octets]) => ({ name, octets })) };
}

/** How packets to a peer leave this machine. */
export function wayDetails(state: State, { remote, local }: Pick<SessionWords, 'remote' | 'local'>): OutputRecord {
  const way = wayTo(state, remote, local);
  const next = way === undefined ? undefined : nextHop(state, remote, local);
  return {
    oif: way === undefined ? null : nameOf(state, way.oif),
    gateway: way?.gateway === undefined ? null : address.format(way.gateway),
    neighbour:
      next === undefined ? null : { lladdr: next.mac === undefined ? null : mac.format(next.mac), state: next.state },
  };
}

/** A device as records have it: one that is gone by its number. */
export function nameOf(state: State, index: number): string {
  return getLink(state.route, { index })?.name ?? `#${index}`;
}
