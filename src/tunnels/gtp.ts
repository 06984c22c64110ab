// SPDX-License-Identifier: MIT
import { rx_flag, type Structs, tx_flag } from '../datapath/layout.gen';
import { UsageError } from '../errors';
import { type Address, address as addressKind, type Prefix } from '../values';
import { fromMapped, hex, isHost, mappedLength, toMapped } from './address';
import { inherited, on, pick } from './flags';
import { fixedPort, loadId, portOf, type SessionId, storeId } from './id';

export type TxConfig = Structs['tx_config'];
export type RxConfig = Structs['rx_config'];

export type Role = 'ggsn' | 'sgsn';
export type SourcePort = 'fixed' | 'hash' | number;
export type Inherit = 'inherit' | number;

/** What every session of a link shares unless its own words say otherwise. */
export type LinkWords = {
  readonly local: Address;
  readonly port: number;
  readonly role: Role;
  readonly srcport: SourcePort;
  readonly ttl: Inherit;
  readonly tos: Inherit;
  /** undefined: on over IPv6, off over IPv4. */
  readonly udpcsum: boolean | undefined;
  readonly df: 'set' | 'unset' | 'inherit';
  readonly gso: 'auto' | 'split' | 'keep';
  readonly deliver: 'auto' | 'bulk' | 'small';
  readonly hairpin: boolean;
  readonly errind_action: 'none' | 'mark' | 'del';
};

/** One session as the user describes it; what is undefined follows the link. */
export type SessionWords = {
  readonly id: SessionId;
  readonly remote: Address;
  readonly local: Address;
  readonly ue: readonly Prefix[];
  readonly peer: 'any' | 'strict';
  /** undefined: on as soon as `ue` is given. */
  readonly antispoof: boolean | undefined;
  readonly srcport: SourcePort | undefined;
  readonly ttl: Inherit | undefined;
  readonly tos: Inherit | undefined;
  readonly udpcsum: boolean | undefined;
  readonly qfi: number | undefined;
  readonly rqi: boolean | undefined;
  readonly ppi: number | undefined;
  readonly psc: 'auto' | 'none' | 'dl' | 'ul';
  /** Version 1 only: version 0 always numbers its packets (Z5). */
  readonly seq: boolean;
};

/** Where a link's packets are delivered. */
export type Target = {
  readonly ifindex: number;
  readonly dmac: Uint8Array;
  readonly smac: Uint8Array;
  /** The inner end is in the namespace of the link itself. */
  readonly here: boolean;
};

/** The GTP header of a session's packets: what it is called, and its octets. */
export type Header = { readonly name: string; readonly octets: number };

/** That of version 1 without anything optional. */
export const PLAIN_HEADER: Header = { name: 'GTP-U', octets: 8 };

/** The header that a session sends: anything optional brings four octets more for all of them (G2). */
export function headerOf({ flags, ext_len }: Pick<TxConfig, 'flags' | 'ext_len'>): Header {
  if (flags & tx_flag.v0) return { name: 'GTPv0', octets: 20 };
  const optional = [...(flags & tx_flag.seq ? ['S'] : []), ...(ext_len > 0 ? ['QFI'] : [])];
  return optional.length === 0 ? PLAIN_HEADER : { name: `GTP-U with ${optional.join(' and ')}`, octets: 12 + ext_len };
}

/** Octets that the tunnel adds in front of an inner packet, part by part. */
export function overhead(family: 4 | 6, { name, octets }: Header): readonly (readonly [string, number])[] {
  return [family === 4 ? ['IPv4', 20] : ['IPv6', 40], ['UDP', 8], [name, octets]];
}

/** The longest outer packet: the kernel makes no room in longer ones (PATH_MTU_MAX of bpf/path.h). Jumbo frames fit. */
export const MAX_OUTER = 16000;

/** The largest inner packet that a path of `mtu` octets takes. */
export function innerMtu(mtu: number, family: 4 | 6, header: Header): number {
  const whole = Math.min(mtu, MAX_OUTER);
  return whole - overhead(family, header).reduce((sum, [, octets]) => sum + octets, 0);
}

/** IPv6 wants 1280 octets of every link (RFC 8200, 5); what a path does not take of them goes in outer fragments (X6). */
export const IPV6_MIN_MTU = 1280;

/** The arithmetic behind innerMtu in words: "1500 - 20 IPv4 - 8 UDP - 8 GTP-U = 1464". */
export function mtuArithmetic(mtu: number, family: 4 | 6, header: Header): string {
  const parts = overhead(family, header).map(([name, octets]) => `- ${octets} ${name}`);
  return `${Math.min(mtu, MAX_OUTER)} ${parts.join(' ')} = ${innerMtu(mtu, family, header)}`;
}

/** What sending needs. Throws UsageError for words that contradict each other. */
export function txConfig(link: LinkWords, words: SessionWords): TxConfig {
  checkEnds(words.local, words.remote, 'remote');
  const extension = words.id.version === 0 ? [] : container(link.role, words);
  const { flow, ...id } = storeId(words.id);
  const srcport = words.srcport ?? link.srcport;
  const ttl = words.ttl ?? link.ttl;
  const tos = words.tos ?? link.tos;
  return {
    local: toMapped(words.local),
    remote: toMapped(words.remote),
    ...id,
    sport: typeof srcport === 'number' ? srcport : fixedPort(words.id.version),
    dport: portOf(words.id.version, link.port),
    flags: linkFlags(link, words) | ownFlags(words),
    tos: tos === 'inherit' ? 0 : tos,
    ttl: ttl === 'inherit' ? 0 : ttl,
    ext_len: extension.length,
    ext: Uint8Array.from({ length: 4 }, (_, i) => [...flow, ...extension][i] ?? 0),
  };
}

/** Throws UsageError unless both are addresses of one host, of one family; `word` is what the far one is called. */
export function checkEnds(local: Address | undefined, remote: Address, word: string): void {
  if (local !== undefined && local.family !== remote.family) {
    const [near, far] = [local, remote].map(addressKind.format);
    throw new UsageError(`local ${near} and ${word} ${far} are of different address families`, {
      hint: `give a local address of IPv${remote.family}`,
    });
  }
  if (local !== undefined) checkUnicast('local', local);
  checkUnicast(word, remote);
}

/** What receipt checks, and where it delivers. */
export function rxConfig(link: LinkWords, words: SessionWords, target: Target): RxConfig {
  const v4 = words.ue.filter((prefix) => prefix.address.family === 4);
  const v6 = words.ue.filter((prefix) => prefix.address.family === 6);
  const antispoof = words.antispoof ?? words.ue.length > 0;
  return {
    ifindex: target.ifindex,
    dmac: target.dmac,
    smac: target.smac,
    remote: toMapped(words.remote),
    flags:
      on(words.peer === 'strict', rx_flag.strict) |
      on(antispoof, rx_flag.antispoof) |
      on(v4.length > 1 || v6.length > 1 || !words.ue.every(isHost), rx_flag.many) |
      on(link.role === 'sgsn', rx_flag.sgsn) |
      on(link.deliver === 'bulk', rx_flag.bulk) |
      on(link.deliver === 'small', rx_flag.small) |
      on(target.here, rx_flag.here) |
      on(words.remote.family === 6 && !hasChecksum(link, words), rx_flag.zero_csum) |
      on(link.errind_action === 'none', rx_flag.errind_none) |
      on(link.errind_action === 'del', rx_flag.errind_del) |
      on(words.antispoof !== undefined, rx_flag.own_antispoof),
    ue4: v4[0]?.address.bytes ?? new Uint8Array(4),
    ue4_len: v4[0]?.length ?? NO_ADDRESS,
    ue6: v6[0]?.address.bytes ?? new Uint8Array(16),
    ue6_len: v6[0]?.length ?? NO_ADDRESS,
    flow: words.id.version === 0 ? words.id.flow : 0,
  };
}

/** The words of a session from what the kernel holds: the inverse of txConfig and rxConfig. */
export function sessionWords(tx: TxConfig, rx: RxConfig, ue: readonly Prefix[]): SessionWords {
  return {
    id: loadId(tx, rx.flow),
    remote: fromMapped(tx.remote),
    local: fromMapped(tx.local),
    ue: sortPrefixes(ue),
    peer: pick<SessionWords['peer']>(rx.flags, [[rx_flag.strict, 'strict']], 'any'),
    antispoof: rx.flags & rx_flag.own_antispoof ? (rx.flags & rx_flag.antispoof) !== 0 : undefined,
    ...ownWords(tx),
    ...containerWords(tx),
    seq: (tx.flags & (tx_flag.seq | tx_flag.v0)) === tx_flag.seq,
  };
}

/** Prefixes in a stable order: IPv4 first, then by octets and length. */
export function sortPrefixes(prefixes: readonly Prefix[]): readonly Prefix[] {
  const key = (prefix: Prefix): string => `${hex(toMapped(prefix.address))}/${mappedLength(prefix)}`;
  const family = (prefix: Prefix): number => prefix.address.family;
  return [...prefixes].sort((a, b) => family(a) - family(b) || (key(a) < key(b) ? -1 : 1));
}

const NO_ADDRESS = 255;
const DOWNLINK = 0;
const UPLINK = 1;

// A tunnel has two ends, each one host.
function checkUnicast(word: string, address: Address): void {
  const { family, bytes } = address;
  const [first = 0] = bytes;
  const isNobody = bytes.every((octet) => octet === 0);
  const isMany = family === 4 ? first >= 224 : first === 0xff;
  if (!isNobody && !isMany) return;
  throw new UsageError(`${word}: expected the address of one host, got "${addressKind.format(address)}"`);
}

// What was given for the session alone; the rest is the link's.
function ownWords(tx: TxConfig): Pick<SessionWords, 'srcport' | 'ttl' | 'tos' | 'udpcsum'> {
  const own = <T>(flag: number, value: T): T | undefined => (tx.flags & flag ? value : undefined);
  return {
    srcport: own(tx_flag.own_srcport, sourcePort(tx)),
    ttl: own(tx_flag.own_ttl, inherited(tx.flags, tx_flag.ttl_inherit, tx.ttl)),
    tos: own(tx_flag.own_tos, inherited(tx.flags, tx_flag.tos_inherit, tx.tos)),
    udpcsum: own(tx_flag.own_csum, (tx.flags & tx_flag.csum) !== 0),
  };
}

function containerWords(tx: TxConfig): Pick<SessionWords, 'qfi' | 'rqi' | 'ppi' | 'psc'> {
  const [, , octet = 0, priority = 0] = tx.ext;
  const own = <T>(flag: number, value: T): T | undefined => (tx.flags & flag ? value : undefined);
  return {
    qfi: own(tx_flag.qfi, octet & 0x3f),
    rqi: own(tx_flag.rqi, true),
    ppi: own(tx_flag.ppi, priority >> 5),
    psc: pick<SessionWords['psc']>(
      tx.flags,
      [
        [tx_flag.psc_none, 'none'],
        [tx_flag.psc_dl, 'dl'],
        [tx_flag.psc_ul, 'ul'],
      ],
      'auto',
    ),
  };
}

function sourcePort(tx: TxConfig): SourcePort {
  if (tx.flags & tx_flag.sport_hash) return 'hash';
  return tx.sport === fixedPort(tx.flags & tx_flag.v0 ? 0 : 1) ? 'fixed' : tx.sport;
}

function linkFlags(link: LinkWords, words: SessionWords): number {
  return (
    on(hasChecksum(link, words), tx_flag.csum) |
    on(words.seq || words.id.version === 0, tx_flag.seq) |
    on(words.id.version === 0, tx_flag.v0) |
    on((words.srcport ?? link.srcport) === 'hash', tx_flag.sport_hash) |
    on((words.ttl ?? link.ttl) === 'inherit', tx_flag.ttl_inherit) |
    on((words.tos ?? link.tos) === 'inherit', tx_flag.tos_inherit) |
    on(link.df === 'set', tx_flag.df) |
    on(link.df === 'inherit', tx_flag.df_inherit) |
    on(link.hairpin, tx_flag.hairpin) |
    on(link.gso === 'split', tx_flag.split) |
    on(link.gso === 'keep', tx_flag.keep)
  );
}

// X10: over IPv6 it is left out only where the user says so, and then both ways.
function hasChecksum(link: LinkWords, words: SessionWords): boolean {
  return words.udpcsum ?? link.udpcsum ?? words.remote.family === 6;
}

function ownFlags(words: SessionWords): number {
  return (
    on(words.srcport !== undefined, tx_flag.own_srcport) |
    on(words.ttl !== undefined, tx_flag.own_ttl) |
    on(words.tos !== undefined, tx_flag.own_tos) |
    on(words.udpcsum !== undefined, tx_flag.own_csum) |
    on(words.qfi !== undefined, tx_flag.qfi) |
    on(words.rqi === true, tx_flag.rqi) |
    on(words.ppi !== undefined, tx_flag.ppi) |
    on(words.psc === 'none', tx_flag.psc_none) |
    on(words.psc === 'dl', tx_flag.psc_dl) |
    on(words.psc === 'ul', tx_flag.psc_ul)
  );
}

// The PDU Session Container as it goes on the wire, length and next type included (38.415 5.5.2); empty for none. It is
// sent for `qfi`, or because `psc` names a type (G9: never by itself).
function container(role: Role, words: SessionWords): readonly number[] {
  const type = containerType(role, words);
  const given = (['qfi', 'rqi', 'ppi'] as const).filter((word) => words[word] !== undefined);
  if (type === undefined) {
    if (given.length === 0) return [];
    throw new UsageError(`${given[0]} goes into a PDU Session Container, which this session does not send`, {
      hint: words.psc === 'none' ? 'leave out psc none' : 'give qfi, too',
    });
  }
  const [downlinkOnly] = given.filter((word) => word !== 'qfi');
  if (type === UPLINK && downlinkOnly !== undefined) {
    throw new UsageError(`${downlinkOnly} exists downlink only (TS 38.415, 5.5.2.1)`, {
      hint: 'role ggsn or psc dl sends downlink',
    });
  }
  const octet = on(words.ppi !== undefined, 0x80) | on(words.rqi === true, 0x40) | (words.qfi ?? 0);
  if (words.ppi === undefined) return [1, type << 4, octet, 0];
  return [2, type << 4, octet, words.ppi << 5, 0, 0, 0, 0];
}

// G7: a ggsn sends downlink, an sgsn uplink.
function containerType(role: Role, { psc, qfi }: SessionWords): number | undefined {
  if (psc === 'dl') return DOWNLINK;
  if (psc === 'ul') return UPLINK;
  if (psc === 'none' || qfi === undefined) return undefined;
  return role === 'ggsn' ? DOWNLINK : UPLINK;
}
