/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Packets out of tunnels of every kind, and GTP with Ethernet frames. (`underlay` itself sees to GTP with IP packets.) */
#ifndef GTP_DECAP_H
#define GTP_DECAP_H

#include "arrival.h"
#include "geneve.h"
#include "gpdu.h"
#include "gre.h"
#include "l2tp.h"
#include "maps.h"
#include "packet.h"
#include "payload.h"
#include "session.h"
#include "shim.h"
#include "tail.h"
#include "tunnel.h"
#include "vlan.h"

/* R5, L6: numbers must come, and increase; far behind is a peer that began anew. `shift` makes the last bit of a short number count. */
INLINE int bad_order(struct rx_session *r, const struct arrived *a, __u32 shift)
{
	__s32 ahead = (a->seq - r->rx_seq) << shift;

	if (!a->has_seq)
		return -DROP_NO_SEQUENCE;
	ahead >>= shift;
	if (r->rqi && ahead <= 0 && ahead > -REORDER_WINDOW) {
		__sync_fetch_and_add(&r->reordered, 1);
		return -DROP_OUT_OF_ORDER;
	}
	r->rx_seq = a->seq;
	r->rqi = 1;
	return 0;
}

/* R3, X11, X10. `at` is the payload. */
INLINE int tunnel_checksum(struct __sk_buff *skb, const struct rx_config *c, const struct outer *o, const struct arrived *a)
{
	__u32 from = a->summed ? a->summed : o->udp, at = a->at;
	__be16 type;
	int why;

	if (!a->summed && !over_udp(a->key.kind))
		return 0;
	if (!a->summed)
		why = bad_checksum(skb, o, c->flags & RX_ZERO_CSUM);
	else if (skb->gso_size || fold(sum_packet(skb, from, o->end - from)) == 0xffff)
		return 0;
	else
		why = -DROP_BAD_CHECKSUM;
	if (why != -DROP_BAD_CHECKSUM)
		return why;
	if (a->protocol == bpf_htons(ETH_P_TEB)) {
		at += ETH_HLEN;
		if (!bpf_skb_load_bytes(skb, at - 2, &type, 2) && is_tag(type))
			at += 4;
	}
	return is_left_open(skb, o, at, from) ? 0 : why;
}

/* Everything after the session is known. */
INLINE int tunnel_session(struct __sk_buff *skb, struct rx_session *r, const struct outer *o, struct arrived *a, __u32 l2)
{
	const struct rx_config *c = &r->config[r->active & 1];
	struct payload p = { .end = o->end, .l2 = l2, .protocol = a->protocol };
	int why = 0;

	if (c->flags & RX_STRICT && !addr_equal(c->remote, o->remote))
		return -DROP_WRONG_PEER;
	if (c->flags & RX_COOKIE)
		why = l2tp_cookie(skb, a, o->end, bpf_map_lookup_elem(&details, &a->key));
	if (!why && c->flags & RX_L2SPEC)
		why = l2tp_l2spec(skb, a, o->end);
	if (!why)
		why = tunnel_checksum(skb, c, o, a);
	if (!why && c->flags & RX_SEQ)
		why = bad_order(r, a, a->key.kind == KIND_GRE ? 0 : 8);
	if (why)
		return why;
	p.at = a->at;
	return payload_receive(skb, r, &a->key, o, &p);
}

/* The rest of a G-PDU with a frame. */
INLINE int gpdu_frame(struct __sk_buff *skb, struct config *cfg, struct rx_session *r, const struct outer *o,
		      const struct gpdu *g, __u32 l2)
{
	const struct rx_config *c = &r->config[r->active & 1];
	struct gtpu_seen seen = { .payload = g->header, .ppi = 255 };
	struct payload p = { .l2 = l2, .protocol = bpf_htons(ETH_P_TEB) };
	__u32 have = o->end - g->at - g->header;
	int why;

	why = bad_checksum(skb, o, c->flags & RX_ZERO_CSUM);
	if (why == -DROP_BAD_CHECKSUM && is_left_open(skb, o, g->at + gpdu_header(skb, g) + ETH_HLEN, o->udp))
		why = 0;
	if (why)
		return why;
	if (g->length > have)
		return -DROP_BAD_LENGTH;
	if (skb->gso_size && skb->gso_size == g->length + g->header)
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
	p.end = skb->gso_size ? o->end : g->at + g->header + g->length;
	if (p.at == p.end)
		return -DROP_EMPTY;
	why = payload_receive(skb, r, &g->key, o, &p);
	if (why >= 0)
		session_seen(r, &seen);
	return why;
}

INLINE int gtp_frame_receive(struct __sk_buff *skb, struct config *cfg, const struct outer *o, __u32 l2)
{
	struct rx_session *r = 0;
	struct gpdu g = {};
	int verdict;

	if (!o->bad_sum && !bad_source(o) && !gpdu_parse(skb, o, &g))
		r = live_session(&g.key);
	if (!r)
		return tail(skb, TAIL_SIGNAL, l2, ASK_ALL);
	verdict = gpdu_frame(skb, cfg, r, o, &g, l2);
	if (verdict >= 0)
		return verdict;
	drop_session(skb, r->config[r->active & 1].ifindex, &g.key, -verdict,
		     skb->gso_segs > 1 ? skb->gso_segs : 1);
	return verdict == -DROP_UNKNOWN_EXTENSION ? tail(skb, TAIL_SIGNAL, l2, ASK_EXTNOTIFY) : TC_ACT_SHOT;
}

/* The kind that packets to a port usually are. */
INLINE __u8 usual_kind(__u16 port)
{
	return port == GENEVE_PORT ? KIND_GENEVE : port == L2TP_PORT ? KIND_L2TP : KIND_VXLAN;
}

/* The endpoint of ours that the packet came to. What kind that is goes into `key`. */
INLINE struct endpoint *tunnel_endpoint(const struct outer *o, struct rx_key *key)
{
	const __u8 kinds[] = { KIND_VXLAN, KIND_GENEVE, KIND_L2TP };
	struct endpoint_key at = { .port = key->port, .kind = key->kind };
	struct endpoint *e;

	addr_copy(at.local, o->local);
	e = bpf_map_lookup_elem(&endpoints, &at);
#pragma unroll
	for (int i = 0; i < 3; i++) {
		if (!e && o->kind == OUTER_UDP && kinds[i] != key->kind) {
			at.kind = kinds[i];
			e = bpf_map_lookup_elem(&endpoints, &at);
		}
	}
	key->kind = at.kind;
	return e;
}

INLINE int tunnel_parse(struct __sk_buff *skb, const struct outer *o, struct arrived *a)
{
	if (o->bad_sum)
		return -DROP_BAD_CHECKSUM;
	if (bad_source(o))
		return -DROP_BAD_SOURCE;
	if (!o->end)
		return -DROP_BAD_LENGTH;
	a->at = o->udp + (over_udp(a->key.kind) ? sizeof(struct udphdr) : 0);
	switch (a->key.kind) {
	case KIND_VXLAN:
		return vxlan_parse(skb, a, o->end);
	case KIND_GENEVE:
		return geneve_parse(skb, a, o->end);
	case KIND_GRE:
		return gre_parse(skb, a, o->end);
	}
	return l2tp_parse(skb, a, o->end);
}

/* The session of a packet of the kind that `a` says, or 0 and what is wrong. */
INLINE struct rx_session *tunnel_find(struct __sk_buff *skb, const struct outer *o, struct arrived *a, int *why)
{
	*why = tunnel_parse(skb, o, a);
	return *why ? 0 : session_from(&a->key, o->remote);
}

/* What belongs to no session: another program's, or dropped by name. */
INLINE int tunnel_stranger(struct __sk_buff *skb, const struct outer *o, const struct arrived *a, struct endpoint *e, int why)
{
	__u32 packets = skb->gso_segs > 1 ? skb->gso_segs : 1;

	if (why == NOT_OURS || (over_udp(a->key.kind) && has_socket(skb, o, 0))) {
		__sync_fetch_and_add(&e->passed, packets);
		return TC_ACT_UNSPEC;
	}
	if (!why)
		why = a->key.kind == KIND_GRE ? -DROP_UNKNOWN_KEY :
		      a->key.kind == KIND_L2TP || a->key.kind == KIND_L2TP_IP ? -DROP_UNKNOWN_SESSION :
									       -DROP_UNKNOWN_VNI;
	count_endpoint(o->local, a->key.port, a->key.kind, -why, packets, skb->len);
	return TC_ACT_SHOT;
}

INLINE int vlan_receive(struct __sk_buff *skb)
{
	struct outer o = {};
	struct rx_key key = {};
	struct payload p = { .l2 = ETH_HLEN, .protocol = bpf_htons(ETH_P_TEB) };
	struct rx_session *r;
	int verdict;

	r = vlan_session(skb, &key);
	if (!r)
		return TC_ACT_UNSPEC;
	verdict = -DROP_NO_ROOM; /* or no room for the next tag, which takes the place of this one */
	if (!bpf_skb_vlan_pop(skb)) {
		p.end = skb->len;
		verdict = payload_receive(skb, r, &key, &o, &p);
	}
	if (verdict >= 0)
		return verdict;
	return drop_session(skb, r->config[r->active & 1].ifindex, &key, -verdict,
			    skb->gso_segs > 1 ? skb->gso_segs : 1);
}

/* One frame that `underlay` found to be of a kind of its own (see tail_tunnel); cb[0] is the length of its link header. */
INLINE int tunnel_receive(struct __sk_buff *skb)
{
	__u32 zero = 0, l2 = skb->cb[0] ? ETH_HLEN : 0;
	struct arrived a = {};
	struct rx_session *r;
	struct endpoint *e;
	struct config *cfg;
	struct outer *o;
	int verdict, is_gtp, only_gtp;
	__u8 usual;

	cfg = bpf_map_lookup_elem(&config, &zero);
	o = bpf_map_lookup_elem(&outers, &zero);
	if (!cfg || !o)
		return TC_ACT_UNSPEC;
	if (skb->vlan_present)
		return vlan_receive(skb);
	is_gtp = o->kind == OUTER_UDP && known_port(cfg, o->dport);
	only_gtp = is_gtp && !tunnel_port(cfg, o->dport);
	/* the endpoint is looked for only where nothing is found without */
	a.key.kind = o->kind == OUTER_GRE ? KIND_GRE : o->kind == OUTER_L2TP ? KIND_L2TP_IP : usual_kind(o->dport);
	a.key.port = o->kind == OUTER_UDP ? o->dport : 0;
	addr_copy(a.key.local, o->local);
	r = only_gtp ? 0 : tunnel_find(skb, o, &a, &verdict);
	if (!r) {
		usual = a.key.kind;
		e = only_gtp ? 0 : tunnel_endpoint(o, &a.key);
		if (!e)
			return is_gtp ? gtp_frame_receive(skb, cfg, o, l2) : TC_ACT_UNSPEC;
		if (a.key.kind != usual)
			r = tunnel_find(skb, o, &a, &verdict);
		if (!r)
			return tunnel_stranger(skb, o, &a, e, verdict);
	}
	verdict = tunnel_session(skb, r, o, &a, l2);
	if (verdict >= 0)
		return verdict;
	return drop_session(skb, r->config[r->active & 1].ifindex, &a.key, -verdict,
			    skb->gso_segs > 1 ? skb->gso_segs : 1);
}

#endif
