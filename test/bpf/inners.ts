// SPDX-License-Identifier: MIT
import { bare, pattern, SERVER, SERVER6, UE, UE6 } from './packet';

/** A user's packet, without link header. */
export interface Inner {
  readonly name: string;
  readonly family: 4 | 6;
  readonly bytes: Buffer;
  /** Its checksum makes the sum of the whole known, so that the outer one costs nothing (LCO). */
  readonly lco: boolean;
}

const v4 = (name: string, lco: boolean, bytes: Buffer): Inner => ({ name: `IPv4 ${name}`, family: 4, lco, bytes });
const v6 = (name: string, lco: boolean, bytes: Buffer): Inner => ({ name: `IPv6 ${name}`, family: 6, lco, bytes });
const ip4 = bare().ip4(UE, SERVER, { id: 0x1234 });
const ip6 = bare().ip6(UE6, SERVER6, { flow: 0x54321 });
const noop = Buffer.from('01010100', 'hex');
// A hop-by-hop header of padding (RFC 8200, 4.3), then UDP.
const hopByHop = Buffer.from('1100010400000000', 'hex');
const behindOptions = Buffer.concat([hopByHop, ip6.udp(1000, 53).payload(9).bytes().subarray(40)]);

/** Packets from the UE to the server, of every kind that the sums over them differ for. */
export const inners: readonly Inner[] = [
  v4('UDP', true, ip4.udp(1000, 53).payload(64).bytes()),
  v4('UDP of odd length', true, ip4.udp(1000, 53).payload(33).bytes()),
  v4('UDP without payload', true, ip4.udp(1000, 53).bytes()),
  v4('UDP without checksum', false, ip4.udp(1000, 53, { checksum: 0 }).payload(31).bytes()),
  v4('TCP', true, ip4.tcp(1000, 80).payload(100).bytes()),
  v4('TCP with options, of odd length', true, ip4.tcp(1000, 80, { options: noop }).payload(101).bytes()),
  v4('UDP behind IP options', true, bare().ip4(UE, SERVER, { options: noop }).udp().payload(50).bytes()),
  v4('ICMP', true, ip4.icmp().payload(56).bytes()),
  v4('ICMP of odd length', true, ip4.icmp().payload(57).bytes()),
  v4(
    'first fragment',
    false,
    bare().ip4(UE, SERVER, { more: true }).udp(1000, 53, { length: 999 }).payload(64).bytes(),
  ),
  v4('last fragment', false, bare().ip4(UE, SERVER, { offset: 64, protocol: 17 }).payload(65).bytes()),
  v4('SCTP', false, bare().ip4(UE, SERVER, { protocol: 132 }).payload(77).bytes()),
  v4('ESP', false, bare().ip4(UE, SERVER, { protocol: 50 }).payload(200).bytes()),
  v4('header alone', false, bare().ip4(UE, SERVER, { protocol: 253 }).bytes()),
  v6('UDP', true, ip6.udp(1000, 53).payload(64).bytes()),
  v6('UDP of odd length', true, ip6.udp(1000, 53).payload(33).bytes()),
  v6('TCP', true, ip6.tcp(1000, 80).payload(100).bytes()),
  v6('TCP with options, of odd length', true, ip6.tcp(1000, 80, { options: noop }).payload(101).bytes()),
  v6('ICMPv6', true, ip6.icmp().payload(56).bytes()),
  v6('ICMPv6 of odd length', true, ip6.icmp().payload(57).bytes()),
  v6('ICMP, which has no pseudo header', false, bare().ip6(UE6, SERVER6, { next: 1 }).payload(pattern(40)).bytes()),
  v6('first fragment', false, ip6.fragment6({ more: true }).udp(1000, 53).payload(64).bytes()),
  v6('last fragment', false, ip6.fragment6({ offset: 64 }).payload(65).bytes()),
  v6('UDP behind hop-by-hop options', false, bare().ip6(UE6, SERVER6, { next: 0 }).payload(behindOptions).bytes()),
  v6('SCTP', false, bare().ip6(UE6, SERVER6, { next: 132 }).payload(77).bytes()),
  v6('header alone', false, bare().ip6(UE6, SERVER6).bytes()),
];

/** The plainest of each family. */
export const plain = {
  4: ip4.udp(1000, 53).payload(64).bytes(),
  6: ip6.udp(1000, 53).payload(64).bytes(),
} as const;

/** The EtherType of a family. */
export const etherType = { 4: 0x0800, 6: 0x86dd } as const;
