// SPDX-License-Identifier: GPL-2.0 OR MIT
/* What the stack does to a frame before our programs see it, and a test run does not: the outermost VLAN tag goes beside the frame. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} next SEC(".maps");

SEC("tc")
int stack(struct __sk_buff *skb)
{
	if (skb->protocol == bpf_htons(ETH_P_8021Q) || skb->protocol == bpf_htons(ETH_P_8021AD)) {
		/* a tag that is taken away lets the next one take its place */
		if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 1) || bpf_skb_vlan_pop(skb))
			return TC_ACT_SHOT;
	}
	bpf_tail_call(skb, &next, 0);
	return TC_ACT_TRAP;
}

char _license[] SEC("license") = "GPL";
