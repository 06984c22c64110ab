/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Answers that the programs send by themselves: made of the frame that asked, limited in rate. */
#ifndef GTP_ANSWER_H
#define GTP_ANSWER_H

#include "arrival.h"
#include "maps.h"
#include "packet.h"
#include "path.h"
#include "tail.h"

#define ANSWER_MAX 48	/* octets of UDP payload */
#define SECOND 1000000000ULL
#define ECHO_INTERVAL (SECOND / 1000)		/* of all peers that have no session */
#define PEER_ECHO_INTERVAL (SECOND / 100)	/* of one that has */
#define ERROR_INTERVAL (SECOND / 100)		/* Error Indications and notifications, each */

/* The IP and UDP header of an answer, and its payload behind. */
struct answer_v4 {
	struct iphdr ip;
	struct udphdr udp;
};

struct answer_v6 {
	struct ipv6hdr ip;
	struct udphdr udp;
};

struct answer {
	__u8 octets[ANSWER_MAX] __attribute__((aligned(8)));	/* what is not used is 0 */
	__u32 len;
	__u16 dport;
};

/* Takes one token that comes back after `interval` nanoseconds; a second's worth may be taken at once. */
INLINE int bucket_take(__u64 *next, __u64 interval)
{
	__u64 now = bpf_ktime_get_ns(), was = *next, from = was > now ? was : now;

	if (from - now > SECOND - interval)
		return 0;
	/* who loses the race is refused: there are as many answers as ever */
	return __sync_val_compare_and_swap(next, was, from + interval) == was;
}

INLINE int limit_take(__u32 limit, __u64 interval)
{
	struct bucket *b = bpf_map_lookup_elem(&limits, &limit);

	return b && bucket_take(&b->next, interval);
}

INLINE void answer_header_v4(struct answer_v4 *h, const struct outer *o, const struct answer *a)
{
	h->ip.version = 4;
	h->ip.ihl = 5;
	h->ip.tot_len = bpf_htons(sizeof(*h) + a->len);
	h->ip.frag_off = IP_DF;
	h->ip.ttl = 64;
	h->ip.protocol = IPPROTO_UDP;
	h->ip.saddr = addr_v4(o->local);
	h->ip.daddr = addr_v4(o->remote);
	h->ip.check = ~fold(sum_words(&h->ip, 5));
}

INLINE void answer_header_v6(struct answer_v6 *h, const struct outer *o, const struct answer *a)
{
	h->ip.version = 6;
	h->ip.payload_len = bpf_htons(sizeof(h->udp) + a->len);
	h->ip.nexthdr = IPPROTO_UDP;
	h->ip.hop_limit = 64;
	addr_copy(&h->ip.saddr, o->local);
	addr_copy(&h->ip.daddr, o->remote);
}

INLINE void answer_udp(struct udphdr *udp, const struct outer *o, const struct answer *a)
{
	__u32 len = sizeof(*udp) + a->len;
	__u64 sum;

	udp->source = bpf_htons(o->dport);
	udp->dest = bpf_htons(a->dport);
	udp->len = bpf_htons(len);
	sum = arrival_pseudo(o, len) + sum_words(udp, 2) + sum_words(a->octets, ANSWER_MAX / 4);
	udp->check = ~fold(sum);
	if (!udp->check)
		udp->check = 0xffff; /* X10 */
}

/*
 * Makes a frame of `len` octets behind an Ethernet header, of whatever it was. What a device shall do about checksums goes
 * with the old UDP header: the cut goes beyond it (CHECKSUM_PARTIAL would break the new one). A frame of a link of ours that
 * came over lo or a veth still counts as encapsulated, and its tail may not be changed: of such a one the tail is kept.
 */
INLINE int answer_room(struct __sk_buff *skb, const struct outer *o, __u32 len)
{
	__u32 cut = o->udp + sizeof(struct udphdr);

	if (bpf_skb_change_tail(skb, o->l3 + cut + len, 0) ? resize(skb, o->l3 + len) :
							     bpf_skb_adjust_room(skb, -(int)cut, BPF_ADJ_ROOM_MAC, 0))
		return -1;
	/* redirect_neigh wants an Ethernet header to take off, also where none came */
	return o->l3 ? 0 : bpf_skb_change_head(skb, ETH_HLEN, 0);
}

/* Turns the frame into the answer. Returns 0, or -1 when the kernel makes no room. */
INLINE int answer_write(struct __sk_buff *skb, const struct outer *o, const struct answer *a)
{
	__u32 len = a->len;

	if (!BETWEEN(len, 1, ANSWER_MAX))
		return -1;
	if (o->version == 4) {
		struct answer_v4 h = {};

		answer_header_v4(&h, o, a);
		answer_udp(&h.udp, o, a);
		return answer_room(skb, o, sizeof(h) + len) || bpf_skb_store_bytes(skb, ETH_HLEN, &h, sizeof(h), 0) ||
		       bpf_skb_store_bytes(skb, ETH_HLEN + sizeof(h), a->octets, len, 0);
	} else {
		struct answer_v6 h = {};

		answer_header_v6(&h, o, a);
		answer_udp(&h.udp, o, a);
		return answer_room(skb, o, sizeof(h) + len) || bpf_skb_store_bytes(skb, ETH_HLEN, &h, sizeof(h), 0) ||
		       bpf_skb_store_bytes(skb, ETH_HLEN + sizeof(h), a->octets, len, 0);
	}
}

INLINE int is_link_local(const void *address)
{
	const __u8 *a = address;

	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

/* Finds the way back to who asked; by lo there always is one. Returns 0, or -1 when there is none. */
INLINE int answer_route(struct __sk_buff *skb, const struct outer *o, struct bpf_fib_lookup *fib, __u32 shim_in)
{
	fib->ifindex = shim_in;
	fib->l4_protocol = IPPROTO_UDP;
	return skb->ifindex == LOOPBACK_IFINDEX ? 0 : route_lookup(skb, fib, o->local, o->remote);
}

/*
 * Sends an answer back, by the route to who asked. What came by lo has its route with it and goes up as if it had come so:
 * to a program's socket, or to another address of ours. Returns a verdict; `sent` counts what goes out.
 */
INLINE int answer_send(struct __sk_buff *skb, const struct outer *o, const struct answer *a,
		       const struct bpf_fib_lookup *fib, __u64 *sent)
{
	if (answer_write(skb, o, a))
		return TC_ACT_SHOT;
	__sync_fetch_and_add(sent, 1);
	if (skb->ifindex == LOOPBACK_IFINDEX)
		return tail(skb, TAIL_UNDERLAY, o->l3, ASK_ALL);
	if (is_link_local(o->remote)) /* the route's device is not the one it came by: there is one such network on each */
		return bpf_redirect_neigh(skb->ifindex, 0, 0, 0);
	return route_send(fib);
}

#endif
