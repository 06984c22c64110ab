// SPDX-License-Identifier: MIT
import { zero } from '../datapath/codec';
import { forgetDrops, ofEndpoint } from '../datapath/drops';
import { endpointId } from '../datapath/key';
import { kind, type Structs } from '../datapath/layout.gen';
import { errno, KernelError } from '../errors';
import { fromMapped } from '../tunnels/address';
import { protocolOf } from '../tunnels/tunnels';
import type { Undo } from '../undo';
import { address } from '../values';
import { renewPaths } from './shim';
import type { State } from './state';

/**
 * A local address and port at which links of ours receive, by kind, and what is answered there. One of a VLAN has no
 * address and says only that there are some.
 */
export type Endpoint = Structs['endpoint_key'] & Pick<Structs['endpoint'], 'flags' | 'restart_count'>;

/** Makes the endpoints exactly these; counters of those that stay go on. Of several restart counts the greatest holds. */
export function setEndpoints(state: State, wanted: readonly Endpoint[], undo: Undo): void {
  const { maps } = state;
  const was = [...maps.endpoints.entries()];
  const config = maps.config.get(0) ?? zero('config');
  undo(() => {
    for (const [key] of maps.endpoints.entries()) maps.endpoints.delete(key);
    for (const [key, value] of was) maps.endpoints.put(key, value);
    setLocals(
      state,
      was.map(([key]) => key),
    );
    maps.config.put(0, { ...config, epoch: maps.config.get(0)?.epoch ?? 0 });
    renewPaths(state);
  });
  const merged = new Map<string, Endpoint>();
  for (const one of wanted) merged.set(idOf(one), merge(one, merged.get(idOf(one))));
  for (const [key] of was) if (!merged.has(idOf(key))) removeEndpoint(maps, key);
  for (const { flags, restart_count, ...key } of merged.values()) {
    if (key.kind === kind.vlan) continue;
    const old = maps.endpoints.get(key);
    if (old?.flags === flags && old.restart_count === restart_count) continue;
    maps.endpoints.put(key, { ...(old ?? zero('endpoint')), flags, restart_count });
  }
  const all = [...merged.values()];
  setLocals(
    state,
    all.filter((one) => one.kind !== kind.vlan),
  );
  maps.config.put(0, { ...config, ...whatToLookAt(all) });
  renewPaths(state);
}

/** Adds endpoints to those there are, whoever needs them: nobody else's has to be known for that. */
export function addEndpoints(state: State, more: readonly Endpoint[], undo: Undo): void {
  const known = [...state.maps.endpoints.entries()].map(([key, { flags, restart_count }]) => ({
    ...key,
    flags,
    restart_count,
  }));
  const hasVlans = ((state.maps.config.get(0)?.kinds ?? 0) & (1 << kind.vlan)) !== 0;
  const there = hasVlans ? [...known, VLANS] : known;
  const has = (one: Endpoint): boolean => {
    const old = there.find((each) => idOf(each) === idOf(one));
    const both = old === undefined ? undefined : merge(one, old);
    return both?.flags === old?.flags && both?.restart_count === old?.restart_count && old !== undefined;
  };
  for (const one of more) refuseRival(one, there);
  if (!more.every(has)) setEndpoints(state, [...there, ...more], undo);
}

// One address and port can be read in one way only; the versions of GTP tell each other by themselves.
function refuseRival({ local, port, kind: own }: Endpoint, there: readonly Endpoint[]): void {
  const isGtp = (kindOf: number): boolean => kindOf === kind.gtp || kindOf === kind.gtp0;
  const rival = there.find(
    (each) =>
      each.port === port &&
      each.kind !== own &&
      hex16(each.local) === hex16(local) &&
      !(isGtp(each.kind) && isGtp(own)),
  );
  if (port === 0 || rival === undefined) return;
  throw new KernelError(`receive ${nameOf(own)} at ${address.format(fromMapped(local))} port ${port}`, {
    errno: errno('EADDRINUSE'),
    said: `a link or session of type ${nameOf(rival.kind)} receives there`,
    hint: 'give another port, or another local address',
  });
}

function nameOf(kindOf: number): string {
  return Object.entries(kind).find(([, number]) => number === kindOf)?.[0] ?? `#${kindOf}`;
}

function merge(one: Endpoint, other?: Endpoint): Endpoint {
  if (other === undefined) return one;
  const restart_count = Math.max(one.restart_count, other.restart_count);
  return { ...one, flags: one.flags | other.flags, restart_count };
}

// Each address once, with the first of its endpoints in the order of kinds, those of UDP before others.
function setLocals({ maps }: State, wanted: readonly Structs['endpoint_key'][]): void {
  const rank = (key: Structs['endpoint_key']): number => (key.port === 0 ? 1 << 24 : 0) + endpointId(key);
  const lastFirst = [...wanted].sort((a, b) => rank(b) - rank(a)); // of a map's pairs with one key the last one stays
  const missing = new Map(lastFirst.map((key) => [hex16(key.local), key]));
  for (const [{ octets }, id] of maps.locals.entries()) {
    const key = missing.get(hex16(octets));
    if (key === undefined) maps.locals.delete({ octets });
    else if (endpointId(key) === id) missing.delete(hex16(octets));
  }
  for (const key of missing.values()) maps.locals.put({ octets: key.local }, endpointId(key));
}

const VLANS: Endpoint = { local: new Uint8Array(16), port: 0, kind: kind.vlan, flags: 0, restart_count: 0 };

// Packets of what ports, and of what kinds without any, the programs look at.
function whatToLookAt(all: readonly Endpoint[]): Pick<Structs['config'], 'ports' | 'tunnel_ports' | 'kinds'> {
  const isGtp = ({ kind: of }: Endpoint): boolean => of === kind.gtp || of === kind.gtp0;
  const hasPorts = (one: Endpoint): boolean => protocolOf(one.kind) === UDP;
  const bare = all.filter((one) => !hasPorts(one));
  return {
    ports: portBits(all.filter(isGtp)),
    tunnel_ports: portBits(all.filter((one) => hasPorts(one) && !isGtp(one))),
    kinds: bare.reduce((bits, one) => bits | (1 << one.kind), 0),
  };
}

const UDP = 17;
const PORT_WORDS = 1024;

function portBits(endpoints: readonly Endpoint[]): bigint[] {
  const words = Array.from({ length: PORT_WORDS }, () => 0n);
  for (const { port } of endpoints) words[port >> 6] = (words[port >> 6] as bigint) | (1n << BigInt(port & 63));
  return words;
}

function idOf(key: Structs['endpoint_key']): string {
  if (key.kind === kind.vlan) return 'vlan';
  return `${hex16(key.local)} ${key.port} ${key.kind}`;
}

function hex16(local: Uint8Array): string {
  return Buffer.from(local).toString('hex');
}

// What was counted about it would come back with the address.
function removeEndpoint(maps: State['maps'], key: Structs['endpoint_key']): void {
  maps.endpoints.delete(key);
  forgetDrops(maps, ofEndpoint(key));
}
