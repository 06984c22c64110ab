/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Addresses, sums and the inner packet: what every hook needs to look at. */
#ifndef GTP_PACKET_H
#define GTP_PACKET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "maps.h"

#define INLINE static __always_inline
/* Verified once, by itself: keeps the programs small. Before 6.2 what its arguments point to is no key for a map: copy it. */
#define GLOBAL __attribute__((noinline))

#define AF_INET 2
#define AF_INET6 10
#define LOOPBACK_IFINDEX 1
#define PACKET_HOST 0
#define IP_MF_OR_OFFSET bpf_htons(0x3fff)
#define IP_OFFSET bpf_htons(0x1fff)
#define IP_DF bpf_htons(0x4000)
#define SUM_BLOCK 512	/* bpf_csum_diff takes no more at once */
#define VLAN_ID 0xfff
#define ECN_MASK 3
#define ECN_CE 3
#define ECN_ECT1 1
#define ECN_ECT0 2

/* Keeps the compiler from testing the terms that `x` was made of in the place of it: the verifier would learn nothing of `x`. */
#define OPAQUE(x) asm volatile("" : "+r"(x))

/* Is `x`, a variable, one of `min` to `max`? Written so that every verifier learns both bounds: those before 6.8 learn no least value
 * from a test for 0, those up to 6.12 nothing from the one test that the compiler makes of two. */
#define BETWEEN(x, min, max) ({							\
	__u32 above_ = (x) - (min);						\
	OPAQUE(above_);								\
	above_ <= (max) - (min) && ({						\
		OPAQUE(above_);							\
		(x) = above_ + (min);						\
		OPAQUE(x);							\
		1;								\
	});									\
})

/* Of IPv6. */
struct fragment_header {
	__u8 next;
	__u8 reserved;
	__be16 offset;		/* and bit 0: more follow */
	__be32 id;
};

/* One look at a packet. Offsets count from the start of the frame. */
struct inner {
	__u32 total;		/* octets of the packet */
	__u32 segment;		/* octets of one packet on the wire: `total` unless GSO */
	__u32 headers;		/* IP and, where understood, TCP or UDP header */
	__u32 l4;		/* IP header with its options */
	__u32 sum;		/* pseudo header without length and protocol, not folded */
	__u8 version;
	__u8 protocol;
	__u8 simple;		/* no IP options, extension headers or fragments: may be cut late */
	__u8 sums_to_zero;	/* the L4 checksum makes the L4 part a known sum (LCO) */
	__u8 fragment;		/* a fragment, offset 0 or not */
	__u8 dont_fragment;
	__u8 tos;
	__u8 ttl;
	__u8 front;		/* octets of the inner link header, if that goes into the tunnel as well: 14, 18 with a VLAN tag */
};

/* Where a packet is on its way. */
struct trip {
	__u32 ifindex;		/* of the link */
	__u32 packets;		/* on the wire */
	__u64 bytes;		/* inner octets of all of them */
	__u8 in_shim;
	__u8 cut;		/* sent in outer fragments */
	__u8 slot;		/* 1 + the session that this copy of a frame is for, 0: it is none */
};

/* The keys of the look-ups for a session, one after the other in one place, as the stack is short. The addresses of `tx` and `prefix`
 * are the same octets. */
union select {
	struct {
		__u32 before[2];
		struct tx_key tx;
	};
	struct prefix_key prefix;
	struct pair_key pair;
	struct fdb_key fdb;
};

INLINE void *data(struct __sk_buff *skb)
{
	return (void *)(long)skb->data;
}

INLINE void *data_end(struct __sk_buff *skb)
{
	return (void *)(long)skb->data_end;
}

/* Makes the first `want` octets readable in place, or as many as there are. Headers normally are; payload that is
 * pulled in with them would be copied, here and again when the packet is cut, so nothing asks for more than headers. */
INLINE void linear(struct __sk_buff *skb, __u32 want)
{
	if (want > skb->len)
		want = skb->len;
	if (data(skb) + want > data_end(skb))
		bpf_skb_pull_data(skb, want);
}

/* Makes a frame longer or shorter behind its link header, whatever it holds. Not at its tail, as the kernel refuses that for a packet
 * that is marked as encapsulated; and it takes 4095 octets at most at once. */
INLINE int resize(struct __sk_buff *skb, __u32 want)
{
	for (int i = 0; i < 5 && skb->len != want; i++) {
		int more = want - skb->len;

		if (more > 4095)
			more = 4095;
		if (more < -4095)
			more = -4095;
		if (bpf_skb_adjust_room(skb, more, BPF_ADJ_ROOM_MAC, 0))
			return -1;
	}
	return skb->len != want;
}

/* Copies `len` octets at `offset`: in place where they are linear, as headers are, else by the helper. */
INLINE int peek(struct __sk_buff *skb, __u32 offset, void *to, const __u32 len)
{
	OPAQUE(offset);
	if (offset < 1024 && data(skb) + offset + len <= data_end(skb)) {
		__builtin_memcpy(to, data(skb) + offset, len);
		return 0;
	}
	return bpf_skb_load_bytes(skb, offset, to, len);
}

/* The same with words of four octets, to where they are aligned. */
INLINE int peek_words(struct __sk_buff *skb, __u32 offset, void *to, const __u32 len)
{
	__u32 *words = to;
	const __u32 *from;

	OPAQUE(offset);
	if (offset < 1024 && data(skb) + offset + len <= data_end(skb)) {
		from = data(skb) + offset;
#pragma unroll
		for (__u32 i = 0; i < len / 4; i++)
			words[i] = from[i];
		return 0;
	}
	return bpf_skb_load_bytes(skb, offset, to, len);
}

INLINE void addr_copy(void *to, const void *from)
{
	__u32 *t = to;
	const __u32 *f = from;

	t[0] = f[0];
	t[1] = f[1];
	t[2] = f[2];
	t[3] = f[3];
}

/* ::ffff:a.b.c.d */
INLINE void addr_from_v4(void *to, __be32 v4)
{
	__u32 *t = to;

	t[0] = 0;
	t[1] = 0;
	t[2] = bpf_htonl(0xffff);
	t[3] = v4;
}

INLINE int addr_equal(const void *a, const void *b)
{
	const __u32 *x = a, *y = b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3];
}

INLINE int addr_is_v4(const void *a)
{
	const __u32 *x = a;

	return !x[0] && !x[1] && x[2] == bpf_htonl(0xffff);
}

INLINE __be32 addr_v4(const void *a)
{
	return ((const __be32 *)a)[3];
}

/* Folds a sum of 16 or 32 bit words to one's complement 16 bits. */
INLINE __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

INLINE __u64 sum_words(const void *p, int words)
{
	const __u32 *w = p;
	__u64 sum = 0;

	for (int i = 0; i < words; i++)
		sum += w[i];
	return sum;
}

/* Sums `len` octets at `offset` of a packet up, however it lies in memory; `load` copies octets of it. Slow. An odd last octet
 * counts as the high half of a word, as RFC 1071 wants. */
#define SUM_OF(name, context, load)								\
	GLOBAL __u32 name(struct context *ctx, __u32 offset, __u32 len)				\
	{											\
		__u32 sum = 0, zero = 0, n = len & (SUM_BLOCK - 1);				\
		struct scratch *block;								\
												\
		block = bpf_map_lookup_elem(&scratch, &zero);					\
		if (!block)									\
			return 0;								\
		for (__u32 i = 0; i < 65536 / SUM_BLOCK && i < len / SUM_BLOCK; i++) {		\
			if (load(ctx, offset + i * SUM_BLOCK, block->octets, SUM_BLOCK))	\
				return sum;							\
			sum = bpf_csum_diff(0, 0, (__be32 *)block->octets, SUM_BLOCK, sum);	\
		}										\
		if (!BETWEEN(n, 1, SUM_BLOCK - 1) || load(ctx, offset + len - n, block->octets, n)) \
			return sum;								\
		__builtin_memset(&block->octets[n], 0, 4);					\
		return bpf_csum_diff(0, 0, (__be32 *)block->octets, (n + 3) & ~3U, sum);	\
	}

/* For the few that LCO cannot serve. */
SUM_OF(sum_packet, __sk_buff, bpf_skb_load_bytes)

INLINE void inner_l4(struct __sk_buff *skb, __u32 at, struct inner *in)
{
	__be16 udp[2]; /* length and checksum */
	__u8 offset;

	in->headers = in->l4;
	if (in->fragment)
		return;
	if (in->protocol == IPPROTO_TCP) {
		if (peek(skb, at + in->l4 + 12, &offset, sizeof(offset)))
			return;
		in->headers += (offset >> 4) * 4;
		in->sums_to_zero = 1;
	} else if (in->protocol == IPPROTO_UDP) {
		if (peek(skb, at + in->l4 + 4, udp, sizeof(udp)))
			return;
		in->headers += sizeof(struct udphdr);
		/* octets behind the datagram, UDP options (RFC 9868), are not in its checksum */
		in->sums_to_zero = udp[1] && (skb->gso_size || bpf_ntohs(udp[0]) == in->total - in->l4);
	} else if (in->protocol == (in->version == 6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP)) {
		in->sums_to_zero = 1;
	}
}

/*
 * Reads the inner packet that begins at `at`. Returns 0, or -DROP_BAD_INNER when it is not the
 * IP packet that skb->protocol promises, or says it is longer than it is.
 */
INLINE int inner_parse(struct __sk_buff *skb, __u32 at, struct inner *in)
{
	void *end = data_end(skb);
	void *ip = data(skb) + at;
	__u32 said;

	__builtin_memset(in, 0, sizeof(*in));
	in->total = skb->len - at;
	in->segment = in->total;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *v4 = ip;

		if (ip + sizeof(*v4) > end || v4->version != 4 || v4->ihl < 5)
			return -DROP_BAD_INNER;
		in->version = 4;
		in->l4 = v4->ihl * 4;
		in->protocol = v4->protocol;
		in->fragment = (v4->frag_off & IP_MF_OR_OFFSET) != 0;
		in->dont_fragment = (v4->frag_off & IP_DF) != 0;
		in->simple = v4->ihl == 5 && !in->fragment;
		in->tos = v4->tos;
		in->ttl = v4->ttl;
		in->sum = fold((__u64)v4->saddr + v4->daddr);
		said = bpf_ntohs(v4->tot_len);
		if (!said && skb->gso_size) /* IPv4 BIG TCP */
			said = in->total;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *v6 = ip;

		if (ip + sizeof(*v6) > end || v6->version != 6)
			return -DROP_BAD_INNER;
		in->version = 6;
		in->l4 = sizeof(*v6);
		in->protocol = v6->nexthdr;
		in->fragment = v6->nexthdr == IPPROTO_FRAGMENT;
		in->dont_fragment = 1;
		in->simple = v6->nexthdr == IPPROTO_TCP || v6->nexthdr == IPPROTO_UDP;
		in->tos = v6->priority << 4 | v6->flow_lbl[0] >> 4;
		in->ttl = v6->hop_limit;
		in->sum = fold(sum_words(&v6->saddr, 8));
		said = bpf_ntohs(v6->payload_len) + sizeof(*v6);
		if (said == sizeof(*v6) && v6->nexthdr == IPPROTO_HOPOPTS) /* jumbogram */
			said = in->total;
	} else {
		return -DROP_NOT_IP;
	}
	if (said > in->total || said < in->l4)
		return -DROP_BAD_INNER;
	inner_l4(skb, at, in);
	if (said < in->total) /* octets behind the packet are in no checksum of it */
		in->sums_to_zero = 0;
	return 0;
}

/* How many packets a frame is on the wire, and their octets in all. */
INLINE __u32 inner_packets(struct __sk_buff *skb, const struct inner *in, __u64 *bytes)
{
	__u32 n = 1;

	*bytes = in->total;
	if (skb->gso_size) {
		n = skb->gso_segs;
		if (n < 2) /* an untrusted sender leaves it 0 */
			n = (in->total - in->headers + skb->gso_size - 1) / skb->gso_size;
		if (n > 1)
			*bytes += (__u64)(n - 1) * in->headers;
	}
	return n;
}

#endif
