// SPDX-License-Identifier: MIT
import type { Commands, OutputRecord } from '../cli/command';
import type { Structs } from '../datapath/layout.gen';
import { readSessions, type Stored } from '../datapath/sessions';
import type { Request } from '../grammar';
import { fromMapped, hex } from '../tunnels/address';
import { address, sameAddress } from '../values';
import { sessionState } from '../wiring/routes';
import { type State, viewState } from '../wiring/state';
import { endpointStats, NO_STATS } from '../wiring/stats';

export const commands: Commands<'path'> = {
  show: (filter, { options, note }) =>
    viewState(note, (state) => {
      if (state === undefined) return [];
      const sessions = readSessions(state.maps);
      const endpoints = [...state.maps.endpoints.entries()].map(([key, value]) =>
        endpointRecord(state, key, value, sessions, options.statistics > 0),
      );
      return [...endpoints, ...peerRecords(state, sessions, options.statistics > 0)]
        .filter((record) => isWanted(record, filter))
        .sort(byAddress);
    }),
};

// What came to a local address and belongs to no session is counted here, so the counters of it all add up.
function endpointRecord(
  state: State,
  key: Structs['endpoint_key'],
  endpoint: Structs['endpoint'],
  sessions: readonly Stored[],
  statistics: boolean,
): OutputRecord {
  const own = sessions.filter((stored) => hex(stored.key.local) === hex(key.local) && stored.key.port === key.port);
  return {
    local: address.format(fromMapped(key.local)),
    remote: null,
    port: key.port,
    sessions: own.length,
    state: null,
    ...(statistics ? { stats: endpointStats(state, key, endpoint) } : {}),
  };
}

// Sessions count for themselves (session show -s), so nothing is left to count for their peer.
function peerRecords(state: State, sessions: readonly Stored[], statistics: boolean): OutputRecord[] {
  const peers = new Map<string, Stored[]>();
  for (const stored of sessions) {
    const id = `${hex(stored.txConfig.local)} ${hex(stored.txConfig.remote)} ${stored.txConfig.dport}`;
    const list = peers.get(id) ?? [];
    if (list.length === 0) peers.set(id, list);
    list.push(stored);
  }
  return [...peers.values()].map((list) => {
    const { local, remote, dport } = (list[0] as Stored).txConfig;
    return {
      local: address.format(fromMapped(local)),
      remote: address.format(fromMapped(remote)),
      port: dport,
      sessions: list.length,
      state: sessionState(state, fromMapped(remote), fromMapped(local), true),
      ...(statistics ? { stats: NO_STATS } : {}),
    };
  });
}

function isWanted(record: OutputRecord, { local, remote }: Request<'path', 'show'>): boolean {
  const is = (key: string, wanted: typeof local): boolean => {
    const text = record[key];
    return wanted === undefined || (typeof text === 'string' && sameAddress(address.parse(text), wanted));
  };
  return is('local', local) && is('remote', remote);
}

function byAddress(a: OutputRecord, b: OutputRecord): number {
  const key = ({ local, port, remote }: OutputRecord): string =>
    `${String(local)} ${String(port)} ${String(remote ?? '')}`;
  return key(a) < key(b) ? -1 : 1;
}
