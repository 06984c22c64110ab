/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* GRE (RFC 2784) with key and sequence number (RFC 2890), for IP packets and Ethernet frames. */
#ifndef GTP_GRE_H
#define GTP_GRE_H

#include "maps.h"
#include "packet.h"
#include "tunnel.h"

#define GRE_CSUM bpf_htons(0x8000)
#define GRE_KEY bpf_htons(0x2000)
#define GRE_SEQ bpf_htons(0x1000)
#define GRE_REFUSED bpf_htons(0x4c00)	/* routing, strict source route, recursion: of RFC 1701 (R1) */
#define GRE_VERSION bpf_htons(0x0007)

INLINE __u32 gre_len(const struct tx_config *c)
{
	return 4 + (c->flags & TX_GRE_CSUM ? 4 : 0) + (c->flags & TX_KEY ? 4 : 0) + (c->flags & TX_SEQ ? 4 : 0);
}

/* The checksum is filled in when all else is there; where there is one it comes first. */
INLINE __u32 gre_head(const struct tx_config *c, const struct inner *in, __u32 seq, __be32 *to)
{
	__be16 flags = (c->flags & TX_GRE_CSUM ? GRE_CSUM : 0) | (c->flags & TX_KEY ? GRE_KEY : 0) |
		       (c->flags & TX_SEQ ? GRE_SEQ : 0);
	__be32 *more = to + (c->flags & TX_GRE_CSUM ? 2 : 1);

	to[0] = (__u32)inner_protocol(in) << 16 | flags;
	if (c->flags & TX_KEY)
		*more++ = c->teid;
	if (c->flags & TX_SEQ)
		*more = bpf_htonl(seq);
	return gre_len(c);
}

/* R1-R6. What is of another version is not ours. Returns 0, a negative drop reason or NOT_OURS. */
INLINE int gre_parse(struct __sk_buff *skb, struct arrived *a, __u32 end)
{
	__be16 head[2] __attribute__((aligned(4)));
	__be32 word;

	if (a->at + sizeof(head) > end || peek_words(skb, a->at, head, sizeof(head)))
		return -DROP_BAD_LENGTH;
	if (head[0] & GRE_VERSION)
		return NOT_OURS;
	if (head[0] & GRE_REFUSED)
		return -DROP_BAD_HEADER;
	a->summed = head[0] & GRE_CSUM ? a->at : 0;
	a->protocol = head[1];
	a->key.form = head[1] == bpf_htons(ETH_P_TEB) ? FORM_ETHER : 0;
	a->at += sizeof(head) + (head[0] & GRE_CSUM ? 4 : 0);
	if (head[0] & GRE_KEY) {
		if (a->at + 4 > end || peek_words(skb, a->at, &word, 4))
			return -DROP_BAD_LENGTH;
		a->key.id = bpf_ntohl(word);
		a->key.form |= FORM_KEY;
		a->at += 4;
	}
	if (head[0] & GRE_SEQ) {
		if (a->at + 4 > end || peek_words(skb, a->at, &word, 4))
			return -DROP_BAD_LENGTH;
		a->seq = bpf_ntohl(word);
		a->has_seq = 1;
		a->at += 4;
	}
	return a->at > end ? -DROP_BAD_LENGTH : 0;
}

#endif
