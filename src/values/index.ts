// SPDX-License-Identifier: MIT
import ipaddr from 'ipaddr.js';
import { UsageError } from '../errors';
import { choice, type Kind, kind, number, numberOr, readNumber } from './kind';

export { choice, type Kind, number, readNumber, type Source } from './kind';
export * from './tunnels';

/** An IP address: 4 or 16 octets in network order. */
export type Address = { readonly family: 4 | 6; readonly bytes: Uint8Array };
/** An address and a length in bits; whether host bits may be set depends on the kind that parsed it. */
export type Prefix = { readonly address: Address; readonly length: number };
/** A tunnel endpoint identifier, 0 to 0xffffffff. */
export type Teid = number;
/** A tunnel identifier of GTP version 0, 64 bits: IMSI and NSAPI (GSM 09.60, 6). */
export type Tid = bigint;
/** Six octets as on the wire. */
export type Mac = Uint8Array;
/** A network namespace as the user wrote it: a name, a PID or a path. netns.ts resolves it. */
export type NetnsWord = { readonly text: string };

/** The longest label of a session, in octets of UTF-8. */
export const LABEL_MAX = 63;

/** A name for a network device, as the kernel's dev_valid_name allows, without its "%d" templates. */
export const ifname = kind<string>({
  placeholder: 'IFNAME',
  expected: 'an interface name of 1-15 characters without "/", ":", "%" or space',
  source: 'interface',
  read: (text) => (isIfname(text) ? text : undefined),
  format: String,
});

/** A VRF, or a routing table by its name or number; or none. */
export const vrf = kind<string>({
  placeholder: '{ NAME | TABLE | none }',
  expected: 'the name of a VRF, the name or number of a routing table, or none',
  choices: ['none'],
  source: 'interface',
  read: (text) => (/^[^/\s\p{Cc}\p{Cs}]{1,63}$/u.test(text) ? text : undefined),
  format: String,
});

/** The name of a gtp link. */
export const linkName: Kind<string> = { ...ifname, placeholder: 'LINK', source: 'link' };

/** An address in dotted decimal or RFC 4291 text; IPv4-mapped IPv6 and zones are refused. */
export const address = kind({
  placeholder: 'ADDR',
  expected: 'an IPv4 or IPv6 address',
  read: readAddress,
  hint: (text) => (HOST_NAME.test(text) ? 'names of hosts are not looked up: give the address itself' : undefined),
  format: formatAddress,
});

/** A network: host bits are cleared; without a length, one host. */
export const prefix = kind({
  placeholder: 'PREFIX',
  expected: 'an IPv4 or IPv6 prefix such as 10.0.0.0/8 or 2001:db8::/64',
  read: (text) => maskPrefix(readPrefix(text)),
  hint: lengthHint,
  format: formatPrefix,
});

/** One host, written as a prefix: a shorter one is refused. */
export const hostPrefix: Kind<Prefix> = { ...prefix, expected: 'one host, as an address', parse: readHost };

/** A network, or the word default. */
export const prefixOrDefault = kind({
  placeholder: '{ PREFIX | default }',
  expected: 'an IPv4 or IPv6 prefix, or default',
  choices: ['default'],
  read: (text) => (text === 'default' ? text : maskPrefix(readPrefix(text))),
  hint: lengthHint,
  format: (value: Prefix | 'default') => (value === 'default' ? value : formatPrefix(value)),
});

/** An interface's own address with the length of its network: host bits stay. */
export const interfaceAddress = kind({
  placeholder: 'PREFIX',
  expected: 'an address with an optional prefix length, such as 10.0.0.1/24',
  read: readPrefix,
  hint: lengthHint,
  format: formatPrefix,
});

/** A TEID given by a peer: any 32 bits, 0 as well (TS 29.281, 5.1). */
export const teid = kind<Teid>({
  placeholder: 'TEID',
  expected: 'a TEID 0-0xffffffff',
  range: [0, 0xffffffff],
  read: (text) => readNumber(text, 0, 0xffffffff),
  format: formatTeid,
});

/** A TEID that this side hands out: never 0 (TS 29.281, 5.1). */
export const ownTeid = kind<Teid>({
  placeholder: 'TEID',
  expected: 'a TEID 1-0xffffffff',
  range: [1, 0xffffffff],
  read: (text) => readNumber(text, 1, 0xffffffff),
  format: formatTeid,
});

/** A TEID of this side, or auto for a free random one. */
export const ownTeidOrAuto = numberOr(['auto'], 'TEID', 'a TEID 1-0xffffffff', 1, 0xffffffff, formatTeid);

/** A TID, in both directions: never 0, which is signalling's (GSM 09.60, 7.1). */
export const tid = kind<Tid>({
  placeholder: 'TID',
  expected: 'a TID 1-0xffffffffffffffff',
  read: (text) => readBig(text, 1n, 0xffffffffffffffffn),
  format: (value) => `0x${value.toString(16).padStart(16, '0')}`,
});

/** A version of GTP's user plane. */
export const version = kind<0 | 1>({
  placeholder: '{ 0 | 1 }',
  expected: 'one of 0, 1',
  choices: ['0', '1'],
  read: (text) => readNumber(text, 0, 1) as 0 | 1 | undefined,
  format: String,
});

export const port = number(1, 65535);
/** MTUs of IPv4 (RFC 791's least) up to what a veth takes. */
export const mtu = number(68, 65535);
export const qfi = number(0, 63);
export const ppi = number(0, 7);
/** A flow label of GTP version 0. */
export const flow = number(0, 65535);
export const restartCount = number(0, 255);
/** Buckets of a hash table of the kernel's gtp driver, as `ip link` takes them. */
export const hashSize = number(1, 131071);
/** How the outer UDP source port is chosen. */
export const srcport = numberOr(['fixed', 'hash'], 'N', 'a port 1-65535', 1, 65535);
export const ttl = numberOr(['inherit'], 'N', 'a number 1-255', 1, 255);
/** The whole octet, in the notation of ip: DSCP in the upper six bits. */
export const tos = numberOr(['inherit'], 'N', 'a number 0-255', 0, 255, (value) => `0x${value.toString(16)}`);
export const onOff = choice(['on', 'off']);
/** How many times something is done. */
export const count = number(1, 0xffffffff);

/** A time in seconds, with a fraction or without. */
export const seconds = kind<number>({
  placeholder: 'S',
  expected: 'seconds 0.01-86400',
  read: readSeconds,
  format: String,
});

/** A unicast MAC address, six octets in hexadecimal with colons. */
export const mac = kind({
  placeholder: 'MAC',
  expected: 'a unicast MAC address such as 02:00:00:00:00:01',
  read: readMac,
  format: (value: Mac) => [...value].map(hexOctet).join(':'),
});

/** A session's label: what a shell and a batch file take without quotes. */
export const label = kind<string>({
  placeholder: 'LABEL',
  expected: `a label of at most ${LABEL_MAX} octets without spaces, quotes and shell characters`,
  read: (text) => (isLabel(text) ? text : undefined),
  format: String,
});

/** A network namespace: a name under /run/netns, a PID, or a path. */
export const netns = kind<NetnsWord>({
  placeholder: '{ NAME | PID | PATH }',
  expected: 'the name of a network namespace, a PID or a path',
  source: 'netns',
  read: (text) => (text !== '' && !CONTROL.test(text) ? { text } : undefined),
  format: (value) => value.text,
});

/** Clears the host bits of a prefix; undefined stays undefined. */
export function maskPrefix<P extends Prefix | undefined>(value: P): P | Prefix {
  if (value === undefined) return value;
  const bytes = value.address.bytes.map((octet, at) => {
    const bits = Math.min(8, Math.max(0, value.length - 8 * at));
    return octet & (0xff00 >> bits);
  });
  return { address: { family: value.address.family, bytes }, length: value.length };
}

/** Whether two addresses are the same. */
export function sameAddress(a: Address, b: Address): boolean {
  return a.family === b.family && a.bytes.every((octet, at) => octet === b.bytes[at]);
}

/** Whether a prefix holds an address. */
export function containsAddress({ address: network, length }: Prefix, host: Address): boolean {
  return network.family === host.family && sameAddress(maskPrefix({ address: host, length }).address, network);
}

const CONTROL = /\p{Cc}/u;
const HOST_NAME = /^(?![0-9a-f:]*:)[a-z][a-z0-9.-]*$/i;
const NOT_IN_LABEL = /[\p{Cc}\p{Cs}\s"'`\\$&|;<>()*?[\]{}!#~]/u;

function readSeconds(text: string): number | undefined {
  if (!/^([0-9]{1,5}|[0-9]{0,5}\.[0-9]{1,20})$/.test(text)) return undefined;
  const value = Number(text);
  return value >= 0.01 && value <= 86400 ? value : undefined;
}

function readBig(text: string, least: bigint, most: bigint): bigint | undefined {
  if (!/^(0|[1-9][0-9]{0,19}|0[xX][0-9a-fA-F]{1,16})$/.test(text)) return undefined;
  const value = BigInt(text);
  return value >= least && value <= most ? value : undefined;
}

function formatTeid(value: Teid): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

function isIfname(text: string): boolean {
  return /^[^/:%\s\p{Cc}\p{Cs}]+$/u.test(text) && text !== '.' && text !== '..' && Buffer.byteLength(text) <= 15;
}

function isLabel(text: string): boolean {
  return text !== '' && !NOT_IN_LABEL.test(text) && Buffer.byteLength(text) <= LABEL_MAX;
}

function readAddress(text: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) {
    return { family: 4, bytes: Uint8Array.from(text.split('.'), Number) };
  }
  if (!text.includes(':') || text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined;
  const parsed = ipaddr.IPv6.parse(text);
  return parsed.isIPv4MappedAddress() ? undefined : { family: 6, bytes: Uint8Array.from(parsed.toByteArray()) };
}

function formatAddress(value: Address): string {
  return value.family === 4 ? value.bytes.join('.') : new ipaddr.IPv6([...value.bytes]).toRFC5952String();
}

function readPrefix(text: string): Prefix | undefined {
  const [host, length, ...rest] = text.split('/');
  const at = readAddress(host ?? '');
  if (at === undefined || rest.length > 0) return undefined;
  const most = at.bytes.length * 8;
  const bits = length === undefined ? most : readNumber(length, 0, most);
  return bits === undefined ? undefined : { address: at, length: bits };
}

// What is wrong with 10.0.0.0/33, whose address is good.
function lengthHint(text: string): string | undefined {
  const [host = '', length = ''] = text.split('/');
  const at = /^\d+$/.test(length) ? readAddress(host) : undefined;
  return at === undefined ? undefined : `the length of an IPv${at.family} prefix is 0-${at.bytes.length * 8}`;
}

function readHost(text: string): Prefix {
  const value = prefix.parse(text);
  if (value.length === value.address.bytes.length * 8) return value;
  throw new UsageError(`expected one host, got the prefix "${text}"`, {
    hint: 'prefixes choose a session with ue; from and to take an address each',
  });
}

function formatPrefix(value: Prefix): string {
  return `${formatAddress(value.address)}/${value.length}`;
}

function readMac(text: string): Mac | undefined {
  if (!/^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/.test(text)) return undefined;
  const octets = Uint8Array.from(text.split(':'), (octet) => Number.parseInt(octet, 16));
  const unicast = ((octets[0] ?? 1) & 1) === 0;
  return unicast && octets.some((octet) => octet !== 0) ? octets : undefined;
}

function hexOctet(octet: number): string {
  return octet.toString(16).padStart(2, '0');
}
