// SPDX-License-Identifier: GPL-2.0 OR MIT
/* A program that no verifier lets in: it reads what a look-up may not have found. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} numbers SEC(".maps");

SEC("tc")
int careless(struct __sk_buff *skb)
{
	__u32 key = skb->mark;
	__u32 *number = bpf_map_lookup_elem(&numbers, &key);

	return *number;
}

char _license[] SEC("license") = "GPL";
