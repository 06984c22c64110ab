// SPDX-License-Identifier: MIT
import { kind, rx_flag, tx_flag } from '../datapath/layout.gen';
import { PORTS } from '../grammar';
import { on } from './flags';
import type { Held, OwnWords, Part, Received, Sent, Tunnel } from './tunnel';
import type { L2tpId, LinkWords, SessionWords, TxConfig } from './words';

type Words = SessionWords & { readonly id: L2tpId };

/** L2TP version 3 with Ethernet frames, over UDP or IP (RFC 3931, RFC 4719). */
export const l2tp: Tunnel<L2tpId> = {
  protocols: { [kind.l2tp]: 17, [kind.l2tp_ip]: 115 },
  endpoint: kind.l2tp,
  remoteKey: false,
  payload: 'ethernet',
  fixedPort: () => PORTS.l2tp,
  plain: { kind: kind.l2tp, flags: tx_flag.ether | tx_flag.l2spec, ext_len: 0 },
  send,
  receive,
  idOf,
  load,
  header,
  format: (id) => (id.type === 'l2tp' ? `session_id ${id.session_id}` : ''),
};

function send(_: LinkWords, { id, cookie, l2spec_type, l2tp_seq }: Words): Sent {
  const isUdp = id.encap === 'udp';
  return {
    kind: isUdp ? kind.l2tp : kind.l2tp_ip,
    teid: id.peer_session_id,
    local_teid: id.session_id,
    sport: isUdp ? id.udp_sport : 0,
    dport: isUdp ? id.udp_dport : 0,
    flags: on(l2spec_type === 'default', tx_flag.l2spec) | on(isOneOf(l2tp_seq, 'send'), tx_flag.seq),
    head: cookie,
  };
}

function receive({ peer_cookie, l2spec_type, l2tp_seq }: Words): Received {
  const flags = on(l2spec_type === 'default', rx_flag.l2spec) | on(isOneOf(l2tp_seq, 'recv'), rx_flag.seq);
  return { flags, cookie: peer_cookie };
}

function isOneOf(seq: SessionWords['l2tp_seq'], direction: 'send' | 'recv'): boolean {
  return seq === direction || seq === 'both';
}

function idOf(tx: TxConfig): L2tpId {
  return {
    type: 'l2tp',
    session_id: tx.local_teid,
    peer_session_id: tx.teid,
    encap: tx.kind === kind.l2tp ? 'udp' : 'ip',
    udp_sport: tx.sport,
    udp_dport: tx.dport,
  };
}

function load({ tx, rx, detail }: Held): OwnWords {
  const [sends, receives] = [(tx.flags & tx_flag.seq) !== 0, (rx.flags & rx_flag.seq) !== 0];
  const one = sends ? 'send' : 'recv';
  return {
    cookie: detail?.head.slice(0, detail.head_len) ?? new Uint8Array(0),
    peer_cookie: detail?.cookie.slice(0, detail.cookie_len) ?? new Uint8Array(0),
    l2spec_type: tx.flags & tx_flag.l2spec ? 'default' : 'none',
    l2tp_seq: sends && receives ? 'both' : sends || receives ? one : 'none',
  };
}

// Over UDP there is a word with the version in front (RFC 3931, 4.1.2.1).
function header({ kind: of, flags }: Pick<TxConfig, 'kind' | 'flags'>, cookie: number): Part {
  const more = [...(cookie > 0 ? ['cookie'] : []), ...(flags & tx_flag.l2spec ? ['sublayer'] : [])];
  const octets = (of === kind.l2tp ? 8 : 4) + cookie + (flags & tx_flag.l2spec ? 4 : 0);
  return [more.length === 0 ? 'L2TPv3' : `L2TPv3 with ${more.join(' and ')}`, octets];
}
