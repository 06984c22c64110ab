// SPDX-License-Identifier: MIT
import { rx_flag, tx_flag } from '../datapath/layout.gen';
import { UsageError } from '../errors';
import { checksumOf, SOURCE_PORTS } from '../grammar';
import { type Address, address as addressKind, type Prefix } from '../values';
import { fromMapped, hex, isHost, isNobody, mappedLength, NOBODY, toMapped } from './address';
import { inherited, on, pick } from './flags';
import type { Held, OwnWords, Sent } from './tunnel';
import { protocolOf, tunnels, typeOf } from './tunnels';
import type {
  Detail,
  Inherit,
  LinkWords,
  RxConfig,
  Selectors,
  SessionWords,
  SourcePort,
  Target,
  TxConfig,
} from './words';

/** What sending needs. Throws UsageError for words that contradict each other. */
export function txConfig(link: LinkWords, words: SessionWords): TxConfig {
  const sent = tunnels[words.id.type].send(link, words);
  const hasEnds = protocolOf(sent.kind) !== 0;
  if (hasEnds) checkEnds(words.local, words.remote, 'remote');
  const srcport = sourcePort(link, words);
  return {
    local: hasEnds ? toMapped(words.local) : new Uint8Array(16),
    remote: hasEnds ? toMapped(words.remote) : new Uint8Array(16),
    kind: sent.kind,
    teid: sent.teid,
    local_teid: sent.local_teid,
    sport: typeof srcport === 'number' ? srcport : sent.sport,
    dport: sent.dport,
    flags: sharedFlags(link, words, sent) | ownFlags(words) | (sent.flags ?? 0),
    tos: hasEnds ? numberOf(words.tos ?? link.tos) : 0,
    ttl: hasEnds ? numberOf(words.ttl ?? link.ttl) : 0,
    ext_len: sent.ext_len ?? 0,
    ext: Uint8Array.from({ length: 4 }, (_, i) => sent.ext?.[i] ?? 0),
  };
}

/** Throws UsageError unless both are addresses of one host, of one family; `word` is what the far one is called. */
export function checkEnds(local: Address | undefined, remote: Address, word: string): void {
  if (local !== undefined && local.family !== remote.family) {
    const [near, far] = [local, remote].map(addressKind.format);
    throw new UsageError(`local ${near} and ${word} ${far} are of different address families: expected one`, {
      hint: `give an IPv${remote.family} address with local`,
    });
  }
  if (local !== undefined) checkUnicast('local', local);
  checkUnicast(word, remote);
}

/** What receipt checks, and where it delivers. */
export function rxConfig(link: LinkWords, words: SessionWords, target: Target): RxConfig {
  const { kind: of } = tunnels[words.id.type].send(link, words);
  const received = tunnels[words.id.type].receive(words);
  const protocol = protocolOf(of);
  const v4 = words.ue.filter((prefix) => prefix.address.family === 4);
  const v6 = words.ue.filter((prefix) => prefix.address.family === 6);
  const zeroTaken = protocol === 17 && words.remote.family === 6 && !hasChecksum(link, words);
  return {
    ifindex: target.ifindex,
    dmac: target.dmac,
    smac: target.smac,
    remote: protocol === 0 ? new Uint8Array(16) : toMapped(words.remote),
    flags:
      on(words.peer === 'strict' && protocol !== 0, rx_flag.strict) |
      on(words.antispoof ?? words.ue.length > 0, rx_flag.antispoof) |
      on(isMany(link, words), rx_flag.many) |
      on(link.role === 'sgsn', rx_flag.sgsn) |
      on(link.deliver === 'bulk', rx_flag.bulk) |
      on(link.deliver === 'small', rx_flag.small) |
      on(link.xdp === 'off', rx_flag.no_xdp) |
      on(link.xdp === 'on', rx_flag.xdp_on) |
      on(target.here, rx_flag.here) |
      on(zeroTaken, rx_flag.zero_csum) |
      on(link.errind_action === 'none', rx_flag.errind_none) |
      on(link.errind_action === 'del', rx_flag.errind_del) |
      on(link.frames, rx_flag.frames) |
      on((received.cookie?.length ?? 0) > 0, rx_flag.cookie) |
      on(words.antispoof !== undefined, rx_flag.own_antispoof) |
      (received.flags ?? 0),
    ue4: v4[0]?.address.bytes ?? new Uint8Array(4),
    ue4_len: v4[0]?.length ?? NO_ADDRESS,
    ue6: v6[0]?.address.bytes ?? new Uint8Array(16),
    ue6_len: v6[0]?.length ?? NO_ADDRESS,
    flow: link.frames ? (target.slot ?? -1) + 1 : (received.flow ?? 0),
  };
}

/** What stands in `details`, or undefined for nothing. */
export function detailOf(link: LinkWords, words: SessionWords, target: Target): Detail | undefined {
  const { head = NO_OCTETS } = tunnels[words.id.type].send(link, words);
  const { cookie = NO_OCTETS } = tunnels[words.id.type].receive(words);
  const macs = needsMacs(link, words) ? [...(words.lladdr ?? []), ...target.dmac] : [];
  if (macs.length + head.length + cookie.length === 0) return undefined;
  return {
    macs: filled(macs, MACS),
    critical: hasCritical(words.opt) ? 1 : 0,
    cookie_len: cookie.length,
    head_len: head.length,
    cookie: filled(cookie, COOKIE_MAX),
    head: filled(head, HEAD_MAX),
  };
}

// N3: the first bit of an option's type says so.
function hasCritical(options: readonly Uint8Array[]): boolean {
  return options.some(([, , type = 0]) => (type & 0x80) !== 0);
}

/** The words of a session from what the kernel holds: the inverse of txConfig, rxConfig and detailOf. */
export function sessionWords(held: Held, places: Selectors): SessionWords {
  const { tx, rx, detail } = held;
  const tunnel = tunnels[typeOf(tx)];
  const hasEnds = protocolOf(tx.kind) !== 0;
  const isFrame = (tx.flags & tx_flag.ether) !== 0;
  const hasMacs = isFrame && !(rx.flags & rx_flag.frames);
  return {
    ...NO_OWN,
    id: tunnel.idOf(tx),
    ...tunnel.load(held),
    remote: hasEnds ? fromMapped(tx.remote) : NOBODY,
    local: hasEnds ? fromMapped(tx.local) : NOBODY,
    ue: sortPrefixes(places.ue),
    from: places.from,
    to: places.to,
    lladdr: hasMacs ? detail?.macs.slice(0, MACS / 2) : places.lladdr,
    peer: hasEnds ? pick<SessionWords['peer']>(rx.flags, [[rx_flag.strict, 'strict']], 'any') : 'any',
    antispoof: rx.flags & rx_flag.own_antispoof ? (rx.flags & rx_flag.antispoof) !== 0 : undefined,
    payload: isFrame ? 'ethernet' : 'ip',
    ...ownWords(tx, tunnel.fixedPort(tx.kind)),
  };
}

/** Prefixes in a stable order: IPv4 first, then by octets and length. */
export function sortPrefixes(prefixes: readonly Prefix[]): readonly Prefix[] {
  const key = (prefix: Prefix): string => `${hex(toMapped(prefix.address))}/${mappedLength(prefix)}`;
  const family = (prefix: Prefix): number => prefix.address.family;
  return [...prefixes].sort((a, b) => family(a) - family(b) || (key(a) < key(b) ? -1 : 1));
}

const NO_ADDRESS = 255;
const NO_OCTETS = new Uint8Array(0);
// struct detail of bpf/session_maps.h
const MACS = 12;
const COOKIE_MAX = 8;
const HEAD_MAX = 252;

/** What the words of other kinds are where they were not given. */
export const NO_OWN: Required<OwnWords> = {
  ...{ qfi: undefined, rqi: undefined, ppi: undefined, psc: 'auto', seq: false },
  ...{ csum: false, iseq: false, oseq: false, opt: [] },
  ...{ cookie: NO_OCTETS, peer_cookie: NO_OCTETS, l2spec_type: 'default', l2tp_seq: 'none' },
};

function filled(octets: Iterable<number>, length: number): Uint8Array {
  const whole = new Uint8Array(length);
  whole.set([...octets]);
  return whole;
}

// A tunnel has two ends, each one host.
function checkUnicast(word: string, address: Address): void {
  const { family, bytes } = address;
  const [first = 0] = bytes;
  const isMany = family === 4 ? first >= 224 : first === 0xff;
  if (!isNobody(address) && !isMany) return;
  throw new UsageError(`${word}: expected the address of one host, got "${addressKind.format(address)}"`);
}

// Frames that go out by a link of packets get a header that is made here.
function needsMacs(link: LinkWords, words: SessionWords): boolean {
  return !link.frames && isFrames(words);
}

function isFrames({ id, payload }: SessionWords): boolean {
  return (tunnels[id.type].payload ?? payload) === 'ethernet';
}

// Whether more than what stands in the receive half leads to the session.
function isMany(link: LinkWords, { ue, from, lladdr }: SessionWords): boolean {
  const inFamily = (family: 4 | 6): number => ue.filter((prefix) => prefix.address.family === family).length;
  const hasMac = lladdr !== undefined && link.frames;
  return inFamily(4) > 1 || inFamily(6) > 1 || !ue.every(isHost) || from !== undefined || hasMac;
}

// What was given for the session alone; the rest is the link's.
function ownWords(tx: TxConfig, fixed: number): Pick<SessionWords, 'srcport' | 'ttl' | 'tos' | 'udpcsum'> {
  const own = <T>(flag: number, value: T): T | undefined => (tx.flags & flag ? value : undefined);
  return {
    srcport: own(tx_flag.own_srcport, loadPort(tx, fixed)),
    ttl: own(tx_flag.own_ttl, inherited(tx.flags, tx_flag.ttl_inherit, tx.ttl)),
    tos: own(tx_flag.own_tos, inherited(tx.flags, tx_flag.tos_inherit, tx.tos)),
    udpcsum: own(tx_flag.own_csum, (tx.flags & tx_flag.csum) !== 0),
  };
}

function loadPort(tx: TxConfig, fixed: number): SourcePort {
  if (tx.flags & tx_flag.sport_hash) return 'hash';
  return tx.sport === fixed ? 'fixed' : tx.sport;
}

function numberOf(word: Inherit): number {
  return word === 'inherit' ? 0 : word;
}

// The link's word is for sessions of its own type.
function sourcePort(link: LinkWords, { id, srcport }: SessionWords): SourcePort {
  if (id.type === 'gre' || id.type === 'gretap' || id.type === 'l2tp' || id.type === 'vlan') return 'fixed';
  return srcport ?? (link.type === id.type ? link.srcport : SOURCE_PORTS[id.type]);
}

function sharedFlags(link: LinkWords, words: SessionWords, { kind: of, head = NO_OCTETS }: Sent): number {
  const protocol = protocolOf(of);
  const tunnel = tunnels[words.id.type];
  const cuts = on(link.gso === 'split', tx_flag.split) | on(link.gso === 'keep', tx_flag.keep);
  const inner =
    on(isFrames(words), tx_flag.ether) |
    on(link.frames && words.ue.length === 0 && words.from === undefined, tx_flag.unknown) |
    on(needsMacs(link, words) || head.length > 0, tx_flag.detail);
  if (protocol === 0) return cuts | inner;
  return (
    cuts |
    inner |
    on(protocol === 17 && hasChecksum(link, words), tx_flag.csum) |
    on(tunnel.remoteKey && words.peer === 'strict', tx_flag.remote_key) |
    on(sourcePort(link, words) === 'hash', tx_flag.sport_hash) |
    on((words.ttl ?? link.ttl) === 'inherit', tx_flag.ttl_inherit) |
    on((words.tos ?? link.tos) === 'inherit', tx_flag.tos_inherit) |
    on(link.df === 'set', tx_flag.df) |
    on(link.df === 'inherit', tx_flag.df_inherit) |
    on(link.hairpin, tx_flag.hairpin)
  );
}

// X10: over IPv6 it is left out only where the user says so, and then both ways.
function hasChecksum(link: LinkWords, words: SessionWords): boolean {
  return words.udpcsum ?? link.udpcsum ?? checksumOf(words.id.type, words.remote.family) ?? false;
}

function ownFlags(words: SessionWords): number {
  return (
    on(words.srcport !== undefined, tx_flag.own_srcport) |
    on(words.ttl !== undefined, tx_flag.own_ttl) |
    on(words.tos !== undefined, tx_flag.own_tos) |
    on(words.udpcsum !== undefined, tx_flag.own_csum)
  );
}
