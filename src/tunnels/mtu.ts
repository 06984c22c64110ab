// SPDX-License-Identifier: MIT
import { tx_flag } from '../datapath/layout.gen';
import type { Part } from './tunnel';
import { protocolOf, tunnels, typeOf } from './tunnels';
import type { TunnelType, TxConfig } from './words';

/** What stands in front of an inner packet, part by part, each with its octets; `head` of them are in `details`. */
export function overhead(
  tx: Pick<TxConfig, 'kind' | 'flags' | 'ext_len'>,
  family: 4 | 6,
  head: number,
): readonly Part[] {
  const protocol = protocolOf(tx.kind);
  if (protocol === 0) return [];
  return [
    family === 4 ? ['IPv4', 20] : ['IPv6', 40],
    ...(protocol === 17 ? [['UDP', 8] as const] : []),
    tunnels[typeOf(tx)].header(tx, head),
    ...(tx.flags & tx_flag.ether ? [['Ethernet', 14] as const] : []),
  ];
}

/** The same for a session of a type with nothing but defaults. */
export function plainOverhead(type: TunnelType, family: 4 | 6): readonly Part[] {
  return overhead(tunnels[type].plain, family, 0);
}

/** The longest outer packet: the kernel makes no room in longer ones (PATH_MTU_MAX of bpf/path.h). Jumbo frames fit. */
export const MAX_OUTER = 16000;

/** The largest inner packet that a path of `mtu` octets takes. */
export function innerMtu(mtu: number, parts: readonly Part[]): number {
  return parts.reduce((rest, [, octets]) => rest - octets, Math.min(mtu, MAX_OUTER));
}

/** IPv6 wants 1280 octets of every link (RFC 8200, 5); what a path does not take of them goes in outer fragments (X6). */
export const IPV6_MIN_MTU = 1280;

/** The arithmetic behind innerMtu in words: "1500 - 20 IPv4 - 8 UDP - 8 GTP-U = 1464"; what adds nothing, as a VLAN, has none. */
export function mtuArithmetic(mtu: number, parts: readonly Part[]): string {
  const terms = parts.map(([name, octets]) => ` - ${octets} ${name}`);
  const sum = terms.length === 0 ? '' : `${terms.join('')} = ${innerMtu(mtu, parts)}`;
  return `${Math.min(mtu, MAX_OUTER)}${sum}`;
}
