/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Receipt before the stack makes an skb of the frame: G-PDUs of version 1 with an IP packet that have nothing about them but headers to
 * be taken off. All the rest, and all that is wrong in whatever way, goes on as it came to `underlay`, which judges and counts it: this
 * program knows what it takes, and no reason to drop.
 */
#ifndef GTP_UNDERLAY_XDP_H
#define GTP_UNDERLAY_XDP_H

#include "arrival.h"
#include "deliver.h"
#include "gpdu.h"
#include "gtpu.h"
#include "maps.h"
#include "packet.h"
#include "session.h"
#include "tpdu.h"

#define NO_MORE -1 /* not for here */

/* A frame as far as it has been read. */
struct hit {
	struct outer o;
	struct rx_key key;
	struct gtpu_seen seen;
	__u32 total;		/* octets of the frame */
	__u32 gtp;		/* where the GTP header begins */
	__u32 at;		/* the inner packet */
	__u32 len;		/* octets of it */
	__u8 version;
	__u8 ecn;		/* the mark that the inner packet came with */
};

/* `len` octets at `at`, or 0 if they are not all in the first buffer. Headers end long before 1024, which the verifier wants to hear. */
INLINE void *xdp_at(struct xdp_md *ctx, __u32 at, const __u32 len)
{
	void *from = (void *)(long)ctx->data;

	if (at > 1024)
		return 0;
	from += at;
	return from + len > (void *)(long)ctx->data_end ? 0 : from;
}

SUM_OF(xdp_sum, xdp_md, bpf_xdp_load_bytes)

/* Without options, not a fragment, with the right checksum. */
INLINE int xdp_outer_v4(struct xdp_md *ctx, struct outer *o)
{
	struct iphdr *ip = xdp_at(ctx, ETH_HLEN, sizeof(*ip));

	if (!ip || ip->version != 4 || ip->ihl != 5 || ip->protocol != IPPROTO_UDP || ip->frag_off & IP_MF_OR_OFFSET ||
	    fold(sum_words(ip, 5)) != 0xffff)
		return NO_MORE;
	outer_of_v4(o, ip, ETH_HLEN, sizeof(*ip));
	return 0;
}

/* Without extension headers. */
INLINE int xdp_outer_v6(struct xdp_md *ctx, struct outer *o)
{
	struct ipv6hdr *ip = xdp_at(ctx, ETH_HLEN, sizeof(*ip));

	if (!ip || ip->version != 6 || ip->nexthdr != IPPROTO_UDP)
		return NO_MORE;
	return outer_of_v6(o, ip, ETH_HLEN) ? NO_MORE : 0;
}

/* An untagged frame to this device, with a UDP datagram that is all there. */
INLINE int xdp_outer(struct xdp_md *ctx, const struct underlay *u, struct hit *h)
{
	struct ethhdr *eth = xdp_at(ctx, 0, sizeof(*eth));
	const __u16 *to, *own = (const __u16 *)u->mac;
	struct outer *o = &h->o;
	struct udphdr *udp;
	__u32 end;

	if (!eth)
		return NO_MORE;
	to = (const __u16 *)eth->h_dest;
	if (to[0] != own[0] || to[1] != own[1] || to[2] != own[2])
		return NO_MORE;
	if (eth->h_proto == bpf_htons(ETH_P_IP) ? xdp_outer_v4(ctx, o) :
						  eth->h_proto != bpf_htons(ETH_P_IPV6) || xdp_outer_v6(ctx, o))
		return NO_MORE;
	udp = xdp_at(ctx, o->udp, sizeof(*udp));
	if (!udp || o->end > h->total || bad_source(o))
		return NO_MORE;
	end = o->udp + bpf_ntohs(udp->len);
	if (end > o->end || end < o->udp + sizeof(*udp))
		return NO_MORE;
	o->end = end;
	o->dport = bpf_ntohs(udp->dest);
	o->check = udp->check;
	return 0;
}

/* The optional octets of the header: a sequence number, one PDU Session Container. */
INLINE int xdp_options(struct xdp_md *ctx, struct hit *h, __u8 flags, __u32 length)
{
	__u8 *more = xdp_at(ctx, h->gtp + sizeof(struct gtpu), 4), *psc;
	__u32 len;

	if (!more || length < 4)
		return NO_MORE;
	h->seen.has_seq = (flags & GTPU_S) != 0;
	h->seen.seq = more[0] << 8 | more[1];
	h->seen.payload = sizeof(struct gtpu) + 4;
	if (!(flags & GTPU_E) || !more[3])
		return 0;
	psc = xdp_at(ctx, h->gtp + sizeof(struct gtpu) + 4, 4);
	if (more[3] != GTPU_EXT_PSC || !psc || psc[0] < 1 || psc[0] > 2)
		return NO_MORE;
	len = psc[0] * 4;
	if (length < 4 + len)
		return NO_MORE;
	h->seen.payload += len;
	h->seen.has_psc = 1;
	h->seen.qfi = psc[2] & 0x3f;
	if (!(psc[1] >> 4)) { /* downlink */
		h->seen.rqi = psc[2] >> 6 & 1;
		if (psc[2] & 0x80 && len > 4)
			h->seen.ppi = psc[3] >> 5;
	}
	if (len == 4)
		return psc[3] ? NO_MORE : 0;
	psc = xdp_at(ctx, h->gtp + sizeof(struct gtpu) + 4 + 7, 1);
	return !psc || *psc ? NO_MORE : 0;
}

/* A G-PDU of version 1. `h->at` and `h->len` are then what its header says of the payload. */
INLINE int xdp_gpdu(struct xdp_md *ctx, struct hit *h)
{
	struct gtpu *g;
	__u32 length;

	h->gtp = h->o.udp + sizeof(struct udphdr);
	g = xdp_at(ctx, h->gtp, sizeof(*g));
	if (!g || h->o.end < h->gtp + sizeof(*g) || g->type != GTPU_GPDU || (g->flags & GTPU_V1_MASK) != GTPU_V1)
		return NO_MORE;
	length = bpf_ntohs(g->length);
	if (length > h->o.end - h->gtp - sizeof(*g))
		return NO_MORE;
	h->key.id = bpf_ntohl(g->teid);
	h->key.port = h->o.dport;
	h->key.kind = KIND_GTP;
	addr_copy(h->key.local, h->o.local);
	h->seen.payload = sizeof(*g);
	h->seen.ppi = 255;
	if (g->flags & GTPU_OPTIONAL && xdp_options(ctx, h, g->flags, length))
		return NO_MORE;
	h->at = h->gtp + h->seen.payload;
	h->len = length + sizeof(*g) - h->seen.payload;
	return 0;
}

/* May a packet that came by a virtual device have a checksum that is still open? That of TCP is the pseudo header's sum then. UDP may hold
 * another tunnel whose innermost checksum is open, and its own one complete only once that is (LCO): it has to be right as it stands.
 * Other protocols than ICMP may hold anything. */
INLINE int xdp_is_open(struct xdp_md *ctx, const struct hit *h, __u8 protocol, __u64 addresses, __u32 l4)
{
	__u32 len = h->len - l4, at = h->at + l4;
	__sum16 *check;

	addresses += bpf_htons(protocol) + bpf_htons(len);
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
		return 0;
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return 1;
	check = xdp_at(ctx, at + (protocol == IPPROTO_TCP ? 16 : 6), sizeof(*check));
	if (!check || protocol == IPPROTO_TCP)
		return !check || *check == fold(addresses);
	return !*check || fold(addresses + xdp_sum(ctx, at, len)) != 0xffff;
}

/* An IPv4 packet that the session takes; `h->len` becomes its own length. */
INLINE int xdp_inner_v4(struct xdp_md *ctx, const struct underlay *u, const struct rx_config *c, struct hit *h)
{
	struct iphdr *ip = xdp_at(ctx, h->at, sizeof(*ip));
	__u32 said;

	if (!ip || ip->ihl != 5)
		return NO_MORE;
	said = bpf_ntohs(ip->tot_len);
	if (said > h->len || said < sizeof(*ip))
		return NO_MORE;
	h->len = said;
	h->version = 4;
	h->ecn = ip->tos & ECN_MASK;
	if (c->flags & RX_ANTISPOOF && !owns_v4(c, &h->key, c->flags & RX_SGSN ? ip->daddr : ip->saddr))
		return NO_MORE;
	return u->is_virtual && !(ip->frag_off & IP_MF_OR_OFFSET) &&
	       xdp_is_open(ctx, h, ip->protocol, (__u64)ip->saddr + ip->daddr, sizeof(*ip)) ? NO_MORE : 0;
}

/* An IPv6 packet, likewise. */
INLINE int xdp_inner_v6(struct xdp_md *ctx, const struct underlay *u, const struct rx_config *c, struct hit *h)
{
	struct ipv6hdr *ip = xdp_at(ctx, h->at, sizeof(*ip));
	struct tx_key addr = { .ifindex = c->ifindex };
	__u32 said;

	if (!ip)
		return NO_MORE;
	said = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	if (said > h->len)
		return NO_MORE;
	h->len = said;
	h->version = 6;
	h->ecn = ip->flow_lbl[0] >> 4 & ECN_MASK;
	addr_copy(addr.addr, c->flags & RX_SGSN ? &ip->daddr : &ip->saddr);
	if (c->flags & RX_ANTISPOOF && !owns_v6(c, &h->key, &addr))
		return NO_MORE;
	return u->is_virtual && xdp_is_open(ctx, h, ip->nexthdr, sum_words(&ip->saddr, 8), sizeof(*ip)) ? NO_MORE : 0;
}

/* Is the outer UDP checksum right (X11), or rightly absent (X10)? */
INLINE int xdp_checksum(struct xdp_md *ctx, const struct rx_config *c, const struct outer *o)
{
	__u32 len = o->end - o->udp;

	if (!o->check)
		return o->version == 4 || c->flags & RX_ZERO_CSUM ? 0 : NO_MORE;
	return fold(arrival_pseudo(o, len) + xdp_sum(ctx, o->udp, len)) == 0xffff ? 0 : NO_MORE;
}

/* Does the session's link want its packets to come this way? `deliver small` is what tc alone can do. */
INLINE int xdp_is_wanted(const struct underlay *u, const struct rx_config *c)
{
	return !(c->flags & (RX_ETHER | RX_SMALL | RX_NO_XDP)) && (!u->is_virtual || c->flags & RX_XDP_ON);
}

/* Does the session take the packet? Nothing has been changed yet. */
INLINE int xdp_session(struct xdp_md *ctx, const struct underlay *u, const struct rx_config *c, struct hit *h)
{
	const struct link_state *l;
	__u8 *first = xdp_at(ctx, h->at, 1);
	int why;

	if (!first || !xdp_is_wanted(u, c) || (c->flags & RX_STRICT && !addr_equal(c->remote, h->o.remote)))
		return NO_MORE;
	why = *first >> 4 == 4 ? xdp_inner_v4(ctx, u, c, h) : *first >> 4 == 6 ? xdp_inner_v6(ctx, u, c, h) : NO_MORE;
	if (why || xdp_checksum(ctx, c, &h->o) || ecn_after(h->ecn, h->o.ecn) < 0)
		return NO_MORE;
	l = bpf_map_lookup_elem(&links, &c->ifindex);
	return l && h->len <= l->config.mtu ? 0 : NO_MORE; /* a veth drops what is longer without a word */
}

/* Puts the outer congestion mark into the inner header, where xdp_session has found that it may stand (X2). */
INLINE void xdp_ecn(void *ip, const struct hit *h)
{
	int want = ecn_after(h->ecn, h->o.ecn);
	struct ipv6hdr *v6 = ip;
	struct iphdr *v4 = ip;

	if (want == h->ecn || want < 0)
		return;
	if (h->version == 6) {
		v6->flow_lbl[0] = (v6->flow_lbl[0] & ~(ECN_MASK << 4)) | want << 4;
		return;
	}
	/* RFC 1624: the checksum is that of other octets now */
	v4->check = ~fold((__u16)~v4->check + (__u64)(__u16)~bpf_htons(v4->tos) + bpf_htons((v4->tos & ~ECN_MASK) | want));
	v4->tos = (v4->tos & ~ECN_MASK) | want;
}

/* Takes everything off that is not the inner packet, and puts the link's MAC addresses in front. Both steps make the frame shorter, to
 * no less than Ethernet and IP headers, which the kernel does not refuse. */
INLINE int xdp_strip(struct xdp_md *ctx, const struct rx_config *c, const struct hit *h)
{
	__u32 surplus = h->total - h->at - h->len;
	struct ethhdr *eth;

	if (bpf_xdp_adjust_head(ctx, (int)h->at - ETH_HLEN) || (surplus && bpf_xdp_adjust_tail(ctx, -(int)surplus)))
		return NO_MORE;
	eth = xdp_at(ctx, 0, sizeof(*eth) + sizeof(struct iphdr));
	if (!eth)
		return NO_MORE;
	__builtin_memcpy(eth->h_dest, c->dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, c->smac, ETH_ALEN);
	eth->h_proto = h->version == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	xdp_ecn(eth + 1, h);
	return 0;
}

/* One frame from an underlay's driver. */
INLINE int xdp_receive(struct xdp_md *ctx)
{
	struct hit h = { .total = bpf_xdp_get_buff_len(ctx) };
	const struct rx_config *c;
	struct rx_session *r;
	struct underlay *u;
	struct config *cfg;
	__u32 zero = 0, ifindex = ctx->ingress_ifindex;

	cfg = bpf_map_lookup_elem(&config, &zero);
	u = bpf_map_lookup_elem(&underlays, &ifindex);
	if (!cfg || !u || xdp_outer(ctx, u, &h) || !known_port(cfg, h.o.dport) || xdp_gpdu(ctx, &h))
		return XDP_PASS;
	r = live_session(&h.key);
	if (!r)
		return XDP_PASS;
	c = &r->config[r->active & 1];
	if (xdp_session(ctx, u, c, &h) || bpf_redirect_map(&devices, c->ifindex, XDP_PASS) != XDP_REDIRECT)
		return XDP_PASS;
	if (xdp_strip(ctx, c, &h))
		return XDP_PASS;
	session_seen(r, &h.seen);
	count(&r->packets, &r->bytes, 1, h.len);
	return XDP_REDIRECT;
}

#endif
