// SPDX-License-Identifier: MIT
import { rawMap, updateBatch } from '../src/bindings/bpf-map';
import { zero } from '../src/datapath/codec';
import { kind, link_flag, path_kind, type rx_session, tx_flag, type tx_session } from '../src/datapath/layout.gen';
import type { Programs } from '../test/bpf/harness';
import { A, B, mapped } from '../test/bpf/packet';
import { NEVER } from '../test/bpf/session';

/** Sessions are told apart by these and the numbers behind them. */
export const FIRST_ADDRESS = 0x0a000001;
export const FIRST_TEID = 0x1001;

/** Who talks to the UEs. */
export const SERVER = '10.255.0.1';

/** Gives the product's maps a link and `count` sessions by address; with 0 a single one that takes everything. */
export function fillOurs({ maps }: Programs, count: number): void {
  maps.devices.put(LO, LO);
  maps.underlays.put(LO, zero('underlay'));
  maps.config.put(0, { ...zero('config'), ports: portWords(PORT) });
  const flags = count === 0 ? link_flag.default : link_flag.select;
  maps.links.put(LO, { config: { flags, mtu: 1464, slots: 0n }, icmp_sent: 0n, fallback: txSession(FIRST_TEID) });
  maps.tx.putAll(upTo(count, (i) => [{ ifindex: LO, addr: v4Mapped(FIRST_ADDRESS + i) }, txSession(FIRST_TEID + i)]));
  const key = { local: mapped(B), port: PORT, kind: kind.gtp, form: 0, scope: 0 };
  maps.rx.putAll(upTo(Math.max(1, count), (i) => [{ ...key, id: BigInt(FIRST_TEID + i) }, rxSession()]));
}

/** Gives the yardsticks' map an entry for each address and TEID. */
export function fillBare(fd: number, count: number): void {
  const map = rawMap(fd);
  for (const first of [FIRST_ADDRESS, FIRST_TEID]) {
    const keys = Buffer.alloc(count * map.info.keySize);
    for (let i = 0; i < count; i++) keys.writeUInt32BE(first + i, i * map.info.keySize + 4);
    updateBatch(map, keys, Buffer.alloc(count * map.info.valueSize), count);
  }
}

// A test run without a device is one on lo.
const LO = 1;
const PORT = 2152;

function* upTo<T>(count: number, make: (i: number) => T): Generator<T> {
  for (let i = 0; i < count; i++) yield make(i);
}

function portWords(port: number): bigint[] {
  return Array.from({ length: 1024 }, (_, word) => (word === port >> 6 ? 1n << BigInt(port & 63) : 0n));
}

function txSession(teid: number): tx_session {
  const config = {
    local: mapped(A),
    remote: mapped(B),
    teid,
    local_teid: teid,
    sport: PORT,
    dport: PORT,
    flags: tx_flag.df,
    tos: 0,
    ttl: 64,
    ext_len: 0,
    kind: kind.gtp,
    ext: Buffer.alloc(4),
  };
  return {
    active: 0,
    epoch: 0,
    expires: NEVER,
    oif: LO,
    mtu: 1500,
    route_mtu: 0,
    gateway: mapped(B),
    path: path_kind.wire,
    local_dev: 0,
    packets: 0n,
    bytes: 0n,
    config: [config, config],
  };
}

function rxSession(): rx_session {
  const config = {
    ifindex: LO,
    flags: 0,
    remote: mapped(A),
    ue6: Buffer.alloc(16),
    ue4: Buffer.alloc(4),
    ue4_len: 255,
    ue6_len: 255,
    dmac: Buffer.alloc(6),
    smac: Buffer.alloc(6),
    flow: 0,
  };
  const counters = { packets: 0n, bytes: 0n, tx_seq: 0, rx_seq: 0, reordered: 0, end_markers: 0, errinds: 0 };
  return { active: 0, qfi: 255, rqi: 0, ppi: 255, state: 0, seen: 0, ...counters, config: [config, config] };
}

function v4Mapped(address: number): Buffer {
  const octets = Buffer.from('00000000000000000000ffff00000000', 'hex');
  octets.writeUInt32BE(address, 12);
  return octets;
}
