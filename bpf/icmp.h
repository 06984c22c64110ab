/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* ICMP to the inner sender: fragmentation needed, Packet Too Big (X6; RFC 792, 1191, 4443). */
#ifndef GTP_ICMP_H
#define GTP_ICMP_H

#include "maps.h"
#include "packet.h"

/* <linux/icmp.h> pulls in the C library, which has no place here */
#define ICMP_DEST_UNREACH 3
#define ICMP_FRAG_NEEDED 4
#define ICMPV6_PKT_TOOBIG 2

struct icmp_error {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be32 mtu;		/* IPv4: the upper half is unused and 0 */
};

#define IPV6_MIN_MTU 1280
#define QUOTE_V4 (576 - sizeof(struct iphdr) - sizeof(struct icmp_error)) /* RFC 1812 4.3.2.3 */
#define QUOTE_V6 (IPV6_MIN_MTU - sizeof(struct ipv6hdr) - sizeof(struct icmp_error))

/*
 * Cuts a packet to its first `want` octets, or to fewer. The kernel refuses to cut at the tail what is marked as encapsulated, which is
 * what came out of another tunnel: of such a one the octets are written anew. A super-packet among them is left: its sender
 * learns when it sends a segment of it again. Returns how many octets there are now, or -1.
 */
INLINE int icmp_cut(struct __sk_buff *skb, __u32 want)
{
	struct scratch *s;
	__u32 zero = 0;

	if (!bpf_skb_change_tail(skb, ETH_HLEN + want, 0))
		return want;
	s = bpf_map_lookup_elem(&scratch, &zero);
	if (!s || skb->gso_size)
		return -1;
	if (want > sizeof(s->octets))
		want = sizeof(s->octets);
	OPAQUE(want);
	if (!BETWEEN(want, sizeof(struct iphdr), sizeof(s->octets)) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN, s->octets, want) || resize(skb, ETH_HLEN + want) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, s->octets, want, 0))
		return -1;
	return want;
}

/* Makes room for `len` octets in front of the quoted packet, which is cut to `quote` octets. */
INLINE int icmp_room(struct __sk_buff *skb, const struct inner *in, __u32 quote, __u32 len)
{
	int have = icmp_cut(skb, in->total < quote ? in->total : quote);

	return have < 0 || bpf_skb_adjust_room(skb, len, BPF_ADJ_ROOM_MAC, 0) ? -1 : have;
}

INLINE int icmp_v4(struct __sk_buff *skb, const struct inner *in, __u32 mtu)
{
	struct { struct iphdr ip; struct icmp_error icmp; } h = {};
	int quote;
	__u32 addrs[2];

	if (bpf_skb_load_bytes(skb, ETH_HLEN + 12, addrs, sizeof(addrs)))
		return -1;
	quote = icmp_room(skb, in, QUOTE_V4, sizeof(h));
	if (quote < 0)
		return -1;
	h.ip.version = 4;
	h.ip.ihl = 5;
	h.ip.ttl = 64;
	h.ip.protocol = IPPROTO_ICMP;
	h.ip.tot_len = bpf_htons(sizeof(h) + quote);
	h.ip.saddr = addrs[1]; /* in the name of the destination: an address this sender routes here */
	h.ip.daddr = addrs[0];
	h.ip.check = ~fold(sum_words(&h.ip, 5));
	h.icmp.type = ICMP_DEST_UNREACH;
	h.icmp.code = ICMP_FRAG_NEEDED;
	h.icmp.mtu = bpf_htonl(mtu);
	h.icmp.checksum = ~fold(sum_words(&h.icmp, 2) + sum_packet(skb, ETH_HLEN + sizeof(h), quote));
	return bpf_skb_store_bytes(skb, ETH_HLEN, &h, sizeof(h), 0);
}

INLINE int icmp_v6(struct __sk_buff *skb, const struct inner *in, __u32 mtu)
{
	struct { struct ipv6hdr ip; struct icmp_error icmp; } h = {};
	int quote;
	__u64 sum;

	if (bpf_skb_load_bytes(skb, ETH_HLEN + 8, &h.ip.daddr, 16) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + 24, &h.ip.saddr, 16))
		return -1;
	quote = icmp_room(skb, in, QUOTE_V6, sizeof(h));
	if (quote < 0)
		return -1;
	h.ip.version = 6;
	h.ip.hop_limit = 64;
	h.ip.nexthdr = IPPROTO_ICMPV6;
	h.ip.payload_len = bpf_htons(sizeof(h.icmp) + quote);
	h.icmp.type = ICMPV6_PKT_TOOBIG;
	h.icmp.mtu = bpf_htonl(mtu);
	sum = sum_words(&h.ip.saddr, 8) + bpf_htons(IPPROTO_ICMPV6) + h.ip.payload_len;
	sum += sum_words(&h.icmp, 2) + sum_packet(skb, ETH_HLEN + sizeof(h), quote);
	h.icmp.checksum = ~fold(sum);
	return bpf_skb_store_bytes(skb, ETH_HLEN, &h, sizeof(h), 0);
}

/*
 * Turns a packet that is too big into the ICMP error its sender is owed, with the inner MTU `mtu`. Never about
 * multicast or a fragment other than the first (RFC 1122 3.2.2). Returns 0 when there is now an answer to send.
 */
GLOBAL int icmp_too_big(struct __sk_buff *skb, const struct inner *in, __u32 mtu)
{
	__u8 first = 0;
	__be16 frag = 0;

	if (!in)
		return -1;
	if (in->version == 4) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN + 16, &first, 1) || first >= 224 ||
		    bpf_skb_load_bytes(skb, ETH_HLEN + 6, &frag, 2) || frag & IP_OFFSET)
			return -1;
		return icmp_v4(skb, in, mtu);
	}
	if (bpf_skb_load_bytes(skb, ETH_HLEN + 24, &first, 1) || first == 0xff)
		return -1;
	if (in->fragment && (bpf_skb_load_bytes(skb, ETH_HLEN + 42, &frag, 2) || frag & bpf_htons(0xfff8)))
		return -1;
	return icmp_v6(skb, in, mtu < IPV6_MIN_MTU ? IPV6_MIN_MTU : mtu);
}

#endif
