// SPDX-License-Identifier: MIT
import { kind, rx_flag, tx_flag } from '../datapath/layout.gen';
import { on } from './flags';
import type { Part, Received, Sent, Tunnel } from './tunnel';
import type { GreId, LinkWords, SessionWords, TxConfig } from './words';

type Words = SessionWords & { readonly id: GreId };

/** GRE with IP packets (RFC 2784, RFC 2890). */
export const gre: Tunnel<GreId> = row('gre', 'ip');

/** GRE with Ethernet frames. */
export const gretap: Tunnel<GreId> = row('gretap', 'ethernet');

function row(type: GreId['type'], payload: 'ip' | 'ethernet'): Tunnel<GreId> {
  return {
    protocols: { [kind.gre]: 47 },
    endpoint: kind.gre,
    remoteKey: true,
    payload,
    fixedPort: () => 0,
    plain: { kind: kind.gre, flags: payload === 'ethernet' ? tx_flag.ether : 0, ext_len: 0 },
    send,
    receive,
    idOf: ({ teid, local_teid, flags }) =>
      flags & tx_flag.key ? { type, ikey: local_teid, okey: teid } : { type, ikey: undefined, okey: undefined },
    load: ({ tx, rx }) => ({
      csum: (tx.flags & tx_flag.gre_csum) !== 0,
      oseq: (tx.flags & tx_flag.seq) !== 0,
      iseq: (rx.flags & rx_flag.seq) !== 0,
    }),
    header,
    format: (id) => (id.type === type && id.ikey !== undefined ? `ikey ${id.ikey}` : `${type} without a key`),
  };
}

// R4: a key in both directions or in none.
function send(_: LinkWords, { id: { ikey, okey }, csum, oseq }: Words): Sent {
  const flags = on(okey !== undefined, tx_flag.key) | on(csum, tx_flag.gre_csum) | on(oseq, tx_flag.seq);
  return { kind: kind.gre, teid: okey ?? 0, local_teid: ikey ?? 0, sport: 0, dport: 0, flags };
}

function receive({ iseq }: Words): Received {
  return { flags: on(iseq, rx_flag.seq) };
}

// Four octets more for each option (RFC 2890, 2).
function header({ flags }: Pick<TxConfig, 'flags'>): Part {
  const options = [
    ...(flags & tx_flag.gre_csum ? ['csum'] : []),
    ...(flags & tx_flag.key ? ['key'] : []),
    ...(flags & tx_flag.seq ? ['seq'] : []),
  ];
  return [options.length === 0 ? 'GRE' : `GRE with ${options.join(' and ')}`, 4 + 4 * options.length];
}
