// SPDX-License-Identifier: MIT
import { kind, tx_flag } from '../datapath/layout.gen';
import { geneve } from './geneve';
import { gre, gretap } from './gre';
import { gtp } from './gtp';
import { l2tp } from './l2tp';
import type { Tunnel } from './tunnel';
import { vlan } from './vlan';
import { vxlan } from './vxlan';
import type { ReceiveId, TunnelType, TxConfig } from './words';

/** Every type of tunnel. */
export const tunnels: Readonly<Record<TunnelType, Tunnel>> = { gtp, gre, gretap, geneve, vxlan, l2tp, vlan };

/** The type of the sessions of a kind; GRE has two, by what they carry. */
export function typeOf({ kind: of, flags }: Pick<TxConfig, 'kind' | 'flags'>): TunnelType {
  if (of === kind.gre) return flags & tx_flag.ether ? 'gretap' : 'gre';
  const found = TYPES.find((type) => of in tunnels[type].protocols);
  if (found === undefined) throw new Error(`a session of kind ${of}`);
  return found;
}

/** The IP protocol under a kind: 17, 47, 115, or 0 for none. */
export function protocolOf(of: number): number {
  const found = Object.values(tunnels).find(({ protocols }) => of in protocols);
  return found?.protocols[of] ?? 0;
}

/** A receive ID as it is typed: "local-teid 0x00000001", "vni 5". */
export function formatId(id: ReceiveId): string {
  return tunnels[id.type].format(id);
}

const TYPES = Object.keys(tunnels) as TunnelType[];
