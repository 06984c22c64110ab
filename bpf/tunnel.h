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

/* The detail of the session that sends by `c`, or 0. */
INLINE const struct detail *tx_detail(const struct tx_config *c)
{
	struct rx_key key;

	if (!(c->flags & TX_DETAIL))
		return 0;
	tx_own_key(c, &key);
	return bpf_map_lookup_elem(&details, &key);
}

INLINE int mac_is_given(const struct detail *d)
{
	const __u32 *w = (const __u32 *)d->macs;

	return (w[0] | w[1] | w[2]) != 0;
}

/* L2TP: does the session with `rc` and receive key `key` take what `c` sends, by its cookie (L4) and sublayer? */
INLINE int is_expected(const struct tx_config *c, const struct rx_config *rc, const struct rx_key *key)
{
	const struct detail *sent = tx_detail(c), *wanted = 0;
	const __u32 *a, *b;

	if (!(c->flags & TX_L2SPEC) != !(rc->flags & RX_L2SPEC))
		return 0;
	if (rc->flags & RX_COOKIE)
		wanted = bpf_map_lookup_elem(&details, key);
	if (!sent || !wanted)
		return !(c->flags & TX_DETAIL || rc->flags & RX_COOKIE);
	if (sent->head_len != wanted->cookie_len || mac_is_given(sent))
		return 0;
	a = (const __u32 *)sent->head;
	b = (const __u32 *)wanted->cookie;
	return a[0] == b[0] && (sent->head_len == 4 || a[1] == b[1]);
}

/* May packets of session `c` go the short way to the session with `rc` and receive key `key` on this machine, without a header? Only
 * where the headers would say nothing but which session it is, or what that wants to hear; numbers of GTP nobody waits for. */
INLINE int is_short(const struct tx_config *c, const struct rx_config *rc, const struct rx_key *key)
{
	int is_gtp = c->kind == KIND_GTP || c->kind == KIND_GTP0;

	if (!is_gtp && (c->flags & TX_SEQ || rc->flags & RX_SEQ))
		return 0;
	if (c->kind == KIND_L2TP || c->kind == KIND_L2TP_IP)
		return is_expected(c, rc, key);
	return !(c->flags & TX_DETAIL) && (!is_gtp || !(c->flags & TX_ETHER) == !(rc->flags & RX_ETHER));
}

#endif
