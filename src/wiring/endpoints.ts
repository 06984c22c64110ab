// SPDX-License-Identifier: MIT
import { zero } from '../datapath/codec';
import { forgetDrops } from '../datapath/drops';
import type { Structs } from '../datapath/layout.gen';
import type { Undo } from '../undo';
import { renewPaths } from './shim';
import type { State } from './state';

/** A local address and port at which links of ours receive, by kind, and what is answered there. */
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
  for (const [key] of was) if (!merged.has(idOf(key))) removeEndpoint(maps, key, [...merged.values()]);
  for (const { flags, restart_count, ...key } of merged.values()) {
    const old = maps.endpoints.get(key);
    if (old?.flags === flags && old.restart_count === restart_count) continue;
    maps.endpoints.put(key, { ...(old ?? zero('endpoint')), flags, restart_count });
  }
  setLocals(state, [...merged.values()]);
  maps.config.put(0, { ...config, ports: portBits([...merged.values()].map(({ port }) => port)) });
  renewPaths(state);
}

/** Adds endpoints to those there are, whoever needs them: nobody else's has to be known for that. */
export function addEndpoints(state: State, more: readonly Endpoint[], undo: Undo): void {
  const there = [...state.maps.endpoints.entries()].map(([key, { flags, restart_count }]) => ({
    ...key,
    flags,
    restart_count,
  }));
  const has = (one: Endpoint): boolean => {
    const old = there.find((each) => idOf(each) === idOf(one));
    const both = old === undefined ? undefined : merge(one, old);
    return both?.flags === old?.flags && both?.restart_count === old?.restart_count && old !== undefined;
  };
  if (!more.every(has)) setEndpoints(state, [...there, ...more], undo);
}

function merge(one: Endpoint, other?: Endpoint): Endpoint {
  if (other === undefined) return one;
  const restart_count = Math.max(one.restart_count, other.restart_count);
  return { ...one, flags: one.flags | other.flags, restart_count };
}

// Each address once, whatever the ports.
function setLocals({ maps }: State, wanted: readonly Structs['endpoint_key'][]): void {
  const missing = new Map(wanted.map(({ local }) => [hex16(local), local]));
  for (const [{ octets }] of maps.locals.entries()) {
    if (!missing.delete(hex16(octets))) maps.locals.delete({ octets });
  }
  for (const octets of missing.values()) maps.locals.put({ octets }, 1);
}

const PORT_WORDS = 1024;

function portBits(ports: readonly number[]): bigint[] {
  const words = Array.from({ length: PORT_WORDS }, () => 0n);
  for (const port of ports) words[port >> 6] = (words[port >> 6] as bigint) | (1n << BigInt(port & 63));
  return words;
}

function idOf(key: Structs['endpoint_key']): string {
  return `${hex16(key.local)} ${key.port} ${key.kind}`;
}

function hex16(local: Uint8Array): string {
  return Buffer.from(local).toString('hex');
}

// What was counted about it would come back with the address; drops are counted by address and port alone.
function removeEndpoint(maps: State['maps'], key: Structs['endpoint_key'], others: readonly Endpoint[]): void {
  maps.endpoints.delete(key);
  const isShared = others.some(({ port, local }) => port === key.port && hex16(local) === hex16(key.local));
  if (!isShared) forgetDrops(maps, { id: BigInt(key.port), local: key.local, ifindex: 0 });
}
