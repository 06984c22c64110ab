/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The packet inside, of whatever tunnel: what it is, its congestion mark, its checksum, and off with what stands in front of it. */
#ifndef GTP_TPDU_H
#define GTP_TPDU_H

#include "arrival.h"
#include "maps.h"
#include "packet.h"

/* X2: the congestion mark that a packet has to have which came with `inner` and `outer`, or -DROP_ECN. */
INLINE int ecn_after(__u8 inner, __u8 outer)
{
	if (!inner)
		return outer == ECN_CE ? -DROP_ECN : 0;
	if (outer == ECN_CE)
		return ECN_CE;
	return outer == ECN_ECT1 && inner == ECN_ECT0 ? ECN_ECT1 : inner;
}

/* X2: puts the outer congestion mark into the inner header, or refuses. */
INLINE int ecn_decap(struct __sk_buff *skb, __u32 at, __u32 version, __u8 outer)
{
	__u8 octets[2], ecn;
	int want;

	if (outer != ECN_CE && outer != ECN_ECT1)
		return 0;
	if (bpf_skb_load_bytes(skb, at, octets, 2))
		return -DROP_BAD_INNER;
	ecn = version == 4 ? octets[1] & ECN_MASK : octets[1] >> 4 & ECN_MASK;
	want = ecn_after(ecn, outer);
	if (want < 0 || want == ecn)
		return want < 0 ? want : 0;
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
	__u8 head[20] __attribute__((aligned(4)));
	__u32 said;
	__u8 offset;

	if (!p->len)
		return -DROP_EMPTY;
	if (p->len < 20 || peek_words(skb, p->at, head, 20))
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

/* Writes the MAC addresses of a link of packets in front of one. */
INLINE int eth_write(struct __sk_buff *skb, const struct rx_config *c)
{
	struct ethhdr *eth = data(skb);

	if ((void *)(eth + 1) > data_end(skb))
		return -1;
	__builtin_memcpy(eth->h_dest, c->dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, c->smac, ETH_ALEN);
	return 0;
}

/*
 * What `shrink` does where the family changes, before 6.3. There is another helper for that, which makes the IP header 20 octets longer or
 * shorter: those that it takes are left for it, those that it brings get the octets of the packet that stood there. Of super-packets it
 * takes those of TCP.
 */
GLOBAL int shrink_old(struct __sk_buff *skb, int less, int to)
{
	const int longer = sizeof(struct ipv6hdr) - sizeof(struct iphdr);
	__u8 front[20] __attribute__((aligned(4)));

	if (to == 4)
		return bpf_skb_adjust_room(skb, longer - less, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO) ||
		       bpf_skb_change_proto(skb, bpf_htons(ETH_P_IP), 0) ? -DROP_NO_ROOM : 0;
	return bpf_skb_load_bytes(skb, ETH_HLEN + less, front, sizeof(front)) ||
	       bpf_skb_adjust_room(skb, -less - longer, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO) ||
	       bpf_skb_change_proto(skb, bpf_htons(ETH_P_IPV6), 0) ||
	       bpf_skb_store_bytes(skb, ETH_HLEN, front, sizeof(front), 0) ? -DROP_NO_ROOM : 0;
}

#define CUT_FIRST 1

/* Takes `less` octets of headers of IP version `from` away behind the Ethernet header, where one of version `to` begins then, of
 * `protocol`. Returns 0, -DROP_NO_ROOM, or CUT_FIRST for a super-packet that this kernel does that to when it is cut. */
INLINE int shrink(struct __sk_buff *skb, int less, __u32 from, __u32 to, __u32 protocol)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;
	int why;

	if (from != to)
		flags |= to == 4 ? BPF_F_ADJ_ROOM_DECAP_L3_V4 : BPF_F_ADJ_ROOM_DECAP_L3_V6;
	why = bpf_skb_adjust_room(skb, -less, BPF_ADJ_ROOM_MAC, flags);
	if (why != -EINVAL || from == to)
		return why ? -DROP_NO_ROOM : 0;
	return skb->gso_size && protocol != IPPROTO_TCP ? CUT_FIRST : shrink_old(skb, less, to);
}

/* Takes everything in front of the T-PDU away but an Ethernet header for it, which gets its addresses by eth_write. `l2` octets of link
 * header came. Returns what `shrink` does. */
INLINE int strip(struct __sk_buff *skb, const struct tpdu *p, const struct outer *o, __u32 l2)
{
	struct ethhdr *eth;
	int why;

	if (!skb->gso_size && skb->len > p->at + p->len && bpf_skb_change_tail(skb, p->at + p->len, 0))
		return -DROP_NO_ROOM;
	if (!l2 && bpf_skb_change_head(skb, ETH_HLEN, 0))
		return -DROP_NO_ROOM;
	why = shrink(skb, p->at - l2, o->version, p->version, p->protocol);
	if (why)
		return why;
	eth = data(skb);
	if ((void *)(eth + 1) > data_end(skb))
		return -DROP_NO_ROOM;
	eth->h_proto = p->version == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	return 0;
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

#endif
