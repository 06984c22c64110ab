// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Maps that have the names of ours and another layout, as an older or newer gtp would leave them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct label {
	__u32 number;
	char name[60];
};

struct endpoint_key {
	__u64 local;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, char[32]);
	__type(value, struct label);
} labels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct endpoint_key);
} endpoints SEC(".maps");

char _license[] SEC("license") = "GPL";
