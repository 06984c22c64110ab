// SPDX-License-Identifier: MIT
import type { ExecutionContext } from 'ava';
import { encode, zero } from '../../src/datapath/codec';
import { type control, control_what, link_flag, type Structs } from '../../src/datapath/layout.gen';
import { type MapHandle, type OpenMaps, total } from '../../src/datapath/maps';
import { loadPrograms, type Run, type Skb } from './harness';
import { mapped, type Packet } from './packet';
import {
  dropName,
  hex,
  LINK,
  type Path,
  PORT,
  portBits,
  prefixKey,
  REMOTE_TEID,
  type RxAt,
  type RxWords,
  rxConfig,
  rxKey,
  type TxWords,
  txSession,
} from './session';

/** A run, and which counters it raised, with packets and octets: `tx 0xa0b0c0d0: 1 84`, `bad_length session 0x1001: 1 94`. */
export interface Counted extends Run {
  readonly counted: readonly string[];
}

/** The object in the kernel, and the state that a test gives it. */
export interface World {
  readonly maps: OpenMaps;
  /** Forgets everything: one link without sessions is left. */
  reset(): void;
  /** Sets flags of the link beside those that its sessions need. */
  link(flags: number): void;
  /** The link's session without `ue`. */
  fallback(words?: TxWords, path?: Path): void;
  /** A session for one inner address. */
  exact(ue: string, words?: TxWords, path?: Path): void;
  /** A session for inner addresses `address/length`. */
  prefix(ue: string, words?: TxWords, path?: Path): void;
  /** The receiving half of a session. */
  rx(words?: RxWords, at?: RxAt): void;
  /** A local address that is ours. */
  endpoint(local: string, port?: number): void;
  /** Sends a frame, and asserts that it raised so many counters: one, but for frames that are not ours and hairpins. */
  send(t: ExecutionContext, program: string, frame: Buffer | Packet, skb?: Skb, counters?: number): Counted;
  /** Runs a program again on what came out, uncounted. */
  repeat(program: string, frame: Buffer | Packet, times: number): Run;
  /** Runs the program `control`; gives 0 or an errno. */
  control(what: keyof typeof control_what | number, words?: Partial<control>): number;
  /** To attach a program to a device. */
  fd(program: string): number;
  close(): void;
}

/** Loads the object, once for a test file. */
export function makeWorld(): World {
  const programs = loadPrograms();
  const { maps } = programs;
  const readers = new Map<string, Reader>();
  let isShimUsed = false;

  const setFlags = (flags: number): void => {
    const old = maps.links.get(LINK) ?? zero('link_state');
    maps.links.put(LINK, { ...old, config: { flags: old.config.flags | flags, mtu: 1500 } });
  };
  const reads = (name: string, at: string, read: () => Count | undefined): void =>
    void readers.set(`${name} ${at}`, { name, read });
  const sends = (words: TxWords | undefined, ue: string, read: () => Count | undefined): void =>
    reads(`tx ${hex(words?.teid ?? REMOTE_TEID)}`, ue, read);

  return {
    maps,
    reset: () => {
      readers.clear();
      for (const name of ['tx', 'tx_prefix', 'rx', 'endpoints', 'locals', 'drops', 'links', 'devices'] as const)
        clear(maps[name] as Emptied);
      if (isShimUsed) for (let slot = 0; slot < 1024; slot++) maps.pending.put(slot, zero('pending'));
      isShimUsed = false;
      maps.datagrams.put(0, zero('datagrams'));
      maps.config.put(0, { ...zero('config'), shim_out: LINK, shim_in: LINK, ports: portBits(PORT) });
      maps.devices.put(LINK, LINK);
      setFlags(0);
    },
    link: setFlags,
    fallback: (words, path) => {
      setFlags(link_flag.default);
      const link = maps.links.get(LINK) ?? zero('link_state');
      maps.links.put(LINK, { ...link, fallback: txSession(words, path) });
      sends(words, '', () => maps.links.get(LINK)?.fallback);
    },
    exact: (ue, words, path) => {
      setFlags(link_flag.select);
      const key = { ifindex: LINK, addr: mapped(ue) };
      maps.tx.put(key, txSession(words, path));
      sends(words, ue, () => maps.tx.get(key));
    },
    prefix: (ue, words, path) => {
      setFlags(link_flag.select | link_flag.prefix);
      maps.tx_prefix.put(prefixKey(ue), txSession(words, path));
      sends(words, ue, () => maps.tx_prefix.get(prefixKey(ue)));
    },
    rx: (words, at) => {
      const key = rxKey(at);
      maps.rx.put(key, { ...zero('rx_session'), qfi: 255, ppi: 255, config: [rxConfig(words), zero('rx_config')] });
      reads(`rx ${hex(Number(key.id))}`, `${at?.local} ${at?.port}`, () => maps.rx.get(key));
    },
    endpoint: (local, port = PORT) => {
      const key = { local: mapped(local), port, kind: 1 };
      maps.endpoints.put(key, zero('endpoint'));
      maps.locals.put({ octets: mapped(local) }, 1);
      reads(`passed ${local}`, `${port}`, () => counts(maps.endpoints.get(key)?.passed));
      reads(`answered ${local}`, `${port}`, () => counts(maps.endpoints.get(key)?.answered));
    },
    send: (t, program, frame, skb = {}, counters = 1) => {
      const before = readAll(maps, readers.values());
      const run = programs.run(program, frame, skb);
      isShimUsed ||= program === 'shim' || run.skb.mark !== 0;
      const counted = raised(before, readAll(maps, readers.values()));
      if (counted.length !== counters) t.fail(`counted ${counted.length} times: ${counted.join(', ')}`);
      return { ...run, counted };
    },
    repeat: (program, frame, times) => programs.run(program, frame, {}, times),
    control: (what, words = {}) => {
      const number = typeof what === 'number' ? what : control_what[what];
      return programs.run('control', encode('control', { ...zero('control'), ...words, what: number })).value;
    },
    fd: programs.fd,
    close: () => programs.close(),
  };
}

interface Count {
  readonly packets: bigint;
  readonly bytes: bigint;
}

// Halves of sessions that share a TEID share a name, and are added up.
interface Reader {
  readonly name: string;
  read(): Count | undefined;
}

function counts(packets: bigint | undefined): Count | undefined {
  return packets === undefined ? undefined : { packets, bytes: 0n };
}

function readAll(maps: OpenMaps, readers: Iterable<Reader>): Map<string, Count> {
  const all = new Map<string, Count>();
  const add = (name: string, { packets, bytes }: Count): void => {
    const old = all.get(name) ?? { packets: 0n, bytes: 0n };
    all.set(name, { packets: old.packets + packets, bytes: old.bytes + bytes });
  };
  for (const { name, read } of readers) add(name, read() ?? { packets: 0n, bytes: 0n });
  for (const [key, perCpu] of maps.drops.entries()) add(dropName(key), total<Structs['drop_count']>(perCpu));
  return all;
}

function raised(before: ReadonlyMap<string, Count>, after: ReadonlyMap<string, Count>): string[] {
  return [...after].flatMap(([name, { packets, bytes }]) => {
    const old = before.get(name) ?? { packets: 0n, bytes: 0n };
    return packets === old.packets && bytes === old.bytes
      ? []
      : [`${name}: ${packets - old.packets} ${bytes - old.bytes}`];
  });
}

type Emptied = Pick<MapHandle<unknown, unknown>, 'entries' | 'delete'>;

function clear(map: Emptied): void {
  for (const [key] of [...map.entries()]) map.delete(key);
}
