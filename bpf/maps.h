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
#include "history.h"

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

#define HASH(name, key_type, value_type, entries)	\
	struct {					\
		__uint(type, BPF_MAP_TYPE_HASH);	\
		__uint(map_flags, BPF_F_NO_PREALLOC);	\
		__uint(max_entries, entries);		\
		__type(key, key_type);			\
		__type(value, value_type);		\
	} name SEC(".maps")

#define ARRAY(name, value_type, entries)		\
	struct {					\
		__uint(type, BPF_MAP_TYPE_ARRAY);	\
		__uint(max_entries, entries);		\
		__type(key, __u32);			\
		__type(value, value_type);		\
	} name SEC(".maps")

/* One for each CPU: what programs have no room for on their stack, or hand to each other. */
#define PER_CPU(name, value_type)			\
	struct {					\
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);\
		__uint(max_entries, 1);			\
		__type(key, __u32);			\
		__type(value, value_type);		\
	} name SEC(".maps")

struct drop_count {
	__u64 packets COUNTS;
	__u64 bytes COUNTS;
};

#include "session_maps.h"

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
	__u64 icmp_sent COUNTS;
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
	LINK_XDP_ON = 1 << 19,
	LINK_RULES = 1 << 20,		/* the inner end's routes are in a table that rules lead to */
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
	/* for the sake of XDP, which sees neither tags beside the octets nor which checksums are open */
	OFFLOAD_VLAN = 1 << 3,		/* rx-vlan-hw-parse */
	OFFLOAD_STAG = 1 << 4,		/* rx-vlan-stag-hw-parse */
	OFFLOAD_PEER_CSUM = 1 << 5,	/* on the other end of a veth pair: tx-checksum-ip-generic, */
	OFFLOAD_PEER_VLAN = 1 << 6,	/* tx-vlan-hw-insert, */
	OFFLOAD_PEER_STAG = 1 << 7,	/* tx-vlan-stag-hw-insert */
};

/* A device we listen on, and what was turned off on it, to be given back when the last link on it goes. */
struct underlay {
	enum offload off;
	__u8 mac[6];		/* as it was when XDP was attached: what came to another one is for the stack to judge */
	__u8 is_virtual;	/* no device of a bus: frames may come with checksums that are still open */
	__u8 pad;
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
	__u64 answered COUNTS;
	__u64 passed COUNTS;	/* left to another program of this machine */
	__u64 sent_echo COUNTS;
	__u64 sent_errind COUNTS;
	__u64 sent_extnotify COUNTS;
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
	__u64 echo_requests COUNTS;	/* received */
	__u64 echo_responses COUNTS;
	__u64 errinds COUNTS;
	__u64 extnotifies COUNTS;
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

/* A device that was made anew with an old ifindex is not in here: the kernel removes
 * the entry with the device. So nothing is ever delivered into somebody else's namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
} devices SEC(".maps");

HASH(links, __u32, struct link_state, 65536);
HASH(link_words, __u32, struct link_words, 65536);
HASH(peers, struct peer_key, struct peer, 262144);
HASH(locals, struct address, __u32, 65536);	/* addresses that endpoints have, and one of those: ENDPOINT_ID, of UDP if there is one */
HASH(inner_ends, __u32, __u32, 65536);	/* inner ends in this namespace, and their links: no way to a remote (X12) */
HASH(underlays, __u32, struct underlay, 4096);
HASH(endpoints, struct endpoint_key, struct endpoint, 65536);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, struct drop_key);
	__type(value, struct drop_count);
} drops SEC(".maps");

ARRAY(config, struct config, 1);
ARRAY(pending, struct pending, 1024);
ARRAY(limits, struct bucket, LIMITS);
ARRAY(unswept, __u32, SWEEP_CAUSES);

/* Octets of a packet that the stack of a program has no room for. */
struct scratch {
	__u8 octets[520];
};

PER_CPU(scratch, struct scratch);

#include "fragment_maps.h"

#endif
