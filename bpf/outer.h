/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The outer headers on send: IP, UDP, and the UDP checksum in O(1) where that is possible. */
#ifndef GTP_OUTER_H
#define GTP_OUTER_H

#include "maps.h"
#include "packet.h"

#define BPF_F_ADJ_ROOM_DECAP_L3_V4 (1ULL << 7)
#define BPF_F_ADJ_ROOM_DECAP_L3_V6 (1ULL << 8)
#define OUTER_MAX (sizeof(struct ipv6hdr) + sizeof(struct udphdr) + 20)

/* Sum of what stays behind the tunnel header, without reading it (wire-level: a correct IPv4 header sums
 * to zero, a correct L4 part to minus its pseudo header). `ip` is the inner header. For one segment of a
 * super-packet the lengths are those of the segment, so every full segment has this same sum. */
INLINE __u64 lco_sum(const struct inner *in, const void *ip, const void *end)
{
	__u64 sum = 0;

	if (in->protocol != IPPROTO_ICMP || in->version == 6)
		sum = (__u16)~fold((__u64)in->sum + bpf_htons(in->protocol) + bpf_htons(in->segment - in->l4));
	if (in->version == 6) {
		const struct ipv6hdr *v6 = ip;

		if ((void *)(v6 + 1) > end)
			return 0;
		sum += sum_words(v6, 10) - v6->payload_len + bpf_htons(in->segment - sizeof(*v6));
	}
	return sum;
}

/* The outer source port: one value for all packets of an inner flow (G23). */
INLINE __u16 outer_sport(struct __sk_buff *skb, const struct tx_config *c)
{
	if (c->flags & TX_SPORT_HASH)
		return 49152 + (bpf_get_hash_recalc(skb) & 0x3fff);
	return c->sport;
}

/* Outer TOS octet: the ECN field is the inner one (X1, RFC 6040 normal mode). */
INLINE __u8 outer_tos(const struct tx_config *c, const struct inner *in)
{
	if (c->flags & TX_TOS_INHERIT)
		return in->tos;
	return (c->tos & ~ECN_MASK) | (in->tos & ECN_MASK);
}

/* A frame without IP has none to inherit. */
INLINE __u8 outer_ttl(const struct tx_config *c, const struct inner *in)
{
	if (c->flags & TX_TTL_INHERIT)
		return in->version ? in->ttl : 64;
	return c->ttl;
}

INLINE void outer_v4(void *at, const struct tx_config *c, const struct inner *in, __u32 len, __u32 random, __u8 protocol)
{
	struct iphdr *ip = at;
	int df = c->flags & TX_DF || (c->flags & TX_DF_INHERIT && in->dont_fragment);

	ip->version = 4;
	ip->ihl = 5;
	ip->tos = outer_tos(c, in);
	ip->tot_len = bpf_htons(len);
	ip->id = df ? 0 : random; /* X9: only without DF must it be unique */
	ip->frag_off = df ? IP_DF : 0;
	ip->ttl = outer_ttl(c, in);
	ip->protocol = protocol;
	ip->check = 0;
	ip->saddr = addr_v4(c->local);
	ip->daddr = addr_v4(c->remote);
	ip->check = ~fold(sum_words(ip, 5));
}

INLINE void outer_v6(void *at, const struct tx_config *c, const struct inner *in, __u32 payload, __u8 protocol)
{
	struct ipv6hdr *ip = at;
	__u8 tos = outer_tos(c, in);

	ip->priority = tos >> 4;
	ip->version = 6;
	ip->flow_lbl[0] = tos << 4;
	ip->flow_lbl[1] = 0;
	ip->flow_lbl[2] = 0;
	ip->payload_len = bpf_htons(payload);
	ip->nexthdr = protocol;
	ip->hop_limit = outer_ttl(c, in);
	addr_copy(&ip->saddr, c->local);
	addr_copy(&ip->daddr, c->remote);
}

/* Sum of the outer pseudo header of a datagram of `len` octets. */
INLINE __u64 outer_pseudo(const struct tx_config *c, __u32 len)
{
	__u64 sum = bpf_htons(IPPROTO_UDP) + bpf_htons(len);

	if (addr_is_v4(c->remote))
		return sum + addr_v4(c->local) + addr_v4(c->remote);
	return sum + sum_words(c->local, 4) + sum_words(c->remote, 4);
}

/*
 * Makes room for `len` octets of outer headers behind the Ethernet header. The kernel marks the packet as
 * encapsulated and refuses to do so twice, which a packet that came out of a tunnel over a veth may be:
 * such a one gets plain room, by way of the protocol change where the families differ.
 */
INLINE int outer_room(struct __sk_buff *skb, const struct inner *in, int v4, __u32 len, __u64 l4)
{
	__u64 family = v4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | l4 | family;
	__u8 head[sizeof(struct iphdr)];

	if (!bpf_skb_adjust_room(skb, len, BPF_ADJ_ROOM_MAC, flags))
		return 0;
	if (skb->gso_size)
		return -DROP_NO_ROOM;
	if (v4 == (in->version == 4))
		return bpf_skb_adjust_room(skb, len, BPF_ADJ_ROOM_MAC, 0) ? -DROP_NO_ROOM : 0;
	if (!v4) {
		if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IPV6), 0))
			return -DROP_NO_ROOM;
		len -= 20; /* what the change has already made */
		return bpf_skb_adjust_room(skb, len, BPF_ADJ_ROOM_MAC, 0) ? -DROP_NO_ROOM : 0;
	}
	/* the change to IPv4 takes the first 20 octets away */
	if (bpf_skb_load_bytes(skb, ETH_HLEN, head, sizeof(head)) ||
	    bpf_skb_change_proto(skb, bpf_htons(ETH_P_IP), 0) ||
	    bpf_skb_adjust_room(skb, len + 20, BPF_ADJ_ROOM_MAC, 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + len, head, sizeof(head), 0))
		return -DROP_NO_ROOM;
	return 0;
}

#endif
