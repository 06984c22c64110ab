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

enum kind {
	KIND_GTP = 1,	/* GTP-U version 1, port 2152 */
	KIND_GTP0,	/* version 0, port 3386 */
	KIND_GRE,	/* RFC 2784, RFC 2890 */
	KIND_GENEVE,	/* RFC 8926, port 6081 */
	KIND_VXLAN,	/* RFC 7348, port 4789 */
	KIND_L2TP,	/* version 3 over UDP (RFC 3931), port 1701 */
	KIND_L2TP_IP,	/* the same over IP */
	KIND_VLAN,	/* IEEE 802.1Q, 802.1ad */
};

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
	DROP_BAD_VERSION,	/* G1, N1 */
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
	DROP_BAD_CHECKSUM,	/* X11: outer UDP or IPv4 header checksum */
	DROP_ZERO_CHECKSUM,	/* X10: no UDP checksum over IPv6, without `noudpcsum` */
	DROP_BAD_SOURCE,	/* an outer source address or port that no host sends from */
	DROP_BAD_MESSAGE,	/* G12, G26: signalling without what it must have */
	DROP_UNKNOWN_SESSION,	/* G18: an Error Indication about no session of ours */
	DROP_UNEXPECTED,	/* a response that nobody here asked for */
	DROP_ECHO_OFF,		/* an Echo Request where `echo off` holds */
	DROP_RATE_LIMITED,	/* an Echo Request above the rate */
	DROP_UNKNOWN_VNI,	/* N5: no session with this VNI, or none with this peer */
	DROP_UNKNOWN_KEY,	/* R4: no session with this key, or none without one */
	DROP_BAD_HEADER,	/* R1: bits that nobody may send; VXLAN without a VNI */
	DROP_BAD_OPTION,	/* N4: lengths of options that do not add up */
	DROP_UNKNOWN_OPTION,	/* N3: a critical one that is not known */
	DROP_CONTROL,		/* N2: a Geneve control packet */
	DROP_BAD_PROTOCOL,	/* N5, R6: a payload type that the session does not carry */
	DROP_BAD_COOKIE,	/* L4 */
	DROP_NO_SEQUENCE,	/* the session wants numbers, and this packet has none */
	DROP_OUT_OF_ORDER,	/* R5, L6: behind a number that came before */
	DROP_BAD_FRAME,		/* L7: too short for an Ethernet header */
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
	RX_ZERO_CSUM = 1 << 7,		/* no UDP checksum over IPv6 is taken: `noudpcsum` */
	RX_ERRIND_NONE = 1 << 8,	/* an Error Indication changes nothing */
	RX_ERRIND_DEL = 1 << 9,		/* an Error Indication ends the session; neither: it is marked */
	RX_ETHER = 1 << 10,		/* GTP: the payload is an Ethernet frame (other kinds say so themselves) */
	RX_FRAMES = 1 << 11,		/* the link takes Ethernet frames as they are; else packets behind a header of ours */
	RX_COOKIE = 1 << 12,		/* L2TP: `details` has the cookie that packets must have */
	RX_L2SPEC = 1 << 13,		/* L2TP: the default sublayer stands in front of the frame */
	RX_SEQ = 1 << 14,		/* GRE, L2TP: packets must have numbers, and in order */
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
	__u8 qfi;		/* last seen, 255: none yet */
	__u8 rqi;
	__u8 ppi;		/* last seen, 255: none yet */
	__u8 state;		/* enum session_state */
	__u64 packets;
	__u64 bytes;
	__u32 seen;		/* when the last packet from the peer came, by now_coarse; 0: none yet */
	__u32 tx_seq;		/* the next sequence number to send: one for all prefixes of the session (G10, Z5) */
	__u32 rx_seq;		/* last sequence number seen, with 1 << 16 when there was one */
	__u32 reordered;	/* packets that came with a number behind the last one */
	__u32 end_markers;
	__u32 errinds;		/* Error Indications about this session */
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

enum link_flag {
	LINK_SGSN = 1 << 0,
	LINK_DEFAULT = 1 << 1,		/* `fallback` is a session */
	LINK_SELECT = 1 << 2,		/* there are sessions in tx or tx_prefix */
	LINK_PREFIX = 1 << 3,		/* there are sessions in tx_prefix */
	LINK_HERE = 1 << 4,		/* the inner end is in this network namespace */
	LINK_IPV6 = 1 << 5,		/* it has had an IPv6 address or a session with one: an MTU of 1280 at least */
	LINK_FRAMES = 1 << 6,		/* it carries Ethernet frames, else IP packets */
	LINK_ANY = 1 << 7,		/* it has had sessions of other kinds than GTP with IP packets: `link_any` sends for it */
	LINK_PAIR = 1 << 8,		/* there are sessions in tx_pair */
};

struct link_config {
	enum link_flag flags;
	__u32 mtu;		/* of the inner end */
	__u64 slots;		/* which are in use */
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
	__u32 restart_count;	/* in Echo Responses of version 0 */
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

/* An endpoint without its address; kind 0: one that is none of ours. Nothing that is known is 0. */
#define ENDPOINT_ID(port, kind) ((port) | (kind) << 16 | 1U << 31)
#define ENDPOINT_ID_PORT(id) ((id) & 0xffff)
#define ENDPOINT_ID_KIND(id) ((id) >> 16 & 0xff)

struct endpoint_key {
	__u8 local[16] __attribute__((aligned(4)));
	__u16 port;
	__u8 kind;
	__u8 pad;
};

enum endpoint_flag {
	ENDPOINT_ECHO = 1 << 0,
	ENDPOINT_ERRIND = 1 << 1,
	ENDPOINT_EXTNOTIFY = 1 << 2,
	ENDPOINT_ZERO_CSUM = 1 << 3,	/* some session or link here takes datagrams without UDP checksum over IPv6 */
};

/* A local address and port of ours: what arrives here and belongs to no session. */
struct endpoint {
	enum endpoint_flag flags;
	__u32 restart_count;	/* in Echo Responses of version 0 (Z4) */
	__u64 answered;
	__u64 passed;		/* left to another program of this machine */
	__u64 sent_echo;
	__u64 sent_errind;
	__u64 sent_extnotify;
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

struct address {
	__u8 octets[16] __attribute__((aligned(4)));
};

struct peer_key {
	__u8 local[16] __attribute__((aligned(4)));
	__u8 remote[16] __attribute__((aligned(4)));
};

/* Somebody with whom a local address has sessions. Written by `control` and the programs, never by an update. */
struct peer {
	__u32 sessions;		/* how many; the last one takes the entry along */
	__u32 seen;		/* when the last signalling message came, by now_coarse; 0: none yet */
	__u32 mtu;		/* of the path, as an ICMP error told it; 0: none did (X7) */
	__u32 mtu_until;	/* until when that is believed, by now_coarse */
	__u64 echo_bucket;	/* as struct bucket, for Echo Requests of this peer */
	__u64 echo_requests;	/* received */
	__u64 echo_responses;
	__u64 errinds;
	__u64 extnotifies;
};

/* SO_PRIORITY of sockets of ours, to know them by ("gtpp"): the lowest bits are those of best effort. */
enum socket_priority { PRIORITY_PING = 0x67747070 };

/* Generic cell rate: the theoretical arrival time of the next answer in nanoseconds. */
struct bucket {
	__u64 next;
};

enum limit { LIMIT_ECHO, LIMIT_ERRIND, LIMIT_EXTNOTIFY, LIMITS };

/* Why the next command that changes something has to look at every session first. */
enum sweep_cause {
	SWEEP_COMMAND,	/* a command is at work; or it was killed, and what sessions share may not fit them */
	SWEEP_ERRIND,	/* an Error Indication ended a session (SESSION_DELETED) */
	SWEEP_CAUSES,
};

/* Both: a session's drop; ifindex alone: a link's; without ifindex: an endpoint's, of which the key has address, port and kind. */
struct drop_key {
	struct rx_key of;
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
	__u64 ports[PORT_WORDS];	/* UDP ports that endpoints of GTP have */
	__u64 tunnel_ports[PORT_WORDS];	/* those that endpoints of other kinds have */
	__u32 kinds;			/* 1 << each enum kind without a port that there are endpoints or sessions of */
	__u32 pad;
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
HASH(tx_pair, struct pair_key, struct tx_session, 262144);
HASH(details, struct rx_key, struct detail, 262144);
HASH(rx, struct rx_key, struct rx_session, 1048576);
HASH(carried, struct rx_key, struct drop_count, 262144);
HASH(remotes, struct remote_key, struct remote, 1048576);
HASH(peers, struct peer_key, struct peer, 262144);
HASH(locals, struct address, __u32, 65536);	/* addresses that endpoints have, and one of those: ENDPOINT_ID, of UDP if there is one */
HASH(inner_ends, __u32, __u32, 65536);	/* inner ends in this namespace, and their links: no way to a remote (X12) */
HASH(labels, struct rx_key, struct label, 1048576);
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
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct fdb_key);
	__type(value, struct fdb);
} fdb SEC(".maps");

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

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LIMITS);
	__type(key, __u32);
	__type(value, struct bucket);
} limits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SWEEP_CAUSES);
	__type(key, __u32);
	__type(value, __u32);
} unswept SEC(".maps");

/* Octets of a packet that the stack of a program has no room for. */
struct scratch {
	__u8 octets[520];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

#include "fragment_maps.h"

#endif
