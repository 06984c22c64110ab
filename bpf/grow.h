/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the programs of an older version counted while they were replaced is added to the entries that their successors count in
 * already. An update from user space would overwrite what these have counted.
 */
#ifndef GTP_GROW_H
#define GTP_GROW_H

#include <asm-generic/errno-base.h>
#include "maps.h"
#include "packet.h"

/* Every map with fields that count (COUNTS), in lower case and without GROW_. */
enum grow { GROW_TX, GROW_TX_PREFIX, GROW_TX_PAIR, GROW_LINKS, GROW_RX, GROW_CARRIED, GROW_DROPS, GROW_ENDPOINTS, GROW_PEERS };

#define GROWTHS 8

struct growth {
	enum grow map;
	__u32 pad;
	__u8 key[64];
	struct counter {
		__u32 at;	/* octets from the begin of the value */
		__u32 octets;	/* 4 or 8 */
		__u64 by;
	} counters[GROWTHS];	/* those behind the last one have 0 octets */
};

INLINE int growth_add(void *value, __u32 size, const struct growth *g)
{
	const struct counter *c;
	__u32 i, at;

	if (!value)
		return ENOENT;
	for (i = 0; i < GROWTHS; i++) {
		c = &g->counters[i];
		at = c->at;
		if (c->octets == 8) {
			at &= ~7U;
			if (at > size - 8)
				return EINVAL;
			__sync_fetch_and_add((__u64 *)(value + at), c->by);
		} else if (c->octets == 4) {
			at &= ~3U;
			if (at > size - 4)
				return EINVAL;
			__sync_fetch_and_add((__u32 *)(value + at), (__u32)c->by);
		}
	}
	return 0;
}

#define GROW(map, value_type) growth_add(bpf_map_lookup_elem(&map, g->key), sizeof(value_type), g)

INLINE int growth_run(const struct growth *g)
{
	switch (g->map) {
	case GROW_TX:
		return GROW(tx, struct tx_session);
	case GROW_TX_PREFIX:
		return GROW(tx_prefix, struct tx_session);
	case GROW_TX_PAIR:
		return GROW(tx_pair, struct tx_session);
	case GROW_LINKS:
		return GROW(links, struct link_state);
	case GROW_RX:
		return GROW(rx, struct rx_session);
	case GROW_CARRIED:
		return GROW(carried, struct drop_count);
	case GROW_DROPS:
		return GROW(drops, struct drop_count);
	case GROW_ENDPOINTS:
		return GROW(endpoints, struct endpoint);
	case GROW_PEERS:
		return GROW(peers, struct peer);
	}
	return EINVAL;
}

#endif
