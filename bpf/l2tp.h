/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Data messages of L2TPv3 (RFC 3931) with Ethernet pseudowires (RFC 4719), over UDP and over IP. */
#ifndef GTP_L2TP_H
#define GTP_L2TP_H

#include "maps.h"
#include "packet.h"
#include "tunnel.h"

#define L2TP_PORT 1701
#define L2TP_CONTROL bpf_htons(0x8000)
#define L2TP_VERSION bpf_htons(0x000f)
#define L2TP_V3 bpf_htons(0x0003)
#define L2SPEC_SEQ bpf_htonl(0x40000000)
#define L2SPEC_NUMBER 0xffffff

/* In front of the cookie. */
INLINE __u32 l2tp_head(const struct tx_config *c, __be32 *to)
{
	if (c->kind == KIND_L2TP_IP) {
		to[0] = c->teid;
		return 4;
	}
	to[0] = L2TP_V3;
	to[1] = c->teid;
	return 8;
}

/* L6: the default sublayer. */
INLINE __be32 l2tp_sublayer(const struct tx_config *c, __u32 seq)
{
	return c->flags & TX_SEQ ? L2SPEC_SEQ | bpf_htonl(seq & L2SPEC_NUMBER) : 0;
}

/* L1, L2. What follows the session ID only the session tells. */
INLINE int l2tp_parse(struct __sk_buff *skb, struct arrived *a, __u32 end)
{
	__be16 head[2];
	__be32 id;

	if (a->key.kind == KIND_L2TP) {
		if (a->at + 2 > end || peek(skb, a->at, head, 2))
			return -DROP_BAD_LENGTH;
		if (head[0] & L2TP_CONTROL || (head[0] & L2TP_VERSION) != L2TP_V3)
			return NOT_OURS;
		a->at += 4;
	}
	if (a->at + 4 > end || peek_words(skb, a->at, &id, sizeof(id)))
		return -DROP_BAD_LENGTH;
	a->at += 4;
	a->key.id = bpf_ntohl(id);
	a->protocol = bpf_htons(ETH_P_TEB);
	return id ? 0 : a->key.kind == KIND_L2TP ? -DROP_UNKNOWN_SESSION : NOT_OURS;
}

/* L4: the cookie, over its whole length. */
INLINE int l2tp_cookie(struct __sk_buff *skb, struct arrived *a, __u32 end, const struct detail *d)
{
	__u32 got[2] = {};
	const __u32 *want;

	if (!d)
		return -DROP_BAD_COOKIE;
	want = (const __u32 *)d->cookie;
	if (a->at + d->cookie_len > end)
		return -DROP_BAD_COOKIE;
	if (d->cookie_len == 8) {
		if (peek_words(skb, a->at, got, 8) || got[0] != want[0] || got[1] != want[1])
			return -DROP_BAD_COOKIE;
		a->at += 8;
	} else {
		if (peek_words(skb, a->at, got, 4) || got[0] != want[0])
			return -DROP_BAD_COOKIE;
		a->at += 4;
	}
	return 0;
}

/* Takes the default sublayer away; S says that its number is one. */
INLINE int l2tp_l2spec(struct __sk_buff *skb, struct arrived *a, __u32 end)
{
	__be32 word;

	if (a->at + 4 > end || peek_words(skb, a->at, &word, sizeof(word)))
		return -DROP_BAD_LENGTH;
	a->at += 4;
	a->has_seq = (word & L2SPEC_SEQ) != 0;
	a->seq = bpf_ntohl(word) & L2SPEC_NUMBER;
	return 0;
}

#endif
