// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Entries of an older version: is.bpf.c has what became of them. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#define MAP(name, kind, key_type, value_type, entries)	\
	struct {					\
		__uint(type, kind);			\
		__uint(max_entries, entries);		\
		__type(key, key_type);			\
		__type(value, value_type);		\
	} name SEC(".maps")

enum color { COLOR_NONE, COLOR_RED, COLOR_GREEN, COLOR_GONE };
enum flag { FLAG_A = 1, FLAG_B = 2, FLAG_C = 4, FLAG_GONE = 8 };

struct inner {
	__u32 second;
	__u32 first;
};

struct value {
	__u8 wider;
	__s8 sign;
	__u16 host;
	__be32 network;
	__u64 narrower;
	enum color color;
	enum flag flags;
	__u32 gone;
	__u32 former;
	char text[16];
	__u16 list[3];
	__u16 pad;
	struct inner inner[2];
	__u32 packets;
	__u32 next;
};

struct key {
	__u32 id;
	__u32 gone;
};

MAP(values, BPF_MAP_TYPE_HASH, struct key, struct value, 8);
MAP(counts, BPF_MAP_TYPE_PERCPU_HASH, __u32, __u64, 8);
MAP(slots, BPF_MAP_TYPE_ARRAY, __u32, __u32, 4);
MAP(learned, BPF_MAP_TYPE_LRU_HASH, __u32, __u32, 8);
MAP(other, BPF_MAP_TYPE_HASH, __u32, struct inner, 8);
MAP(kind, BPF_MAP_TYPE_HASH, __u32, __u32, 8);
MAP(same, BPF_MAP_TYPE_HASH, __u32, struct inner, 8);

char _license[] SEC("license") = "GPL";
