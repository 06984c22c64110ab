// SPDX-License-Identifier: MIT
import type { Commands, OutputRecord } from '../cli/command';
import { kind, type Structs } from '../datapath/layout.gen';
import { peerText } from '../datapath/outline';
import { receiversOf } from '../datapath/tally';
import type { Request } from '../grammar';
import { fromMapped, hex } from '../tunnels/address';
import { typeOf } from '../tunnels/tunnels';
import { type Address, address, sameAddress } from '../values';
import { coarseNow, secondsSince } from '../wiring/coarse';
import { endedSessions } from '../wiring/mend';
import { peerState, wayTo } from '../wiring/routes';
import { type State, viewState } from '../wiring/state';
import { endpointStats, peerStats } from '../wiring/stats';
import { ofBoth } from './either';
import { kernelPathRecords } from './kernel-path';
import { NO_PATH_DETAILS } from './kernel-record';
import { type Extent, wayDetails } from './session-record';

export const commands: Commands<'path'> = {
  show: (filter, { options, note }) => {
    const all = ofBoth(
      { note },
      {
        bpf: () =>
          viewState(note, (state) =>
            state === undefined ? [] : [...endpointRecords(state, options), ...peerRecords(state, options)],
          ),
        kernel: () => kernelPathRecords(options),
      },
    );
    return all.filter((record) => isWanted(record, filter)).sort(byAddress);
  },
};

// What came to a local address and belongs to no session is counted here, so the counters of it all add up.
function endpointRecords(state: State, { statistics, details }: Extent): OutputRecord[] {
  const sessions = sessionsByEndpoint(state);
  return [...state.maps.endpoints.entries()].map(([key, endpoint]) => ({
    local: address.format(fromMapped(key.local)),
    remote: null,
    type: endpointType(key.kind),
    port: key.port === 0 ? null : key.port,
    version: VERSIONS.get(key.kind) ?? null,
    sessions: sessions.get(endpointText(key)) ?? 0,
    echo: null,
    errinds: null,
    extnotifies: null,
    last_seen: null,
    mtu: null,
    state: null,
    ...(details ? { details: NO_PATH_DETAILS } : {}),
    ...(statistics > 0 ? { stats: endpointStats(state, key, endpoint) } : {}),
  }));
}

const VERSIONS = new Map<number, number>([
  [kind.gtp, 1],
  [kind.gtp0, 0],
]);

// Sessions of gre and gretap share one.
function endpointType(of: number): string {
  return typeOf({ kind: of, flags: 0 });
}

function endpointText({ local, port, kind: kindOf }: Structs['endpoint_key']): string {
  return `${hex(local)} ${port} ${kindOf}`;
}

// Several links may have sessions at one.
function sessionsByEndpoint({ maps }: State): Map<string, number> {
  const counts = new Map<string, number>();
  for (const receiver of receiversOf(maps)) {
    const at = endpointText(receiver);
    counts.set(at, (counts.get(at) ?? 0) + receiver.sessions);
  }
  return counts;
}

// Sessions count for themselves (session show -s); a peer counts what is about none of them.
function peerRecords(state: State, extent: Extent): OutputRecord[] {
  const ended = endedSessions(state);
  return [...state.maps.peers.entries()].flatMap(([key, peer]) => {
    const sessions = peer.sessions - (ended.get(peerText(key)) ?? 0);
    return sessions > 0 ? [peerRecord(state, key, { ...peer, sessions }, extent)] : [];
  });
}

function peerRecord(state: State, key: Structs['peer_key'], peer: Structs['peer'], extent: Extent): OutputRecord {
  const [local, remote] = [fromMapped(key.local), fromMapped(key.remote)];
  const isBelieved = peer.mtu !== 0 && peer.mtu_until >= coarseNow();
  return {
    local: address.format(local),
    remote: address.format(remote),
    type: null,
    port: null,
    version: null,
    sessions: peer.sessions,
    echo: { requests: peer.echo_requests, responses: peer.echo_responses },
    errinds: peer.errinds,
    extnotifies: peer.extnotifies,
    last_seen: secondsSince(peer.seen),
    mtu: isBelieved ? peer.mtu : null,
    state: peerState(state, remote, local),
    ...(extent.details ? { details: peerDetails(state, remote, local) } : {}),
    ...(extent.statistics > 0 ? { stats: peerStats(peer) } : {}),
  };
}

function peerDetails(state: State, remote: Address, local: Address): OutputRecord {
  return { path_mtu: wayTo(state, remote, local)?.mtu ?? null, ...wayDetails(state, { remote, local }) };
}

function isWanted(record: OutputRecord, { local, remote }: Request<'path', 'show'>): boolean {
  const is = (key: string, wanted: typeof local): boolean => {
    const text = record[key];
    return wanted === undefined || (typeof text === 'string' && sameAddress(address.parse(text), wanted));
  };
  return is('local', local) && is('remote', remote);
}

// A local address, its endpoints, its peers.
function byAddress(a: OutputRecord, b: OutputRecord): number {
  const key = ({ local, type, port, version, remote }: OutputRecord): string =>
    [local, remote, port, version, type].map((each) => String(each ?? '')).join(' ');
  return key(a) < key(b) ? -1 : 1;
}
