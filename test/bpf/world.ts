// SPDX-License-Identifier: MIT
import { isDeepStrictEqual } from 'node:util';
import type { ExecutionContext } from 'ava';
import { zero } from '../../src/datapath/codec';
import type { control, drop_key, endpoint_key, rx_config, rx_key, tx_config, tx_session } from '../../src/datapath/layout.gen';
import { control_what, drop_reason, kind, link_flag, path_kind } from '../../src/datapath/layout.gen';
import { total } from '../../src/datapath/maps';
import { loadPrograms, type Run, type Skb } from './harness';
import { A, B, MAC_A, MAC_B, mac, mapped, octets, type Packet } from './packet';

/** The link's ifindex, which is also the inner end that frames are delivered to, unless a test says otherwise: lo. */
export const LINK = 1;
/** The device that packets to be cut are sent to; nothing is really sent in a test run. */
export const SHIM = 1;
export const LOCAL_TEID = 0x1001;
export const REMOTE_TEID = 0xa0b0c0d0;
export const PORT = 2152;
/** skb->mark of a train of outer packets on its way through the shim. */
export const SHIM_DECAP = 0xffffffff;
/** Inner ends get frames with these addresses. */
export const INNER_MAC = '02:00:00:00:00:1e';
export const LINK_MAC = '02:00:00:00:00:11';

/** What a session sends by; `local` and `remote` as text. */
export type TxWords = Partial<Omit<tx_config, 'local' | 'remote'>> & { local?: string; remote?: string };
export type RxWords = Partial<Omit<rx_config, 'remote' | 'ue4' | 'ue6'>> & { remote?: string; ue4?: string; ue6?: string };
/** The sending half beside its configuration: path and counters. */
export type TxState = Partial<Omit<tx_session, 'config'>>;

/** A run, and which counters it raised: `tx 0xa0b0c0d0 1 84`, `drop bad_length session 0x1001`, ... */
export interface Counted extends Run {
  readonly counted: readonly string[];
}

/** An object in the kernel for the tests of one file, and the state that one test gave it. */
export interface World {
  readonly maps: ReturnType<typeof loadPrograms>['maps'];
  /** Takes all state away. */
  reset(): void;
  /** Sets the link's words; sessions made later add what they need to the flags. */
  link(flags?: number, ifindex?: number): void;
  /** The link's session without `ue`. */
  fallback(words?: TxWords, state?: TxState): void;
  /** A session for one inner address. */
  exact(ue: string, words?: TxWords, state?: TxState): void;
  /** A session for inner addresses `address/length`. */
  prefix(ue: string, words?: TxWords, state?: TxState): void;
  /** The receiving half of a session. */
  rx(words?: RxWords, at?: { local?: string; teid?: number; port?: number }): void;
  /** A local address that is ours. */
  endpoint(local: string, port?: number): void;
  /** Sends a frame, and asserts that it was counted exactly once, or not at all if `uncounted`. */
  send(t: ExecutionContext, program: string, frame: Buffer | Packet, skb?: Skb, count?: 'once' | 'never'): Counted;
  /** Runs the program `control`; gives 0 or an errno. */
  control(what: keyof typeof control_what, words: Partial<control>): number;
  close(): void;
}

/** Loads the object. */
export function makeWorld(): World {
  const programs = loadPrograms();
  const { maps } = programs;
  const known = { tx: new Map<string, number>(), endpoints: new Map<string, endpoint_key>(), rx: new Map<string, rx_key>() };
  const links = new Map<number, number>();
  const sending: { label: string; read: () => tx_session | undefined }[] = [];
  let isShimUsed = false;

  const addFlag = (flag: number): void => world.link((links.get(LINK) ?? 0) | flag);
  const world: World = {
    maps,
    reset: () => {
      for (const map of [maps.tx, maps.tx_prefix, maps.rx, maps.endpoints, maps.drops, maps.links, maps.devices] as const)
        clear(map as Clearable);
      if (isShimUsed) for (let i = 0; i < 1024; i++) maps.pending.put(i, zero('pending'));
      isShimUsed = false;
      for (const each of Object.values(known)) each.clear();
      links.clear();
      sending.length = 0;
      maps.config.put(0, { ...zero('config'), shim_out: SHIM, shim_in: SHIM, ports: portBits(PORT) });
      maps.devices.put(LINK, LINK);
      world.link();
    },
    link: (flags = 0, ifindex = LINK) => {
      const old = maps.links.get(ifindex) ?? zero('link_state');
      links.set(ifindex, flags);
      maps.links.put(ifindex, { ...old, config: { flags, mtu: 1500 } });
    },
    fallback: (words, state) => {
      addFlag(link_flag.default);
      maps.links.put(LINK, { ...(maps.links.get(LINK) ?? zero('link_state')), fallback: session(words, state) });
      sending.push({ label: label(words), read: () => maps.links.get(LINK)?.fallback });
    },
    exact: (ue, words, state) => {
      addFlag(link_flag.select);
      const key = { ifindex: LINK, addr: mapped(ue) };
      maps.tx.put(key, session(words, state));
      sending.push({ label: label(words), read: () => maps.tx.get(key) });
    },
    prefix: (ue, words, state) => {
      addFlag(link_flag.select | link_flag.prefix);
      const key = { ...prefixKey(ue), ifindex: LINK };
      maps.tx_prefix.put(key, session(words, state));
      sending.push({ label: label(words), read: () => maps.tx_prefix.get(key) });
    },
    rx: (words, at) => {
      const key = rxKey(at);
      known.rx.set(`rx ${hex(Number(key.id))}`, key);
      maps.rx.put(key, { ...zero('rx_session'), qfi: 255, ppi: 255, config: [rxConfig(words), zero('rx_config')] });
    },
    endpoint: (local, port = PORT) => {
      const key = { local: mapped(local), port, kind: kind.gtp };
      known.endpoints.set(`endpoint ${local}`, key);
      maps.endpoints.put(key, zero('endpoint'));
    },
    send: (t, program, frame, skb = {}, count = 'once') => {
      const before = counters();
      const run = programs.run(program, frame, skb);
      if (run.skb.mark !== 0 || program === 'shim') isShimUsed = true;
      const counted = changes(before, counters());
      t.is(counted.length, count === 'once' ? 1 : 0, `counted ${count}: ${counted.join(', ')}`);
      return { ...run, counted };
    },
    control: (what, words) => {
      const frame = encodeControl({ ...zero('control'), ...words, what: control_what[what] });
      return programs.run('control', frame).value;
    },
    close: () => programs.close(),
  };
  return world;

  function counters(): Map<string, readonly [bigint, bigint]> {
    const all = new Map<string, readonly [bigint, bigint]>();
    for (const { label, read } of sending) {
      const s = read();
      if (s !== undefined) all.set(`tx ${label}`, [s.packets, s.bytes]);
    }
    for (const [name, key] of known.rx) {
      const s = maps.rx.get(key);
      if (s !== undefined) all.set(name, [s.packets, s.bytes]);
    }
    for (const [name, key] of known.endpoints) {
      const e = maps.endpoints.get(key);
      if (e === undefined) continue;
      all.set(`passed ${name}`, [e.passed, 0n]);
      all.set(`answered ${name}`, [e.answered, 0n]);
    }
    for (const [key, values] of maps.drops.entries()) {
      const { packets, bytes } = total(values);
      all.set(dropName(key), [packets, bytes]);
    }
    return all;
  }
}
