/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Outer fragments on receipt (G27, X8): collected here, and received as one packet when they are all there. The kernel's own
 * reassembly comes behind the hook, where a datagram has no way back into a tunnel.
 */
#ifndef GTP_REASSEMBLE_H
#define GTP_REASSEMBLE_H

#include "datagram.h"
#include "drop.h"
#include "maps.h"
#include "packet.h"
#include "tail.h"

#define FRAGMENT_MAX_EXT 4

INLINE int is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS;
}

INLINE int is_tunnel(__u8 next)
{
	return next == IPPROTO_UDP || next == IPPROTO_GRE || next == IPPROTO_L2TP;
}

/* Reads an IPv4 fragment. Returns 0, 1 for what only the stack can judge, or -DROP_BAD_CHECKSUM. */
INLINE int fragment_v4(struct __sk_buff *skb, __u32 l3, struct fragment *f)
{
	__u8 octets[60] __attribute__((aligned(4))) = {};
	const struct iphdr *ip = (const struct iphdr *)octets;
	__u32 len;

	if (bpf_skb_load_bytes(skb, l3, octets, sizeof(*ip)))
		return 1;
	f->head = ip->ihl * 4;
	len = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || f->head < sizeof(*ip) || f->head > sizeof(octets) || len < f->head || l3 + len > skb->len)
		return 1;
	if (bpf_skb_load_bytes(skb, l3, octets, f->head))
		return 1;
	addr_from_v4(f->key.local, ip->daddr);
	addr_from_v4(f->key.remote, ip->saddr);
	f->key.id = ip->id;
	f->key.version = ip->protocol == IPPROTO_UDP ? 4 : 4 | ip->protocol << 8;
	f->at = l3 + f->head;
	f->start = (bpf_ntohs(ip->frag_off) & 0x1fff) * 8;
	f->end = f->start + len - f->head;
	f->more = bpf_ntohs(ip->frag_off) >> 13 & 1;
	f->ecn = ip->tos & ECN_MASK;
	f->next = ip->protocol;
	return fold(sum_words(octets, sizeof(octets) / 4)) == 0xffff ? 0 : -DROP_BAD_CHECKSUM;
}

/* Reads an IPv6 fragment. Returns 0, or 1 for what only the stack can judge. */
INLINE int fragment_v6(struct __sk_buff *skb, __u32 l3, struct fragment *f)
{
	struct fragment_header h;
	struct ipv6hdr ip;
	__u8 next, ext[2];
	__u32 end;

	if (bpf_skb_load_bytes(skb, l3, &ip, sizeof(ip)) || ip.version != 6)
		return 1;
	addr_copy(f->key.local, &ip.daddr);
	addr_copy(f->key.remote, &ip.saddr);
	f->key.version = 6;
	f->ecn = ip.flow_lbl[0] >> 4 & ECN_MASK;
	f->head = sizeof(ip);
	f->next_at = __builtin_offsetof(struct ipv6hdr, nexthdr);
	next = ip.nexthdr;
	for (int i = 0; i < FRAGMENT_MAX_EXT && is_extension(next); i++) {
		if (bpf_skb_load_bytes(skb, l3 + f->head, ext, sizeof(ext)))
			return 1;
		next = ext[0];
		f->next_at = f->head;
		f->head += (ext[1] + 1) * 8;
	}
	if (next != IPPROTO_FRAGMENT || f->head > DATAGRAM_HEAD || bpf_skb_load_bytes(skb, l3 + f->head, &h, sizeof(h)))
		return 1;
	end = l3 + sizeof(ip) + bpf_ntohs(ip.payload_len);
	f->at = l3 + f->head + sizeof(h);
	if (end < f->at || end > skb->len || (!is_tunnel(h.next) && !is_extension(h.next)))
		return 1;
	f->key.id = h.id;
	f->start = bpf_ntohs(h.offset) & 0xfff8;
	f->end = f->start + end - f->at;
	f->more = bpf_ntohs(h.offset) & 1;
	f->next = h.next;
	return 0;
}

/* The endpoint of a port; kind 0: there is none. */
INLINE __u32 udp_endpoint(const void *local, __u32 port)
{
	struct endpoint_key key = { .port = port };

	addr_copy(key.local, local);
#pragma unroll
	for (int kind = KIND_GTP; kind <= KIND_L2TP; kind++) {
		key.kind = kind;
		if (over_udp(kind) && bpf_map_lookup_elem(&endpoints, &key))
			return ENDPOINT_ID(port, kind);
	}
	return ENDPOINT_ID(port, 0);
}

/* Is that one of ours? */
INLINE int is_endpoint(const void *local, __u32 id)
{
	struct endpoint_key key = { .port = ENDPOINT_ID_PORT(id), .kind = ENDPOINT_ID_KIND(id) };

	addr_copy(key.local, local);
	return bpf_map_lookup_elem(&endpoints, &key) != 0;
}

/* ENDPOINT_ID by the destination port, which only the first fragment shows, or by a protocol without ports; 0 if it shows neither. */
INLINE __u32 fragment_endpoint(struct __sk_buff *skb, const struct fragment *f)
{
	__u32 at = f->at, end = f->at + f->end;
	__u8 next = f->next, ext[2];
	__be16 port;

	for (int i = 0; i < FRAGMENT_MAX_EXT && is_extension(next); i++) {
		if (bpf_skb_load_bytes(skb, at, ext, sizeof(ext)))
			return 0;
		next = ext[0];
		at += (ext[1] + 1) * 8;
	}
	if (next == IPPROTO_GRE || next == IPPROTO_L2TP)
		return ENDPOINT_ID(0, next == IPPROTO_GRE ? KIND_GRE : KIND_L2TP_IP);
	if (next != IPPROTO_UDP || at + sizeof(struct udphdr) > end || bpf_skb_load_bytes(skb, at + 2, &port, sizeof(port)))
		return 0;
	return udp_endpoint(f->key.local, bpf_ntohs(port));
}

/* Counts what is lost. Where no port was seen it is counted at an endpoint of the address. */
INLINE int fragment_drop(const struct lost *lost, __u32 reason)
{
	__u32 id = lost->endpoint, *some;

	if (!lost->packets)
		return TC_ACT_SHOT;
	some = bpf_map_lookup_elem(&locals, lost->local);
	if (!id && some)
		id = *some;
	count_endpoint(lost->local, ENDPOINT_ID_PORT(id), ENDPOINT_ID_KIND(id), reason, lost->packets, lost->bytes);
	return TC_ACT_SHOT;
}

/* RFC 3168 5.3: the ECN field of the whole, of a set of 1 << field. Returns it, 4 to leave that of the first fragment as it is, or
 * -1 where senders and routers cannot all have been right. */
INLINE int whole_ecn(__u32 seen)
{
	if (seen & 1 && seen != 1)
		return -1;
	return seen & 1 << ECN_CE ? ECN_CE : 4;
}

/* Makes of the first fragment's headers those of a packet that was never cut. */
INLINE void whole_head(struct pieces *p, const struct whole *w, int ecn)
{
	struct iphdr *ip = (struct iphdr *)p->head;
	struct ipv6hdr *v6 = (struct ipv6hdr *)p->head;
	__u64 sum = 0;

	if (ip->version == 6) {
		v6->payload_len = bpf_htons(w->head - sizeof(*v6) + w->total);
		p->head[w->next_at & (DATAGRAM_HEAD - 1)] = w->next;
		if (ecn == ECN_CE)
			v6->flow_lbl[0] |= ECN_CE << 4;
		return;
	}
	ip->tot_len = bpf_htons(w->head + w->total);
	ip->frag_off = 0;
	if (ecn == ECN_CE)
		ip->tos |= ECN_CE;
	ip->check = 0;
	for (__u32 i = 0; i < 15; i++)
		if (i * 4 < w->head)
			sum += ((__u32 *)p->head)[i];
	ip->check = ~fold(sum);
}

/* Makes the packet out of the frame that brought its last fragment. Returns 0, or -1 if that cannot be. */
GLOBAL int whole_packet(struct __sk_buff *skb, __u32 l2, const struct whole *w)
{
	struct pieces *p;
	__u32 slot, head, total;
	int ecn;

	if (!w)
		return -1;
	slot = w->slot;
	head = w->head;
	total = w->total;
	p = bpf_map_lookup_elem(&pieces, &slot);
	ecn = whole_ecn(w->ecn);
	if (!p || ecn < 0 || !BETWEEN(head, 1, sizeof(p->head)) || !BETWEEN(total, 1, DATAGRAM_MAX))
		return -1;
	whole_head(p, w, ecn);
	/* a checksum over the frame, as some devices give it, ends with the tail's change; a frame with a link header alone can be
	 * resized at its front */
	if ((bpf_skb_change_tail(skb, l2 + head + total, 0) && resize(skb, l2 + head + total)) ||
	    bpf_skb_store_bytes(skb, l2, p->head, head, BPF_F_RECOMPUTE_CSUM) ||
	    bpf_skb_store_bytes(skb, l2 + head, p->octets, total, BPF_F_RECOMPUTE_CSUM))
		return -1;
	bpf_csum_level(skb, BPF_CSUM_LEVEL_RESET); /* what a device found right was one fragment */
	return 0;
}

/* Copies the octets of a fragment to where its datagram is. */
INLINE int fragment_copy(struct __sk_buff *skb, __u32 l3, const struct fragment *f, __u32 slot)
{
	__u32 len = f->end - f->start, start = f->start, head = f->head;
	struct pieces *p;

	p = bpf_map_lookup_elem(&pieces, &slot);
	OPAQUE(len);
	if (!p || start > DATAGRAM_MAX || !BETWEEN(len, 1, DATAGRAM_MAX))
		return -1;
	if (bpf_skb_load_bytes(skb, f->at, p->octets + start, len))
		return -1;
	if (start)
		return 0;
	if (!BETWEEN(head, 1, sizeof(p->head)))
		return -1;
	return bpf_skb_load_bytes(skb, l3, p->head, head);
}

/* Returns 0, 1 for what only the stack can judge, or -DROP_BAD_CHECKSUM. */
GLOBAL int fragment_parse(struct __sk_buff *skb, __u32 l3, struct fragment *f)
{
	__u8 local[16] __attribute__((aligned(8)));
	int why;

	if (!f)
		return 1;
	why = skb->protocol == bpf_htons(ETH_P_IP) ? fragment_v4(skb, l3, f) : fragment_v6(skb, l3, f);
	addr_copy(local, f->key.local);
	if (why > 0 || !bpf_map_lookup_elem(&locals, local))
		return 1;
	f->bytes = skb->len;
	f->bad = f->start == f->end || (f->more && f->end & 7) || f->end > 65535;
	f->too_long = f->head + f->end > DATAGRAM_MAX;
	if (!f->start || f->next == IPPROTO_GRE || f->next == IPPROTO_L2TP) {
		f->endpoint = fragment_endpoint(skb, f);
		f->ours = is_endpoint(f->key.local, f->endpoint);
	}
	if (f->start && f->endpoint && !f->ours)
		return 1;
	return why;
}

/* One fragment whose link header has `l2` octets. */
INLINE int fragment_receive(struct __sk_buff *skb, __u32 l2)
{
	struct fragment f = {};
	struct lost lost = {};
	struct whole w = {};
	int slot, why;

	why = fragment_parse(skb, l2, &f);
	if (why > 0)
		return TC_ACT_UNSPEC;
	if (why < 0) {
		if (!f.start && !f.ours)
			return TC_ACT_UNSPEC;
		lose_fragment(&lost, &f, f.endpoint);
		return fragment_drop(&lost, -why);
	}
	slot = datagram_admit(&f, &lost);
	fragment_drop(&lost, DROP_FRAGMENT); /* of this datagram, or of one that gave way to it */
	if (slot == ADMIT_STACK)
		return TC_ACT_UNSPEC;
	if (slot < 0)
		return TC_ACT_SHOT;
	if (fragment_copy(skb, l2, &f, slot))
		f.end = f.start; /* never whole then */
	if (!datagram_settle(&f, slot, &w))
		return TC_ACT_SHOT;
	why = whole_packet(skb, l2, &w);
	datagram_release(slot);
	if (!why)
		tail(skb, l2 ? TAIL_UNDERLAY : TAIL_UNDERLAY_L3, l2, ASK_ALL);
	return fragment_drop(&w.lost, DROP_FRAGMENT);
}

#endif
