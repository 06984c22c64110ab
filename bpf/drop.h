/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Counting: written on the drop path only, one per-CPU entry for each (place, reason). */
#ifndef GTP_DROP_H
#define GTP_DROP_H

#include "maps.h"
#include "packet.h"

INLINE void count(__u64 *packets, __u64 *bytes, __u32 n, __u64 octets)
{
	__sync_fetch_and_add(packets, n);
	__sync_fetch_and_add(bytes, octets);
}

INLINE void drop_add(const struct drop_key *key, __u32 n, __u32 octets)
{
	struct drop_count *d, fresh = {};

	d = bpf_map_lookup_elem(&drops, key);
	if (!d) {
		bpf_map_update_elem(&drops, key, &fresh, BPF_NOEXIST);
		d = bpf_map_lookup_elem(&drops, key);
		if (!d)
			return;
	}
	d->packets += n;
	d->bytes += octets;
}

/* Counts what was dropped of a session (`of` is the key of its receive half), or with its `kind` and no id at an endpoint. */
GLOBAL int drop_count(const struct rx_key *of, __u32 ifindex, __u32 reason, __u32 n, __u32 octets)
{
	struct drop_key key = { .ifindex = ifindex, .reason = reason };

	if (of)
		key.of = *of;
	drop_add(&key, n, octets);
	return 0;
}

/* Drops a frame of a link for which no session is known. */
INLINE int drop_link(struct __sk_buff *skb, __u32 ifindex, __u32 reason, __u32 n)
{
	drop_count(0, ifindex, reason, n, skb->len);
	return TC_ACT_SHOT;
}

/* Drops a frame of a session: `of` is the key of its receive half. */
INLINE int drop_session(struct __sk_buff *skb, __u32 ifindex, const struct rx_key *of, __u32 reason, __u32 n)
{
	drop_count(of, ifindex, reason, n, skb->len);
	return TC_ACT_SHOT;
}

INLINE void count_endpoint(const void *local, __u32 port, __u32 kind, __u32 reason, __u32 n, __u32 octets)
{
	struct rx_key of = { .port = port, .kind = kind };

	addr_copy(of.local, local);
	drop_count(&of, 0, reason, n, octets);
}

/* Drops a frame that came to a local address of ours and belongs to no session. */
INLINE int drop_endpoint(struct __sk_buff *skb, const struct endpoint_key *at, __u32 reason)
{
	count_endpoint(at->local, at->port, at->kind, reason, 1, skb->len);
	return TC_ACT_SHOT;
}

#endif
