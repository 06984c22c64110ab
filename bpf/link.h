/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Packets on their way into a tunnel: which way, encapsulate, send. All of it stands here twice: for links of GTP that carry IP
 * packets (`any` is 0), and, in a program of its own, for all others.
 */
#ifndef GTP_LINK_H
#define GTP_LINK_H

#include "drop.h"
#include "encap.h"
#include "flood.h"
#include "fragment.h"
#include "frame.h"
#include "gtpu.h"
#include "hairpin.h"
#include "icmp.h"
#include "maps.h"
#include "outer.h"
#include "packet.h"
#include "path.h"
#include "select.h"
#include "shim.h"
#include "tunnel.h"
#include "vlan.h"

/* What `link_any` has no room for on its stack. */
struct work {
	struct trip trip;
	struct inner inner;
	__u8 key[sizeof(union select)] __attribute__((aligned(8)));
};

PER_CPU(works, struct work);

/* Answers a packet that the path does not take. */
INLINE int too_big(struct __sk_buff *skb, struct link_state *l, const struct tx_config *c, const struct inner *in,
		   const struct trip *t, __u32 mtu)
{
	drop_sent(skb, c, t->ifindex, DROP_TOO_BIG, t->packets);
	if (!in->version || !mtu || icmp_too_big(skb, in, mtu))
		return TC_ACT_SHOT;
	__sync_fetch_and_add(&l->icmp_sent, 1);
	if (l->config.flags & LINK_FRAMES)
		turn_round(skb);
	if (l->config.flags & LINK_HERE)
		return bpf_redirect(t->ifindex, 0);
	return bpf_redirect_peer(t->ifindex, 0);
}

/* A frame of a VLAN session. Returns a verdict, or a negative drop reason. */
INLINE int vlan_send(struct __sk_buff *skb, struct link_state *l, struct tx_session *s, const struct tx_config *c,
		     const struct inner *in, const struct trip *t)
{
	__u32 mtu = 0;
	int why = vlan_push(skb, c, &mtu);

	if (why == -DROP_TOO_BIG)
		return too_big(skb, l, c, in, t, mtu);
	if (why)
		return why;
	count(&s->packets, &s->bytes, t->packets, t->bytes);
	return bpf_redirect(c->local_teid, 0);
}

/* Must a super-packet be cut before it is encapsulated? Where no header tells a length, and no sum covers the payload, the segments may
 * be unlike; a number or a sum of GRE is for one packet, and over L2TP without UDP the kernel cannot cut. */
INLINE int must_split(struct __sk_buff *skb, const struct tx_config *c, const struct inner *in, const int any)
{
	int alike = !any || c->kind == KIND_GTP || c->kind == KIND_GTP0 || c->flags & TX_CSUM;

	if (c->flags & (TX_SPLIT | TX_SEQ) || (alike && (!in->simple || (in->total - in->headers) % skb->gso_size)))
		return 1;
	if (any && (!in->version || c->flags & TX_GRE_CSUM || c->kind == KIND_L2TP_IP))
		return 1;
	return in->total + (any ? overhead(c) + in->front : OUTER_MAX) > 65535 ||
	       (c->flags & TX_KEEP && in->protocol == IPPROTO_UDP);
}

/* Does this packet need the shim before it can be encapsulated? */
INLINE int needs_shim(struct __sk_buff *skb, const struct config *cfg, const struct tx_session *s,
		      const struct tx_config *c, const struct inner *in, const struct trip *t, const int any)
{
	if (t->in_shim)
		return 0;
	/* a program reads the inner checksums as they are, and who listens behind a device of others is not known: the
	 * shim completes them, and cuts */
	if (s->path == PATH_LOCAL || (s->path == PATH_OTHER && !(c->flags & TX_KEEP)))
		return 1;
	if (c->flags & (any ? TX_CSUM | TX_GRE_CSUM : TX_CSUM) && !in->sums_to_zero)
		return 1;
	if (skb->gso_size && must_split(skb, c, in, any))
		return 1;
	return !(c->flags & TX_KEEP) && pending_ahead(skb, cfg, t->ifindex);
}

/* The way of one packet of a session. Returns a verdict, or a negative drop reason. */
INLINE int session_way(struct __sk_buff *skb, struct config *cfg, struct link_state *l, struct tx_session *s,
		       struct inner *in, struct trip *t, const int any)
{
	const struct tx_config *c = &s->config[s->active & 1];
	__u32 headers;
	int verdict;
	int path;

	if (any) {
		verdict = frame_front(skb, c, in);
		if (verdict)
			return verdict;
		t->bytes += (__u64)t->packets * in->front;
		if (c->kind == KIND_VLAN)
			return vlan_send(skb, l, s, c, in, t);
	}
	path = path_of(skb, s, cfg);
	if (path == PATH_HAIRPIN) {
		verdict = t->in_shim && !t->slot ? -1 : hairpin(skb, s, c, in, t, any);
		if (verdict >= 0)
			return verdict;
		path = s->local_dev ? PATH_LOCAL : PATH_NONE;
	}
	if (path == PATH_NONE)
		return -DROP_NO_ROUTE;
	if (path == PATH_GONE)
		return drop_link(skb, t->ifindex, DROP_NO_SESSION, t->packets);
	if (path == PATH_LOOP)
		return -DROP_LOOP;
	if (skb->gso_size)
		in->segment = in->headers + skb->gso_size;
	if (any)
		headers = overhead(c) + in->front;
	else
		headers = gtpu_overhead(c);
	if (in->segment + headers > s->mtu) {
		verdict = path == PATH_LOCAL ? 0 : too_long(in, headers, s->mtu);
		if (!verdict)
			return too_big(skb, l, c, in, t, s->mtu > headers ? s->mtu - headers : 0);
		if (verdict < 0)
			return verdict;
		t->cut = 1;
	}
	if (path == PATH_LOCAL || t->cut ? !t->in_shim : needs_shim(skb, cfg, s, c, in, t, any))
		return shim_send(skb, cfg, t->ifindex, t->packets);
	if (any ? tunnel_encap(skb, c, in) : gtpu_encap(skb, c, in)) {
		/* a super-packet of another tunnel: the kernel refuses it room, but not to its segments */
		if (skb->gso_size && !t->in_shim) {
			skb->cb[4] = DROP_NO_ROOM; /* for test runs to see: there every super-packet is refused */
			return shim_send(skb, cfg, t->ifindex, t->packets);
		}
		return -DROP_NO_ROOM;
	}
	count(&s->packets, &s->bytes, t->packets, t->bytes);
	if (t->cut)
		return cut_tail(skb, s->mtu);
	if (path != PATH_LOCAL)
		return path_send(s);
	bpf_skb_change_type(skb, PACKET_HOST); /* it was for nobody when it came: a link's frames have no address */
	/* without a next hop given the kernel routes the packet itself and the route stays with it over lo */
	if (s->local_dev != LOOPBACK_IFINDEX && addr_is_v4(c->remote)) {
		skb->mark = LOCAL_MARK;
		return bpf_redirect_neigh(s->local_dev, 0, 0, 0);
	}
	return bpf_redirect_neigh(LOOPBACK_IFINDEX, 0, 0, 0);
}

/* Sends one packet of a session, or drops it by name. */
INLINE int session_send(struct __sk_buff *skb, struct config *cfg, struct link_state *l, struct tx_session *s,
			struct inner *in, struct trip *t, const int any)
{
	int verdict = session_way(skb, cfg, l, s, in, t, any);

	return verdict < 0 ? drop_sent(skb, &s->config[s->active & 1], t->ifindex, -verdict, t->packets) : verdict;
}

/* Verified by itself, as a session may stand in five places. */
GLOBAL int session_send_any(struct __sk_buff *skb, struct tx_session *s, struct inner *in, struct trip *t)
{
	struct link_state *l;
	struct config *cfg;
	__u32 ifindex, zero = 0;

	if (!s || !in || !t)
		return TC_ACT_SHOT;
	ifindex = t->ifindex;
	l = bpf_map_lookup_elem(&links, &ifindex);
	cfg = bpf_map_lookup_elem(&config, &zero);
	return l && cfg ? session_send(skb, cfg, l, s, in, t, 1) : TC_ACT_SHOT;
}

/* To `link_any`: a frame of a link, that came by the shim or not; `slot` is as in struct trip. */
INLINE void tail_link_any(struct __sk_buff *skb, __u32 ifindex, __u32 slot, int in_shim)
{
	skb->cb[2] = ifindex;
	skb->cb[3] = slot;
	tail(skb, TAIL_LINK_ANY, ETH_HLEN, in_shim);
}

/* Sends what link `t->ifindex` got from its inner end. */
INLINE int link_send(struct __sk_buff *skb, struct config *cfg, struct trip *t, struct inner *in, union select *key, const int any)
{
	struct tx_session *s;
	struct link_state *l;
	int why;

	l = bpf_map_lookup_elem(&links, &t->ifindex);
	if (!l)
		return TC_ACT_SHOT; /* half made or half gone: nothing to count it on */
	if (!any && l->config.flags & (LINK_ANY | LINK_PAIR)) {
		tail_link_any(skb, t->ifindex, 0, 0);
		return TC_ACT_SHOT;
	}
	linear(skb, ETH_HLEN + (skb->protocol == bpf_htons(ETH_P_IP) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)));
	why = inner_parse(skb, ETH_HLEN, in);
	if (why && any && l->config.flags & LINK_FRAMES) {
		frame_opaque(skb, in);
		why = 0;
	}
	if (why)
		return drop_link(skb, t->ifindex, -why, 1);
	t->packets = inner_packets(skb, in, &t->bytes);
	if (any && t->slot)
		s = session_of_slot(t->ifindex, t->slot - 1, key);
	else if (any && l->config.slots && is_for_many(skb)) {
		why = flood(skb, t->ifindex, t->packets, 0);
		if (why >= 0)
			return why;
		s = &l->fallback;
	} else
		s = session_of(skb, l, t->ifindex, in, any, key);
	if (!s && any && l->config.slots && !t->slot)
		return flood(skb, t->ifindex, t->packets, TX_UNKNOWN);
	if (!s)
		return drop_link(skb, t->ifindex, DROP_NO_SESSION, t->packets);
	if (any)
		return session_send_any(skb, s, in, t);
	return session_send(skb, cfg, l, s, in, t, 0);
}

#endif
