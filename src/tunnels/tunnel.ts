// SPDX-License-Identifier: MIT
import type { Detail, LinkWords, ReceiveId, RxConfig, SessionId, SessionWords, TunnelType, TxConfig } from './words';

/** A part of what a tunnel adds in front of an inner packet: its name and its octets. */
export type Part = readonly [name: string, octets: number];

/** What a kind alone puts into the send half. */
export type Sent = Pick<TxConfig, 'kind' | 'teid' | 'local_teid' | 'sport' | 'dport'> & {
  /** Besides those that all kinds have. */
  readonly flags?: number;
  readonly ext?: readonly number[];
  /** Octets of the PDU Session Container. */
  readonly ext_len?: number;
  /** Octets that stand in `details`. */
  readonly head?: Uint8Array;
};

/** What a kind alone puts into the receive half. */
export type Received = {
  readonly flags?: number;
  readonly flow?: number;
  /** Octets that packets to us must have. */
  readonly cookie?: Uint8Array;
};

/** A session as the kernel holds it. */
export type Held = { readonly tx: TxConfig; readonly rx: RxConfig; readonly detail: Detail | undefined };

/** The words that belong to some kinds alone; a kind gives those of its own. */
export type OwnWords = Partial<
  Pick<
    SessionWords,
    | 'qfi'
    | 'rqi'
    | 'ppi'
    | 'psc'
    | 'seq'
    | 'csum'
    | 'iseq'
    | 'oseq'
    | 'opt'
    | 'cookie'
    | 'peer_cookie'
    | 'l2spec_type'
    | 'l2tp_seq'
  >
>;

/** The IP protocols under the kinds of a tunnel, by enum kind; 0: it has no IP header. */
export type Protocols = { readonly [kind: number]: 17 | 47 | 115 | 0 };

/** One type of tunnel: everything about it that is not on the wire. `words` of another type are a bug of the caller. */
export interface Tunnel<Id extends SessionId = SessionId> {
  readonly protocols: Protocols;
  /** The kind of the endpoint that a link of the type is; undefined: it receives at no address. */
  readonly endpoint: number | undefined;
  /** `peer strict` makes the remote a part of the receive key. */
  readonly remoteKey: boolean;
  /** What it carries; undefined: what the word `payload` says. */
  readonly payload: 'ip' | 'ethernet' | undefined;
  /** The port of `srcport fixed`. */
  fixedPort(kind: number): number;
  /** The words fit each other already; what only a link can tell, such as its role, is a UsageError. */
  send(link: LinkWords, words: SessionWords & { readonly id: Id }): Sent;
  receive(words: SessionWords & { readonly id: Id }): Received;
  /** The ID that a send half has. */
  idOf(tx: TxConfig): Id;
  /** With idOf the inverse of `send` and `receive`. */
  load(held: Held): OwnWords;
  /** The header of packets that are sent, `head` octets of `details` included. */
  header(tx: Pick<TxConfig, 'kind' | 'flags' | 'ext_len'>, head: number): Part;
  /** That of a session with nothing but defaults. */
  readonly plain: Pick<TxConfig, 'kind' | 'flags' | 'ext_len'>;
  /** The receive half of an ID as it is typed: "vni 5". IDs with the same text are the same. */
  format(id: ReceiveId): string;
}

/** The port at which sessions of a type receive on a link: the link's own where that is of the type, else the type's. */
export function portOn(link: Pick<LinkWords, 'type' | 'port'>, type: TunnelType, own: number): number {
  return link.type === type ? link.port : own;
}
