/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Outer fragments on send (X6): for the inner packets whose sender may not be told that they are too big. The finished outer
 * packet is cut here, in a program of its own.
 */
#ifndef GTP_FRAGMENT_H
#define GTP_FRAGMENT_H

#include "icmp.h"
#include "maps.h"
#include "packet.h"
#include "path.h"
#include "shim.h"
#include "tail.h"

#define CUT_PIECES 32

/* Is the inner packet one that a path has to take? IPv6 takes up to 1280 octets everywhere (RFC 2473 7.1, RFC 8200 5), and the
 * sender of IPv4 without DF did not ask to be told. */
INLINE int must_cut(const struct inner *in)
{
	return in->version == 6 ? in->segment <= IPV6_MIN_MTU : !in->dont_fragment;
}

/* The headers of a piece. */
struct cut_head {
	union {
		struct iphdr v4;
		struct {
			struct ipv6hdr v6;
			struct fragment_header fragment;
		};
	};
	__u32 len;		/* octets of both headers */
};

INLINE int cut_head_read(struct __sk_buff *skb, struct cut_head *h)
{
	__u32 zero = 0, *next;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &h->v4, sizeof(h->v4)))
		return -1;
	if (h->v4.version == 4) {
		next = bpf_map_lookup_elem(&next_id, &zero);
		h->v4.id = next ? bpf_htons(__sync_fetch_and_add(next, 1)) : 0;
		h->len = sizeof(h->v4);
		return 0;
	}
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &h->v6, sizeof(h->v6)))
		return -1;
	h->fragment.next = h->v6.nexthdr;
	h->fragment.id = bpf_get_prandom_u32();
	h->v6.nexthdr = IPPROTO_FRAGMENT;
	h->len = sizeof(h->v6) + sizeof(h->fragment);
	return 0;
}

/* A datagram on its way out in pieces. */
struct cutting {
	struct __sk_buff *skb;
	const struct cut *c;
	__u32 dev;		/* by which all pieces but the last leave */
	__u32 size;		/* octets in each of these */
	__u32 len;		/* of the datagram */
	__u32 is_last;		/* the frame is the last piece */
	struct cut_head h;
};

INLINE void cut_head_write(struct cut_head *h, __u32 offset, __u32 len, int more)
{
	if (h->v4.version == 4) {
		h->v4.tot_len = bpf_htons(sizeof(h->v4) + len);
		h->v4.frag_off = bpf_htons((more ? 0x2000 : 0) | offset / 8);
		h->v4.check = 0;
		h->v4.check = ~fold(sum_words(&h->v4, 5));
	} else {
		h->v6.payload_len = bpf_htons(sizeof(h->fragment) + len);
		h->fragment.offset = bpf_htons(offset | (more ? 1 : 0));
	}
}

/* Makes the frame piece `i`, and sends it unless it is the last one. Returns 1 when there is no more to do. */
static long cut_piece(__u32 i, struct cutting *k)
{
	__u32 offset = i * k->size, len = k->len - offset, ip = k->h.len;
	int more = len > k->size;

	if (more)
		len = k->size;
	OPAQUE(offset);
	OPAQUE(len);
	if (!BETWEEN(len, 1, CUT_MAX) || offset >= PATH_MTU_MAX || (ip != 20 && ip != 48))
		return 1;
	cut_head_write(&k->h, offset, len, more);
	if (resize(k->skb, ETH_HLEN + ip + len) || bpf_skb_store_bytes(k->skb, ETH_HLEN, &k->h.v6, ip, 0) ||
	    bpf_skb_store_bytes(k->skb, ETH_HLEN + ip, k->c->octets + offset, len, 0))
		return 1;
	k->is_last = !more;
	return k->is_last || bpf_clone_redirect(k->skb, k->dev, 0);
}

/*
 * Finds the way of the pieces: by the route's device, if the neighbour is known, so that no later packet of the flow overtakes them; else
 * by the shim, whose program asks for the neighbour. The last one goes by the route in any case: that keeps
 * the neighbour's entry alive.
 */
INLINE int cut_route(struct __sk_buff *skb, struct cutting *k, struct bpf_fib_lookup *fib)
{
	__u8 local[16] __attribute__((aligned(8))), remote[16] __attribute__((aligned(8)));

	if (k->h.v4.version == 4) {
		addr_from_v4(local, k->h.v4.saddr);
		addr_from_v4(remote, k->h.v4.daddr);
	} else {
		addr_copy(local, &k->h.v6.saddr);
		addr_copy(remote, &k->h.v6.daddr);
	}
	if (route_ask(skb, fib, local, remote, 1, 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return -1;
	k->dev = fib->ifindex;
	return bpf_skb_store_bytes(skb, 0, fib->dmac, ETH_ALEN, 0) ||
	       bpf_skb_store_bytes(skb, ETH_ALEN, fib->smac, ETH_ALEN, 0);
}

/* Does an outer packet of `len` octets fit into so many pieces of at most `mtu`? */
INLINE int can_cut(__u32 len, __u32 mtu)
{
	__u32 size = sizeof(struct ipv6hdr) + sizeof(struct fragment_header) + 8;

	size = mtu < size ? 0 : mtu - size;
	return len <= PATH_MTU_MAX && len <= CUT_PIECES * (size < CUT_MAX ? size : CUT_MAX);
}

/* What to do with an inner packet whose outer one is too long for the path: 0 its sender is told, 1 it is cut, or a negative reason to
 * drop it. Verified by itself: it is reached in very many ways. */
GLOBAL int too_long(const struct inner *in, __u32 headers, __u32 mtu)
{
	if (!in || !must_cut(in))
		return 0;
	return can_cut(in->segment + headers, mtu) ? 1 : -DROP_NO_ROOM;
}

/* Sends a finished outer packet, for which can_cut holds, in pieces of at most `mtu` octets. It is counted already: what gets lost
 * here is lost as in the queue of a device. */
INLINE int cut_send(struct __sk_buff *skb, __u32 mtu)
{
	struct bpf_fib_lookup fib = { .l4_protocol = IPPROTO_UDP };
	__u32 zero = 0, len, ip, direct;
	struct cutting k = { .skb = skb };
	struct config *cfg;
	struct cut *c;

	cfg = bpf_map_lookup_elem(&config, &zero);
	c = bpf_map_lookup_elem(&cut, &zero);
	if (!cfg || !c || cut_head_read(skb, &k.h) || mtu < k.h.len + 8)
		return TC_ACT_SHOT;
	ip = k.h.v4.version == 4 ? sizeof(k.h.v4) : sizeof(k.h.v6);
	len = skb->len - ETH_HLEN - ip;
	OPAQUE(len);
	if (!BETWEEN(len, 1, PATH_MTU_MAX) || bpf_skb_load_bytes(skb, ETH_HLEN + ip, c->octets, len))
		return TC_ACT_SHOT;
	k.c = c;
	k.len = len;
	k.size = (mtu - k.h.len) & ~7U;
	if (k.size > CUT_MAX)
		k.size = CUT_MAX;
	fib.ifindex = cfg->shim_in;
	direct = !cut_route(skb, &k, &fib);
	if (!direct) {
		k.dev = cfg->shim_out;
		skb->mark = SHIM_PIECE;
	}
	bpf_loop(CUT_PIECES, cut_piece, &k, 0);
	if (!k.is_last)
		return TC_ACT_SHOT;
	return direct ? route_send(&fib) : bpf_redirect(k.dev, 0);
}

/* Calls the program `cut_out`, which does not come back. */
INLINE int cut_tail(struct __sk_buff *skb, __u32 mtu)
{
	skb->cb[0] = mtu;
	bpf_tail_call(skb, &tails, TAIL_CUT);
	return TC_ACT_SHOT;
}

/* A piece that has come through the shim: to its next hop. */
GLOBAL int piece_leave(struct __sk_buff *skb, __u32 shim_in)
{
	struct bpf_fib_lookup fib = { .ifindex = shim_in, .l4_protocol = IPPROTO_UDP };
	__u8 local[16] __attribute__((aligned(8))), remote[16] __attribute__((aligned(8)));
	__be32 v4[2];

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN + 12, v4, sizeof(v4)))
			return TC_ACT_SHOT;
		addr_from_v4(local, v4[0]);
		addr_from_v4(remote, v4[1]);
	} else if (bpf_skb_load_bytes(skb, ETH_HLEN + 8, local, 16) || bpf_skb_load_bytes(skb, ETH_HLEN + 24, remote, 16)) {
		return TC_ACT_SHOT;
	}
	return route_lookup(skb, &fib, local, remote) ? TC_ACT_SHOT : route_send(&fib);
}

#endif
