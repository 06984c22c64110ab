/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Packets out of a tunnel: is it ours, which session, is it right, strip, deliver. */
#ifndef GTP_UNDERLAY_H
#define GTP_UNDERLAY_H

#include "arrival.h"
#include "deliver.h"
#include "drop.h"
#include "gpdu.h"
#include "maps.h"
#include "packet.h"
#include "session.h"
#include "shim.h"
#include "tail.h"
#include "tpdu.h"

/* Everything after the session is known. Returns a verdict, or a negative drop reason. */
INLINE int session_receive(struct __sk_buff *skb, struct config *cfg, struct rx_session *r, const struct outer *o,
			   const struct gpdu *g, __u32 l2)
{
	const struct rx_config *c = &r->config[r->active & 1];
	struct gtpu_seen seen = { .payload = g->header, .ppi = 255 };
	__u32 have, packets = 1;
	struct tpdu p = {};
	__u64 bytes;
	int why;

	why = bad_checksum(skb, o, c->flags & RX_ZERO_CSUM);
	if (why == -DROP_BAD_CHECKSUM && is_left_open(skb, o, g->at + gpdu_header(skb, g), o->udp))
		why = 0;
	if (why)
		return why;
	have = o->end - g->at - g->header;
	if (!skb->gso_size && g->length > have)
		return -DROP_BAD_LENGTH;
	if (skb->gso_size == g->length + g->header) /* a train, C2 of the rules of length */
		return shim_send(skb, cfg, SHIM_DECAP, 1);
	if (g->key.kind == KIND_GTP0) {
		seen.has_seq = 1;
		seen.seq = g->seq;
	} else if (g->flags & GTPU_OPTIONAL) {
		why = gtpu_walk(skb, g->at, g->length, &seen);
	}
	if (why == -DROP_BAD_LENGTH)
		return why;
	if (c->flags & RX_STRICT && !addr_equal(c->remote, o->remote))
		return -DROP_WRONG_PEER;
	if (why)
		return why;
	p.at = g->at + seen.payload;
	p.len = g->length + g->header - seen.payload;
	if (skb->gso_size)
		p.len = o->end - p.at;
	why = tpdu_parse(skb, &p);
	if (why)
		return why;
	if (bad_length(skb, g->length, have, seen.payload - g->header, p.headers))
		return -DROP_BAD_LENGTH;
	if (c->flags & RX_ANTISPOOF) {
		why = antispoof(skb, p.at, p.version, c, &g->key);
		if (why)
			return why;
	}
	if (!bpf_map_lookup_elem(&devices, &c->ifindex))
		return -DROP_NO_LINK;
	why = ecn_decap(skb, p.at, p.version, o->ecn);
	if (why)
		return why;
	bytes = p.len;
	if (skb->gso_size) {
		packets = (p.len - p.headers + skb->gso_size - 1) / skb->gso_size;
		bytes += (__u64)(packets - 1) * p.headers;
	}
	why = strip(skb, &p, o, l2);
	if (why)
		return why == CUT_FIRST ? shim_send(skb, cfg, SHIM_DECAP, 1) : why;
	if (eth_write(skb, c))
		return -DROP_NO_ROOM;
	session_seen(r, &seen);
	count(&r->packets, &r->bytes, packets, bytes);
	return deliver(c, wants_gro(skb, c, 0, p.protocol));
}

/* To `tunnel`, with the outer headers. */
INLINE int tail_tunnel(struct __sk_buff *skb, const struct outer *o, int kind, __u32 l2)
{
	__u32 zero = 0;
	struct outer *to = bpf_map_lookup_elem(&outers, &zero);

	if (!to)
		return TC_ACT_UNSPEC;
	*to = *o;
	to->kind = kind;
	return tail(skb, TAIL_TUNNEL, l2, ASK_ALL);
}

/* One frame from an underlay whose link header has `l2` octets. */
INLINE int underlay_receive(struct __sk_buff *skb, __u32 l2)
{
	struct outer o = { .l3 = l2 };
	struct gpdu g = {};
	struct rx_session *r = 0;
	struct config *cfg;
	__u32 zero = 0;
	int verdict;

	cfg = bpf_map_lookup_elem(&config, &zero);
	if (!cfg)
		return TC_ACT_UNSPEC;
	if (skb->vlan_present) { /* id 0 is a priority alone */
		if (skb->vlan_tci & VLAN_ID && has_kind(cfg, KIND_VLAN))
			return tail(skb, TAIL_TUNNEL, l2, ASK_ALL);
		/* belongs to the VLAN device, which has a hook of its own */
		if (skb->vlan_tci & VLAN_ID || bpf_skb_vlan_pop(skb) || skb->vlan_present)
			return TC_ACT_UNSPEC; /* or the next tag has come in its place */
	}
	switch (outer_parse(skb, &o)) {
	case OUTER_UDP:
		break;
	case OUTER_GRE:
		return has_kind(cfg, KIND_GRE) ? tail_tunnel(skb, &o, OUTER_GRE, l2) : TC_ACT_UNSPEC;
	case OUTER_L2TP:
		return has_kind(cfg, KIND_L2TP_IP) ? tail_tunnel(skb, &o, OUTER_L2TP, l2) : TC_ACT_UNSPEC;
	case OUTER_FRAGMENT:
		return tail(skb, TAIL_REASSEMBLE, l2, ASK_ALL);
	case OUTER_ICMP:
		return tail(skb, TAIL_ICMP_ERROR, l2, ASK_ALL);
	default:
		return TC_ACT_UNSPEC;
	}
	if (!known_port(cfg, o.dport))
		return tunnel_port(cfg, o.dport) ? tail_tunnel(skb, &o, OUTER_UDP, l2) : TC_ACT_UNSPEC;
	if (!o.bad_sum && !bad_source(&o) && !gpdu_parse(skb, &o, &g))
		r = live_session(&g.key);
	/* at another address the port may be that of another kind */
	if (r ? r->config[r->active & 1].flags & RX_ETHER : tunnel_port(cfg, o.dport))
		return tail_tunnel(skb, &o, OUTER_UDP, l2);
	if (!r)
		return tail(skb, TAIL_SIGNAL, l2, ASK_ALL);
	verdict = session_receive(skb, cfg, r, &o, &g, l2);
	if (verdict >= 0)
		return verdict;
	drop_session(skb, r->config[r->active & 1].ifindex, &g.key, -verdict,
		     skb->gso_segs > 1 ? skb->gso_segs : 1);
	return verdict == -DROP_UNKNOWN_EXTENSION ? tail(skb, TAIL_SIGNAL, l2, ASK_EXTNOTIFY) : TC_ACT_SHOT;
}

#endif
