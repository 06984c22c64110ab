/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Where a session's packets leave: looked up in the kernel's routing table on a session's
 * first packet and then about once a second (PATH_JIFFIES), or at once when the endpoints of
 * this machine change. So routes are followed without a daemon, and a packet does not pay
 * for a look-up. Neighbours are resolved by the stack for each packet.
 */
#ifndef GTP_PATH_H
#define GTP_PATH_H

#include "maps.h"
#include "packet.h"
#include "session.h"

#define PATH_JIFFIES 256	/* 0.26 s at HZ=1000, 1 s at 250, 2.6 s at 100 */
#define NO_PATH_JIFFIES 32
/* The kernel makes no room in a frame that would be longer than 16064 octets (SKB_MAX_ALLOC), GSO aside. */
#define PATH_MTU_MAX 16000

/* Asks for the way of a packet of `len` octets, not 0, so that the route's MTU comes back. */
INLINE int route_ask(struct __sk_buff *skb, struct bpf_fib_lookup *fib, const void *local, const void *remote, __u16 len,
		     __u32 flags)
{
	fib->tot_len = len;
	if (addr_is_v4(remote)) {
		fib->family = AF_INET;
		fib->ipv4_src = addr_v4(local);
		fib->ipv4_dst = addr_v4(remote);
	} else {
		fib->family = AF_INET6;
		addr_copy(fib->ipv6_src, local);
		addr_copy(fib->ipv6_dst, remote);
	}
	return bpf_fib_lookup(skb, fib, sizeof(*fib), flags);
}

/* Before 6.3 the kernel wants to know the neighbour, and tells the MTU with it, or to who would send more: whom it does not know it names
 * all the same. */
INLINE int route_lookup_old(struct __sk_buff *skb, struct bpf_fib_lookup *fib, const void *local, const void *remote)
{
	int found = route_ask(skb, fib, local, remote, 0xffff, 0);
	__u16 mtu = 0xffff;

	if (found == BPF_FIB_LKUP_RET_FRAG_NEEDED) {
		mtu = fib->mtu_result;
		found = route_ask(skb, fib, local, remote, 1, 0);
	}
	fib->mtu_result = mtu;
	return found == BPF_FIB_LKUP_RET_SUCCESS || found == BPF_FIB_LKUP_RET_NO_NEIGH ? 0 : -1;
}

/*
 * Asks the routing table for the way from `local` to `remote`. The look-up enters by `fib->ifindex`, the shim's far end, the one
 * device of ours on which forwarding is on: bpf_fib_lookup refuses to look up from any other. Returns 0, or -1 when
 * there is no way to another machine. `fib` then has device, next hop and MTU.
 */
INLINE int route_lookup(struct __sk_buff *skb, struct bpf_fib_lookup *fib, const void *local, const void *remote)
{
	int found = route_ask(skb, fib, local, remote, 1, BPF_FIB_LOOKUP_SKIP_NEIGH);

	if (found == -EINVAL)
		return route_lookup_old(skb, fib, local, remote);
	return found == BPF_FIB_LKUP_RET_SUCCESS ? 0 : -1;
}

/* Sends a finished packet to the next hop that route_lookup found. */
INLINE int route_send(const struct bpf_fib_lookup *fib)
{
	struct bpf_redir_neigh next = { .nh_family = fib->family };

	if (fib->family == AF_INET)
		next.ipv4_nh = fib->ipv4_dst;
	else
		addr_copy(next.ipv6_nh, fib->ipv6_dst);
	return bpf_redirect_neigh(fib->ifindex, &next, sizeof(next), 0);
}

/* Fills device and next hop in from the routing table; `link` is the session's own. `mtu` gets what the route takes. */
INLINE int path_route(struct __sk_buff *skb, struct tx_session *s, const struct tx_config *c, __u32 shim_in, __u32 link,
		      __u32 *mtu)
{
	struct bpf_fib_lookup fib = { .ifindex = shim_in, .l4_protocol = IPPROTO_UDP };
	const __u32 *own;

	if (route_lookup(skb, &fib, c->local, c->remote))
		return PATH_NONE;
	if (bpf_map_lookup_elem(&links, &fib.ifindex))
		return PATH_LOOP;
	own = bpf_map_lookup_elem(&inner_ends, &fib.ifindex);
	if (own && *own == link)
		return PATH_LOOP;
	s->oif = fib.ifindex;
	*mtu = fib.mtu_result;
	if (fib.family == AF_INET)
		addr_from_v4(s->gateway, fib.ipv4_dst);
	else
		addr_copy(s->gateway, fib.ipv6_dst);
	return bpf_map_lookup_elem(&underlays, &fib.ifindex) ? PATH_WIRE : PATH_OTHER;
}

/* What a path to another machine takes: the least that the route, the route as the command saw it, an ICMP error (X7),
 * and the kernel say. */
INLINE __u32 path_mtu(const struct tx_session *s, const struct tx_config *c, __u32 mtu)
{
	const struct peer *p = peer_of(c->local, c->remote);

	if (s->route_mtu && s->route_mtu < mtu)
		mtu = s->route_mtu;
	if (p && p->mtu && p->mtu < mtu && p->mtu_until >= now_coarse())
		mtu = p->mtu;
	return mtu < PATH_MTU_MAX ? mtu : PATH_MTU_MAX;
}

GLOBAL int path_refresh(struct __sk_buff *skb, struct tx_session *s)
{
	__u32 zero = 0, link = 0, epoch, mtu = PATH_MTU_MAX;
	struct endpoint_key at = {};
	struct rx_session *r;
	struct tx_config *c;
	struct config *cfg;
	int path = PATH_NONE;

	cfg = bpf_map_lookup_elem(&config, &zero);
	if (!cfg || !s)
		return 0;
	epoch = cfg->epoch; /* before the look: what changes meanwhile raises it again */
	c = &s->config[s->active & 1];
	r = receive_half(c);
	if (r)
		link = r->config[r->active & 1].ifindex;
	at.port = c->dport;
	at.kind = c->kind;
	addr_copy(at.local, c->remote);
	if (r && r->state == SESSION_DELETED)
		path = PATH_GONE;
	else if (c->flags & TX_HAIRPIN && bpf_map_lookup_elem(&endpoints, &at))
		path = PATH_HAIRPIN;
	else if (!s->local_dev)
		path = path_route(skb, s, c, cfg->shim_in, link, &mtu);
	else
		path = PATH_LOCAL;
	s->mtu = path == PATH_WIRE || path == PATH_OTHER ? path_mtu(s, c, mtu) : PATH_MTU_MAX;
	s->path = path;
	s->epoch = epoch;
	s->expires = bpf_jiffies64() + (path == PATH_NONE ? NO_PATH_JIFFIES : PATH_JIFFIES);
	return 0;
}

/* Returns the session's path (enum path_kind), looked up anew when it is too old. */
INLINE int path_of(struct __sk_buff *skb, struct tx_session *s, const struct config *cfg)
{
	if (s->epoch != cfg->epoch || bpf_jiffies64() > s->expires)
		path_refresh(skb, s);
	return s->path;
}

/* Sends the finished outer packet on its way. */
INLINE int path_send(const struct tx_session *s)
{
	struct bpf_redir_neigh next = { .nh_family = AF_INET };

	if (addr_is_v4(s->gateway)) {
		next.ipv4_nh = addr_v4(s->gateway);
	} else {
		next.nh_family = AF_INET6;
		addr_copy(next.ipv6_nh, s->gateway);
	}
	return bpf_redirect_neigh(s->oif, &next, sizeof(next), 0);
}

#endif
