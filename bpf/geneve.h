/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Geneve (RFC 8926) and VXLAN (RFC 7348): eight octets with a VNI. */
#ifndef GTP_GENEVE_H
#define GTP_GENEVE_H

#include "maps.h"
#include "packet.h"
#include "tunnel.h"

#define GENEVE_PORT 6081
#define GENEVE_CONTROL 0x80
#define GENEVE_CRITICAL 0x40
#define GENEVE_MAX_OPTIONS 63	/* of four octets: as many as the field can tell */
#define VXLAN_VNI 0x08

struct geneve {
	__u8 options;		/* version(2), length of the options in four octets */
	__u8 flags;
	__be16 protocol;
	__be32 vni;		/* and eight bits that are reserved */
};

struct vxlan {
	__u8 flags;
	__u8 reserved[3];
	__be32 vni;
};

/* `options` octets of them follow; one is critical when the first octet of its type says so (N3). */
INLINE __u32 geneve_head(const struct tx_config *c, const struct detail *d, const struct inner *in, void *to)
{
	struct geneve *g = to;

	g->options = d ? d->head_len / 4 : 0;
	g->flags = d && d->critical ? GENEVE_CRITICAL : 0;
	g->protocol = inner_protocol(in);
	g->vni = c->teid;
	return sizeof(*g);
}

INLINE __u32 vxlan_head(const struct tx_config *c, void *to)
{
	struct vxlan *v = to;

	v->flags = VXLAN_VNI;
	v->vni = c->teid;
	return sizeof(*v);
}

/* N3, N4: walks over options of which some is critical: we know none. */
GLOBAL int geneve_options(struct __sk_buff *skb, __u32 at, __u32 end)
{
	__u8 option[4];

	for (int i = 0; i < GENEVE_MAX_OPTIONS && at < end; i++) {
		if (at + 4 > end || bpf_skb_load_bytes(skb, at, option, sizeof(option)))
			return -DROP_BAD_OPTION;
		if (option[2] & 0x80)
			return -DROP_UNKNOWN_OPTION;
		at += 4 + (option[3] & 0x1f) * 4;
	}
	return at == end ? 0 : -DROP_BAD_OPTION;
}

/* N1-N5. Returns 0 or a negative drop reason. */
INLINE int geneve_parse(struct __sk_buff *skb, struct arrived *a, __u32 end)
{
	struct geneve g;
	__u32 options;

	if (a->at + sizeof(g) > end || peek_words(skb, a->at, &g, sizeof(g)))
		return -DROP_BAD_LENGTH;
	if (g.options >> 6)
		return -DROP_BAD_VERSION;
	a->key.id = bpf_ntohl(g.vni) >> 8;
	a->protocol = g.protocol;
	options = a->at + sizeof(g);
	a->at = options + (g.options & 0x3f) * 4;
	if (a->at > end)
		return -DROP_BAD_LENGTH;
	if (g.flags & GENEVE_CONTROL)
		return -DROP_CONTROL;
	return g.flags & GENEVE_CRITICAL ? geneve_options(skb, options, a->at) : 0;
}

INLINE int vxlan_parse(struct __sk_buff *skb, struct arrived *a, __u32 end)
{
	struct vxlan v;

	if (a->at + sizeof(v) > end || peek_words(skb, a->at, &v, sizeof(v)))
		return -DROP_BAD_LENGTH;
	if (!(v.flags & VXLAN_VNI))
		return -DROP_BAD_HEADER;
	a->key.id = bpf_ntohl(v.vni) >> 8;
	a->protocol = bpf_htons(ETH_P_TEB);
	a->at += sizeof(v);
	return 0;
}

#endif
