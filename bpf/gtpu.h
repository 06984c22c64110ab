/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* GTP-U version 1 (3GPP TS 29.281) and 0 (GSM 09.60): the header on send, the walk over it on receipt. */
#ifndef GTP_GTPU_H
#define GTP_GTPU_H

#include "maps.h"
#include "outer.h"
#include "packet.h"
#include "session.h"

#define GTPU_ECHO_REQUEST 1
#define GTPU_ECHO_RESPONSE 2
#define GTPU_ERROR_INDICATION 26
#define GTPU_EXTNOTIFY 31	/* Supported Extension Headers Notification */
#define GTPU_END_MARKER 254
#define GTPU_GPDU 255
#define GTPU_V0 0x10		/* version 0, PT 1 */
#define GTPU_V0_SEND 0x1e	/* spare bits 1, no SNDCP number */
#define GTPU_V1 0x30		/* version 1, PT 1 */
#define GTPU_V1_MASK 0xf0	/* the spare bit is not looked at */
#define GTPU_E 0x04
#define GTPU_S 0x02
#define GTPU_OPTIONAL 0x07	/* any of E, S, PN: four more octets (G2) */
#define GTPU_EXT_UDP_PORT 0x40
#define GTPU_EXT_PSC 0x85
#define GTPU_EXT_RAN 0x81
#define GTPU_EXT_LONG_PDCP_OLD 0x82
#define GTPU_EXT_XW_RAN 0x83
#define GTPU_EXT_NR_RAN 0x84
#define GTPU_EXT_PDU_SET_OLD 0x86
#define GTPU_EXT_PDCP 0xc0
#define GTPU_MAX_EXT 8		/* our bound of the walk (G4) */

struct gtpu {
	__u8 flags;
	__u8 type;
	__be16 length;
	__be32 teid;
};

struct gtpu0 {
	__u8 flags;
	__u8 type;
	__be16 length;
	__be16 seq;
	__be16 flow;
	__u8 sndcp;
	__u8 spare[3];
	__be32 tid[2];
};

INLINE __u32 gtpu_header_len(const struct tx_config *c)
{
	if (c->kind == KIND_GTP0)
		return sizeof(struct gtpu0);
	return c->ext_len || c->flags & TX_SEQ ? sizeof(struct gtpu) + 4 + c->ext_len : sizeof(struct gtpu);
}

/* Octets of all outer headers. */
INLINE __u32 gtpu_overhead(const struct tx_config *c)
{
	return gtpu_header_len(c) + sizeof(struct udphdr) + (addr_is_v4(c->remote) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
}

/* G10, Z5: the session's next number. One counter for all CPUs and prefixes, in its receiving half. */
INLINE __u16 gtpu_next_seq(const struct tx_config *c)
{
	struct rx_session *r = receive_half(c);

	return r ? __sync_fetch_and_add(&r->tx_seq, 1) : 0;
}

/* Z1, Z2: the header of version 0, whose length leaves all its 20 octets out. */
INLINE __u64 gtpu0_push(void *at, const void *end, const struct tx_config *c, __u32 len, __u16 seq)
{
	struct gtpu0 *g = at;

	if (at + sizeof(*g) > end)
		return 0;
	g->flags = GTPU_V0_SEND;
	g->type = GTPU_GPDU;
	g->length = bpf_htons(len);
	g->seq = bpf_htons(seq);
	__builtin_memcpy(&g->flow, c->ext, 2);
	g->sndcp = 0xff;
	g->spare[0] = 0xff;
	g->spare[1] = 0xff;
	g->spare[2] = 0xff;
	g->tid[0] = c->teid;
	g->tid[1] = bpf_htonl(c->local_teid);
	return sum_words(g, sizeof(*g) / 4);
}

/* Writes the GTP header in front of a T-PDU of `len` octets and returns its sum. The caller has made room. */
INLINE __u64 gtpu_push(void *at, const void *end, const struct tx_config *c, __u32 len, __u16 seq)
{
	struct gtpu *g = at;
	__u32 *more = at + sizeof(*g);
	const __u32 *ext = (const __u32 *)c->ext;
	__u64 sum;

	if (at + sizeof(*g) > end)
		return 0;
	g->flags = GTPU_V1 | (c->ext_len ? GTPU_E : 0) | (c->flags & TX_SEQ ? GTPU_S : 0);
	g->type = GTPU_GPDU;
	g->length = bpf_htons(len + gtpu_header_len(c) - sizeof(*g));
	g->teid = c->teid;
	sum = sum_words(g, 2);
	if (!(g->flags & GTPU_OPTIONAL) || (void *)(more + 1) > end)
		return sum;
	more[0] = bpf_htonl((__u32)seq << 16 | (c->ext_len ? GTPU_EXT_PSC : 0)); /* what is not used is 0 (G2) */
	sum += more[0];
	if (c->ext_len && (void *)(more + 2) <= end) {
		more[1] = ext[0];
		sum += more[1];
	}
	if (c->ext_len == 8 && (void *)(more + 3) <= end)
		more[2] = 0;
	return sum;
}

/*
 * Encapsulates an inner packet whose Ethernet header stands in front. `in->segment` is the length that the GTP
 * header tells: of a super-packet the one of a full segment, which the stack copies into each when it cuts
 * (late cut). Returns 0 or -DROP_NO_ROOM; the frame then begins with an Ethernet header for the outer family.
 */
GLOBAL int gtpu_encap(struct __sk_buff *skb, const struct tx_config *c, const struct inner *in)
{
	__u32 gtp, ip, room, random;
	__u64 rest = 0, sum;
	struct udphdr *udp;
	struct ethhdr *eth;
	__u16 sport, seq;
	void *end, *at;
	int v4;

	if (!c || !in)
		return -DROP_NO_ROOM;
	v4 = addr_is_v4(c->remote);
	gtp = gtpu_header_len(c);
	ip = v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	room = ip + sizeof(struct udphdr) + gtp;
	sport = outer_sport(skb, c);
	random = v4 && !(c->flags & TX_DF) ? bpf_get_prandom_u32() : 0;
	seq = c->flags & TX_SEQ ? gtpu_next_seq(c) : 0;

	if (c->flags & TX_CSUM && !in->sums_to_zero)
		rest = sum_packet(skb, ETH_HLEN, in->total);
	if (outer_room(skb, in, v4, room, BPF_F_ADJ_ROOM_ENCAP_L4_UDP))
		return -DROP_NO_ROOM;
	at = data(skb);
	end = data_end(skb);
	/* a short packet ends inside the longest layout, so each part is checked by itself */
	if (at + ETH_HLEN + sizeof(struct iphdr) > end)
		return -DROP_NO_ROOM;
	eth = at;
	/* redirect_neigh refuses a multicast destination; the neighbour's address replaces this one */
	__builtin_memset(eth->h_dest, 0, ETH_ALEN);
	eth->h_proto = v4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	at += ETH_HLEN;
	if (v4)
		outer_v4(at, c, in, in->total + room, random, IPPROTO_UDP);
	else if (at + sizeof(struct ipv6hdr) > end)
		return -DROP_NO_ROOM;
	else
		outer_v6(at, c, in, in->total + room - ip, IPPROTO_UDP);
	at += ip;
	udp = at;
	if ((void *)(udp + 1) > end)
		return -DROP_NO_ROOM;
	udp->source = bpf_htons(sport);
	udp->dest = bpf_htons(c->dport);
	udp->len = bpf_htons(in->total + room - ip);
	udp->check = 0;
	at += sizeof(*udp);
	if (c->kind == KIND_GTP0)
		sum = gtpu0_push(at, end, c, in->segment, seq);
	else
		sum = gtpu_push(at, end, c, in->segment, seq);
	if (!(c->flags & TX_CSUM))
		return 0;
	/* the length of one segment, too: the cut rewrites udp->len but copies the checksum */
	sum += outer_pseudo(c, in->segment + room - ip);
	sum += bpf_htons(sport) + bpf_htons(c->dport) + bpf_htons(in->segment + room - ip);
	sum += in->sums_to_zero ? lco_sum(in, at + gtp, end) : rest;
	udp->check = ~fold(sum);
	if (!udp->check)
		udp->check = 0xffff; /* X10 */
	return 0;
}

/* What the walk over a received header found. */
struct gtpu_seen {
	__u32 payload;		/* where the T-PDU begins, from the GTP header on */
	__u8 has_psc;
	__u8 qfi;
	__u8 rqi;
	__u8 ppi;		/* 255: none told */
	__u8 has_seq;
	__u16 seq;
};

/* Reads a PDU Session Container (38.415 5.5.2) at `at`: its type, QFI, and of a downlink one RQI and PPI. */
INLINE int gtpu_psc(struct __sk_buff *skb, __u32 at, __u32 len, struct gtpu_seen *seen)
{
	__u8 psc[3] = {};

	if (bpf_skb_load_bytes(skb, at, psc, 2))
		return -DROP_BAD_EXTENSION;
	seen->has_psc = 1;
	seen->qfi = psc[1] & 0x3f;
	seen->rqi = 0;
	seen->ppi = 255;
	if (psc[0] >> 4) /* uplink */
		return 0;
	seen->rqi = psc[1] >> 6 & 1;
	if (psc[1] & 0x80 && len > 4 && !bpf_skb_load_bytes(skb, at + 2, psc + 2, 1))
		seen->ppi = psc[2] >> 5;
	return 0;
}

#define TYPE_BIT(type) (1ULL << ((type) & 0x3f))

/* G5: must an endpoint understand this extension header (bit 8), and does not? By bits, not by branches, as the verifier would follow
 * each for every header. */
INLINE int gtpu_is_unknown(__u8 type)
{
	__u64 from_0x80 = TYPE_BIT(GTPU_EXT_RAN) | TYPE_BIT(GTPU_EXT_LONG_PDCP_OLD) | TYPE_BIT(GTPU_EXT_XW_RAN) |
			  TYPE_BIT(GTPU_EXT_NR_RAN) | TYPE_BIT(GTPU_EXT_PSC) | TYPE_BIT(GTPU_EXT_PDU_SET_OLD);
	__u64 from_0xc0 = TYPE_BIT(GTPU_EXT_PDCP);
	__u64 at = type & 0x3f, upper = type >> 6 & 1;
	__u64 known = (from_0x80 >> at & ~upper) | (from_0xc0 >> at & upper);

	return type >> 7 & ~known & 1;
}

/*
 * Walks over the optional octets and the extension headers (G2, G4, G5) of a message at `at` that announces `length`
 * octets and has some of E, S, PN: any of them brings four octets; only its own flag makes one mean something. Returns 0,
 * -DROP_BAD_LENGTH or -DROP_BAD_EXTENSION for what is cut short, else -DROP_UNKNOWN_EXTENSION for a type that
 * must be known and is not; `seen` is whole then.
 */
GLOBAL int gtpu_walk(struct __sk_buff *skb, __u32 at, __u32 length, struct gtpu_seen *seen)
{
	__u32 off = sizeof(struct gtpu) + 4;
	__u32 all = sizeof(struct gtpu) + length;
	__u8 flags, more[4], next, len;
	int unknown = 0;

	if (!seen)
		return -DROP_BAD_EXTENSION;
	if (off > all) /* the flags announce octets that the Length leaves out */
		return -DROP_BAD_LENGTH;
	if (peek(skb, at, &flags, 1) || peek(skb, at + sizeof(struct gtpu), more, sizeof(more)))
		return -DROP_BAD_LENGTH;
	seen->has_seq = (flags & GTPU_S) != 0;
	seen->seq = more[0] << 8 | more[1];
	next = flags & GTPU_E ? more[3] : 0;
	for (int i = 0; i < GTPU_MAX_EXT && next; i++) {
		__u8 type = next;

		if (off + 4 > all || bpf_skb_load_bytes(skb, at + off, &len, 1) || !len || off + len * 4 > all)
			return -DROP_BAD_EXTENSION;
		if (bpf_skb_load_bytes(skb, at + off + len * 4 - 1, &next, 1))
			return -DROP_BAD_EXTENSION;
		if (type == GTPU_EXT_PSC && gtpu_psc(skb, at + off + 1, len * 4, seen))
			return -DROP_BAD_EXTENSION;
		unknown |= gtpu_is_unknown(type);
		off += len * 4;
	}
	if (next)
		return -DROP_BAD_EXTENSION;
	seen->payload = off;
	return unknown ? -DROP_UNKNOWN_EXTENSION : 0;
}

#endif
