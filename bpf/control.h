/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Changes of live entries, made by the kernel and not by an update from user space: the counters beside the
 * configuration go on, and a packet sees the old configuration or the new one, never half of each.
 */
#ifndef GTP_CONTROL_H
#define GTP_CONTROL_H

#include <asm-generic/errno-base.h>
#include "grow.h"
#include "maps.h"
#include "packet.h"

enum control_what {
	CONTROL_TX = 1,		/* tx[tx_key] */
	CONTROL_PREFIX,		/* tx_prefix[prefix_key] */
	CONTROL_FALLBACK,	/* links[tx_key.ifindex].fallback */
	CONTROL_RX,		/* rx[rx_key] */
	CONTROL_LINK,		/* links[tx_key.ifindex].config */
	CONTROL_EPOCH,		/* raises config.epoch */
	CONTROL_PAIR,		/* tx_pair[pair_key] */
	CONTROL_PEER,		/* adds `sessions` to peers[peer_key].sessions; the last one takes the entry along */
};

/* The argument of the program `control`: one change. Longer than an Ethernet header, as a frame must be. */
struct control {
	enum control_what what;
	__u32 local_dev;
	struct tx_key tx_key;
	__u16 route_mtu;
	__u16 pad;
	struct prefix_key prefix_key;
	struct pair_key pair_key;
	struct rx_key rx_key;
	struct tx_config tx;
	struct rx_config rx;
	struct link_config link;
	struct peer_key peer_key;
	__s32 sessions;		/* more, or less than 0: fewer */
	__u32 pad2;
};

/* Keeps in the object's BTF what user space has to know and no map shows. In a section that no loader looks at. */
struct user_space {
	enum drop_reason drop_reason;
	enum path_kind path_kind;
	enum tx_flag tx_flag;
	enum rx_flag rx_flag;
	enum session_state session_state;
	enum socket_priority socket_priority;
	enum sweep_cause sweep_cause;
	enum link_flag link_flag;
	enum link_word link_word;
	enum endpoint_flag endpoint_flag;
	enum offload offload;
	enum kind kind;
	enum form form;
	enum datagram_state datagram_state;
	enum control_what control_what;
	struct control control;
	enum grow grow;
	struct growth growth;
} layouts SEC("user_space");

INLINE int control_tx(struct tx_session *s, const struct control *c)
{
	__u32 other;

	if (!s)
		return ENOENT;
	other = !(s->active & 1);
	__builtin_memcpy(&s->config[other & 1], &c->tx, sizeof(c->tx));
	s->local_dev = c->local_dev;
	s->route_mtu = c->route_mtu;
	s->expires = 0;
	__sync_fetch_and_xor(&s->active, 1);
	return 0;
}

INLINE int control_rx(const struct control *c)
{
	struct rx_session *r = bpf_map_lookup_elem(&rx, &c->rx_key);
	__u32 other;

	if (!r)
		return ENOENT;
	other = !(r->active & 1);
	__builtin_memcpy(&r->config[other & 1], &c->rx, sizeof(c->rx));
	__sync_fetch_and_xor(&r->active, 1);
	r->state = SESSION_UP; /* what was told of it was told of what it has been */
	return 0;
}

INLINE int control_peer(const struct control *c)
{
	struct peer *p, fresh = {};

	p = bpf_map_lookup_elem(&peers, &c->peer_key);
	if (!p) {
		if (c->sessions < 0)
			return ENOENT;
		fresh.sessions = c->sessions;
		return -bpf_map_update_elem(&peers, &c->peer_key, &fresh, BPF_NOEXIST);
	}
	if ((__s32)p->sessions + c->sessions <= 0)
		return -bpf_map_delete_elem(&peers, &c->peer_key);
	__sync_fetch_and_add(&p->sessions, c->sessions);
	return 0;
}

INLINE int control_run(const struct control *c)
{
	struct link_state *l;
	struct config *cfg;
	__u32 zero = 0;

	switch (c->what) {
	case CONTROL_TX:
		return control_tx(bpf_map_lookup_elem(&tx, &c->tx_key), c);
	case CONTROL_PREFIX:
		return control_tx(bpf_map_lookup_elem(&tx_prefix, &c->prefix_key), c);
	case CONTROL_PAIR:
		return control_tx(bpf_map_lookup_elem(&tx_pair, &c->pair_key), c);
	case CONTROL_RX:
		return control_rx(c);
	case CONTROL_PEER:
		return control_peer(c);
	case CONTROL_FALLBACK:
		l = bpf_map_lookup_elem(&links, &c->tx_key.ifindex);
		return l ? control_tx(&l->fallback, c) : ENOENT;
	case CONTROL_LINK:
		l = bpf_map_lookup_elem(&links, &c->tx_key.ifindex);
		if (!l)
			return ENOENT;
		l->config.mtu = c->link.mtu;
		l->config.slots = c->link.slots;
		l->config.flags = c->link.flags;
		return 0;
	case CONTROL_EPOCH:
		cfg = bpf_map_lookup_elem(&config, &zero);
		if (cfg)
			__sync_fetch_and_add(&cfg->epoch, 1);
		return 0;
	}
	return EINVAL;
}

#endif
