// SPDX-License-Identifier: MIT
import { lookup, type RawMap, rawMap } from '../../src/bindings/bpf-map';
import { encode } from '../../src/datapath/codec';
import { drop_reason, kind, type Structs, structs } from '../../src/datapath/layout.gen';
import { type OpenMaps, total } from '../../src/datapath/maps';
import { offsetOf } from '../../src/datapath/offset';
import type { Endpoint, Session, TunnelEndpoint, TunnelSession } from '../rules/tables';
import { endpointKey, mappedHex, rxKey, tunnelEndpointKey, tunnelKey } from './fill';
import { endpoints, sessions, tunnelEndpoints, tunnelSessions } from './places';

/** What was counted, by names as `bad_length endpoint c0000202 2152`; without those that are zero. */
export type Counts = Map<string, bigint>;

/** How a session is called in counters. */
export function sessionName(session: Session | TunnelSession): string {
  const { local, id } = session;
  if ('version' in session) return `v${session.version} ${local} 0x${id.toString(16)}`;
  const { kind, port, form, namesRemote, remote } = session;
  const shape = `${form.key ? 'key ' : ''}${form.frames ? 'frames ' : ''}${namesRemote ? remote : ''}`;
  return `${kind} ${local} ${port} 0x${id.toString(16)} ${shape}`;
}

/** How a session is called in counters of drops. */
export function dropPlace(session: Session | TunnelSession): string {
  return `session ${keyName('version' in session ? rxKey(session) : tunnelKey(session))}`;
}

function keyName({ local, id, port, kind: of, form, scope }: Structs['rx_key']): string {
  return `${hexOfMapped(local)} ${id} ${port} ${KINDS.get(of)} ${form} ${scope}`;
}

/** How an endpoint is called in counters. */
export function endpointName(endpoint: Endpoint | TunnelEndpoint): string {
  const { local, port } = endpoint;
  return `${local} ${port} ${'kind' in endpoint ? endpoint.kind : 'gtp'}`;
}

/** Gives a function that reads every counter. It is called very often, so nothing is decoded that is not needed. */
export function counterReader(maps: OpenMaps): () => Counts {
  const [rx, ends, peers] = [rawMap(maps.rx.fd), rawMap(maps.endpoints.fd), rawMap(maps.peers.fd)];
  const entries = [
    ...sessions.map((one) => entry(rx, encode('rx_key', rxKey(one)), sessionName(one), SESSION)),
    ...tunnelSessions.map((one) => entry(rx, encode('rx_key', tunnelKey(one)), sessionName(one), SESSION)),
    ...tunnelEndpoints.map((one) =>
      entry(ends, encode('endpoint_key', tunnelEndpointKey(one)), endpointName(one), ENDPOINT),
    ),
    ...endpoints.flatMap((one) =>
      one.versions.map((version) =>
        entry(ends, encode('endpoint_key', endpointKey(one, version)), endpointName(one), ENDPOINT),
      ),
    ),
    ...pairs().map(([local, remote]) => {
      const key = encode('peer_key', { local: mappedHex(local), remote: mappedHex(remote) });
      return entry(peers, key, `${local} ${remote}`, PEER);
    }),
  ];
  return () => {
    const all: Counts = new Map();
    for (const { map, key, counters } of entries) {
      const value = lookup(map, key);
      if (value !== undefined) for (const { name, read } of counters) add(all, name, read(value));
    }
    addDrops(all, maps);
    return all;
  };
}

type Fields<N extends keyof Structs> = readonly [struct: N, names: Readonly<Record<string, keyof Structs[N] & string>>];

const SESSION: Fields<'rx_session'> = [
  'rx_session',
  { delivered: 'packets', 'delivered octets': 'bytes', end_markers: 'end_markers', errinds: 'errinds' },
];
const ENDPOINT: Fields<'endpoint'> = [
  'endpoint',
  {
    answered: 'answered',
    passed: 'passed',
    sent_echo: 'sent_echo',
    sent_errind: 'sent_errind',
    sent_extnotify: 'sent_extnotify',
  },
];
const PEER: Fields<'peer'> = ['peer', { notifications: 'extnotifies' }];

/** One entry of a map and the counters in it. */
interface Entry {
  readonly map: RawMap;
  readonly key: Buffer;
  readonly counters: readonly { readonly name: string; read(value: Buffer): bigint }[];
}

function entry<N extends keyof Structs>(map: RawMap, key: Buffer, of: string, [struct, names]: Fields<N>): Entry {
  const counters = Object.entries(names).map(([name, field]) => {
    const at = offsetOf(struct, field);
    const isWide = structs[struct].fields[field]?.[1] === 'u64';
    const read = (value: Buffer): bigint => (isWide ? value.readBigUInt64LE(at) : BigInt(value.readUInt32LE(at)));
    return { name: `${name} ${of}`, read };
  });
  return { map, key, counters };
}

function pairs(): (readonly [local: string, remote: string])[] {
  const all = sessions.map(({ local, remote }) => [`${local} ${remote}`, [local, remote] as const] as const);
  return [...new Map(all).values()];
}

function addDrops(all: Counts, maps: OpenMaps): void {
  for (const [{ of, ifindex, reason }, perCpu] of maps.drops.entries()) {
    const { packets, bytes } = total(perCpu);
    // The rules know one endpoint for both versions of GTP.
    const kindName = of.kind === kind.gtp0 ? 'gtp' : KINDS.get(of.kind);
    const place = ifindex === 0 ? `endpoint ${hexOfMapped(of.local)} ${of.port} ${kindName}` : `session ${keyName(of)}`;
    const name = `${REASONS.get(reason) ?? reason} ${place}`;
    add(all, name, packets);
    add(all, `octets ${name}`, bytes);
  }
}

function add(all: Counts, name: string, count: bigint): void {
  if (count > 0n) all.set(name, (all.get(name) ?? 0n) + count);
}

function hexOfMapped(octets: Uint8Array): string {
  const text = Buffer.from(octets).toString('hex');
  return text.startsWith('00000000000000000000ffff') ? text.slice(24) : text;
}

const KINDS = new Map<number, string>(Object.entries(kind).map(([name, value]) => [value, name]));
const REASONS = new Map<number, string>(Object.entries(drop_reason).map(([name, value]) => [value, name]));
