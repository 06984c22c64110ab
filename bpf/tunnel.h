/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What the headers of all kinds share. */
#ifndef GTP_TUNNEL_H
#define GTP_TUNNEL_H

#include "maps.h"
#include "packet.h"
#include "session.h"

#define NOT_OURS (-DROP_REASONS)	/* no drop reason: the packet is for somebody else */

/* What a packet is found by, and where its payload is. */
struct arrived {
	struct rx_key key;
	__u32 at;		/* where the next header begins; in the end the payload */
	__u32 summed;		/* GRE: where its checksum begins to count; 0: there is none */
	__u32 seq;
	__be16 protocol;	/* of the payload: ETH_P_TEB, ETH_P_IP, ETH_P_IPV6 */
	__u8 has_seq;
};

/* What GRE and Geneve call the payload. */
INLINE __be16 inner_protocol(const struct inner *in)
{
	if (in->front)
		return bpf_htons(ETH_P_TEB);
	return in->version == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
}

/* Does the kind run over UDP? */
INLINE int over_udp(__u8 kind)
{
	return kind != KIND_GRE && kind != KIND_L2TP_IP;
}

INLINE __u8 outer_protocol(__u8 kind)
{
	return kind == KIND_GRE ? IPPROTO_GRE : kind == KIND_L2TP_IP ? IPPROTO_L2TP : IPPROTO_UDP;
}

/* The detail of the session that sends by `c`, or 0. `key` is a place for its key. */
INLINE const struct detail *tx_detail_by(const struct tx_config *c, struct rx_key *key)
{
	if (!(c->flags & TX_DETAIL))
		return 0;
	tx_own_key(c, key);
	return bpf_map_lookup_elem(&details, key);
}

INLINE const struct detail *tx_detail(const struct tx_config *c)
{
	struct rx_key key;

	return tx_detail_by(c, &key);
}

#endif
