/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What `underlay` leaves to other programs: each has a stack of its own and costs the packets of sessions nothing. A frame
 * keeps the length of its link header in cb[0], and what is asked for in cb[1].
 */
#ifndef GTP_TAIL_H
#define GTP_TAIL_H

#include "maps.h"
#include "packet.h"

enum tail { TAIL_SIGNAL, TAIL_UNDERLAY, TAIL_UNDERLAY_L3, TAIL_REASSEMBLE, TAIL_ICMP_ERROR, TAIL_CUT, TAIL_LINK_ANY, TAIL_TUNNEL, TAILS };

enum ask {
	ASK_ALL,		/* what the frame says */
	ASK_EXTNOTIFY,		/* tell its sender which extension headers are known: it is counted already */
};

int signal(struct __sk_buff *skb);
int underlay(struct __sk_buff *skb);
int underlay_l3(struct __sk_buff *skb);
int icmp_error(struct __sk_buff *skb);
int reassemble(struct __sk_buff *skb);
int cut_out(struct __sk_buff *skb);
int link_any(struct __sk_buff *skb);
int tunnel(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, TAILS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__array(values, int(struct __sk_buff *));
} tails SEC(".maps") = {
	.values = {
		[TAIL_SIGNAL] = (void *)&signal,
		[TAIL_UNDERLAY] = (void *)&underlay,
		[TAIL_UNDERLAY_L3] = (void *)&underlay_l3,
		[TAIL_REASSEMBLE] = (void *)&reassemble,
		[TAIL_ICMP_ERROR] = (void *)&icmp_error,
		[TAIL_CUT] = (void *)&cut_out,
		[TAIL_LINK_ANY] = (void *)&link_any,
		[TAIL_TUNNEL] = (void *)&tunnel,
	},
};

/* Hands a frame with `l2` octets of link header over. Comes back only where that program is missing. */
INLINE int tail(struct __sk_buff *skb, enum tail to, __u32 l2, enum ask ask)
{
	skb->cb[0] = l2;
	skb->cb[1] = ask;
	bpf_tail_call(skb, &tails, to);
	return TC_ACT_UNSPEC;
}

#endif
