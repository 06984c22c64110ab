/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Packets out of a tunnel: is it ours, which session, is it right, strip, deliver. */
#ifndef GTP_UNDERLAY_H
#define GTP_UNDERLAY_H

#include "arrival.h"
#include "deliver.h"
#include "drop.h"
#include "gtpu.h"
#include "maps.h"
#include "packet.h"
#include "session.h"
#include "shim.h"
#include "tail.h"

/*
 * The rules of length. One packet: what the header announces must be there (G3). A super-packet: either late cut by the
 * sender, the length is that of one segment; or a train of whole GTP packets, which must be cut first; or the length of
 * the whole. The three cannot be confused, an inner header being 28 octets at least. `announced` is the GTP length,
 * `have` the octets behind the GTP header, `headers` the inner headers behind `optional` octets.
 */
INLINE int bad_length(struct __sk_buff *skb, __u32 announced, __u32 have, __u32 optional, __u32 headers)
{
	if (!skb->gso_size)
		return announced > have;
	return announced != optional + headers + skb->gso_size && announced != have;
}

/* X2: puts the outer congestion mark into the inner header, or refuses. */
INLINE int ecn_decap(struct __sk_buff *skb, __u32 at, __u32 version, __u8 outer)
{
	__u8 octets[2], ecn, want;

	if (outer != ECN_CE && outer != ECN_ECT1)
		return 0;
	if (bpf_skb_load_bytes(skb, at, octets, 2))
		return -DROP_BAD_INNER;
	ecn = version == 4 ? octets[1] & ECN_MASK : octets[1] >> 4 & ECN_MASK;
	if (!ecn)
		return outer == ECN_CE ? -DROP_ECN : 0;
	want = outer == ECN_CE ? ECN_CE : ecn == ECN_ECT0 ? ECN_ECT1 : ecn;
	if (want == ecn)
		return 0;
	if (version == 6) {
		octets[1] = (octets[1] & ~(ECN_MASK << 4)) | want << 4;
		return bpf_skb_store_bytes(skb, at + 1, octets + 1, 1, BPF_F_RECOMPUTE_CSUM) ? -DROP_BAD_INNER : 0;
	}
	/* the header's own checksum keeps the sum of the whole as it was */
	if (bpf_l3_csum_replace(skb, at + 10, bpf_htons(octets[1]), bpf_htons((octets[1] & ~ECN_MASK) | want), 2))
		return -DROP_BAD_INNER;
	octets[1] = (octets[1] & ~ECN_MASK) | want;
	return bpf_skb_store_bytes(skb, at + 1, octets + 1, 1, 0) ? -DROP_BAD_INNER : 0;
}

/* The T-PDU: where it is and what it is. */
struct tpdu {
	__u32 at;
	__u32 len;
	__u32 headers;		/* IP and TCP or UDP header */
	__u8 version;
	__u8 protocol;
};

/* G28, X13: IPv4 or IPv6 by the first nibble; not longer than the tunnel brought. What follows it is not delivered. */
INLINE int tpdu_parse(struct __sk_buff *skb, struct tpdu *p)
{
	__u8 head[40] = {};
	__u32 said;
	__u8 offset;

	if (!p->len)
		return -DROP_EMPTY;
	if (p->len < 20 || bpf_skb_load_bytes(skb, p->at, head, 20))
		return -DROP_BAD_INNER;
	p->version = head[0] >> 4;
	if (p->version == 4) {
		p->headers = (head[0] & 15) * 4;
		p->protocol = head[9];
		said = head[2] << 8 | head[3];
		if (p->headers < 20 || said < p->headers)
			return -DROP_BAD_INNER;
	} else if (p->version == 6) {
		p->headers = 40;
		p->protocol = head[6];
		said = 40 + (head[4] << 8 | head[5]);
	} else {
		return -DROP_BAD_INNER;
	}
	if (skb->gso_size) {
		if (p->protocol == IPPROTO_UDP)
			p->headers += 8;
		else if (p->protocol != IPPROTO_TCP || bpf_skb_load_bytes(skb, p->at + p->headers + 12, &offset, 1))
			return -DROP_BAD_INNER;
		else
			p->headers += (offset >> 4) * 4;
		return p->headers > p->len ? -DROP_BAD_INNER : 0;
	}
	if (said > p->len)
		return -DROP_BAD_INNER;
	p->len = said;
	return 0;
}

/* Takes everything in front of the T-PDU away but an Ethernet header for it. `l2` octets of link header came. */
INLINE int strip(struct __sk_buff *skb, const struct tpdu *p, const struct outer *o, const struct rx_config *c, __u32 l2)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;
	struct ethhdr *eth;
	int less;

	if (o->version != p->version)
		flags |= p->version == 4 ? BPF_F_ADJ_ROOM_DECAP_L3_V4 : BPF_F_ADJ_ROOM_DECAP_L3_V6;
	if (!skb->gso_size && skb->len > p->at + p->len && bpf_skb_change_tail(skb, p->at + p->len, 0))
		return -DROP_NO_ROOM;
	if (!l2 && bpf_skb_change_head(skb, ETH_HLEN, 0))
		return -DROP_NO_ROOM;
	less = p->at - l2;
	if (bpf_skb_adjust_room(skb, -less, BPF_ADJ_ROOM_MAC, flags))
		return -DROP_NO_ROOM;
	eth = data(skb);
	if ((void *)(eth + 1) > data_end(skb))
		return -DROP_NO_ROOM;
	__builtin_memcpy(eth->h_dest, c->dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, c->smac, ETH_ALEN);
	eth->h_proto = p->version == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	return 0;
}

/* What a G-PDU is found by, and where its payload is. */
struct gpdu {
	struct rx_key key;
	__u32 at;		/* of the GTP header */
	__u32 header;		/* octets of it that its length does not count */
	__u32 length;		/* octets behind those, as it says */
	__u16 seq;		/* version 0 */
	__u8 flags;
};

/* Reads the GTP header of a datagram that is all there. Returns 0 for a G-PDU of version 1 or 0. */
INLINE int gpdu_parse(struct __sk_buff *skb, const struct outer *o, struct gpdu *p)
{
	struct gtpu g;
	__be32 tid[2];
	__be16 seq;

	p->at = o->udp + sizeof(struct udphdr);
	if (o->end < p->at + sizeof(g) || peek(skb, p->at, &g, sizeof(g)) || g.type != GTPU_GPDU)
		return -1;
	p->flags = g.flags;
	p->length = bpf_ntohs(g.length);
	p->key.port = o->dport;
	addr_copy(p->key.local, o->local);
	if ((g.flags & GTPU_V1_MASK) == GTPU_V1) {
		p->key.kind = KIND_GTP;
		p->key.id = bpf_ntohl(g.teid);
		p->header = sizeof(g);
		return 0;
	}
	if ((g.flags & GTPU_V1_MASK) != GTPU_V0 || o->end < p->at + sizeof(struct gtpu0) ||
	    bpf_skb_load_bytes(skb, p->at + 4, &seq, sizeof(seq)) ||
	    bpf_skb_load_bytes(skb, p->at + 12, tid, sizeof(tid)))
		return -1;
	p->key.kind = KIND_GTP0;
	p->key.id = (__u64)bpf_ntohl(tid[0]) << 32 | bpf_ntohl(tid[1]);
	p->header = sizeof(struct gtpu0);
	p->seq = bpf_ntohs(seq);
	return 0;
}

#define REORDER_WINDOW 1024

/* Octets in front of the T-PDU. Slow: for what looks damaged. */
INLINE __u32 gpdu_header(struct __sk_buff *skb, const struct gpdu *g)
{
	struct gtpu_seen seen = { .payload = g->header };

	if (g->key.kind == KIND_GTP && g->flags & GTPU_OPTIONAL && gtpu_walk(skb, g->at, g->length, &seen))
		return 0;
	return seen.payload;
}

/* What the last packets of a session told: QoS flow, sequence number, that the peer lives. Numbers behind the last one are
 * counted, no more (G10). */
INLINE void session_seen(struct rx_session *r, const struct gtpu_seen *seen)
{
	__s16 ahead = seen->seq - r->rx_seq;

	session_alive(r);
	if (seen->has_psc && (r->qfi != seen->qfi || r->rqi != seen->rqi || r->ppi != seen->ppi)) {
		r->qfi = seen->qfi;
		r->rqi = seen->rqi;
		r->ppi = seen->ppi;
	}
	if (!seen->has_seq)
		return;
	/* far behind is a peer that began anew */
	if (r->rx_seq && ahead <= 0 && ahead > -REORDER_WINDOW)
		__sync_fetch_and_add(&r->reordered, 1);
	else
		r->rx_seq = 1U << 16 | seen->seq;
}

/*
 * A checksum that is wrong for the octets that are there, but will be right: the inner packet's own one is still open
 * (CHECKSUM_PARTIAL, inner field = inner pseudo header), and the sender has summed it up as a device will complete it (LCO).
 * So it comes from a sender on this machine that keeps its offloads (`gso keep`, any tunnel over a veth). `at` is the inner packet,
 * `from` where the sum begins: at the UDP header, or where there is none at that of the tunnel.
 */
GLOBAL int is_left_open(struct __sk_buff *skb, const struct outer *o, __u32 at, __u32 from)
{
	__u8 head[40] __attribute__((aligned(4))) = {};
	__u32 l4, len, field;
	__u64 pseudo, sum;
	__sum16 open;
	__u8 proto;

	if (!o || bpf_skb_load_bytes(skb, at, head, 20))
		return 0;
	if (head[0] >> 4 == 4) {
		l4 = (head[0] & 15) * 4;
		len = (head[2] << 8 | head[3]) - l4;
		proto = head[9];
		pseudo = sum_words(head + 12, 2);
	} else {
		if (head[0] >> 4 != 6 || bpf_skb_load_bytes(skb, at, head, sizeof(head)))
			return 0;
		l4 = sizeof(head);
		len = head[4] << 8 | head[5];
		proto = head[6];
		pseudo = sum_words(head + 8, 8);
	}
	field = proto == IPPROTO_TCP ? 16 : 6;
	if ((proto != IPPROTO_TCP && proto != IPPROTO_UDP) || at + l4 + len != o->end ||
	    bpf_skb_load_bytes(skb, at + l4 + field, &open, sizeof(open)))
		return 0;
	pseudo = fold(pseudo + bpf_htons(proto) + bpf_htons(len));
	if (open != pseudo)
		return 0;
	sum = sum_packet(skb, from, at + l4 - from) + (__u16)~pseudo;
	if (o->check)
		sum += arrival_pseudo(o, o->end - o->udp);
	return fold(sum) == 0xffff;
}

/* Everything after the session is known. Returns a verdict, or a negative drop reason. */
INLINE int session_receive(struct __sk_buff *skb, struct config *cfg, struct rx_session *r, const struct outer *o,
			   const struct gpdu *g, __u32 l2)
{
	const struct rx_config *c = &r->config[r->active & 1];
	struct gtpu_seen seen = { .payload = g->header, .ppi = 255 };
	__u32 have, packets = 1;
	struct tpdu p = {};
	__u64 bytes;
	int why;

	why = bad_checksum(skb, o, c->flags & RX_ZERO_CSUM);
	if (why == -DROP_BAD_CHECKSUM && is_left_open(skb, o, g->at + gpdu_header(skb, g), o->udp))
		why = 0;
	if (why)
		return why;
	have = o->end - g->at - g->header;
	if (!skb->gso_size && g->length > have)
		return -DROP_BAD_LENGTH;
	if (skb->gso_size == g->length + g->header) /* a train, C2 of the rules of length */
		return shim_send(skb, cfg, SHIM_DECAP, 1);
	if (g->key.kind == KIND_GTP0) {
		seen.has_seq = 1;
		seen.seq = g->seq;
	} else if (g->flags & GTPU_OPTIONAL) {
		why = gtpu_walk(skb, g->at, g->length, &seen);
	}
	if (why == -DROP_BAD_LENGTH)
		return why;
	if (c->flags & RX_STRICT && !addr_equal(c->remote, o->remote))
		return -DROP_WRONG_PEER;
	if (why)
		return why;
	p.at = g->at + seen.payload;
	p.len = g->length + g->header - seen.payload;
	if (skb->gso_size)
		p.len = o->end - p.at;
	why = tpdu_parse(skb, &p);
	if (why)
		return why;
	if (bad_length(skb, g->length, have, seen.payload - g->header, p.headers))
		return -DROP_BAD_LENGTH;
	if (c->flags & RX_ANTISPOOF) {
		why = antispoof(skb, p.at, p.version, c, &g->key);
		if (why)
			return why;
	}
	if (!bpf_map_lookup_elem(&devices, &c->ifindex))
		return -DROP_NO_LINK;
	why = ecn_decap(skb, p.at, p.version, o->ecn);
	if (why)
		return why;
	bytes = p.len;
	if (skb->gso_size) {
		packets = (p.len - p.headers + skb->gso_size - 1) / skb->gso_size;
		bytes += (__u64)(packets - 1) * p.headers;
	}
	why = strip(skb, &p, o, c, l2);
	if (why)
		return why;
	session_seen(r, &seen);
	count(&r->packets, &r->bytes, packets, bytes);
	return deliver(c, wants_gro(skb, c, p.protocol));
}

/* One frame from an underlay whose link header has `l2` octets. */
INLINE int underlay_receive(struct __sk_buff *skb, __u32 l2)
{
	struct outer o = { .l3 = l2 };
	struct gpdu g = {};
	struct rx_session *r = 0;
	struct config *cfg;
	__u32 zero = 0;
	int verdict;

	cfg = bpf_map_lookup_elem(&config, &zero);
	if (!cfg)
		return TC_ACT_UNSPEC;
	if (skb->vlan_present) { /* id 0 is a priority alone */
		if (skb->vlan_tci & VLAN_ID && has_kind(cfg, KIND_VLAN))
			return tail(skb, TAIL_TUNNEL, l2, ASK_ALL);
		/* belongs to the VLAN device, which has a hook of its own */
		if (skb->vlan_tci & VLAN_ID || bpf_skb_vlan_pop(skb) || skb->vlan_present)
			return TC_ACT_UNSPEC; /* or the next tag has come in its place */
	}
	switch (outer_parse(skb, &o)) {
	case OUTER_UDP:
		break;
	case OUTER_GRE:
		return has_kind(cfg, KIND_GRE) ? tail(skb, TAIL_TUNNEL, l2, ASK_ALL) : TC_ACT_UNSPEC;
	case OUTER_L2TP:
		return has_kind(cfg, KIND_L2TP_IP) ? tail(skb, TAIL_TUNNEL, l2, ASK_ALL) : TC_ACT_UNSPEC;
	case OUTER_FRAGMENT:
		return tail(skb, TAIL_REASSEMBLE, l2, ASK_ALL);
	case OUTER_ICMP:
		return tail(skb, TAIL_ICMP_ERROR, l2, ASK_ALL);
	default:
		return TC_ACT_UNSPEC;
	}
	if (!known_port(cfg, o.dport))
		return tunnel_port(cfg, o.dport) ? tail(skb, TAIL_TUNNEL, l2, ASK_ALL) : TC_ACT_UNSPEC;
	if (!o.bad_sum && !bad_source(&o) && !gpdu_parse(skb, &o, &g))
		r = live_session(&g.key);
	if (!r) /* at another address the port may be that of another kind */
		return tail(skb, tunnel_port(cfg, o.dport) ? TAIL_TUNNEL : TAIL_SIGNAL, l2, ASK_ALL);
	if (r->config[r->active & 1].flags & RX_ETHER)
		return tail(skb, TAIL_TUNNEL, l2, ASK_ALL);
	verdict = session_receive(skb, cfg, r, &o, &g, l2);
	if (verdict >= 0)
		return verdict;
	drop_session(skb, r->config[r->active & 1].ifindex, &g.key, -verdict,
		     skb->gso_segs > 1 ? skb->gso_segs : 1);
	return verdict == -DROP_UNKNOWN_EXTENSION ? tail(skb, TAIL_SIGNAL, l2, ASK_EXTNOTIFY) : TC_ACT_SHOT;
}

#endif
