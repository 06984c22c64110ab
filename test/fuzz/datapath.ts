// SPDX-License-Identifier: MIT

import { lookup, rawMap, update } from '../../src/bindings/bpf-map';
import { koffi } from '../../src/bindings/koffi';
import { call, checked } from '../../src/bindings/libbpf';
import { encode, zero } from '../../src/datapath/codec';
import type { tx_session } from '../../src/datapath/layout.gen';
import { drop_reason, endpoint_flag, kind, link_flag, rx_flag, tx_flag } from '../../src/datapath/layout.gen';
import { total } from '../../src/datapath/maps';
import { offsetOf } from '../../src/datapath/offset';
import { loadPrograms, type Programs } from '../bpf/harness';
import { LINK, portBits } from '../bpf/session';
import type { Endpoint, Prefix, Session } from '../rules/tables';
import { endpoints, sessions } from './places';

/** What the program made of a frame. */
export interface Made {
  readonly verdict: 'pass' | 'drop' | 'redirect' | number;
  /** Valid until the next frame. */
  readonly frame: Buffer;
}

/** The program `underlay` with the endpoints and sessions of places.ts. */
export interface Datapath {
  /** Runs a frame; undefined when the kernel does not run a program with so short a one. */
  run(frame: Buffer): Made | undefined;
  /** Every counter that is not zero, by name. */
  counters(): Map<string, bigint>;
  /** Fills the token buckets or takes everything out of them. */
  setTokens(areThere: boolean): void;
  close(): void;
}

/** Loads the programs privately and fills the maps. */
export function openDatapath(): Datapath {
  const programs = loadPrograms();
  fill(programs);
  return {
    run: runner(programs.fd('underlay')),
    counters: () => readCounters(programs),
    setTokens: tokenSetter(programs),
    close: () => programs.close(),
  };
}

/** How a session is called in counters. */
export function sessionName({ version, local, id }: Session): string {
  return `v${version} ${local} 0x${id.toString(16)}`;
}

/** How an endpoint is called in counters. */
export function endpointName({ local, port }: Endpoint): string {
  return `${local} ${port}`;
}

function fill({ maps }: Programs): void {
  maps.config.put(0, { ...zero('config'), shim_out: LINK, shim_in: LINK, ports: portBits(2152, 3386, 9000) });
  maps.devices.put(LINK, LINK);
  maps.links.put(LINK, { ...zero('link_state'), config: { flags: link_flag.select | link_flag.prefix, mtu: 1500 } });
  for (const endpoint of endpoints) putEndpoint(maps, endpoint);
  for (const session of sessions) putSession(maps, session);
}

type Maps = Programs['maps'];

function putEndpoint(maps: Maps, endpoint: Endpoint): void {
  const flags =
    (endpoint.echo ? endpoint_flag.echo : 0) |
    (endpoint.errind ? endpoint_flag.errind : 0) |
    (endpoint.extnotify ? endpoint_flag.extnotify : 0) |
    (endpoint.zeroChecksum ? endpoint_flag.zero_csum : 0);
  for (const version of endpoint.versions)
    maps.endpoints.put(endpointKey(endpoint, version), {
      ...zero('endpoint'),
      flags,
      restart_count: endpoint.restart,
    });
  maps.locals.put({ octets: mappedHex(endpoint.local) }, 1);
}

function endpointKey({ local, port }: Endpoint, version: 0 | 1) {
  return { local: mappedHex(local), port, kind: kindOf(version) };
}

const NOBODY = 0xffff;
const NO_PREFIX = 255;

function putSession(maps: Maps, session: Session): void {
  const { version, local, port, id, remote, remoteTeid } = session;
  const isMany = session.ue.some((prefix) => prefix.length !== prefix.address.length * 4);
  const flags =
    (session.strict ? rx_flag.strict : 0) |
    (session.antispoof ? rx_flag.antispoof : 0) |
    (session.zeroChecksum ? rx_flag.zero_csum : 0) |
    (session.role === 'sgsn' ? rx_flag.sgsn : 0) |
    (isMany ? rx_flag.many : 0);
  const config = {
    ...zero('rx_config'),
    ifindex: session.hasLink ? LINK : NOBODY,
    flags,
    ue4_len: NO_PREFIX,
    ue6_len: NO_PREFIX,
    remote: mappedHex(remote),
    ...(isMany ? {} : ownPrefixes(session.ue)),
  };
  maps.rx.put(rxKey(session), { ...zero('rx_session'), qfi: 255, ppi: 255, config: [config, zero('rx_config')] });
  const peersId = version === 0 ? id : BigInt(remoteTeid);
  const ends = { local: mappedHex(local), remote: mappedHex(remote) };
  maps.remotes.put({ ...ends, id: peersId, port, kind: kindOf(version) }, id);
  maps.peers.put(ends, { ...zero('peer'), sessions: 1 });
  if (isMany) for (const prefix of session.ue) putPrefix(maps, prefix, session);
}

function rxKey({ version, local, port, id }: Session) {
  return { local: mappedHex(local), id, port, kind: kindOf(version), scope: 0 };
}

function ownPrefixes(ue: readonly Prefix[]): object {
  return Object.assign(
    {},
    ...ue.map(({ address, length }) => {
      const name = address.length === 8 ? 'ue4' : 'ue6';
      return { [name]: Buffer.from(address, 'hex'), [`${name}_len`]: length };
    }),
  );
}

// What the link sends to: with `many` that is what antispoof asks.
function putPrefix(maps: Maps, { address, length }: Prefix, session: Session): void {
  const isV4 = address.length === 8;
  const config = {
    ...zero('tx_config'),
    local_teid: Number(session.id & 0xffffffffn),
    teid: session.version === 0 ? Number(session.id >> 32n) : session.remoteTeid,
    flags: session.version === 0 ? tx_flag.v0 : 0,
    local: mappedHex(session.local),
    remote: mappedHex(session.remote),
  };
  const value: tx_session = { ...zero('tx_session'), config: [config, zero('tx_config')] };
  const addr = mappedHex(address);
  if (length === address.length * 4) maps.tx.put({ ifindex: LINK, addr }, value);
  else {
    const prefixlen = 64 + length + (isV4 ? 96 : 0);
    maps.tx_prefix.put({ prefixlen, ifindex: LINK, version: isV4 ? 4 : 6, addr }, value);
  }
}

function mappedHex(address: string): Buffer {
  return Buffer.from(address.length === 8 ? `00000000000000000000ffff${address}` : address, 'hex');
}

function hexOfMapped(octets: Uint8Array): string {
  const text = Buffer.from(octets).toString('hex');
  return text.startsWith('00000000000000000000ffff') ? text.slice(24) : text;
}

function kindOf(version: 0 | 1): number {
  return version === 0 ? kind.gtp0 : kind.gtp;
}

const LIMITS = [0, 1, 2];
// So late that no clock of this boot gets there.
const NEVER = 1n << 62n;

const ECHO_BUCKET = offsetOf('peer', 'echo_bucket');

/** Gives a function for setTokens without decoding: it is called very often. */
function tokenSetter({ maps }: Programs): Datapath['setTokens'] {
  const [limits, peers] = [rawMap(maps.limits.fd), rawMap(maps.peers.fd)];
  const keys = [...maps.peers.entries()].map(([key]) => encode('peer_key', key));
  const limitKeys = LIMITS.map((limit) => Buffer.from([limit, 0, 0, 0]));
  return (areThere) => {
    const next = areThere ? 0n : NEVER;
    for (const key of limitKeys) update(limits, key, encode('bucket', { next }));
    for (const key of keys) {
      const peer = lookup(peers, key);
      peer?.writeBigUInt64LE(next, ECHO_BUCKET);
      if (peer !== undefined) update(peers, key, peer);
    }
  };
}

function readCounters({ maps }: Programs): Map<string, bigint> {
  const all = new Map<string, bigint>();
  const add = (name: string, count: bigint | number): void => {
    if (count) all.set(name, (all.get(name) ?? 0n) + BigInt(count));
  };
  for (const session of sessions) {
    const { packets, bytes, end_markers, errinds } = maps.rx.get(rxKey(session)) ?? zero('rx_session');
    const name = sessionName(session);
    add(`delivered ${name}`, packets);
    add(`delivered octets ${name}`, bytes);
    add(`end_markers ${name}`, end_markers);
    add(`errinds ${name}`, errinds);
  }
  for (const [key, endpoint] of maps.endpoints.entries())
    for (const name of ['answered', 'passed', 'sent_echo', 'sent_errind', 'sent_extnotify'] as const)
      add(`${name} ${hexOfMapped(key.local)} ${key.port}`, endpoint[name]);
  for (const [{ local, remote }, { extnotifies }] of maps.peers.entries())
    add(`notifications ${hexOfMapped(local)} ${hexOfMapped(remote)}`, extnotifies);
  for (const [{ id, local, ifindex, reason }, perCpu] of maps.drops.entries()) {
    const { packets, bytes } = total(perCpu);
    const word = REASONS.get(reason) ?? `${reason}`;
    const name = `${word} ${ifindex === 0 ? 'endpoint' : 'session'} ${hexOfMapped(local)} ${id}`;
    add(name, packets);
    add(`octets ${name}`, bytes);
  }
  return all;
}

const REASONS = new Map<number, string>(Object.entries(drop_reason).map(([name, value]) => [value, name]));

const EINVAL = -22;
const VERDICTS: Readonly<Record<number, Made['verdict']>> = { 4294967295: 'pass', 2: 'drop', 7: 'redirect' };
const LONGEST = 65536;

// struct bpf_test_run_opts of libbpf 1.0.
const OPTS_SIZE = 80;
const OPTS = { size: 0, dataIn: 8, dataOut: 16, dataInSize: 24, dataOutSize: 28, value: 56, repeat: 60 } as const;

/** As testRun of src/bindings, but with the same buffers every time: several times as fast. */
function runner(fd: number): Datapath['run'] {
  const [into, out, opts] = [Buffer.alloc(LONGEST), Buffer.alloc(LONGEST), Buffer.alloc(OPTS_SIZE)];
  opts.writeBigUInt64LE(BigInt(OPTS_SIZE), OPTS.size);
  opts.writeBigUInt64LE(koffi().address(into), OPTS.dataIn);
  opts.writeBigUInt64LE(koffi().address(out), OPTS.dataOut);
  opts.writeInt32LE(1, OPTS.repeat);
  return (frame) => {
    frame.copy(into);
    opts.writeUInt32LE(frame.length, OPTS.dataInSize);
    opts.writeUInt32LE(out.length, OPTS.dataOutSize);
    const result = call('bpf_prog_test_run_opts', fd, opts);
    if (result === EINVAL) return undefined;
    checked('run program underlay', result);
    const value = opts.readUInt32LE(OPTS.value);
    return { verdict: VERDICTS[value] ?? value, frame: out.subarray(0, opts.readUInt32LE(OPTS.dataOutSize)) };
  };
}
