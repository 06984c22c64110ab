/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Sessions, and what they are found by: a part of maps.h, which includes it. */
#ifndef GTP_SESSION_MAPS_H
#define GTP_SESSION_MAPS_H

#include "maps.h"

enum tx_flag {
	TX_CSUM = 1 << 0,		/* outer UDP checksum; always set over IPv6 */
	TX_SPORT_HASH = 1 << 1,		/* source port from the inner flow, else `sport` */
	TX_TTL_INHERIT = 1 << 2,
	TX_TOS_INHERIT = 1 << 3,
	TX_DF = 1 << 4,			/* IPv4 outer: set DF */
	TX_DF_INHERIT = 1 << 5,
	TX_HAIRPIN = 1 << 6,		/* deliver on this machine where the remote is one of our locals */
	TX_SPLIT = 1 << 7,		/* gso split: cut every super-packet in the shim */
	TX_SEQ = 1 << 9,		/* S flag and a number that increases (G10); version 0 always has one (Z5) */
	TX_V0 = 1 << 10,		/* GTP version 0 */
	TX_KEEP = 1 << 8,		/* gso keep: the underlay never cuts, so no flow has to wait in the shim */
	TX_ETHER = 1 << 11,		/* the payload is an Ethernet frame, else an IP packet */
	TX_REMOTE_KEY = 1 << 12,	/* the receive key names the remote, too */
	TX_DETAIL = 1 << 13,		/* more to send stands in `details` */
	TX_KEY = 1 << 14,		/* GRE: there is a key (R4) */
	TX_GRE_CSUM = 1 << 15,		/* GRE: the header has a checksum (R3) */
	/* words that the user gave for this session; `link set` leaves them alone */
	TX_OWN_SRCPORT = 1 << 16,
	TX_OWN_TTL = 1 << 17,
	TX_OWN_TOS = 1 << 18,
	TX_OWN_CSUM = 1 << 19,
	TX_QFI = 1 << 20,
	TX_RQI = 1 << 21,
	TX_PPI = 1 << 22,
	TX_PSC_NONE = 1 << 23,
	TX_PSC_DL = 1 << 24,
	TX_PSC_UL = 1 << 25,
	TX_UNKNOWN = 1 << 27,		/* without `ue` and `from`: takes frames to MAC addresses that nobody knows */
	TX_L2SPEC = 1 << 26,		/* L2TP: the default sublayer stands in front of the frame */
};

/*
 * What one encapsulation needs; two of them in a session, so that a change is seen whole or not at all. By kind:
 *   GTP     `teid`, `local_teid`; ext: the first octets of the PDU Session Container as they go on the wire, the rest is 0 (38.415
 *           5.5.2)
 *   GTP0    `teid` and `local_teid` are the halves of the TID; ext: flow label, 0, 0
 *   GRE     `teid` okey, `local_teid` ikey
 *   GENEVE, VXLAN  `teid` VNI and 8 bits of 0, `local_teid` VNI; ext: the port that we receive at, 0, 0
 *   L2TP    `teid` peer_session_id, `local_teid` session_id; `sport` is also the port that we receive at
 *   VLAN    `teid` the id, `dport` the protocol, `local_teid` the index of the underlay; no addresses
 */
struct tx_config {
	__u8 local[16] __attribute__((aligned(4)));
	__u8 remote[16] __attribute__((aligned(4)));
	__be32 teid;		/* the peer's TEID, as it goes on the wire */
	__u32 local_teid;	/* with `local`: which session this is */
	__u16 sport;
	__u16 dport;
	enum tx_flag flags;
	__u8 tos;
	__u8 ttl;
	__u8 ext_len;		/* octets of the PDU Session Container: 0, 4 or 8 */
	__u8 kind;		/* enum kind */
	__u8 ext[4];
};

enum path_kind {
	PATH_NONE,		/* no route */
	PATH_WIRE,		/* leave by `oif`, next hop `gateway` */
	PATH_LOCAL,		/* a program on this machine: come in again by lo */
	PATH_HAIRPIN,		/* a link on this machine */
	PATH_LOOP,		/* the route leads into a link of ours */
	PATH_GONE,		/* the session was ended by an Error Indication */
	PATH_OTHER,		/* as PATH_WIRE, by a device that is none of our underlays: nobody saw to its offloads */
};

struct tx_session {
	__u32 active;		/* which of config[2] is in force */
	__u32 epoch;		/* config.epoch when the path was looked up */
	__u64 expires;		/* jiffies until which the path is believed */
	__u32 oif;
	__u16 mtu;		/* of the path, outer header included */
	__u16 route_mtu;	/* that of the route as the command saw it: the kernel tells us locked ones only. 0: none */
	__u32 local_dev;	/* PATH_LOCAL: the device that holds `remote`; 0: it is not ours */
	__u8 gateway[16] __attribute__((aligned(4)));	/* next hop, IPv4 or IPv6 */
	enum path_kind path;
	__u64 packets COUNTS;
	__u64 bytes COUNTS;
	struct tx_config config[2];
};

enum rx_flag {
	RX_STRICT = 1 << 0,		/* only from `remote` */
	RX_ANTISPOOF = 1 << 1,
	RX_MANY = 1 << 2,		/* not just one address a family: ask tx and tx_prefix, as on the way out */
	RX_SGSN = 1 << 3,		/* role sgsn: the inner destination is the UE's */
	RX_BULK = 1 << 4,		/* deliver bulk */
	RX_SMALL = 1 << 5,		/* deliver small; neither: by protocol */
	RX_HERE = 1 << 6,		/* the inner end is in this network namespace, where redirect_peer does not reach */
	RX_ZERO_CSUM = 1 << 7,		/* no UDP checksum over IPv6 is taken: `noudpcsum` */
	RX_ERRIND_NONE = 1 << 8,	/* an Error Indication changes nothing */
	RX_ERRIND_DEL = 1 << 9,		/* an Error Indication ends the session; neither: it is marked */
	RX_ETHER = 1 << 10,		/* GTP: the payload is an Ethernet frame (other kinds say so themselves) */
	RX_FRAMES = 1 << 11,		/* the link takes Ethernet frames as they are; else packets behind a header of ours */
	RX_COOKIE = 1 << 12,		/* L2TP: `details` has the cookie that packets must have */
	RX_L2SPEC = 1 << 13,		/* L2TP: the default sublayer stands in front of the frame */
	RX_SEQ = 1 << 14,		/* GRE, L2TP: packets must have numbers, and in order */
	RX_NO_XDP = 1 << 15,		/* `xdp off` */
	RX_OWN_ANTISPOOF = 1 << 16,	/* given by the user */
	RX_XDP_ON = 1 << 17,		/* `xdp on`: by virtual devices, too */
};

struct rx_config {
	__u32 ifindex;		/* the link */
	enum rx_flag flags;
	__u8 remote[16] __attribute__((aligned(4)));
	__u8 ue6[16] __attribute__((aligned(4)));
	__u8 ue4[4] __attribute__((aligned(4)));
	__u8 ue4_len ELSE(255);	/* prefix lengths; 255: no such address */
	__u8 ue6_len ELSE(255);
	__u8 dmac[6];		/* of the inner end */
	__u8 smac[6];		/* of the link */
	__u16 flow;		/* version 0: the label that we asked the peer to use; shown, not checked (Z6). On a link of frames: 1 +
				 * the session's slot, 0: it has none */
};

enum form { FORM_KEY = 1, FORM_ETHER = 2 };

/*
 * Where a session is named by remote, too (TX_REMOTE_KEY), `scope` and the upper half of `id` are the halves of a number made of
 * its address (remote_mark).
 */
struct rx_key {
	__u8 local[16] __attribute__((aligned(8)));
	__u64 id;		/* TEID; version 0: TID; GRE: key; Geneve, VXLAN: VNI; L2TP: session ID; VLAN: id */
	__u16 port;		/* UDP port that we receive at, else 0; VLAN: the protocol, 0x8100 or 0x88a8 */
	__u8 kind;		/* enum kind */
	__u8 form;		/* of GRE (enum form): with a key, with Ethernet frames; else 0 */
	__u32 scope;		/* VLAN: the index of the underlay */
};

enum session_state {
	SESSION_UP,
	SESSION_ERROR_INDICATED,	/* the peer does not know our packets (G18) */
	SESSION_ENDED,			/* an End Marker came (G11) */
	SESSION_DELETED,		/* by an Error Indication: stands only until a command sweeps it away */
};

struct rx_session {
	__u32 active;
	__u8 qfi ELSE(255);	/* last seen, 255: none yet */
	__u8 rqi;
	__u8 ppi ELSE(255);	/* last seen, 255: none yet */
	__u8 state;		/* enum session_state */
	__u64 packets COUNTS;
	__u64 bytes COUNTS;
	__u32 seen;		/* when the last packet from the peer came, by now_coarse; 0: none yet */
	__u32 tx_seq GIVEN_OUT;	/* the next sequence number to send: one for all prefixes of the session (G10, Z5) */
	__u32 rx_seq;		/* last sequence number seen, with 1 << 16 when there was one */
	__u32 reordered COUNTS;	/* packets that came with a number behind the last one */
	__u32 end_markers COUNTS;
	__u32 errinds COUNTS;	/* Error Indications about this session */
	struct rx_config config[2];
};

/*
 * `addr` is an inner address; or on a link of Ethernet frames ::fffe: and six octets of MAC; or ::fffd: and a number below SLOTS, under
 * which every session of such a link stands, for frames to all and for MAC addresses that were learned.
 */
struct tx_key {
	__u32 ifindex;
	__u8 addr[16] __attribute__((aligned(4)));
};

#define SLOTS 64

/* From one inner address to another: `from` and `to` of a session. */
struct pair_key {
	__u32 ifindex;
	__u8 from[16] __attribute__((aligned(4)));
	__u8 to[16] __attribute__((aligned(4)));
};

/* What sending or receiving by some sessions takes besides; by receive key. */
struct detail {
	__u8 macs[12];		/* of frames that a link of packets sends: destination and source */
	__u8 cookie_len;	/* L2TP: octets of the cookie that packets to us must have */
	__u8 head_len;
	__u8 critical;		/* Geneve: one of the options is (N3) */
	__u8 pad;
	__u8 cookie[8];
	__u8 head[252];		/* octets to send: options of Geneve, the cookie of L2TP */
};

/* Where a MAC address was seen last. */
struct fdb_key {
	__u32 ifindex;
	__u8 mac[6];
	__u16 pad;
};

struct fdb {
	__u32 slot;
	__u32 seen;		/* by now_coarse */
};

struct prefix_key {
	__u32 prefixlen;	/* 64 (ifindex, version) + length of the v4-mapped or v6 prefix */
	__u32 ifindex;
	__u32 version;		/* of IP: ::/0 is no prefix of an IPv4 address */
	__u8 addr[16] __attribute__((aligned(4)));
};

/* The far end of a session as an Error Indication or an ICMP error names it. */
struct remote_key {
	__u8 local[16] __attribute__((aligned(8)));
	__u8 remote[16] __attribute__((aligned(8)));
	__u64 id;		/* the peer's TEID; version 0: TID */
	__u16 port;
	__u8 kind;
	__u8 pad[5];
};

/* Whose far end that is. Programs read `id` alone. */
struct remote {
	__u64 id;		/* rx_key.id: of several sessions that send there the one that is meant */
	__u32 others;		/* sessions that send there besides; too many only costs a look at all of them */
	__u32 pad;
};

struct label {
	char name[64];
};

HASH(tx, struct tx_key, struct tx_session, 2097152);
HASH(tx_pair, struct pair_key, struct tx_session, 262144);
HASH(details, struct rx_key, struct detail, 262144);
HASH(rx, struct rx_key, struct rx_session, 1048576);
HASH(carried, struct rx_key, struct drop_count, 262144);
HASH(remotes, struct remote_key, struct remote, 1048576);
HASH(labels, struct rx_key, struct label, 1048576);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1048576);
	__type(key, struct prefix_key);
	__type(value, struct tx_session);
} tx_prefix SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct fdb_key);
	__type(value, struct fdb);
} fdb SEC(".maps");

#endif
