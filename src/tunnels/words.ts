// SPDX-License-Identifier: MIT
import type { Structs } from '../datapath/layout.gen';
import type { Address, Prefix, Teid, Tid } from '../values';

export type TxConfig = Structs['tx_config'];
export type RxConfig = Structs['rx_config'];
export type Detail = Structs['detail'];

export type Role = 'ggsn' | 'sgsn';
export type SourcePort = 'fixed' | 'hash' | number;
export type Inherit = 'inherit' | number;

/** The kinds of sessions, and of links by default. */
export type TunnelType = 'gtp' | 'gre' | 'gretap' | 'geneve' | 'vxlan' | 'l2tp' | 'vlan';

/** What a user names a session by on receipt, beside its local address; what is undefined was not given. */
export type ReceiveId =
  | { readonly type: 'gtp'; readonly version: 1; readonly local_teid: Teid }
  | { readonly type: 'gtp'; readonly version: 0; readonly tid: Tid }
  | { readonly type: 'gre' | 'gretap'; readonly ikey: number | undefined }
  | { readonly type: 'geneve' | 'vxlan'; readonly vni: number }
  | { readonly type: 'l2tp'; readonly session_id: number }
  | { readonly type: 'vlan'; readonly id: number };

/** Both halves, with all that the receive key is made of. */
export type SessionId =
  | { readonly type: 'gtp'; readonly version: 1; readonly local_teid: Teid; readonly remote_teid: Teid }
  | {
      readonly type: 'gtp';
      readonly version: 0;
      readonly tid: Tid;
      readonly flow: number;
      readonly remote_flow: number;
    }
  /** Both undefined: without a key (R4). */
  | { readonly type: 'gre' | 'gretap'; readonly ikey: number | undefined; readonly okey: number | undefined }
  /** `port` is where we receive, `dstport` where the peer does. */
  | { readonly type: 'geneve' | 'vxlan'; readonly vni: number; readonly port: number; readonly dstport: number }
  | {
      readonly type: 'l2tp';
      readonly session_id: number;
      readonly peer_session_id: number;
      readonly encap: 'udp' | 'ip';
      /** 0 over IP. */
      readonly udp_sport: number;
      readonly udp_dport: number;
    }
  | { readonly type: 'vlan'; readonly id: number; readonly protocol: '802.1Q' | '802.1ad' };

export type GtpId = Extract<SessionId, { readonly type: 'gtp' }>;
export type GreId = Extract<SessionId, { readonly ikey: number | undefined }>;
export type VniId = Extract<SessionId, { readonly vni: number }>;
export type L2tpId = Extract<SessionId, { readonly type: 'l2tp' }>;
export type VlanId = Extract<SessionId, { readonly type: 'vlan' }>;

/** What every session of a link shares unless its own words say otherwise. */
export type LinkWords = {
  readonly type: TunnelType;
  /** It carries Ethernet frames, else IP packets. */
  readonly frames: boolean;
  /** 0.0.0.0 for vlan. */
  readonly local: Address;
  /** Where sessions of the link's own type receive; 0 where these have no ports. */
  readonly port: number;
  readonly role: Role;
  /** For sessions of the link's own type. */
  readonly srcport: SourcePort;
  readonly ttl: Inherit;
  readonly tos: Inherit;
  /** undefined: by kind and outer address family. */
  readonly udpcsum: boolean | undefined;
  readonly df: 'set' | 'unset' | 'inherit';
  readonly gso: 'auto' | 'split' | 'keep';
  readonly deliver: 'auto' | 'bulk' | 'small';
  readonly xdp: 'auto' | 'on' | 'off';
  readonly hairpin: boolean;
  readonly errind_action: 'none' | 'mark' | 'del';
  /** Devices to listen on, lo included; sessions of type vlan use the first. */
  readonly dev: readonly number[];
};

/** Where a link's packets are delivered. */
export type Target = {
  readonly ifindex: number;
  readonly dmac: Uint8Array;
  readonly smac: Uint8Array;
  /** The inner end is in the namespace of the link itself. */
  readonly here: boolean;
  /** On a link of frames: where the session stands beside its other places. */
  readonly slot?: number | undefined;
};

/** What selects a session for sending, as its places tell. */
export type Selectors = Pick<SessionWords, 'ue' | 'from' | 'to' | 'lladdr'>;

/** One session as the user describes it; what is undefined follows the link or was not given. */
export type SessionWords = {
  readonly id: SessionId;
  /** 0.0.0.0 for vlan, as `local`. */
  readonly remote: Address;
  readonly local: Address;
  readonly ue: readonly Prefix[];
  /** Inner source and destination, hosts; both or none. */
  readonly from: Address | undefined;
  readonly to: Address | undefined;
  /** Inner destination MAC address. */
  readonly lladdr: Uint8Array | undefined;
  readonly peer: 'any' | 'strict';
  /** undefined: on as soon as `ue` is given. */
  readonly antispoof: boolean | undefined;
  readonly srcport: SourcePort | undefined;
  readonly ttl: Inherit | undefined;
  readonly tos: Inherit | undefined;
  readonly udpcsum: boolean | undefined;
  readonly payload: 'ip' | 'ethernet';
  // gtp
  readonly qfi: number | undefined;
  readonly rqi: boolean | undefined;
  readonly ppi: number | undefined;
  readonly psc: 'auto' | 'none' | 'dl' | 'ul';
  /** gtp version 1: false where not given. */
  readonly seq: boolean;
  // gre, gretap
  readonly csum: boolean;
  readonly iseq: boolean;
  readonly oseq: boolean;
  /** geneve: each option as it goes on the wire, its header included. */
  readonly opt: readonly Uint8Array[];
  // l2tp
  /** What we send, and what the peer must send, as `ip l2tp` has it; 0, 4 or 8 octets. */
  readonly cookie: Uint8Array;
  readonly peer_cookie: Uint8Array;
  readonly l2spec_type: 'none' | 'default';
  readonly l2tp_seq: 'none' | 'send' | 'recv' | 'both';
};
