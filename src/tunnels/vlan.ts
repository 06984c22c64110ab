// SPDX-License-Identifier: MIT
import { kind, tx_flag } from '../datapath/layout.gen';
import { UsageError } from '../errors';
import type { Sent, Tunnel } from './tunnel';
import type { LinkWords, SessionWords, TxConfig, VlanId } from './words';

/** A VLAN of the link's first underlay (IEEE 802.1Q, 802.1ad): no addresses, and a tag that no MTU counts. */
export const vlan: Tunnel<VlanId> = {
  protocols: { [kind.vlan]: 0 },
  endpoint: undefined,
  remoteKey: false,
  payload: 'ethernet',
  fixedPort: () => 0,
  plain: { kind: kind.vlan, flags: tx_flag.ether, ext_len: 0 },
  send,
  receive: () => ({}),
  idOf,
  load: () => ({}),
  header: () => ['VLAN', 0],
  format: (id) => (id.type === 'vlan' ? `id ${id.id}` : ''),
};

const PROTOCOLS = { '802.1Q': 0x8100, '802.1ad': 0x88a8 } as const;

function send({ dev }: LinkWords, { id }: SessionWords & { readonly id: VlanId }): Sent {
  const [underlay] = dev;
  if (underlay === undefined)
    throw new UsageError('"dev" of the link is missing: the frames of type vlan go out by an underlay', {
      hint: 'gtp link set NAME dev UNDERLAY',
    });
  return { kind: kind.vlan, teid: id.id, local_teid: underlay, sport: 0, dport: PROTOCOLS[id.protocol] };
}

function idOf({ teid, dport }: TxConfig): VlanId {
  return { type: 'vlan', id: teid, protocol: dport === PROTOCOLS['802.1ad'] ? '802.1ad' : '802.1Q' };
}
