/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Packets out of a tunnel: is it ours, which session, is it right, strip, deliver. */
#ifndef GTP_UNDERLAY_H
#define GTP_UNDERLAY_H

#include "deliver.h"
#include "drop.h"
#include "gtpu.h"
#include "maps.h"
#include "outer.h"
#include "packet.h"
#include "shim.h"

#define IPV6_MAX_EXT 4

/* The outer headers of a received packet. */
struct outer {
	__u8 local[16] __attribute__((aligned(8)));	/* destination */
	__u8 remote[16] __attribute__((aligned(8)));	/* source */
	__u32 l3;		/* where the IP header begins */
	__u32 udp;		/* where the UDP header begins */
	__u32 end;		/* where the datagram ends, by the UDP length */
	__u16 dport;
	__u16 sport;
	__u8 version;
	__u8 ecn;
	__u8 fragment;
};

INLINE int outer_ip_v4(struct __sk_buff *skb, struct outer *o)
{
	struct iphdr *ip = data(skb) + o->l3;

	if ((void *)(ip + 1) > data_end(skb) || ip->version != 4 || ip->ihl < 5 || ip->protocol != IPPROTO_UDP)
		return -1;
	o->version = 4;
	o->ecn = ip->tos & ECN_MASK;
	if (ip->frag_off & IP_OFFSET) /* no ports (X8): whose it is, only the stack finds out */
		return -1;
	o->fragment = (ip->frag_off & IP_MF_OR_OFFSET) != 0;
	o->udp = o->l3 + ip->ihl * 4;
	o->end = o->l3 + bpf_ntohs(ip->tot_len);
	addr_from_v4(o->local, ip->daddr);
	addr_from_v4(o->remote, ip->saddr);
	return 0;
}

INLINE int outer_ip_v6(struct __sk_buff *skb, struct outer *o)
{
	struct ipv6hdr *ip = data(skb) + o->l3;
	__u8 next, kind, ext[2];

	if ((void *)(ip + 1) > data_end(skb) || ip->version != 6)
		return -1;
	o->version = 6;
	o->ecn = ip->flow_lbl[0] >> 4 & ECN_MASK;
	o->udp = o->l3 + sizeof(*ip);
	o->end = o->udp + bpf_ntohs(ip->payload_len);
	addr_copy(o->local, &ip->daddr);
	addr_copy(o->remote, &ip->saddr);
	next = ip->nexthdr;
	for (int i = 0; i < IPV6_MAX_EXT; i++) {
		if (next == IPPROTO_UDP)
			return 0;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT)
			return -1;
		kind = next;
		if (bpf_skb_load_bytes(skb, o->udp, ext, 2))
			return -1;
		next = ext[0];
		if (kind == IPPROTO_FRAGMENT) {
			if (bpf_skb_load_bytes(skb, o->udp + 2, ext, 2) || ext[0] || ext[1] & 0xf8)
				return -1; /* not the first: no ports (X8) */
			o->fragment = ext[1] & 1; /* or all there is (RFC 6946) */
			o->udp += 8;
		} else {
			o->udp += (ext[1] + 1) * 8;
		}
	}
	return -1;
}

/* Reads IP and UDP header. Returns 0, or -1 for what no UDP tunnel can have sent. */
INLINE int outer_parse(struct __sk_buff *skb, struct outer *o)
{
	struct udphdr udp;
	__u32 end;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (outer_ip_v4(skb, o))
			return -1;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		if (outer_ip_v6(skb, o))
			return -1;
	} else {
		return -1;
	}
	if (bpf_skb_load_bytes(skb, o->udp, &udp, sizeof(udp)))
		return -1;
	o->dport = bpf_ntohs(udp.dest);
	o->sport = bpf_ntohs(udp.source);
	end = o->udp + bpf_ntohs(udp.len);
	/* a super-packet's UDP length may be that of one segment: then IP tells */
	if (end > o->end || o->end > skb->len)
		o->end = 0; /* longer than what is around it: bad_length once it is known to be ours */
	else if (!skb->gso_size)
		o->end = end;
	return 0;
}

/* Is another program of this machine bound to that address and port? */
INLINE int has_socket(struct __sk_buff *skb, const struct outer *o)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;

	if (o->version == 4) {
		tuple.ipv4.saddr = addr_v4(o->remote);
		tuple.ipv4.daddr = addr_v4(o->local);
		tuple.ipv4.sport = bpf_htons(o->sport);
		tuple.ipv4.dport = bpf_htons(o->dport);
		sk = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	} else {
		addr_copy(tuple.ipv6.saddr, o->remote);
		addr_copy(tuple.ipv6.daddr, o->local);
		tuple.ipv6.sport = bpf_htons(o->sport);
		tuple.ipv6.dport = bpf_htons(o->dport);
		sk = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	if (!sk)
		return 0;
	bpf_sk_release(sk);
	return 1;
}

/* What came to an address of ours and is no G-PDU of a session: `reason` says what is wrong with it. */
INLINE int not_a_session(struct __sk_buff *skb, const struct outer *o, __u32 reason)
{
	struct endpoint_key key = { .port = o->dport, .kind = KIND_GTP };
	struct endpoint *e;

	addr_copy(key.local, o->local);
	e = bpf_map_lookup_elem(&endpoints, &key);
	if (!e)
		return TC_ACT_UNSPEC;
	if (has_socket(skb, o)) {
		__sync_fetch_and_add(&e->passed, 1);
		return TC_ACT_UNSPEC;
	}
	return drop_endpoint(skb, &key, reason);
}

INLINE int known_port(const struct config *cfg, __u32 port)
{
	port &= 0xffff;
	return cfg->ports[port >> 6 & (PORT_WORDS - 1)] >> (port & 63) & 1;
}

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

/* Everything after the session is known. Returns a verdict, or a negative drop reason. */
INLINE int session_receive(struct __sk_buff *skb, struct config *cfg, struct rx_session *r,
			   const struct rx_key *key, const struct outer *o, const struct gtpu *g, __u32 l2)
{
	const struct rx_config *c = &r->config[r->active & 1];
	struct gtpu_seen seen = { .payload = sizeof(*g), .ppi = 255 };
	__u32 at = o->udp + sizeof(struct udphdr);
	__u32 length = bpf_ntohs(g->length), have, packets = 1;
	struct tpdu p = {};
	__u64 bytes;
	int why;

	if (o->end < at + sizeof(*g))
		return -DROP_BAD_LENGTH;
	have = o->end - at - sizeof(*g);
	if (!skb->gso_size && length > have)
		return -DROP_BAD_LENGTH;
	if (skb->gso_size == length + sizeof(*g)) /* a train, C2 of the rules of length */
		return shim_send(skb, cfg, SHIM_DECAP, 1);
	if (c->flags & RX_STRICT && !addr_equal(c->remote, o->remote))
		return -DROP_WRONG_PEER;
	if (g->flags & GTPU_OPTIONAL) {
		why = gtpu_walk(skb, at, length, &seen);
		if (why)
			return why;
	}
	p.at = at + seen.payload;
	p.len = length + sizeof(*g) - seen.payload;
	if (skb->gso_size)
		p.len = o->end - p.at;
	why = tpdu_parse(skb, &p);
	if (why)
		return why;
	if (bad_length(skb, length, have, seen.payload - sizeof(*g), p.headers))
		return -DROP_BAD_LENGTH;
	if (c->flags & RX_ANTISPOOF) {
		why = antispoof(skb, p.at, p.version, c, key);
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
	if (seen.has_psc && (r->qfi != seen.qfi || r->rqi != seen.rqi || r->ppi != seen.ppi)) {
		r->qfi = seen.qfi;
		r->rqi = seen.rqi;
		r->ppi = seen.ppi;
	}
	count(&r->packets, &r->bytes, packets, bytes);
	return deliver(c, wants_gro(skb, c, p.protocol));
}

/* One frame from an underlay whose link header has `l2` octets. */
INLINE int underlay_receive(struct __sk_buff *skb, __u32 l2)
{
	struct outer o = { .l3 = l2 };
	struct rx_key key = {};
	struct rx_session *r;
	struct config *cfg;
	struct gtpu g;
	__u32 zero = 0;
	int verdict;

	if (skb->vlan_present) /* belongs to the VLAN device, which has a hook of its own */
		return TC_ACT_UNSPEC;
	cfg = bpf_map_lookup_elem(&config, &zero);
	if (!cfg)
		return TC_ACT_UNSPEC;
	linear(skb, l2 + (skb->protocol == bpf_htons(ETH_P_IP) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)));
	if (outer_parse(skb, &o) || !known_port(cfg, o.dport))
		return TC_ACT_UNSPEC;
	if (o.fragment)
		return not_a_session(skb, &o, DROP_FRAGMENT);
	if (o.end < o.udp + sizeof(struct udphdr) + sizeof(g) ||
	    bpf_skb_load_bytes(skb, o.udp + sizeof(struct udphdr), &g, sizeof(g)))
		return not_a_session(skb, &o, DROP_BAD_LENGTH);
	if ((g.flags & GTPU_V1_MASK) != GTPU_V1)
		return not_a_session(skb, &o, DROP_BAD_VERSION);
	if (g.type != GTPU_GPDU)
		return not_a_session(skb, &o, DROP_UNKNOWN_MESSAGE);
	addr_copy(key.local, o.local);
	key.id = bpf_ntohl(g.teid);
	key.port = o.dport;
	key.kind = KIND_GTP;
	r = bpf_map_lookup_elem(&rx, &key);
	if (!r)
		return not_a_session(skb, &o, DROP_UNKNOWN_TEID);
	verdict = session_receive(skb, cfg, r, &key, &o, &g, l2);
	if (verdict < 0)
		return drop_session(skb, r->config[r->active & 1].ifindex, key.local, key.id, -verdict,
				    skb->gso_segs > 1 ? skb->gso_segs : 1);
	return verdict;
}

#endif
