/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Every map, every layout, every drop reason: the only description of the state
 * that lives in the kernel. The TypeScript side is generated from the BTF of the
 * object that includes this file.
 *
 * Addresses are 16 octets in network order, IPv4 as ::ffff:a.b.c.d. All other
 * numbers are in host order unless their type says __be.
 */
#ifndef GTP_MAPS_H
#define GTP_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define PORT_WORDS 1024 /* 65536 ports in words of 64 bits */

enum kind { KIND_GTP = 1 };

/* Why a frame was dropped. The names, in lower case and without DROP_, are what users see. */
enum drop_reason {
	DROP_NONE,
	DROP_NOT_IP,		/* a frame without IP on a link that carries packets */
	DROP_BAD_INNER,		/* inner header cut short, of another version, or longer than what came */
	DROP_NO_SESSION,	/* no session of the link wants this inner address */
	DROP_NO_ROUTE,		/* no route to the session's remote */
	DROP_LOOP,		/* the route to the remote leads back into a tunnel (X12) */
	DROP_TOO_BIG,		/* longer than the path takes; the sender was told by ICMP (X6) */
	DROP_NO_SHIM,		/* the cutting veth pair is missing: `gtp check repair` */
	DROP_NO_ROOM,		/* the kernel refused to make or take away header room */
	DROP_UNKNOWN_TEID,	/* G16 */
	DROP_BAD_VERSION,	/* G1 */
	DROP_BAD_LENGTH,	/* G3 */
	DROP_BAD_EXTENSION,	/* G4 */
	DROP_UNKNOWN_EXTENSION,	/* G5: comprehension required, not known */
	DROP_EMPTY,		/* G8: no T-PDU, nothing to deliver */
	DROP_WRONG_PEER,	/* `peer strict` and another outer source */
	DROP_ANTISPOOF,		/* G29 */
	DROP_FRAGMENT,		/* X8: outer fragment */
	DROP_ECN,		/* X2: congestion seen outside, inner transport cannot hear of it */
	DROP_UNKNOWN_MESSAGE,	/* G25 */
	DROP_NO_LINK,		/* the session's link is gone */
	DROP_REASONS,
};

enum tx_flag {
	TX_CSUM = 1 << 0,		/* outer UDP checksum; always set over IPv6 */
	TX_SPORT_HASH = 1 << 1,		/* source port from the inner flow, else `sport` */
	TX_TTL_INHERIT = 1 << 2,
	TX_TOS_INHERIT = 1 << 3,
	TX_DF = 1 << 4,			/* IPv4 outer: set DF */
	TX_DF_INHERIT = 1 << 5,
	TX_HAIRPIN = 1 << 6,		/* deliver on this machine where the remote is one of our locals */
	TX_SPLIT = 1 << 7,		/* gso split: cut every super-packet in the shim */
	TX_KEEP = 1 << 8,		/* gso keep: the underlay never cuts, so no flow has to wait in the shim */
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
};

/* What one encapsulation needs; two of them in a session, so that a change is seen whole or not at all. */
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
	__u8 ext_len;		/* octets of `ext` in use: 0, 4 or 8 */
	__u8 pad;
	__u8 ext[8];		/* PDU Session Container as it goes on the wire (38.415 5.5.2) */
};

enum path_kind {
	PATH_NONE,		/* no route */
	PATH_WIRE,		/* leave by `oif`, next hop `gateway` */
	PATH_LOCAL,		/* a program on this machine: come in again by lo */
	PATH_HAIRPIN,		/* a link on this machine */
	PATH_LOOP,		/* the route leads into a link of ours */
	PATH_OTHER,		/* as PATH_WIRE, by a device that is none of our underlays: nobody saw to its offloads */
};

struct tx_session {
	__u32 active;		/* which of config[2] is in force */
	__u32 epoch;		/* config.epoch when the path was looked up */
	__u64 expires;		/* jiffies until which the path is believed */
	__u32 oif;
	__u16 mtu;		/* of the path, outer header included */
	__u16 gateway_family;	/* AF_INET, AF_INET6 */
	__u8 gateway[16] __attribute__((aligned(4)));
	enum path_kind path;
	__u32 local_dev;	/* PATH_LOCAL: the device that holds `remote`; 0: it is not ours */
	__u64 packets;
	__u64 bytes;
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
	RX_OWN_ANTISPOOF = 1 << 16,	/* given by the user */
};

struct rx_config {
	__u32 ifindex;		/* the link */
	enum rx_flag flags;
	__u8 remote[16] __attribute__((aligned(4)));
	__u8 ue6[16] __attribute__((aligned(4)));
	__u8 ue4[4] __attribute__((aligned(4)));
	__u8 ue4_len;		/* prefix lengths; 255: no such address */
	__u8 ue6_len;
	__u8 dmac[6];		/* of the inner end */
	__u8 smac[6];		/* of the link */
	__u16 pad;
};

struct rx_key {
	__u8 local[16] __attribute__((aligned(8)));
	__u64 id;		/* TEID */
	__u16 port;
	__u8 kind;		/* enum kind */
	__u8 pad;
	__u32 scope;
};

struct rx_session {
	__u32 active;
	__u8 qfi;		/* last seen, 255: none yet */
	__u8 rqi;
	__u8 ppi;		/* last seen, 255: none yet */
	__u8 state;
	__u64 packets;
	__u64 bytes;
	__u64 carried_packets;	/* sent through prefixes that the session has no more */
	__u64 carried_bytes;
	struct rx_config config[2];
};

struct tx_key {
	__u32 ifindex;
	__u8 addr[16] __attribute__((aligned(4)));
};

struct prefix_key {
	__u32 prefixlen;	/* 64 (ifindex, version) + length of the v4-mapped or v6 prefix */
	__u32 ifindex;
	__u32 version;		/* of IP: ::/0 is no prefix of an IPv4 address */
	__u8 addr[16] __attribute__((aligned(4)));
};

enum link_flag {
	LINK_SGSN = 1 << 0,
	LINK_DEFAULT = 1 << 1,		/* `fallback` is a session */
	LINK_SELECT = 1 << 2,		/* there are sessions in tx or tx_prefix */
	LINK_PREFIX = 1 << 3,		/* there are sessions in tx_prefix */
	LINK_HERE = 1 << 4,		/* the inner end is in this network namespace */
};

struct link_config {
	enum link_flag flags;
	__u32 mtu;		/* of the inner end */
};

struct link_state {
	struct link_config config;
	__u64 icmp_sent;
	struct tx_session fallback;	/* the session without `ue` */
};

enum link_word {
	LINK_TTL_INHERIT = 1 << 0,
	LINK_TOS_INHERIT = 1 << 1,
	LINK_CSUM = 1 << 2,
	LINK_CSUM_GIVEN = 1 << 3,
	LINK_DF_SET = 1 << 4,
	LINK_DF_INHERIT = 1 << 5,
	LINK_SPORT_HASH = 1 << 6,
	LINK_MTU_GIVEN = 1 << 7,
	LINK_NO_HAIRPIN = 1 << 8,
	LINK_GSO_SPLIT = 1 << 9,
	LINK_GSO_KEEP = 1 << 10,
	LINK_DELIVER_BULK = 1 << 11,
	LINK_DELIVER_SMALL = 1 << 12,
	LINK_XDP_OFF = 1 << 13,
	LINK_NO_ECHO = 1 << 14,
	LINK_NO_ERRIND = 1 << 15,
	LINK_NO_EXTNOTIFY = 1 << 16,
	LINK_ERRIND_NONE = 1 << 17,
	LINK_ERRIND_DEL = 1 << 18,
};

/* What the user said of a link; never read on the packet path. */
struct link_words {
	__u8 local[16] __attribute__((aligned(8)));
	enum link_word words;
	enum kind kind;
	__u16 port;
	__u16 sport;
	__u8 ttl;
	__u8 tos;
	__u16 underlays;		/* how many of dev[] */
	__u8 dmac[6];		/* of the inner end */
	__u8 smac[6];		/* of the link */
	__u32 dev[8];
	char netns[96];
};

enum offload {
	OFFLOAD_TNL = 1 << 0,		/* tx-udp_tnl-segmentation */
	OFFLOAD_TNL_CSUM = 1 << 1,	/* tx-udp_tnl-csum-segmentation */
	OFFLOAD_CSUM = 1 << 2,		/* tx-checksum-ip-generic */
};

/* A device we listen on, and what was turned off on it, to be given back when the last link on it goes. */
struct underlay {
	enum offload off;
};

struct endpoint_key {
	__u8 local[16] __attribute__((aligned(4)));
	__u16 port;
	__u8 kind;
	__u8 pad;
};

enum endpoint_flag { ENDPOINT_ECHO = 1 << 0, ENDPOINT_ERRIND = 1 << 1, ENDPOINT_EXTNOTIFY = 1 << 2 };

/* A local address and port of ours: what arrives here and belongs to no session. */
struct endpoint {
	enum endpoint_flag flags;
	__u32 pad;
	__u64 answered;
	__u64 passed;		/* left to another program of this machine */
	__u64 sent_echo;
	__u64 sent_errind;
	__u64 sent_extnotify;
};

/* ifindex, id and local: a session's drop; ifindex alone: a link's; without ifindex: an endpoint's, id is its port. */
struct drop_key {
	__u64 id;
	__u8 local[16] __attribute__((aligned(4)));
	__u32 ifindex;
	enum drop_reason reason;
};

struct drop_count {
	__u64 packets;
	__u64 bytes;
};

struct config {
	__u32 epoch;		/* raised whenever endpoints change: every path is looked up anew */
	__u32 shim_out;		/* packets to be cut are sent here ... */
	__u32 shim_in;		/* ... and come back here; has forwarding on, for route look-ups */
	__u32 shim_used;	/* jiffies of the last packet sent there */
	__u64 ports[PORT_WORDS];	/* UDP ports that endpoints have */
};

/* What a flow has in the shim: later packets of it wait behind. */
struct pending {
	__s32 segments;
	__u32 since;		/* jiffies */
};

struct label {
	char name[64];
};

/* A device that was made anew with an old ifindex is not in here: the kernel removes
 * the entry with the device. So nothing is ever delivered into somebody else's namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
} devices SEC(".maps");

#define HASH(name, key_type, value_type, entries)	\
	struct {					\
		__uint(type, BPF_MAP_TYPE_HASH);	\
		__uint(map_flags, BPF_F_NO_PREALLOC);	\
		__uint(max_entries, entries);		\
		__type(key, key_type);			\
		__type(value, value_type);		\
	} name SEC(".maps")

HASH(links, __u32, struct link_state, 65536);
HASH(link_words, __u32, struct link_words, 65536);
HASH(tx, struct tx_key, struct tx_session, 2097152);
HASH(rx, struct rx_key, struct rx_session, 2097152);
HASH(labels, struct rx_key, struct label, 2097152);
HASH(underlays, __u32, struct underlay, 4096);
HASH(endpoints, struct endpoint_key, struct endpoint, 65536);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1048576);
	__type(key, struct prefix_key);
	__type(value, struct tx_session);
} tx_prefix SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, struct drop_key);
	__type(value, struct drop_count);
} drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct pending);
} pending SEC(".maps");

#endif
