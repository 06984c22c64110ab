/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What the two halves of a session know of each other. */
#ifndef GTP_SESSION_H
#define GTP_SESSION_H

#include "maps.h"
#include "packet.h"

INLINE __u8 tx_kind(const struct tx_config *c)
{
	return c->flags & TX_V0 ? KIND_GTP0 : KIND_GTP;
}

/* The number in packets to us: our TEID, or the TID, which both directions share. */
INLINE __u64 tx_own_id(const struct tx_config *c)
{
	return c->flags & TX_V0 ? (__u64)bpf_ntohl(c->teid) << 32 | c->local_teid : c->local_teid;
}

/* The number in packets to the peer. */
INLINE __u64 tx_remote_id(const struct tx_config *c)
{
	return c->flags & TX_V0 ? tx_own_id(c) : bpf_ntohl(c->teid);
}

/* The receiving half of the session that sends by `c`, or 0. */
INLINE struct rx_session *receive_half(const struct tx_config *c)
{
	struct rx_key key = { .id = tx_own_id(c), .port = c->dport, .kind = tx_kind(c) };

	addr_copy(key.local, c->local);
	return bpf_map_lookup_elem(&rx, &key);
}

/* A session that an Error Indication has ended is there no more, though no command has swept it away yet. */
INLINE struct rx_session *live_session(const struct rx_key *key)
{
	struct rx_session *r = bpf_map_lookup_elem(&rx, key);

	return r && r->state != SESSION_DELETED ? r : 0;
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
