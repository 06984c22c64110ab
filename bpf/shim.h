/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The shim: a veth pair without TSO and checksum offload in the primary namespace. What cannot be cut late is
 * sent through it; the stack cuts and sums there, and each packet comes back to the hook `shim`.
 */
#ifndef GTP_SHIM_H
#define GTP_SHIM_H

#include "maps.h"
#include "packet.h"

#define SHIM_DECAP 0xffffffffU	/* skb->mark of a train of outer packets; else the link's ifindex */
#define SHIM_PIECE 0xfffffffeU	/* of an outer fragment that is to be sent on */
#define SHIM_SLOT_SHIFT 24	/* above the ifindex: 1 + the session that a copy of a frame is for */
#define LOCAL_MARK 0x67747075U	/* `local_out` sends packets with this mark in by lo */
#define PENDING_JIFFIES 3	/* a flow's packets have left the shim by then, or were lost there */

INLINE struct pending *pending_of(struct __sk_buff *skb, __u32 ifindex)
{
	__u32 slot = (bpf_get_hash_recalc(skb) ^ ifindex * 0x9e3779b1) & 1023;

	return bpf_map_lookup_elem(&pending, &slot);
}

/* Must this packet follow earlier ones of its flow through the shim, so as not to overtake them? The flow's hash, which
 * may have to be computed, is asked for only while the shim is in use. */
INLINE int pending_ahead(struct __sk_buff *skb, const struct config *cfg, __u32 ifindex)
{
	struct pending *p;

	if ((__u32)bpf_jiffies64() - cfg->shim_used > PENDING_JIFFIES)
		return 0;
	p = pending_of(skb, ifindex);
	if (!p || p->segments <= 0)
		return 0;
	if ((__u32)bpf_jiffies64() - p->since <= PENDING_JIFFIES)
		return 1;
	p->segments = 0;
	return 0;
}

INLINE void pending_done(struct __sk_buff *skb, __u32 ifindex)
{
	struct pending *p = pending_of(skb, ifindex);

	if (p)
		__sync_fetch_and_add(&p->segments, -1);
}

/* Sends `segments` packets' worth through the shim. Returns a verdict, or -DROP_NO_SHIM. */
INLINE int shim_send(struct __sk_buff *skb, struct config *cfg, __u32 mark, __u32 segments)
{
	struct pending *p;

	if (!cfg->shim_out)
		return -DROP_NO_SHIM;
	if (mark != SHIM_DECAP) {
		p = pending_of(skb, mark);
		if (p) {
			__sync_fetch_and_add(&p->segments, segments);
			p->since = bpf_jiffies64();
			cfg->shim_used = p->since;
		}
	}
	skb->mark = mark;
	return bpf_redirect(cfg->shim_out, 0);
}

#endif
