/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The outer headers of a received frame: what it is, whether it is ours, whether its sums are right. */
#ifndef GTP_ARRIVAL_H
#define GTP_ARRIVAL_H

#include "maps.h"
#include "packet.h"

#define IPV6_MAX_EXT 4

enum outer_kind {
	OUTER_UDP,
	OUTER_FRAGMENT,	/* of a tunnel, as far as that can be seen: ports are in the first one alone (X8) */
	OUTER_ICMP,
	OUTER_GRE,
	OUTER_L2TP,	/* over IP */
	OUTER_OTHER,	/* nothing that a tunnel of ours has to do with */
};

/* The outer headers of a received packet. */
struct outer {
	__u8 local[16] __attribute__((aligned(8)));	/* destination */
	__u8 remote[16] __attribute__((aligned(8)));	/* source */
	__u32 l3;		/* where the IP header begins */
	__u32 udp;		/* where the UDP header begins, or what stands in its place */
	__u32 end;		/* where the datagram ends, by the UDP length if there is one; 0: where it says it ends there is nothing */
	__u16 dport;
	__u16 sport;
	__sum16 check;		/* of the UDP header */
	__u8 version;
	__u8 ecn;
	__u8 bad_sum;		/* the IPv4 header's checksum is wrong */
	__u8 kind;		/* enum outer_kind; in `outers` alone */
};

/* Of the packet that `underlay` hands over to `tunnel`, so that they need not be read again. */
PER_CPU(outers, struct outer);

/* Sum of the options of an IPv4 header of `len` octets. */
INLINE __u64 sum_options(struct __sk_buff *skb, __u32 at, __u32 len)
{
	__u64 sum = 0;
	__u32 word;

	for (__u32 i = sizeof(struct iphdr); i < 60; i += 4) {
		if (i >= len || bpf_skb_load_bytes(skb, at + i, &word, 4))
			break;
		sum += word;
	}
	return sum;
}

INLINE int outer_kind_of(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_UDP:
		return OUTER_UDP;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return OUTER_ICMP;
	case IPPROTO_GRE:
		return OUTER_GRE;
	case IPPROTO_L2TP:
		return OUTER_L2TP;
	}
	return OUTER_OTHER;
}

/* What an IPv4 header at `l3` says, of `len` octets with its options. */
INLINE void outer_of_v4(struct outer *o, const struct iphdr *ip, __u32 l3, __u32 len)
{
	o->version = 4;
	o->ecn = ip->tos & ECN_MASK;
	o->udp = l3 + len;
	o->end = l3 + bpf_ntohs(ip->tot_len);
	addr_from_v4(o->local, ip->daddr);
	addr_from_v4(o->remote, ip->saddr);
}

/* What an IPv6 header at `l3` says. Returns 0, or -1 for an address ::ffff:a.b.c.d: that is IPv4 in our keys, and on no wire: who sends
 * it wants to be taken for somebody else. */
INLINE int outer_of_v6(struct outer *o, const struct ipv6hdr *ip, __u32 l3)
{
	o->version = 6;
	o->ecn = ip->flow_lbl[0] >> 4 & ECN_MASK;
	o->udp = l3 + sizeof(*ip);
	o->end = o->udp + bpf_ntohs(ip->payload_len);
	addr_copy(o->local, &ip->daddr);
	addr_copy(o->remote, &ip->saddr);
	return addr_is_v4(o->local) || addr_is_v4(o->remote) ? -1 : 0;
}

INLINE int outer_ip_v4(struct __sk_buff *skb, struct outer *o, __u32 l3)
{
	struct iphdr *ip = data(skb) + l3;
	__u64 sum;
	__u32 len;
	int kind;

	if ((void *)(ip + 1) > data_end(skb) || ip->version != 4 || ip->ihl < 5)
		return OUTER_OTHER;
	kind = outer_kind_of(ip->protocol);
	if (kind == OUTER_ICMP || kind == OUTER_OTHER)
		return kind;
	if (ip->frag_off & IP_MF_OR_OFFSET)
		return OUTER_FRAGMENT;
	len = ip->ihl * 4;
	outer_of_v4(o, ip, l3, len);
	sum = sum_words(ip, 5);
	if (len > sizeof(*ip))
		sum += sum_options(skb, l3, len);
	o->bad_sum = fold(sum) != 0xffff;
	return kind;
}

INLINE int outer_ip_v6(struct __sk_buff *skb, struct outer *o, __u32 l3)
{
	struct ipv6hdr *ip = data(skb) + l3;
	__u8 next, kind, ext[8]; /* as much as each has at least */

	if ((void *)(ip + 1) > data_end(skb) || ip->version != 6)
		return OUTER_OTHER;
	if (outer_of_v6(o, ip, l3))
		return OUTER_OTHER;
	next = ip->nexthdr;
#pragma unroll /* 6.1 refuses the layout that the compiler gives a loop here */
	for (int i = 0; i <= IPV6_MAX_EXT; i++) {
		if (outer_kind_of(next) != OUTER_OTHER)
			return outer_kind_of(next);
		if (i == IPV6_MAX_EXT || (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
					  next != IPPROTO_FRAGMENT))
			return OUTER_OTHER;
		kind = next;
		if (bpf_skb_load_bytes(skb, o->udp, ext, sizeof(ext)))
			return OUTER_OTHER;
		next = ext[0];
		if (kind == IPPROTO_ROUTING && ext[3]) /* on its way to somebody else (RFC 8200 4.4) */
			return OUTER_OTHER;
		if (kind != IPPROTO_FRAGMENT)
			o->udp += (ext[1] + 1) * 8;
		else if (ext[2] || ext[3] & 0xf9) /* all there is counts as whole (RFC 6946) */
			return OUTER_FRAGMENT;
		else
			o->udp += 8;
	}
	return OUTER_OTHER;
}

/* Reads IP and, of UDP, the UDP header of a frame whose link header has `l3` octets. Returns enum outer_kind. */
GLOBAL int outer_parse(struct __sk_buff *skb, struct outer *o)
{
	struct udphdr udp __attribute__((aligned(4)));
	int kind = OUTER_OTHER;
	__u32 end, l3 = 0;

	if (o)
		l3 = o->l3;
	OPAQUE(l3); /* or the compiler drops the bound that a verifier needs, which sees this function by itself */
	if (!o || l3 > ETH_HLEN)
		return OUTER_OTHER;
	linear(skb, l3 + (skb->protocol == bpf_htons(ETH_P_IP) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)));
	if (skb->protocol == bpf_htons(ETH_P_IP))
		kind = outer_ip_v4(skb, o, l3);
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		kind = outer_ip_v6(skb, o, l3);
	if (kind == OUTER_GRE || kind == OUTER_L2TP) {
		if (o->end > skb->len || o->end < o->udp)
			o->end = 0;
		return kind;
	}
	if (kind != OUTER_UDP)
		return kind;
	if (peek_words(skb, o->udp, &udp, sizeof(udp)))
		return OUTER_OTHER;
	o->dport = bpf_ntohs(udp.dest);
	o->sport = bpf_ntohs(udp.source);
	o->check = udp.check;
	end = o->udp + bpf_ntohs(udp.len);
	/* a super-packet's UDP length may be that of one segment: then IP tells */
	if (end > o->end || o->end > skb->len || end < o->udp + sizeof(udp))
		o->end = 0; /* bad_length once it is known to be ours */
	else if (!skb->gso_size)
		o->end = end;
	return OUTER_UDP;
}

/* G19: can no host have this outer source address? */
INLINE int bad_source(const struct outer *o)
{
	__u8 first = o->remote[0];

	if (o->version == 6)
		return first == 0xff || !(((__u64 *)o->remote)[0] | ((__u64 *)o->remote)[1]);
	first = o->remote[12];
	return !first || first >= 224;
}

INLINE int has_port(const __u64 *ports, __u32 port)
{
	OPAQUE(port); /* the compiler knows of 16 bits from bpf_ntohs(), verifiers of older kernels do not */
	port &= 0xffff;
	return ports[port >> 6 & (PORT_WORDS - 1)] >> (port & 63) & 1;
}

/* One of GTP. */
INLINE int known_port(const struct config *cfg, __u32 port)
{
	return has_port(cfg->ports, port);
}

/* Are there endpoints or sessions of a kind without port? */
INLINE int has_kind(const struct config *cfg, enum kind kind)
{
	return cfg->kinds >> kind & 1;
}

/* One of another kind. */
INLINE int tunnel_port(const struct config *cfg, __u32 port)
{
	return has_port(cfg->tunnel_ports, port);
}

/*
 * Is another program of this machine bound to that address and port? The socket of a `gtp ping` is known by its priority:
 * it gets Echo Responses (`is_response`), and nothing else of that peer.
 */
INLINE int has_socket(struct __sk_buff *skb, const struct outer *o, int is_response)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	int is_ping;

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
	is_ping = sk->priority == PRIORITY_PING;
	bpf_sk_release(sk);
	return !is_ping || is_response;
}

/* Sum of the pseudo header of a received datagram of `len` octets. */
INLINE __u64 arrival_pseudo(const struct outer *o, __u32 len)
{
	__u64 sum = bpf_htons(IPPROTO_UDP) + bpf_htons(len);

	if (o->version == 4)
		return sum + addr_v4(o->local) + addr_v4(o->remote);
	return sum + sum_words(o->local, 4) + sum_words(o->remote, 4);
}

/* A device may have summed the packet up from the IP header on (CHECKSUM_COMPLETE): then the rest costs nothing. What it does
 * not settle is summed up here. */
INLINE int device_sum_is_right(struct __sk_buff *skb, const struct outer *o, __u64 pseudo)
{
	__s64 all = bpf_csum_update(skb, 0);

	if (all < 0 || o->end != skb->len)
		return 0;
	return fold(pseudo + (__u32)all + (__u16)~fold(sum_packet(skb, o->l3, o->udp - o->l3))) == 0xffff;
}

/*
 * X11, X10: the UDP checksum of a datagram that is all there. Known good from the skb, or summed up. A sender on this machine
 * leaves the sum to a device that never comes (CHECKSUM_PARTIAL): then the field holds the pseudo header's sum, and nothing
 * can have damaged the packet; likewise a super-packet. Returns 0, -DROP_BAD_CHECKSUM or -DROP_ZERO_CHECKSUM.
 */
INLINE int bad_checksum(struct __sk_buff *skb, const struct outer *o, int zero_is_fine)
{
	__u32 len = o->end - o->udp;
	__u64 pseudo;

	if (!o->check)
		return o->version == 4 || zero_is_fine ? 0 : -DROP_ZERO_CHECKSUM;
	if (skb->gso_size || bpf_csum_level(skb, BPF_CSUM_LEVEL_QUERY) >= 0)
		return 0;
	pseudo = arrival_pseudo(o, len);
	if (o->check == fold(pseudo) || device_sum_is_right(skb, o, pseudo))
		return 0;
	return fold(pseudo + sum_packet(skb, o->udp, len)) == 0xffff ? 0 : -DROP_BAD_CHECKSUM;
}

#endif
