/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The last step of receipt: checks of the inner packet, counting, and over into the other namespace. */
#ifndef GTP_DELIVER_H
#define GTP_DELIVER_H

#include "drop.h"
#include "maps.h"
#include "packet.h"
#include "session.h"

/* Are the first `len` bits of two 16-octet addresses the same? */
INLINE int same_prefix(const void *a, const void *b, __u32 len)
{
	const __u32 *x = a, *y = b;

#pragma unroll
	for (int i = 0; i < 4; i++) {
		__u32 mask;

		if (len == 0)
			return 1;
		if (len >= 32) {
			if (x[i] != y[i])
				return 0;
			len -= 32;
			continue;
		}
		mask = bpf_htonl(~0U << (32 - len));
		return !((x[i] ^ y[i]) & mask);
	}
	return 1;
}

INLINE int is_session(const struct tx_session *s, const struct rx_key *key)
{
	struct rx_key own;

	if (!s)
		return 0;
	tx_own_key(&s->config[s->active & 1], &own);
	return own.id == key->id && own.port == key->port && own.kind == key->kind && own.form == key->form &&
	       own.scope == key->scope && addr_equal(own.local, key->local);
}

/* Does the address `of` belong to the session, which has more prefixes than fit into rx_config? */
GLOBAL int owns_address(const struct rx_key *key, __u32 ifindex, const struct tx_key *of)
{
	union { /* as in `select`, whose pair would take more of the stack */
		struct {
			__u32 before[2];
			struct tx_key tx;
		};
		struct prefix_key prefix;
	} at;
	const struct tx_session *s;

	if (!key || !of)
		return 0;
	at.tx = *of;
	s = bpf_map_lookup_elem(&tx, &at.tx);
	if (s) /* exact first, as on the way out */
		return is_session(s, key);
	at.prefix.prefixlen = 64 + 128;
	at.prefix.ifindex = ifindex;
	at.prefix.version = addr_is_v4(of->addr) ? 4 : 6;
	return is_session(bpf_map_lookup_elem(&tx_prefix, &at.prefix), key);
}

/* Where in an inner header the UE's address stands. */
INLINE __u32 ue_offset(const struct rx_config *c, __u32 version)
{
	if (version == 4)
		return c->flags & RX_SGSN ? 16 : 12;
	return c->flags & RX_SGSN ? 24 : 8;
}

INLINE int owns_v4(const struct rx_config *c, const struct rx_key *key, __be32 v4)
{
	struct tx_key addr = { .ifindex = c->ifindex };

	if (c->flags & RX_MANY) {
		addr_from_v4(addr.addr, v4);
		return owns_address(key, c->ifindex, &addr);
	}
	if (c->ue4_len > 32)
		return 0;
	v4 ^= *(const __be32 *)c->ue4;
	return !c->ue4_len || !(v4 & bpf_htonl(~0U << (32 - c->ue4_len)));
}

INLINE int owns_v6(const struct rx_config *c, const struct rx_key *key, const struct tx_key *addr)
{
	if (c->flags & RX_MANY)
		return owns_address(key, c->ifindex, addr);
	return c->ue6_len <= 128 && same_prefix(addr->addr, c->ue6, c->ue6_len);
}

/* G29: the UE's side of the inner packet at `at` must be an address of this session. */
INLINE int antispoof(struct __sk_buff *skb, __u32 at, __u32 version, const struct rx_config *c, const struct rx_key *key)
{
	struct tx_key addr = { .ifindex = c->ifindex };
	__be32 v4;

	at += ue_offset(c, version);
	if (version == 4) {
		if (peek_words(skb, at, &v4, 4))
			return -DROP_BAD_INNER;
		return owns_v4(c, key, v4) ? 0 : -DROP_ANTISPOOF;
	}
	if (peek_words(skb, at, addr.addr, 16))
		return -DROP_BAD_INNER;
	return owns_v6(c, key, &addr) ? 0 : -DROP_ANTISPOOF;
}

/* TCP goes through GRO, which makes few packets of many; the rest straight into the inner end: it gains
 * nothing there. Decided by the protocol alone, so that one flow has one way and keeps its order. Only what is
 * longer than the inner end's MTU has no choice: a veth's transmit side drops it without a word. `l` is the link, or 0 to look for it. */
INLINE int wants_gro(struct __sk_buff *skb, const struct rx_config *c, const struct link_state *l, __u32 protocol)
{
	__u32 ifindex = c->ifindex;

	if (c->flags & RX_SMALL || (!(c->flags & RX_BULK) && (protocol != IPPROTO_TCP || skb->gso_size)))
		return 0;
	if (!l)
		l = bpf_map_lookup_elem(&links, &ifindex);
	return l && (skb->gso_size ? skb->gso_size : skb->len - ETH_HLEN) <= l->config.mtu;
}

/* Over to the inner end, straight or by the link's transmit side. Returns a verdict. */
INLINE int deliver(const struct rx_config *c, int gro)
{
	if (gro || c->flags & RX_HERE)
		return bpf_redirect(c->ifindex, 0);
	return bpf_redirect_peer(c->ifindex, 0);
}

#endif
