// SPDX-License-Identifier: MIT
import { zero } from '../datapath/codec';
import { drop_reason, kind, type Structs } from '../datapath/layout.gen';
import type { Undo } from '../undo';
import { renewPaths } from './shim';
import type { State } from './state';

/** A local address and port at which links of ours receive, and what is answered there. */
export type Endpoint = { readonly local: Uint8Array; readonly port: number; readonly flags: number };

/** Makes the endpoints exactly these; counters of those that stay go on. */
export function setEndpoints(state: State, wanted: readonly Endpoint[], undo: Undo): void {
  const { maps } = state;
  const was = [...maps.endpoints.entries()];
  const config = maps.config.get(0) ?? zero('config');
  undo(() => {
    for (const [key] of maps.endpoints.entries()) maps.endpoints.delete(key);
    for (const [key, value] of was) maps.endpoints.put(key, value);
    maps.config.put(0, { ...config, epoch: maps.config.get(0)?.epoch ?? 0 });
    renewPaths(state);
  });
  const flags = new Map<string, [Structs['endpoint_key'], number]>();
  for (const { local, port, flags: own } of wanted) {
    const key = { ...zero('endpoint_key'), local, port, kind: kind.gtp };
    flags.set(idOf(key), [key, (flags.get(idOf(key))?.[1] ?? 0) | own]);
  }
  for (const [key] of was) if (!flags.has(idOf(key))) removeEndpoint(maps, key);
  for (const [key, own] of flags.values()) {
    const old = maps.endpoints.get(key);
    if (old?.flags !== own) maps.endpoints.put(key, { ...(old ?? zero('endpoint')), flags: own });
  }
  maps.config.put(0, { ...config, ports: portBits([...flags.values()].map(([key]) => key.port)) });
  renewPaths(state);
}

/** Adds endpoints to those there are, whoever needs them: nobody else's has to be known for that. */
export function addEndpoints(state: State, more: readonly Endpoint[], undo: Undo): void {
  const there = [...state.maps.endpoints.entries()].map(([{ local, port }, { flags }]) => ({ local, port, flags }));
  const isNew = ({ local, port, flags }: Endpoint): boolean =>
    !there.some((old) => old.port === port && hex16(old.local) === hex16(local) && (old.flags & flags) === flags);
  if (more.some(isNew)) setEndpoints(state, [...there, ...more], undo);
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

// What was counted about it would come back with the address.
function removeEndpoint(maps: State['maps'], key: Structs['endpoint_key']): void {
  maps.endpoints.delete(key);
  for (const reason of Object.values(drop_reason)) {
    maps.drops.delete({ id: BigInt(key.port), local: key.local, ifindex: 0, reason });
  }
}
