// SPDX-License-Identifier: MIT
import type { ExecutionContext } from 'ava';
import { encode, zero } from '../../src/datapath/codec';
import { endpointId } from '../../src/datapath/key';
import {
  type control,
  control_what,
  type endpoint,
  endpoint_flag,
  kind,
  link_flag,
  type peer,
  type rx_session,
} from '../../src/datapath/layout.gen';
import type { MapHandle, OpenMaps } from '../../src/datapath/maps';
import { type Count, makeCounters, packets, type Raised } from './counters';
import { loadPrograms, type Run, type Skb } from './harness';
import { mapped, type Packet } from './packet';
import {
  hex,
  LINK,
  type Path,
  PORT,
  peerKey,
  portBits,
  prefixKey,
  REMOTE_TEID,
  type RemoteAt,
  type RxAt,
  type RxWords,
  remoteKey,
  rxConfig,
  rxKey,
  type TxWords,
  txSession,
} from './session';
import { underlayBothWays } from './xdp';

/** A run, and which counters it raised: packets and octets of where the frame went (`tx 0xa0b0c0d0: 1 84`,
 * `bad_length session 0x1001: 1 94`), and what is told beside (`sent_echo 192.0.2.2: 1`). */
export type Counted = Run & Raised;

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
  /** The receiving half of a session, with what it has seen so far. */
  rx(words?: RxWords, at?: RxAt, seen?: Partial<rx_session>): void;
  /** A local address that is ours, with every answer on. */
  endpoint(local: string, port?: number, words?: EndpointWords): void;
  /** Somebody with whom a local address has sessions. */
  peer(local: string, remote: string, words?: Partial<peer>): void;
  /** Which session of ours, by its own TEID or TID, a peer's TEID or TID belongs to. */
  remote(at: RemoteAt, own: number | bigint): void;
  /** When the next answer of a kind may go out at the earliest, in nanoseconds from now; a second ahead none may. */
  limit(what: keyof typeof LIMITS, next: bigint): void;
  /**
   * Sends a frame, and asserts that it raised so many counters: one, but for frames that are not ours and hairpins. What goes to
   * `underlay` goes by XDP, too, with the same outcome.
   */
  send(t: ExecutionContext, program: string, frame: Buffer | Packet, skb?: Skb, counters?: number): Counted;
  /** What XDP makes of a frame, uncounted: `redirect`, or `pass` to leave it to tc. */
  xdp(frame: Buffer | Packet): string;
  /** Runs a program again on what came out, uncounted. */
  repeat(program: string, frame: Buffer | Packet, times: number, skb?: Skb): Run;
  /** What is raised while something is done. */
  watch<T>(act: () => T): T & Raised;
  /** Runs the program `control`; gives 0 or an errno. */
  control(what: keyof typeof control_what | number, words?: Partial<control>): number;
  /** To attach a program to a device. */
  fd(program: string): number;
  close(): void;
}

export type EndpointWords = Partial<Pick<endpoint, 'flags' | 'restart_count'>> & { kind?: number };

/** Of enum limit in bpf/maps.h. */
const LIMITS = { echo: 0, errind: 1, extnotify: 2 } as const;
const ANSWERS = endpoint_flag.echo | endpoint_flag.errind | endpoint_flag.extnotify;

/** Loads the object, once for a test file. */
export function makeWorld(): World {
  const programs = loadPrograms();
  const { maps } = programs;
  const counters = makeCounters(maps);
  let isShimUsed = false;

  const setFlags = (flags: number): void => {
    const old = maps.links.get(LINK) ?? zero('link_state');
    maps.links.put(LINK, { ...old, config: { ...old.config, flags: old.config.flags | flags, mtu: 1500 } });
  };
  const sends = (words: TxWords | undefined, ue: string, read: () => Count | undefined): void =>
    counters.counts(`tx ${hex(words?.teid ?? REMOTE_TEID)}`, ue, read);

  return {
    maps,
    reset: () => {
      counters.forget();
      for (const name of EMPTIED) clear(maps[name] as Emptied);
      for (const each of Object.values(LIMITS)) maps.limits.put(each, { next: 0n });
      if (isShimUsed) for (let slot = 0; slot < 1024; slot++) maps.pending.put(slot, zero('pending'));
      isShimUsed = false;
      maps.datagrams.put(0, zero('datagrams'));
      maps.config.put(0, { ...zero('config'), shim_out: LINK, shim_in: LINK, ports: portBits(PORT) });
      maps.devices.put(LINK, LINK);
      maps.underlays.put(LINK, zero('underlay'));
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
    rx: (words, at, seen) => {
      const key = rxKey(at);
      const [id, place] = [hex(key.id), `${at?.local} ${at?.port} ${key.kind} ${key.form} ${key.scope}`];
      maps.rx.put(key, {
        ...zero('rx_session'),
        qfi: 255,
        ppi: 255,
        ...seen,
        config: [rxConfig(words), zero('rx_config')],
      });
      counters.counts(`rx ${id}`, place, () => maps.rx.get(key));
      for (const name of ['end_markers', 'errinds'] as const)
        counters.counts(`${name} ${id}`, place, () => packets(maps.rx.get(key)?.[name]));
      counters.notes(`reordered ${id}`, place, () => maps.rx.get(key)?.reordered);
    },
    endpoint: (local, port = PORT, words = {}) => {
      const { kind: of = kind.gtp, ...rest } = words;
      const key = { local: mapped(local), port, kind: of };
      maps.endpoints.put(key, { ...zero('endpoint'), flags: ANSWERS, ...rest });
      maps.locals.put({ octets: mapped(local) }, endpointId(key));
      for (const name of ['passed', 'answered'] as const)
        counters.counts(`${name} ${local}`, `${port} ${of}`, () => packets(maps.endpoints.get(key)?.[name]));
      for (const name of ['sent_echo', 'sent_errind', 'sent_extnotify'] as const)
        counters.notes(`${name} ${local}`, `${port} ${of}`, () => maps.endpoints.get(key)?.[name]);
    },
    peer: (local, remote, words) => {
      const key = peerKey(local, remote);
      maps.peers.put(key, { ...zero('peer'), sessions: 1, ...words });
      counters.counts(`extnotifies ${remote}`, local, () => packets(maps.peers.get(key)?.extnotifies));
      for (const name of ['echo_requests', 'echo_responses', 'errinds'] as const)
        counters.notes(`${name} ${remote}`, local, () => maps.peers.get(key)?.[name]);
    },
    remote: (at, own) => maps.remotes.put(remoteKey(at), { id: BigInt(own), others: 0 }),
    limit: (what, next) => maps.limits.put(LIMITS[what], { next: process.hrtime.bigint() + next }),
    send: (t, program, frame, skb = {}, wanted = 1) => {
      const run =
        program === 'underlay'
          ? underlayBothWays(t, { programs, counters }, frame, skb)
          : counters.around(() => programs.run(program, frame, skb));
      isShimUsed ||= program === 'shim' || run.skb.mark !== 0;
      if (run.counted.length !== wanted) t.fail(`counted ${run.counted.length} times: ${run.counted.join(', ')}`);
      return run;
    },
    xdp: (frame) => programs.runXdp(frame).verdict,
    repeat: (program, frame, times, skb = {}) => programs.run(program, frame, skb, times),
    watch: counters.around,
    control: (what, words = {}) => {
      const number = typeof what === 'number' ? what : control_what[what];
      return programs.run('control', encode('control', { ...zero('control'), ...words, what: number })).value;
    },
    fd: programs.fd,
    close: () => programs.close(),
  };
}

const EMPTIED = [
  'tx',
  'tx_pair',
  'tx_prefix',
  'rx',
  'underlays',
  'details',
  'fdb',
  'endpoints',
  'locals',
  'drops',
  'links',
  'devices',
  'peers',
  'remotes',
] as const;

type Emptied = Pick<MapHandle<unknown, unknown>, 'entries' | 'delete'>;

function clear(map: Emptied): void {
  for (const [key] of [...map.entries()]) map.delete(key);
}
