/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What the two halves of a session know of each other. */
#ifndef GTP_SESSION_H
#define GTP_SESSION_H

#include "drop.h"
#include "maps.h"
#include "packet.h"

#define REORDER_WINDOW 1024 /* numbers further behind are those of a peer that began anew */

/* What stands for a remote in the keys of sessions that are named by it, too. Who wants another remote with the same number has to look
 * for it, and finds no more than a session that does not take its packets. */
INLINE __u64 remote_mark(const void *remote)
{
	const __u32 *w = remote;

	return ((__u64)w[3] << 32 | w[2]) ^ ((__u64)w[1] << 32 | w[0]) * 0x9e3779b97f4a7c15ULL;
}

INLINE void key_add_remote(struct rx_key *key, const void *remote)
{
	__u64 mark = remote_mark(remote);

	key->id |= mark & 0xffffffff00000000ULL;
	key->scope = mark;
}

/* The number in packets to us, as the receive key has it: of version 0 the TID, which both directions share. */
INLINE __u64 tx_own_id(const struct tx_config *c)
{
	if (c->kind == KIND_GTP0)
		return (__u64)bpf_ntohl(c->teid) << 32 | c->local_teid;
	if (c->kind == KIND_VLAN)
		return bpf_ntohl(c->teid);
	if (c->flags & TX_REMOTE_KEY)
		return c->local_teid | (remote_mark(c->remote) & 0xffffffff00000000ULL);
	return c->local_teid;
}

/* The number in packets to the peer. */
INLINE __u64 tx_remote_id(const struct tx_config *c)
{
	if (c->kind == KIND_GTP0)
		return tx_own_id(c);
	return c->kind == KIND_GENEVE || c->kind == KIND_VXLAN ? c->local_teid : bpf_ntohl(c->teid);
}

INLINE __u8 tx_form(const struct tx_config *c)
{
	if (c->kind != KIND_GRE)
		return 0;
	return (c->flags & TX_KEY ? FORM_KEY : 0) | (c->flags & TX_ETHER ? FORM_ETHER : 0);
}

/* The port that the session receives at. */
INLINE __u16 tx_own_port(const struct tx_config *c)
{
	if (c->kind == KIND_L2TP)
		return c->sport;
	return c->kind == KIND_GENEVE || c->kind == KIND_VXLAN ? c->ext[0] << 8 | c->ext[1] : c->dport;
}

/* The key of the receiving half of the session that sends by `c`. */
INLINE void tx_own_key(const struct tx_config *c, struct rx_key *key)
{
	key->id = tx_own_id(c);
	key->port = tx_own_port(c);
	key->kind = c->kind;
	key->form = tx_form(c);
	key->scope = 0;
	if (c->kind == KIND_VLAN)
		key->scope = c->local_teid;
	else if (c->flags & TX_REMOTE_KEY)
		key->scope = remote_mark(c->remote);
	addr_copy(key->local, c->local);
}

/* Drops a frame on its way out through a session. */
GLOBAL int drop_sent(struct __sk_buff *skb, const struct tx_config *c, __u32 ifindex, __u32 reason, __u32 n)
{
	struct drop_key key = { .ifindex = ifindex, .reason = reason };

	if (c) {
		tx_own_key(c, &key.of);
		drop_add(&key, n, skb->len);
	}
	return TC_ACT_SHOT;
}

/* The receiving half of the session that sends by `c`, or 0. */
INLINE struct rx_session *receive_half(const struct tx_config *c)
{
	struct rx_key key;

	tx_own_key(c, &key);
	return bpf_map_lookup_elem(&rx, &key);
}

/* A session that an Error Indication has ended is there no more, though no command has swept it away yet. */
INLINE struct rx_session *live_session(const struct rx_key *key)
{
	struct rx_session *r = bpf_map_lookup_elem(&rx, key);

	return r && r->state != SESSION_DELETED ? r : 0;
}

/* The session of `key` that takes packets from `remote`: one that is named by it first (R7), then one for all. */
INLINE struct rx_session *session_from(struct rx_key *key, const void *remote)
{
	__u64 id = key->id;
	struct rx_session *r;

	if (key->kind != KIND_L2TP && key->kind != KIND_L2TP_IP && key->kind != KIND_GTP && key->kind != KIND_GTP0) {
		key_add_remote(key, remote);
		r = live_session(key);
		if (r)
			return r;
		key->id = id;
		key->scope = 0;
	}
	return live_session(key);
}

/* The peer of a local address, if there are sessions with it. */
INLINE struct peer *peer_of(const void *local, const void *remote)
{
	struct peer_key key;

	addr_copy(key.local, local);
	addr_copy(key.remote, remote);
	return bpf_map_lookup_elem(&peers, &key);
}

/* When something was seen: CLOCK_MONOTONIC in units of 2^30 ns, 1.07 s. The coarse clock costs a tenth of the fine one. */
INLINE __u32 now_coarse(void)
{
	return bpf_ktime_get_coarse_ns() >> 30;
}

INLINE void session_alive(struct rx_session *r)
{
	__u32 now = now_coarse();

	if (r->seen != now)
		r->seen = now;
}

#endif
