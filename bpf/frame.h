/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Inner Ethernet frames: what of them goes into a tunnel, and how they come into a link. */
#ifndef GTP_FRAME_H
#define GTP_FRAME_H

#include "deliver.h"
#include "flood.h"
#include "maps.h"
#include "packet.h"
#include "tpdu.h"

#define NO_PROTOCOL 256

/* A frame that is not looked into: not of IP, or of IP that is broken, which a switch does not mind. */
INLINE void frame_opaque(struct __sk_buff *skb, struct inner *in)
{
	__builtin_memset(in, 0, sizeof(*in));
	in->total = skb->len - ETH_HLEN;
	in->segment = in->total;
}

/* What stands in front of the payload in a tunnel of session `c`. Returns 0, or -DROP_NOT_IP for a frame in a session of packets. */
INLINE int frame_front(struct __sk_buff *skb, const struct tx_config *c, struct inner *in)
{
	if (c->flags & TX_ETHER) {
		in->front = skb->vlan_present ? ETH_HLEN + 4 : ETH_HLEN;
		return 0;
	}
	in->front = 0;
	return in->version && !skb->vlan_present ? 0 : -DROP_NOT_IP;
}

/* Makes an answer of a frame. */
INLINE void turn_round(struct __sk_buff *skb)
{
	__u8 macs[2 * ETH_ALEN];

	if (bpf_skb_load_bytes(skb, 0, macs, sizeof(macs)))
		return;
	bpf_skb_store_bytes(skb, 0, macs + ETH_ALEN, ETH_ALEN, 0);
	bpf_skb_store_bytes(skb, ETH_ALEN, macs, ETH_ALEN, 0);
	bpf_skb_change_type(skb, PACKET_HOST);
}

INLINE int mac_equal(const __u8 *a, const __u8 *b)
{
	const __u16 *x = (const __u16 *)a, *y = (const __u16 *)b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

/*
 * Over to the inner end, with the MAC addresses that belong there: those of the frame on a link of frames, the link's own for a packet
 * (`is_frame` is 0) and on a link of packets. Straight only what is for the inner end itself and `is_plain`, an untagged frame of IP: for
 * the rest the link's transmit side finds out anew what it is. Some `protocol` of IP wants GRO, NO_PROTOCOL never. Returns a verdict.
 */
INLINE int deliver_frame(struct __sk_buff *skb, const struct rx_config *c, int is_frame, int is_plain, __u32 protocol)
{
	__u8 macs[2 * ETH_ALEN] __attribute__((aligned(4)));
	const struct link_state *l = 0;
	__u32 ifindex = c->ifindex;

	if (is_frame && c->flags & RX_FRAMES) {
		l = bpf_map_lookup_elem(&links, &ifindex);
		if (peek_words(skb, 0, macs, sizeof(macs)))
			return TC_ACT_SHOT;
		if (l && l->config.slots)
			learn(macs + ETH_ALEN, c->ifindex, c->flow);
		if (!is_plain || !mac_equal(macs, c->dmac))
			return bpf_redirect(c->ifindex, 0);
	} else if (eth_write(skb, c)) {
		return TC_ACT_SHOT;
	}
	if (skb->pkt_type != PACKET_HOST)
		bpf_skb_change_type(skb, PACKET_HOST);
	return deliver(c, protocol != NO_PROTOCOL && wants_gro(skb, c, l, protocol));
}

#endif
