// SPDX-License-Identifier: MIT
import { kind, rx_flag, tx_flag } from '../datapath/layout.gen';
import { UsageError } from '../errors';
import { teid as teidKind, tid as tidKind } from '../values';
import { ECHO_PORT } from './echo';
import { on, pick } from './flags';
import { type Held, type OwnWords, type Part, portOn, type Received, type Sent, type Tunnel } from './tunnel';
import type { GtpId, LinkWords, ReceiveId, Role, SessionWords, TxConfig } from './words';

/** The outer port of a version's packets: that of the link, unless that is the one of version 1 alone. */
export function portOf(version: 0 | 1, linkPort: number): number {
  return version === 0 && linkPort === ECHO_PORT[1] ? ECHO_PORT[0] : linkPort;
}

/** The port of GTP on a link. */
export function gtpPort(link: Pick<LinkWords, 'type' | 'port'>, version: 0 | 1): number {
  return portOf(version, portOn(link, 'gtp', ECHO_PORT[1]));
}

/** GTP-U, versions 1 and 0. */
export const gtp: Tunnel<GtpId> = {
  protocols: { [kind.gtp]: 17, [kind.gtp0]: 17 },
  endpoint: kind.gtp,
  remoteKey: false,
  payload: undefined,
  fixedPort: (of) => ECHO_PORT[of === kind.gtp0 ? 0 : 1],
  plain: { kind: kind.gtp, flags: 0, ext_len: 0 },
  send,
  receive,
  idOf,
  load,
  header,
  format: (id) => (id.type === 'gtp' ? format(id) : ''),
};

type Words = SessionWords & { readonly id: GtpId };
type GtpReceiveId = Extract<ReceiveId, { readonly type: 'gtp' }>;

const DOWNLINK = 0;
const UPLINK = 1;

function format(id: GtpReceiveId): string {
  return id.version === 0 ? `tid ${tidKind.format(id.tid)}` : `local-teid ${teidKind.format(id.local_teid)}`;
}

// Of version 0 the TID stands in two halves; `ext` has the peer's flow label, then ours for links of frames, where the receive
// half has no room for it.
function send(link: LinkWords, words: Words): Sent {
  const { id } = words;
  const port = gtpPort(link, id.version);
  const ports = { sport: gtp.fixedPort(id.version === 0 ? kind.gtp0 : kind.gtp), dport: port };
  if (id.version === 0) {
    const halves = { teid: Number(id.tid >> 32n), local_teid: Number(id.tid & 0xffffffffn) };
    return { kind: kind.gtp0, ...halves, ...ports, flags: tx_flag.v0 | tx_flag.seq, ext: labels(id) };
  }
  const ext = container(link.role, words);
  const flags = on(words.seq, tx_flag.seq) | containerFlags(words);
  return { kind: kind.gtp, teid: id.remote_teid, local_teid: id.local_teid, ...ports, flags, ext, ext_len: ext.length };
}

function labels({ flow, remote_flow }: Extract<GtpId, { readonly version: 0 }>): readonly number[] {
  return [remote_flow >> 8, remote_flow & 0xff, flow >> 8, flow & 0xff];
}

function receive({ id, payload }: Words): Received {
  return { flags: on(payload === 'ethernet', rx_flag.ether), flow: id.version === 0 ? id.flow : 0 };
}

function load({ tx }: Held): OwnWords {
  return { ...containerWords(tx), seq: (tx.flags & (tx_flag.seq | tx_flag.v0)) === tx_flag.seq };
}

function idOf({ kind: of, teid, local_teid, ext }: TxConfig): GtpId {
  if (of === kind.gtp) return { type: 'gtp', version: 1, local_teid, remote_teid: teid };
  const [a = 0, b = 0, c = 0, d = 0] = ext;
  const tid = (BigInt(teid) << 32n) | BigInt(local_teid);
  return { type: 'gtp', version: 0, tid, flow: (c << 8) | d, remote_flow: (a << 8) | b };
}

// Anything optional brings four octets more for all of them (G2).
function header({ kind: of, flags, ext_len }: Pick<TxConfig, 'kind' | 'flags' | 'ext_len'>): Part {
  if (of === kind.gtp0) return ['GTPv0', 20];
  const optional = [...(flags & tx_flag.seq ? ['S'] : []), ...(ext_len > 0 ? ['QFI'] : [])];
  return optional.length === 0 ? ['GTP-U', 8] : [`GTP-U with ${optional.join(' and ')}`, 12 + ext_len];
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

function containerFlags(words: SessionWords): number {
  return (
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
    throw new UsageError(`"${given[0]}" goes into a PDU Session Container, which this session does not send`, {
      hint: words.psc === 'none' ? 'leave out psc none' : 'give qfi N, too',
    });
  }
  const [downlinkOnly] = given.filter((word) => word !== 'qfi');
  if (type === UPLINK && downlinkOnly !== undefined) {
    throw new UsageError(`"${downlinkOnly}" exists downlink only (TS 38.415, 5.5.2.1)`, {
      hint: `leave out ${downlinkOnly}: role ggsn and psc dl send downlink, this session does not`,
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
