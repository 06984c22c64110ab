/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * X7: ICMP errors about packets that we sent. "Fragmentation needed" and "Packet Too Big" lower the MTU of the path to that
 * peer for a while, when they quote a packet of a session: addresses, port and TEID (RFC 5927); of other kinds than GTP addresses and
 * port or protocol. Nothing else is acted upon.
 */
#ifndef GTP_ICMP_ERROR_H
#define GTP_ICMP_ERROR_H

#include "arrival.h"
#include "gtpu.h"
#include "icmp.h"
#include "maps.h"
#include "packet.h"
#include "session.h"

#define PMTU_TIME 559	/* ten minutes by now_coarse, as the kernel's own (net.ipv4.route.mtu_expires) */
#define PMTU_MIN_V4 552		/* as net.ipv4.route.min_pmtu: less is somebody's attack */

/* A packet of ours as an ICMP error quotes it. */
struct quote {
	struct remote_key remote;
	__u32 gtp;		/* where its GTP header is, or would be */
	__u32 len;		/* of the packet, as it says */
	__u32 least;		/* MTU that is believed */
	enum outer_kind kind;
};

INLINE int quote_v4(struct __sk_buff *skb, __u32 at, struct quote *q)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5 || ip.frag_off & IP_OFFSET)
		return -1;
	q->kind = outer_kind_of(ip.protocol);
	addr_from_v4(q->remote.local, ip.saddr);
	addr_from_v4(q->remote.remote, ip.daddr);
	q->gtp = at + ip.ihl * 4 + sizeof(struct udphdr);
	q->len = bpf_ntohs(ip.tot_len);
	return 0;
}

/* Our own packets have no extension headers but that of a fragment. */
INLINE int quote_v6(struct __sk_buff *skb, __u32 at, struct quote *q)
{
	struct ipv6hdr ip;
	__u8 fragment[8], next;

	if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)) || ip.version != 6)
		return -1;
	q->gtp = at + sizeof(ip) + sizeof(struct udphdr);
	next = ip.nexthdr;
	if (next == IPPROTO_FRAGMENT) {
		if (bpf_skb_load_bytes(skb, at + sizeof(ip), fragment, sizeof(fragment)) || fragment[2] || fragment[3] & 0xf8)
			return -1;
		next = fragment[0];
		q->gtp += sizeof(fragment);
	}
	q->kind = outer_kind_of(next);
	addr_copy(q->remote.local, &ip.saddr);
	addr_copy(q->remote.remote, &ip.daddr);
	q->len = bpf_ntohs(ip.payload_len) + sizeof(ip);
	return 0;
}

/*
 * Is the quoted packet one of a session? Where the quote ends with the UDP header (RFC 792 asks for no more) there is no TEID to
 * tell: then ports and a peer with sessions must do, and the path is not believed to be narrower than any path of IPv6. So it is with
 * other kinds, of which no map has the far ends.
 */
INLINE int quote_is_ours(struct __sk_buff *skb, struct quote *q)
{
	struct config *cfg;
	__be32 tid[2];
	struct gtpu g;
	__be16 ports[2] = {};
	__u32 zero = 0;
	int is_gtp;

	cfg = bpf_map_lookup_elem(&config, &zero);
	if (!cfg || q->kind == OUTER_ICMP || q->kind == OUTER_OTHER)
		return 0;
	if (q->kind == OUTER_UDP && bpf_skb_load_bytes(skb, q->gtp - 8, ports, sizeof(ports)))
		return 0;
	q->remote.port = bpf_ntohs(ports[1]);
	is_gtp = q->kind == OUTER_UDP && known_port(cfg, q->remote.port);
	if (!is_gtp || bpf_skb_load_bytes(skb, q->gtp, &g, sizeof(g))) {
		q->least = IPV6_MIN_MTU;
		if (q->kind == OUTER_UDP ? !is_gtp && !tunnel_port(cfg, q->remote.port) && !tunnel_port(cfg, bpf_ntohs(ports[0])) :
					   !has_kind(cfg, q->kind == OUTER_GRE ? KIND_GRE : KIND_L2TP_IP))
			return 0;
		return peer_of(q->remote.local, q->remote.remote) != 0;
	}
	q->remote.kind = KIND_GTP;
	q->remote.id = bpf_ntohl(g.teid);
	if ((g.flags & GTPU_V1_MASK) == GTPU_V0) {
		if (bpf_skb_load_bytes(skb, q->gtp + 12, tid, sizeof(tid)))
			return 0;
		q->remote.kind = KIND_GTP0;
		q->remote.id = (__u64)bpf_ntohl(tid[0]) << 32 | bpf_ntohl(tid[1]);
	}
	return bpf_map_lookup_elem(&remotes, &q->remote) != 0;
}

/* Believes the MTU if the quoted packet was longer and nothing smaller is known; every path is looked up anew then. */
INLINE void pmtu_learn(const struct quote *q, __u32 mtu)
{
	struct peer *p = peer_of(q->remote.local, q->remote.remote);
	__u32 now = now_coarse(), zero = 0;
	struct config *cfg;

	if (mtu < q->least)
		mtu = q->least;
	if (!p || mtu >= q->len)
		return;
	if (p->mtu && p->mtu_until >= now && p->mtu <= mtu)
		return;
	p->mtu = mtu;
	p->mtu_until = now + PMTU_TIME;
	cfg = bpf_map_lookup_elem(&config, &zero);
	if (cfg)
		__sync_fetch_and_add(&cfg->epoch, 1);
}

INLINE void icmp_error_v4(struct __sk_buff *skb, __u32 l3)
{
	struct icmp_error icmp;
	struct quote q = {};
	struct iphdr ip;
	__u32 at, mtu;

	if (bpf_skb_load_bytes(skb, l3, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5 || ip.protocol != IPPROTO_ICMP ||
	    ip.frag_off & IP_MF_OR_OFFSET)
		return;
	at = l3 + ip.ihl * 4;
	if (bpf_skb_load_bytes(skb, at, &icmp, sizeof(icmp)) || icmp.type != ICMP_DEST_UNREACH ||
	    icmp.code != ICMP_FRAG_NEEDED)
		return;
	mtu = bpf_ntohl(icmp.mtu) & 0xffff;
	if (!mtu || quote_v4(skb, at + sizeof(icmp), &q) || addr_v4(q.remote.local) != ip.daddr || !quote_is_ours(skb, &q))
		return;
	if (fold(sum_packet(skb, at, bpf_ntohs(ip.tot_len) - ip.ihl * 4)) != 0xffff)
		return;
	pmtu_learn(&q, mtu < PMTU_MIN_V4 ? PMTU_MIN_V4 : mtu);
}

INLINE void icmp_error_v6(struct __sk_buff *skb, __u32 l3)
{
	struct icmp_error icmp;
	struct ipv6hdr ip;
	struct quote q = {};
	__u32 at = l3 + sizeof(ip), len;
	__u64 pseudo;

	if (bpf_skb_load_bytes(skb, l3, &ip, sizeof(ip)) || ip.version != 6 || ip.nexthdr != IPPROTO_ICMPV6)
		return;
	if (bpf_skb_load_bytes(skb, at, &icmp, sizeof(icmp)) || icmp.type != ICMPV6_PKT_TOOBIG)
		return;
	if (bpf_ntohl(icmp.mtu) < IPV6_MIN_MTU || quote_v6(skb, at + sizeof(icmp), &q) ||
	    !addr_equal(q.remote.local, &ip.daddr) || !quote_is_ours(skb, &q))
		return;
	len = bpf_ntohs(ip.payload_len);
	pseudo = sum_words(&ip.saddr, 8) + bpf_htons(IPPROTO_ICMPV6) + bpf_htons(len);
	if (fold(pseudo + sum_packet(skb, at, len)) == 0xffff)
		pmtu_learn(&q, bpf_ntohl(icmp.mtu));
}

INLINE void icmp_error_receive(struct __sk_buff *skb)
{
	__u32 l3 = skb->cb[0];

	if (skb->protocol == bpf_htons(ETH_P_IP))
		icmp_error_v4(skb, l3);
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		icmp_error_v6(skb, l3);
}

#endif
