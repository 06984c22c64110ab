/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Encapsulation of every kind, of IP packets and of Ethernet frames. (gtpu_encap is the short cut for packets by GTP.) */
#ifndef GTP_ENCAP_H
#define GTP_ENCAP_H

#include "geneve.h"
#include "gre.h"
#include "gtpu.h"
#include "l2tp.h"
#include "maps.h"
#include "outer.h"
#include "packet.h"
#include "tunnel.h"

#define BPF_F_ADJ_ROOM_ENCAP_L2_SHIFT_ 56
#define HEAD_WORDS 6
#define FRONT_MAX 18

/* What stands in front of the payload, in parts: a fixed header, then octets of `details`, the sublayer of L2TP, the inner link
 * header. */
struct head {
	__be32 words[HEAD_WORDS];	/* the fixed header; behind `len` octets 0 */
	__be32 front[5];		/* the inner link header, likewise */
	__be32 sublayer;
	__u32 len;
	__u32 more;			/* octets of the detail */
	__u32 room;			/* octets of all headers, IP included */
	struct rx_key key;		/* of the session that sends: no room for it on the stack */
};

PER_CPU(heads, struct head);

/* Octets of the tunnel's own header. */
INLINE __u32 tunnel_len(const struct tx_config *c, const struct detail *d)
{
	__u32 more = (d ? d->head_len : 0) + (c->flags & TX_L2SPEC ? 4 : 0);

	switch (c->kind) {
	case KIND_GRE:
		return gre_len(c);
	case KIND_L2TP_IP:
		return 4 + more;
	case KIND_L2TP:
	case KIND_GENEVE:
	case KIND_VXLAN:
		return 8 + more;
	}
	return gtpu_header_len(c);
}

/* Octets in front of an inner packet or frame: all headers, the inner link header aside. */
GLOBAL __u32 overhead(const struct tx_config *c)
{
	if (!c)
		return 0;
	return tunnel_len(c, tx_detail(c)) + (over_udp(c->kind) ? sizeof(struct udphdr) : 0) +
	       (addr_is_v4(c->remote) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
}

/* The session's next number: one counter for all CPUs and places, in its receiving half. */
INLINE __u32 next_seq(struct head *h, const struct tx_config *c)
{
	struct rx_session *r = 0;

	if (c->flags & TX_SEQ) {
		tx_own_key(c, &h->key);
		r = bpf_map_lookup_elem(&rx, &h->key);
	}
	return r ? __sync_fetch_and_add(&r->tx_seq, 1) : 0;
}

/* The fixed header. GTP tells the length of one segment. */
INLINE void head_fixed(struct head *h, const struct tx_config *c, const struct detail *d, const struct inner *in)
{
	__u32 seq = next_seq(h, c);

	switch (c->kind) {
	case KIND_GENEVE:
		h->len = geneve_head(c, d, in, h->words);
		break;
	case KIND_VXLAN:
		h->len = vxlan_head(c, h->words);
		break;
	case KIND_GRE:
		h->len = gre_head(c, in, seq, h->words);
		break;
	case KIND_L2TP:
	case KIND_L2TP_IP:
		h->len = l2tp_head(c, h->words);
		h->sublayer = l2tp_sublayer(c, seq);
		break;
	case KIND_GTP0:
		h->len = sizeof(struct gtpu0);
		gtpu0_push(h->words, h->words + HEAD_WORDS, c, in->segment + in->front, seq);
		break;
	default:
		h->len = gtpu_header_len(c);
		gtpu_push(h->words, h->words + HEAD_WORDS, c, in->segment + in->front, seq);
	}
}

/* The inner link header: that of the frame with its tag, which the kernel keeps beside it, or the session's. */
INLINE int head_front(struct __sk_buff *skb, struct head *h, const struct detail *d, __u32 len)
{
	__u8 *f = (__u8 *)h->front;

	if (!len)
		return 0;
	if (bpf_skb_load_bytes(skb, 0, f, ETH_HLEN))
		return -DROP_NO_ROOM;
	if (d && (d->macs[0] | d->macs[1] | d->macs[2] | d->macs[3] | d->macs[4] | d->macs[5]))
		__builtin_memcpy(f, d->macs, sizeof(d->macs));
	if (len == FRONT_MAX) {
		__be16 type = *(__be16 *)(f + 12);

		*(__be16 *)(f + 12) = skb->vlan_proto;
		*(__be16 *)(f + 14) = bpf_htons(skb->vlan_tci);
		*(__be16 *)(f + 16) = type;
	}
	return 0;
}

/*
 * Makes room in front of any frame, also one without IP, and makes it one of IP: the kernel's own way is closed to those. A tag that
 * is pushed and taken away again gives it the type that the octets behind it say. `room` counts the inner link header.
 */
GLOBAL int room_for_any(struct __sk_buff *skb, int v4, __u32 room)
{
	__be16 front[9] = { 0, 0, 0, 0, 0, 0, bpf_htons(ETH_P_8021Q), 0, v4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6) };

	/* the second push writes the first tag into the frame; so it does to a tag that the frame had */
	if (!skb->vlan_present && bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 1))
		return -DROP_NO_ROOM;
	if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 1) || bpf_skb_change_head(skb, room, 0) ||
	    bpf_skb_store_bytes(skb, 0, front, sizeof(front), 0) || bpf_skb_vlan_pop(skb) || bpf_skb_vlan_pop(skb))
		return -DROP_NO_ROOM;
	return 0;
}

INLINE int room_for(struct __sk_buff *skb, const struct tx_config *c, const struct inner *in, int v4, __u32 room)
{
	__u64 flags = c->kind == KIND_GRE ? BPF_F_ADJ_ROOM_ENCAP_L4_GRE :
		      over_udp(c->kind) ? BPF_F_ADJ_ROOM_ENCAP_L4_UDP : 0;

	if (!in->front)
		return outer_room(skb, in, v4, room, flags);
	flags |= BPF_F_ADJ_ROOM_FIXED_GSO | (v4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6);
	flags |= BPF_F_ADJ_ROOM_ENCAP_L2_ETH | (__u64)in->front << BPF_F_ADJ_ROOM_ENCAP_L2_SHIFT_;
	if (in->version && !skb->vlan_present && !bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC, flags))
		return 0;
	if (in->version && skb->vlan_present && in->front == FRONT_MAX) {
		__be16 proto = skb->vlan_proto;
		__u16 tci = skb->vlan_tci;

		/* the tag stands in `front` already */
		if (bpf_skb_vlan_pop(skb))
			return -DROP_NO_ROOM;
		if (!bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC, flags))
			return 0;
		if (skb->gso_size)
			bpf_skb_vlan_push(skb, proto, tci);
	}
	return skb->gso_size ? -DROP_NO_ROOM : room_for_any(skb, v4, room);
}

/* Sum of the payload with its link header, without reading what LCO tells. */
INLINE __u64 payload_sum(struct __sk_buff *skb, const struct inner *in, const struct head *h)
{
	__u64 sum = sum_words(h->front, 5);

	if (!in->sums_to_zero)
		return sum + sum_packet(skb, ETH_HLEN, in->total);
	return sum + lco_sum(in, data(skb) + ETH_HLEN, data_end(skb));
}

INLINE __u64 head_sum(const struct head *h, const struct detail *d)
{
	__u64 sum = sum_words(h->words, HEAD_WORDS) + h->sublayer;
	__u32 more = h->more;

	OPAQUE(more);
	if (d && BETWEEN(more, 1, sizeof(d->head)))
		sum += (__u32)bpf_csum_diff(0, 0, (__be32 *)d->head, more, 0);
	return sum;
}

/* Writes everything behind the outer IP and UDP headers, from `at` on. */
INLINE int head_write(struct __sk_buff *skb, const struct tx_config *c, const struct head *h, const struct detail *d, __u32 at,
		      __u32 front)
{
	__u32 len = h->len, more = h->more;

	OPAQUE(len);
	OPAQUE(more);
	if (!BETWEEN(len, 4, sizeof(h->words)) || bpf_skb_store_bytes(skb, at, h->words, len, 0))
		return -DROP_NO_ROOM;
	at += len;
	if (more) {
		if (!d || !BETWEEN(more, 1, sizeof(d->head)) || bpf_skb_store_bytes(skb, at, d->head, more, 0))
			return -DROP_NO_ROOM;
		at += more;
	}
	if (c->flags & TX_L2SPEC) {
		if (bpf_skb_store_bytes(skb, at, &h->sublayer, 4, 0))
			return -DROP_NO_ROOM;
		at += 4;
	}
	if (front == ETH_HLEN)
		return bpf_skb_store_bytes(skb, at, h->front, ETH_HLEN, 0) ? -DROP_NO_ROOM : 0;
	return front && bpf_skb_store_bytes(skb, at, h->front, FRONT_MAX, 0) ? -DROP_NO_ROOM : 0;
}

/* Outer link, IP and UDP header. `len` octets follow the IP header, `check` is the UDP checksum. */
INLINE int outer_write(struct __sk_buff *skb, const struct tx_config *c, const struct inner *in, int v4, __u32 len, __u16 sport,
		       __u16 check)
{
	__u32 random = v4 && !(c->flags & TX_DF) ? bpf_get_prandom_u32() : 0;
	__u8 protocol = outer_protocol(c->kind);
	struct ethhdr *eth = data(skb);
	void *end = data_end(skb);
	void *at = eth + 1;
	struct udphdr *udp;

	if (at + sizeof(struct iphdr) > end)
		return -DROP_NO_ROOM;
	/* redirect_neigh refuses a multicast destination; the neighbour's address replaces this one */
	__builtin_memset(eth->h_dest, 0, ETH_ALEN);
	eth->h_proto = v4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	if (v4) {
		outer_v4(at, c, in, len + sizeof(struct iphdr), random, protocol);
		at += sizeof(struct iphdr);
	} else {
		if (at + sizeof(struct ipv6hdr) > end)
			return -DROP_NO_ROOM;
		outer_v6(at, c, in, len, protocol);
		at += sizeof(struct ipv6hdr);
	}
	if (protocol != IPPROTO_UDP)
		return 0;
	udp = at;
	if ((void *)(udp + 1) > end)
		return -DROP_NO_ROOM;
	udp->source = bpf_htons(sport);
	udp->dest = bpf_htons(c->dport);
	udp->len = bpf_htons(len);
	udp->check = check;
	return 0;
}

/*
 * Encapsulates what stands behind the Ethernet header, and with in->front that header, too. Of a super-packet every length and sum is
 * that of one segment, which the stack copies into each when it cuts; the outer IP and UDP lengths it writes anew. Returns 0 or
 * -DROP_NO_ROOM; the frame then begins with an Ethernet header for the outer family.
 */
GLOBAL int tunnel_encap(struct __sk_buff *skb, const struct tx_config *c, const struct inner *in)
{
	const struct detail *d;
	__u32 ip, l4, segment, zero = 0;
	struct head *h;
	__u16 sport, check = 0;
	__u64 sum = 0;
	int v4;

	h = bpf_map_lookup_elem(&heads, &zero);
	if (!c || !in || !h)
		return -DROP_NO_ROOM;
	__builtin_memset(h, 0, __builtin_offsetof(struct head, key));
	d = tx_detail_by(c, &h->key);
	if (c->flags & TX_DETAIL && !d)
		return -DROP_NO_ROOM;
	v4 = addr_is_v4(c->remote);
	ip = v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	l4 = over_udp(c->kind) ? sizeof(struct udphdr) : 0;
	head_fixed(h, c, d, in);
	h->more = d ? d->head_len & 0xfc : 0;
	h->room = ip + l4 + h->len + h->more + (c->flags & TX_L2SPEC ? 4 : 0) + in->front;
	if (head_front(skb, h, d, in->front))
		return -DROP_NO_ROOM;
	sport = outer_sport(skb, c);
	if (c->flags & (TX_CSUM | TX_GRE_CSUM))
		sum = payload_sum(skb, in, h) + head_sum(h, d);
	if (c->flags & TX_GRE_CSUM) {
		h->words[1] = (__u16)~fold(sum); /* the field, and 16 reserved bits: 0 */
	} else if (l4 && c->flags & TX_CSUM) {
		/* the length of one segment, too: the cut rewrites udp->len but copies the checksum */
		segment = in->segment + h->room - ip;
		sum += outer_pseudo(c, segment) + bpf_htons(sport) + bpf_htons(c->dport) + bpf_htons(segment);
		check = ~fold(sum);
		if (!check)
			check = 0xffff; /* X10 */
	}
	if (room_for(skb, c, in, v4, h->room) ||
	    outer_write(skb, c, in, v4, in->total + h->room - ip, sport, check))
		return -DROP_NO_ROOM;
	return head_write(skb, c, h, d, ETH_HLEN + ip + l4, in->front);
}

#endif
