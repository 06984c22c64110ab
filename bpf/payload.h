/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The payload of a tunnel packet, an IP packet or an Ethernet frame: what it is, whether the session carries it, and over to the link. */
#ifndef GTP_PAYLOAD_H
#define GTP_PAYLOAD_H

#include "arrival.h"
#include "deliver.h"
#include "frame.h"
#include "maps.h"
#include "packet.h"
#include "session.h"
#include "shim.h"
#include "tpdu.h"

#define ARP_LEN 28		/* of IPv4 and Ethernet */

INLINE int is_tag(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/* The payload of a tunnel. */
struct payload {
	struct tpdu ip;		/* of a frame what follows its Ethernet header */
	__u32 at;
	__u32 end;
	__u32 l2;		/* octets of the outer link header */
	__be16 protocol;	/* as the tunnel calls it */
	__u8 is_frame;
	__u8 is_ip;
};

/* Is this super-packet a train of tunnel packets, each of gso_size octets (UDP GSO), and not one packet with a long payload? A payload
 * that can be long is IP, behind one or two tags perhaps: of a train the first one ends with its tunnel packet. */
INLINE int is_train(struct __sk_buff *skb, const struct outer *o, const struct payload *p)
{
	__u32 at = p->ip.at;
	__be16 type, len;
	int is_v4;

	if (!o->udp)
		return 0;
	if (p->is_ip) {
		is_v4 = p->ip.version == 4;
	} else {
		if (bpf_skb_load_bytes(skb, at - 2, &type, sizeof(type)))
			return 0;
		for (int i = 0; i < 2 && is_tag(type); i++) {
			if (bpf_skb_load_bytes(skb, at + 2, &type, sizeof(type)))
				return 0;
			at += 4;
		}
		is_v4 = type == bpf_htons(ETH_P_IP);
		if (!is_v4 && type != bpf_htons(ETH_P_IPV6))
			return 1;
	}
	if (bpf_skb_load_bytes(skb, at + (is_v4 ? 2 : 4), &len, sizeof(len)))
		return 0;
	return at - o->udp - sizeof(struct udphdr) + bpf_ntohs(len) + (is_v4 ? 0 : sizeof(struct ipv6hdr)) == skb->gso_size;
}

/* Is the payload what the session carries (N5, R6, L7, X13)? */
INLINE int payload_parse(struct __sk_buff *skb, const struct rx_config *c, struct payload *p)
{
	__be16 type = p->protocol;
	int why;

	p->is_frame = type == bpf_htons(ETH_P_TEB);
	p->ip.at = p->at;
	if (p->is_frame) {
		if (p->at + ETH_HLEN > p->end || peek(skb, p->at + 12, &type, sizeof(type)))
			return -DROP_BAD_FRAME;
		p->ip.at += ETH_HLEN;
	}
	p->ip.len = p->end - p->ip.at;
	/* a tag that stands beside the frame hides what is in it like one that stands in it */
	p->is_ip = !skb->vlan_present && (type == bpf_htons(ETH_P_IP) || type == bpf_htons(ETH_P_IPV6));
	if (!p->is_ip) {
		if (!p->is_frame)
			return -DROP_BAD_PROTOCOL;
		return c->flags & RX_FRAMES ? 0 : -DROP_NOT_IP;
	}
	why = tpdu_parse(skb, &p->ip);
	if (why)
		return why;
	return p->ip.version == (type == bpf_htons(ETH_P_IP) ? 4 : 6) ? 0 : -DROP_BAD_INNER;
}

/* G29, of frames also for what ARP says, and behind a tag. Nobody looks behind two: such frames are not of the session. */
INLINE int payload_antispoof(struct __sk_buff *skb, const struct rx_config *c, const struct rx_key *key, const struct payload *p)
{
	__u32 at = p->ip.at, least;
	__be16 type, arp;

	if (p->is_ip)
		return antispoof(skb, at, p->ip.version, c, key);
	if (bpf_skb_load_bytes(skb, at - 2, &type, sizeof(type)))
		return -DROP_BAD_INNER;
	if (is_tag(type)) {
		if (skb->vlan_present || at + 4 > p->end || bpf_skb_load_bytes(skb, at + 2, &type, sizeof(type)) || is_tag(type))
			return -DROP_ANTISPOOF;
		at += 4;
	}
	least = type == bpf_htons(ETH_P_IP) ? sizeof(struct iphdr) : type == bpf_htons(ETH_P_IPV6) ? sizeof(struct ipv6hdr) : ARP_LEN;
	if (type != bpf_htons(ETH_P_IP) && type != bpf_htons(ETH_P_IPV6) && type != bpf_htons(ETH_P_ARP))
		return 0;
	if (at + least > p->end || bpf_skb_load_bytes(skb, at + 2, &arp, sizeof(arp)))
		return -DROP_BAD_INNER;
	if (type != bpf_htons(ETH_P_ARP))
		return antispoof(skb, at, type == bpf_htons(ETH_P_IP) ? 4 : 6, c, key);
	if (arp != bpf_htons(ETH_P_IP))
		return 0;
	/* the sender's address stands where 2 octets later IPv4 has its source, the target's 8 octets after the destination */
	return antispoof(skb, at + (c->flags & RX_SGSN ? 8 : 2), 4, c, key);
}

/* Takes everything in front of the inner Ethernet header away. The kernel leaves nothing that is shorter than an IP header. */
INLINE int strip_frame(struct __sk_buff *skb, const struct payload *p, const struct outer *o, __u32 l2)
{
	__u32 version = p->is_ip ? p->ip.version : 4, rest = p->end - p->at - ETH_HLEN;
	__u8 front[ETH_HLEN] __attribute__((aligned(4)));
	struct ethhdr *eth;
	int why;

	if (!p->at) /* it is there already */
		return 0;
	if (peek(skb, p->at, front, sizeof(front)))
		return -DROP_NO_ROOM;
	if (!skb->gso_size && skb->len > p->end && bpf_skb_change_tail(skb, p->end, 0))
		return -DROP_NO_ROOM;
	if (!skb->gso_size && rest <= sizeof(struct iphdr) && bpf_skb_change_tail(skb, p->at + ETH_ZLEN, 0))
		return -DROP_NO_ROOM;
	if (!l2 && bpf_skb_change_head(skb, ETH_HLEN, 0))
		return -DROP_NO_ROOM;
	why = shrink(skb, p->at + ETH_HLEN - l2, o->version, version, p->is_ip ? p->ip.protocol : NO_PROTOCOL);
	if (why)
		return why;
	eth = data(skb);
	if ((void *)(eth + 1) > data_end(skb))
		return -DROP_NO_ROOM;
	__builtin_memcpy(eth, front, sizeof(front));
	return 0;
}

/* Everything after the header is read. Returns a verdict, or a negative drop reason. */
GLOBAL int payload_receive(struct __sk_buff *skb, struct rx_session *r, const struct rx_key *key, const struct outer *o,
			   struct payload *p)
{
	const struct rx_config *c;
	__u32 packets = 1, headers, ifindex, zero = 0;
	struct config *cfg;
	__u64 bytes;
	int why;

	cfg = bpf_map_lookup_elem(&config, &zero);
	if (!cfg || !r || !key || !o || !p)
		return TC_ACT_SHOT;
	c = &r->config[r->active & 1];
	ifindex = c->ifindex;
	why = payload_parse(skb, c, p);
	if (!why && skb->gso_size && is_train(skb, o, p))
		return shim_send(skb, cfg, SHIM_DECAP, 1);
	if (!why && c->flags & RX_ANTISPOOF)
		why = payload_antispoof(skb, c, key, p);
	if (!why && !bpf_map_lookup_elem(&devices, &ifindex))
		why = -DROP_NO_LINK;
	if (!why && p->is_ip)
		why = ecn_decap(skb, p->ip.at, p->ip.version, o->ecn);
	if (why)
		return why;
	bytes = p->is_frame ? p->end - p->at + (skb->vlan_present ? 4 : 0) : p->ip.len;
	if (skb->gso_size) {
		headers = p->ip.headers + (p->is_frame ? ETH_HLEN : 0);
		packets = (bytes - headers + skb->gso_size - 1) / skb->gso_size;
		bytes += (__u64)(packets - 1) * headers;
	}
	if (p->is_frame)
		why = strip_frame(skb, p, o, p->l2 ? ETH_HLEN : 0);
	else
		why = strip(skb, &p->ip, o, p->l2 ? ETH_HLEN : 0);
	if (why)
		return why == CUT_FIRST ? shim_send(skb, cfg, SHIM_DECAP, 1) : why;
	session_alive(r);
	count(&r->packets, &r->bytes, packets, bytes);
	return deliver_frame(skb, c, p->is_frame, p->is_ip && !skb->vlan_present, p->is_ip ? p->ip.protocol : NO_PROTOCOL);
}

#endif
