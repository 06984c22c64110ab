// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Entries of a version later than that of was.bpf.c. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include "../../bpf/history.h"

#define MAP(name, kind, key_type, value_type, entries)	\
	struct {					\
		__uint(type, kind);			\
		__uint(max_entries, entries);		\
		__type(key, key_type);			\
		__type(value, value_type);		\
	} name SEC(".maps")

enum color { COLOR_NONE, COLOR_BLUE, COLOR_GREEN, COLOR_RED };
enum flag { FLAG_NEW = 1, FLAG_B = 2, FLAG_C = 8, FLAG_A = 16 };

struct inner {
	__u32 second;
	__u32 first;
};

struct deep {
	__u32 first;
	__u32 third ELSE(3);
	__u64 second;
};

struct value {
	__u64 packets COUNTS;
	__u32 next GIVEN_OUT;
	__u32 latter WAS(former);
	struct deep inner[3];
	__u32 list[4];
	char text[8];
	enum flag flags;
	enum color color;
	__u16 narrower;
	__be16 host;
	__u32 network;
	__s64 sign;
	__u64 wider;
	__u8 fresh ELSE(255);
	__u8 zero;
	__u16 pad;
	__u32 pad2;
};

struct key {
	__u64 id;
};

MAP(values, BPF_MAP_TYPE_HASH, struct key, struct value, 2);
MAP(counts, BPF_MAP_TYPE_PERCPU_HASH, __u64, __u32, 8);
MAP(slots, BPF_MAP_TYPE_ARRAY, __u32, __u64, 2);
MAP(learned, BPF_MAP_TYPE_HASH, __u32, __u32, 8);
MAP(other, BPF_MAP_TYPE_HASH, __u32, __u32, 8);
MAP(kind, BPF_MAP_TYPE_ARRAY, __u32, __u32, 8);
MAP(same, BPF_MAP_TYPE_HASH, __u32, struct inner, 8);

char _license[] SEC("license") = "GPL";
