/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Links that carry Ethernet frames: broadcast to all sessions, and where MAC addresses were seen. */
#ifndef GTP_FLOOD_H
#define GTP_FLOOD_H

#include "drop.h"
#include "maps.h"
#include "packet.h"
#include "select.h"
#include "session.h"
#include "shim.h"

INLINE int is_for_many(struct __sk_buff *skb)
{
	__u8 first;

	return !peek(skb, 0, &first, 1) && first & 1;
}

enum flooded { FLOOD_NOT, FLOOD_SENT = 1, FLOOD_LOST = 2 };

/* Sends a copy of a frame to one session of the link by the shim, if it has the flag `wanted` (0: in any case). */
GLOBAL int flood_one(struct __sk_buff *skb, __u32 ifindex, __u32 slot, __u32 wanted)
{
	union select key;
	struct tx_session *s = session_of_slot(ifindex, slot, &key);
	struct config *cfg;
	__u32 zero = 0;

	cfg = bpf_map_lookup_elem(&config, &zero);
	if (!s || !cfg || (wanted && !(s->config[s->active & 1].flags & wanted)))
		return FLOOD_NOT;
	skb->mark = ifindex | (slot + 1) << SHIM_SLOT_SHIFT;
	return bpf_clone_redirect(skb, cfg->shim_out, 0) ? FLOOD_LOST : FLOOD_SENT;
}

/*
 * Sends a copy of a frame to every session of the link (`wanted` is 0), or to those with that flag: each goes by the shim, from where it
 * comes back with the number of its session in the mark. The frame itself has done its duty then; -1: it is for the fallback, which has
 * no slot.
 */
GLOBAL int flood(struct __sk_buff *skb, __u32 ifindex, __u32 packets, __u32 wanted)
{
	struct link_state *l = bpf_map_lookup_elem(&links, &ifindex);
	__u64 slots = l ? l->config.slots : 0;
	int sent = 0;

	if (ifindex >> SHIM_SLOT_SHIFT)
		return drop_link(skb, ifindex, DROP_NO_SHIM, packets);
	for (__u32 slot = 0; slot < SLOTS; slot++) {
		if (slots & 1)
			sent |= flood_one(skb, ifindex, slot, wanted);
		slots >>= 1;
	}
	skb->mark = 0; /* it was for the copies */
	if (!wanted && l && l->config.flags & LINK_DEFAULT)
		return -1;
	return sent & FLOOD_SENT ? TC_ACT_SHOT : drop_link(skb, ifindex, sent ? DROP_NO_SHIM : DROP_NO_SESSION, packets);
}

/* Remembers from which session a MAC address speaks. `slot` is 1 + its number, 0: the one without, which gets what nobody else does. */
INLINE void learn(const __u8 *mac, __u32 ifindex, __u32 slot)
{
	struct fdb_key key = { .ifindex = ifindex };
	struct fdb fresh, *f;

	if (mac[0] & 1)
		return;
	__builtin_memcpy(key.mac, mac, ETH_ALEN);
	f = bpf_map_lookup_elem(&fdb, &key);
	if (!slot) {
		if (f) /* it has moved here */
			bpf_map_delete_elem(&fdb, &key);
		return;
	}
	fresh.slot = slot - 1;
	fresh.seen = now_coarse();
	if (!f) {
		bpf_map_update_elem(&fdb, &key, &fresh, BPF_ANY);
		return;
	}
	if (f->slot != fresh.slot)
		f->slot = fresh.slot;
	if (f->seen != fresh.seen)
		f->seen = fresh.seen;
}

#endif
