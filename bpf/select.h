/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Which session of a link a packet takes: by inner addresses, by MAC address, by number. */
#ifndef GTP_SELECT_H
#define GTP_SELECT_H

#include "maps.h"
#include "packet.h"
#include "session.h"

#define FDB_AGE 280	/* five minutes by now_coarse, as bridges have it */
#define MAC_SPACE 0xfffe
#define SLOT_SPACE 0xfffd

INLINE struct tx_session *session_of_pair(struct __sk_buff *skb, __u32 ifindex, const struct inner *in, union select *key)
{
	__be32 v4[2];

	key->pair.ifindex = ifindex;
	if (in->version == 4) {
		if (peek(skb, ETH_HLEN + 12, v4, sizeof(v4)))
			return 0;
		addr_from_v4(key->pair.from, v4[0]);
		addr_from_v4(key->pair.to, v4[1]);
	} else if (peek(skb, ETH_HLEN + 8, key->pair.from, 16) || peek(skb, ETH_HLEN + 24, key->pair.to, 16)) {
		return 0;
	}
	return bpf_map_lookup_elem(&tx_pair, &key->pair);
}

INLINE struct tx_session *session_of_slot(__u32 ifindex, __u32 slot, union select *key)
{
	__builtin_memset(&key->tx, 0, sizeof(key->tx));
	key->tx.ifindex = ifindex;
	key->tx.addr[8] = SLOT_SPACE >> 8;
	key->tx.addr[9] = SLOT_SPACE & 0xff;
	key->tx.addr[15] = slot;
	return bpf_map_lookup_elem(&tx, &key->tx);
}

/* The session whose far end has the destination MAC address: as it was given, else as it was learned. */
INLINE struct tx_session *session_of_mac(struct __sk_buff *skb, __u32 ifindex, union select *key)
{
	struct tx_session *s;
	struct fdb *f;

	__builtin_memset(&key->tx, 0, sizeof(key->tx));
	key->tx.ifindex = ifindex;
	key->tx.addr[8] = MAC_SPACE >> 8;
	key->tx.addr[9] = MAC_SPACE & 0xff;
	if (peek(skb, 0, key->tx.addr + 10, ETH_ALEN))
		return 0;
	s = bpf_map_lookup_elem(&tx, &key->tx);
	if (s)
		return s;
	if (peek(skb, 0, key->fdb.mac, ETH_ALEN))
		return 0;
	key->fdb.ifindex = ifindex; /* not where that of `tx` is */
	key->fdb.pad = 0;
	f = bpf_map_lookup_elem(&fdb, &key->fdb);
	return f && now_coarse() - f->seen < FDB_AGE ? session_of_slot(ifindex, f->slot, key) : 0;
}

/* The inner address that the link's role chooses sessions by. Returns 0 if it is there. */
INLINE int inner_address(struct __sk_buff *skb, const struct link_state *l, const struct inner *in, void *to)
{
	int source = l->config.flags & LINK_SGSN;
	__be32 v4;

	if (in->version != 4)
		return peek_words(skb, ETH_HLEN + (source ? 8 : 24), to, 16);
	if (peek_words(skb, ETH_HLEN + (source ? 12 : 16), &v4, 4))
		return -1;
	addr_from_v4(to, v4);
	return 0;
}

/* The session of an inner address: exact first, prefixes only where the link has some. */
INLINE struct tx_session *session_of_address(struct __sk_buff *skb, const struct link_state *l, __u32 ifindex,
					     const struct inner *in, const int any, union select *key)
{
	struct tx_session *s;

	key->tx.ifindex = ifindex;
	if (inner_address(skb, l, in, key->tx.addr))
		return 0;
	s = bpf_map_lookup_elem(&tx, &key->tx);
	if (any && !s && l->config.flags & LINK_PAIR) {
		s = session_of_pair(skb, ifindex, in, key);
		/* the pair stands where the address stood */
		if (!s && l->config.flags & LINK_PREFIX && inner_address(skb, l, in, key->tx.addr))
			return 0;
	}
	if (s || !(l->config.flags & LINK_PREFIX))
		return s;
	key->prefix.prefixlen = 64 + 128;
	key->prefix.ifindex = ifindex;
	key->prefix.version = in->version;
	return bpf_map_lookup_elem(&tx_prefix, &key->prefix);
}

INLINE struct tx_session *session_of(struct __sk_buff *skb, struct link_state *l, __u32 ifindex, const struct inner *in,
				     const int any, union select *key)
{
	struct tx_session *s = 0;

	if (l->config.flags & (LINK_SELECT | LINK_PAIR) && (!any || in->version))
		s = session_of_address(skb, l, ifindex, in, any, key);
	if (any && !s && l->config.slots)
		s = session_of_mac(skb, ifindex, key);
	if (!s && l->config.flags & LINK_DEFAULT)
		s = &l->fallback;
	return s;
}

#endif
