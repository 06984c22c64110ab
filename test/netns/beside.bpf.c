// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Somebody else's program: counts frames of GTP-U over IPv4 and others, and drops those that it is told to. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/pkt_cls.h>

enum { GTP, OTHER, CLASSES };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CLASSES);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CLASSES);
	__type(key, __u32);
	__type(value, __u32);
} drops SEC(".maps");

SEC("tc")
int beside(struct __sk_buff *skb)
{
	__u32 class = OTHER, *drop;
	__be16 port = 0;
	__u8 protocol = 0;
	__u64 *count;

	if (skb->protocol == bpf_htons(0x0800) && !bpf_skb_load_bytes(skb, 23, &protocol, 1) && protocol == 17 &&
	    !bpf_skb_load_bytes(skb, 36, &port, 2) && port == bpf_htons(2152))
		class = GTP;
	count = bpf_map_lookup_elem(&seen, &class);
	if (count)
		__sync_fetch_and_add(count, 1);
	drop = bpf_map_lookup_elem(&drops, &class);
	return drop && *drop ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "GPL";
