// SPDX-License-Identifier: MIT
// Local addresses and peers of links of the kernel's own gtp driver, as `path show` answers them.
import type { OutputRecord } from '../cli/command';
import { type KernelLink, listKernelLinks } from '../kernel/links';
import { type KernelSession, listKernelSessions } from '../kernel/sessions';
import { SESSION_STATS } from '../kernel/stats';
import { ECHO_PORT } from '../tunnels/echo';
import { address } from '../values';
import { NO_PATH_DETAILS, stateOf } from './kernel-record';
import { LINK_ALWAYS } from './kernel-words';
import type { Extent } from './session-record';

/** The addresses and peers: the same keys as for ours; null is what the driver does not tell. */
export function kernelPathRecords({ statistics, details }: Extent): OutputRecord[] {
  const more = details ? { details: NO_PATH_DETAILS } : {};
  const stats = statistics > 0 ? { stats: SESSION_STATS } : {};
  const all = [...listKernelSessions(listKernelLinks())];
  const records = all.flatMap(([link, sessions]) => [...endpoints(link, sessions), ...peers(link, sessions)]);
  return records.map((record) => ({ ...record, ...more, ...stats }));
}

// Its sockets receive both versions.
function endpoints({ local }: KernelLink, sessions: readonly KernelSession[]): OutputRecord[] {
  return ([1, 0] as const).map((version) => ({
    local: local === undefined ? null : address.format(local),
    remote: null,
    type: LINK_ALWAYS.type,
    port: ECHO_PORT[version],
    version,
    sessions: sessions.filter(({ id }) => id.version === version).length,
    ...UNTOLD,
    state: null,
  }));
}

function peers(link: KernelLink, sessions: readonly KernelSession[]): OutputRecord[] {
  const byRemote = new Map<string, KernelSession[]>();
  for (const session of sessions) {
    const remote = address.format(session.remote);
    byRemote.set(remote, [...(byRemote.get(remote) ?? []), session]);
  }
  return [...byRemote].map(([remote, list]) => ({
    local: link.local === undefined ? null : address.format(link.local),
    remote,
    ...{ type: null, port: null, version: null },
    sessions: list.length,
    ...UNTOLD,
    state: stateOf(link, list[0] as KernelSession),
  }));
}

const UNTOLD = { echo: null, errinds: null, extnotifies: null, last_seen: null, mtu: null } as const;
