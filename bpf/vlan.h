/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* VLAN sessions (IEEE 802.1Q, 802.1ad): a tag goes on on the way out and comes off on the way in. */
#ifndef GTP_VLAN_H
#define GTP_VLAN_H

#include "drop.h"
#include "maps.h"
#include "packet.h"
#include "session.h"
#include "tunnel.h"

/* Puts the tag on. Returns 0 or a negative drop reason. `mtu` gets what the underlay takes, where that is not enough. */
INLINE int vlan_push(struct __sk_buff *skb, const struct tx_config *c, __u32 *mtu)
{
	const struct detail *d = tx_detail(c);
	__u32 underlay = c->local_teid;
	long verdict;

	if (!bpf_map_lookup_elem(&underlays, &underlay))
		return -DROP_NO_ROUTE;
	verdict = bpf_check_mtu(skb, underlay, mtu, 0, skb->gso_size ? BPF_MTU_CHK_SEGS : 0);
	if (verdict)
		return verdict < 0 ? -DROP_NO_ROUTE : -DROP_TOO_BIG;
	if (d && bpf_skb_store_bytes(skb, 0, d->macs, sizeof(d->macs), 0))
		return -DROP_NO_ROOM;
	return bpf_skb_vlan_push(skb, bpf_htons(c->dport), bpf_ntohl(c->teid) & VLAN_ID) ? -DROP_NO_ROOM : 0;
}

/* The session of a tagged frame of this underlay, or 0: then it belongs to somebody else. */
INLINE struct rx_session *vlan_session(struct __sk_buff *skb, struct rx_key *key)
{
	key->id = skb->vlan_tci & VLAN_ID;
	key->port = bpf_ntohs(skb->vlan_proto);
	key->kind = KIND_VLAN;
	key->scope = skb->ifindex;
	return live_session(key);
}

#endif
