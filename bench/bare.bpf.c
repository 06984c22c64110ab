// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What tunnel programs cannot do without, and nothing else: the yardstick for ours. Headers are where they usually
 * are and never looked at; lengths and the IP checksum are computed, the rest of the outer header is constant.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define INLINE static __always_inline
#define GTPU_PORT 2152
#define INNER_DADDR (ETH_HLEN + 16)
#define OUTER_TEID (ETH_HLEN + sizeof(struct outer) - 4)

struct outer {
	struct iphdr ip;
	struct udphdr udp;
	__be16 flags_and_type;
	__be16 length;
	__be32 teid;
} __attribute__((packed));

struct session_key {
	__u32 endpoint;
	__be32 id;	/* inner address or TEID */
};

/* All that a packet touches besides itself, in one cache line. */
struct session {
	__u64 packets;
	__u64 bytes;
	__be32 local;
	__be32 remote;
	__be32 teid;
	__u8 mac[12];
	__u8 pad[24];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1048576);
	__type(key, struct session_key);
	__type(value, struct session);
} sessions SEC(".maps");

INLINE __u16 checksum(const __u32 *w)
{
	__u64 sum = 0;

	for (int i = 0; i < 5; i++)
		sum += w[i];
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

INLINE int encap(struct __sk_buff *skb, __be32 local, __be32 remote, __be32 teid)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	__u32 inner = skb->len - ETH_HLEN;
	struct ethhdr *eth;
	struct outer *o;

	if (bpf_skb_adjust_room(skb, sizeof(*o), BPF_ADJ_ROOM_MAC, flags))
		return TC_ACT_SHOT;
	eth = (void *)(long)skb->data;
	o = (void *)(eth + 1);
	if ((void *)(o + 1) > (void *)(long)skb->data_end)
		return TC_ACT_SHOT;
	eth->h_proto = bpf_htons(ETH_P_IP);
	__builtin_memset(&o->ip, 0, sizeof(o->ip));
	o->ip.version = 4;
	o->ip.ihl = 5;
	o->ip.tot_len = bpf_htons(inner + sizeof(*o));
	o->ip.ttl = 64;
	o->ip.protocol = IPPROTO_UDP;
	o->ip.saddr = local;
	o->ip.daddr = remote;
	o->ip.check = checksum((const __u32 *)(eth + 1));
	o->udp.source = bpf_htons(GTPU_PORT);
	o->udp.dest = bpf_htons(GTPU_PORT);
	o->udp.len = bpf_htons(inner + sizeof(*o) - sizeof(o->ip));
	o->udp.check = 0;
	o->flags_and_type = bpf_htons(0x30ff);
	o->length = bpf_htons(inner);
	o->teid = teid;
	return TC_ACT_REDIRECT;
}

INLINE int decap(struct __sk_buff *skb, const __u8 *mac)
{
	struct ethhdr *eth;

	if (bpf_skb_adjust_room(skb, -(int)sizeof(struct outer), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return TC_ACT_SHOT;
	eth = (void *)(long)skb->data;
	if ((void *)(eth + 1) > (void *)(long)skb->data_end)
		return TC_ACT_SHOT;
	__builtin_memcpy(eth, mac, 2 * ETH_ALEN);
	eth->h_proto = bpf_htons(ETH_P_IP);
	return TC_ACT_REDIRECT;
}

INLINE struct session *session_at(struct __sk_buff *skb, __u32 offset)
{
	struct session_key key = {};
	struct session *s;
	__be32 *id = (void *)(long)skb->data + offset;

	if ((void *)(id + 1) > (void *)(long)skb->data_end)
		return 0;
	key.id = *id;
	s = bpf_map_lookup_elem(&sessions, &key);
	if (!s)
		return 0;
	__sync_fetch_and_add(&s->packets, 1);
	__sync_fetch_and_add(&s->bytes, skb->len);
	return s;
}

/* What one run costs before a program does anything. */
SEC("tc")
int pass(struct __sk_buff *skb)
{
	(void)skb;
	return TC_ACT_OK;
}

SEC("tc")
int bare_encap(struct __sk_buff *skb)
{
	return encap(skb, bpf_htonl(0xc0000201), bpf_htonl(0xc0000202), bpf_htonl(0x101));
}

SEC("tc")
int bare_decap(struct __sk_buff *skb)
{
	const __u8 mac[2 * ETH_ALEN] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };

	return decap(skb, mac);
}

SEC("tc")
int session_encap(struct __sk_buff *skb)
{
	struct session *s = session_at(skb, INNER_DADDR);

	return s ? encap(skb, s->local, s->remote, s->teid) : TC_ACT_SHOT;
}

SEC("tc")
int session_decap(struct __sk_buff *skb)
{
	struct session *s = session_at(skb, OUTER_TEID);

	return s ? decap(skb, s->mac) : TC_ACT_SHOT;
}

/* What XDP is attached with where nothing shall become of it. */
SEC("xdp")
int xdp_pass(struct xdp_md *ctx)
{
	return ctx->data < ctx->data_end ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
