/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Packets on their way into a tunnel: which session, which way, encapsulate. */
#ifndef GTP_LINK_H
#define GTP_LINK_H

#include "deliver.h"
#include "drop.h"
#include "fragment.h"
#include "gtpu.h"
#include "icmp.h"
#include "maps.h"
#include "outer.h"
#include "packet.h"
#include "path.h"
#include "shim.h"

/* Where a packet is on its way. */
struct trip {
	__u32 ifindex;		/* of the link */
	__u32 packets;		/* on the wire */
	__u64 bytes;		/* inner octets of all of them */
	__u8 in_shim;
	__u8 cut;		/* sent in outer fragments */
};

/* The session of an inner address: exact first, prefixes only where the link has some. */
INLINE struct tx_session *session_of_address(struct __sk_buff *skb, const struct link_state *l, __u32 ifindex,
					     const struct inner *in)
{
	struct prefix_key prefix = { .prefixlen = 64 + 128, .ifindex = ifindex, .version = in->version };
	struct tx_key key = { .ifindex = ifindex };
	int source = l->config.flags & LINK_SGSN;
	struct tx_session *s;
	__be32 v4;

	if (in->version == 4) {
		if (peek(skb, ETH_HLEN + (source ? 12 : 16), &v4, 4))
			return 0;
		addr_from_v4(key.addr, v4);
	} else if (peek(skb, ETH_HLEN + (source ? 8 : 24), key.addr, 16)) {
		return 0;
	}
	s = bpf_map_lookup_elem(&tx, &key);
	if (s || !(l->config.flags & LINK_PREFIX))
		return s;
	addr_copy(prefix.addr, key.addr);
	return bpf_map_lookup_elem(&tx_prefix, &prefix);
}

INLINE struct tx_session *session_of(struct __sk_buff *skb, struct link_state *l, __u32 ifindex, const struct inner *in)
{
	struct tx_session *s = 0;

	if (l->config.flags & LINK_SELECT)
		s = session_of_address(skb, l, ifindex, in);
	if (!s && l->config.flags & LINK_DEFAULT)
		s = &l->fallback;
	return s;
}

/* What the far end would have read from the PDU Session Container of the session (gtpu_psc). */
INLINE void hairpin_psc(struct rx_session *r, const __u8 *ext)
{
	int downlink = !(ext[1] >> 4);
	__u8 qfi = ext[2] & 0x3f;
	__u8 rqi = downlink ? ext[2] >> 6 & 1 : 0;
	__u8 ppi = downlink && ext[2] & 0x80 ? ext[3] >> 5 : 255;

	if (r->qfi == qfi && r->rqi == rqi && r->ppi == ppi)
		return;
	r->qfi = qfi;
	r->rqi = rqi;
	r->ppi = ppi;
}

/* Both ends are on this machine: no outer header, no cut, straight into the other link. Returns a verdict, or -1
 * when there is no such session here: then the packet goes by lo and meets whoever else has that address. */
INLINE int hairpin(struct __sk_buff *skb, struct tx_session *s, const struct tx_config *c, const struct inner *in,
		   const struct trip *t)
{
	struct rx_key key = { .id = tx_remote_id(c), .port = c->dport, .kind = tx_kind(c) };
	const struct rx_config *rc;
	struct rx_session *r;
	int why = 0;

	addr_copy(key.local, c->remote);
	r = live_session(&key);
	if (!r)
		return -1;
	rc = &r->config[r->active & 1];
	count(&s->packets, &s->bytes, t->packets, t->bytes);
	if (!bpf_map_lookup_elem(&devices, &rc->ifindex))
		why = -DROP_NO_LINK;
	else if (rc->flags & RX_STRICT && !addr_equal(rc->remote, c->local))
		why = -DROP_WRONG_PEER;
	else if (rc->flags & RX_ANTISPOOF)
		why = antispoof(skb, ETH_HLEN, in->version, rc, &key);
	if (why)
		return drop_session(skb, rc->ifindex, key.local, key.id, -why, t->packets);
	if (c->ext_len)
		hairpin_psc(r, c->ext);
	session_alive(r);
	count(&r->packets, &r->bytes, t->packets, t->bytes);
	if (rc->flags & RX_HERE) /* the transmit side looks at the address */
		bpf_skb_store_bytes(skb, 0, rc->dmac, ETH_ALEN, 0);
	return deliver(rc, 0);
}

/* Answers a packet that the path does not take. */
INLINE int too_big(struct __sk_buff *skb, struct link_state *l, const struct tx_session *s, const struct tx_config *c,
		   const struct inner *in, const struct trip *t)
{
	__u32 overhead = gtpu_header_len(c) + sizeof(struct udphdr) +
			 (addr_is_v4(c->remote) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));

	drop_session(skb, t->ifindex, c->local, tx_own_id(c), DROP_TOO_BIG, t->packets);
	if (s->mtu <= overhead || icmp_too_big(skb, in, s->mtu - overhead))
		return TC_ACT_SHOT;
	__sync_fetch_and_add(&l->icmp_sent, 1);
	if (l->config.flags & LINK_HERE)
		return bpf_redirect(t->ifindex, 0);
	return bpf_redirect_peer(t->ifindex, 0);
}

/* Does this packet need the shim before it can be encapsulated? */
INLINE int needs_shim(struct __sk_buff *skb, const struct config *cfg, const struct tx_session *s,
		      const struct tx_config *c, const struct inner *in, const struct trip *t)
{
	if (t->in_shim)
		return 0;
	/* a program reads the inner checksums as they are, and who listens behind a device of others is not known: the
	 * shim completes them, and cuts */
	if (s->path == PATH_LOCAL || (s->path == PATH_OTHER && !(c->flags & TX_KEEP)))
		return 1;
	if (c->flags & TX_CSUM && !in->sums_to_zero)
		return 1;
	if (skb->gso_size) {
		if (c->flags & (TX_SPLIT | TX_SEQ) || !in->simple || (in->total - in->headers) % skb->gso_size)
			return 1;
		if (in->total + OUTER_MAX > 65535 || (c->flags & TX_KEEP && in->protocol == IPPROTO_UDP))
			return 1;
	}
	return !(c->flags & TX_KEEP) && pending_ahead(skb, cfg, t->ifindex);
}

/* The way of one packet of a session. */
INLINE int session_send(struct __sk_buff *skb, struct config *cfg, struct link_state *l, struct tx_session *s,
			struct inner *in, struct trip *t)
{
	const struct tx_config *c = &s->config[s->active & 1];
	int path = path_of(skb, s, cfg);
	int verdict;

	if (path == PATH_HAIRPIN) {
		verdict = t->in_shim ? -1 : hairpin(skb, s, c, in, t);
		if (verdict >= 0)
			return verdict;
		path = s->local_dev ? PATH_LOCAL : PATH_NONE;
	}
	if (path == PATH_NONE)
		return drop_session(skb, t->ifindex, c->local, tx_own_id(c), DROP_NO_ROUTE, t->packets);
	if (path == PATH_GONE)
		return drop_link(skb, t->ifindex, DROP_NO_SESSION, t->packets);
	if (path == PATH_LOOP)
		return drop_session(skb, t->ifindex, c->local, tx_own_id(c), DROP_LOOP, t->packets);
	if (skb->gso_size)
		in->segment = in->headers + skb->gso_size;
	if (in->segment + gtpu_header_len(c) + sizeof(struct udphdr) +
	    (addr_is_v4(c->remote) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) > s->mtu) {
		if (path == PATH_LOCAL || !must_cut(in))
			return too_big(skb, l, s, c, in, t);
		if (!can_cut(in->segment + OUTER_MAX, s->mtu))
			return drop_session(skb, t->ifindex, c->local, tx_own_id(c), DROP_NO_ROOM, t->packets);
		t->cut = 1;
	}
	if (path == PATH_LOCAL || t->cut ? !t->in_shim : needs_shim(skb, cfg, s, c, in, t)) {
		verdict = shim_send(skb, cfg, t->ifindex, t->packets);
		if (verdict < 0)
			return drop_session(skb, t->ifindex, c->local, tx_own_id(c), -verdict, t->packets);
		return verdict;
	}
	if (gtpu_encap(skb, c, in))
		return drop_session(skb, t->ifindex, c->local, tx_own_id(c), DROP_NO_ROOM, t->packets);
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

/* Sends what link `t->ifindex` got from its inner end. */
INLINE int link_send(struct __sk_buff *skb, struct config *cfg, struct trip *t)
{
	struct tx_session *s;
	struct link_state *l;
	struct inner in;
	int why;

	l = bpf_map_lookup_elem(&links, &t->ifindex);
	if (!l)
		return TC_ACT_SHOT; /* half made or half gone: nothing to count it on */
	linear(skb, ETH_HLEN + (skb->protocol == bpf_htons(ETH_P_IP) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)));
	why = inner_parse(skb, ETH_HLEN, &in);
	if (why)
		return drop_link(skb, t->ifindex, -why, 1);
	t->packets = inner_packets(skb, &in, &t->bytes);
	s = session_of(skb, l, t->ifindex, &in);
	if (!s)
		return drop_link(skb, t->ifindex, DROP_NO_SESSION, t->packets);
	return session_send(skb, cfg, l, s, &in, t);
}

#endif
