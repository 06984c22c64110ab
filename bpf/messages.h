/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Signalling messages as octets: those we send, and the information elements of those we read (29.281 clauses 7, 8). */
#ifndef GTP_MESSAGES_H
#define GTP_MESSAGES_H

#include "answer.h"
#include "arrival.h"
#include "gtpu.h"
#include "packet.h"

#define IE_RECOVERY 14
#define IE_TEID_DATA_I 16
#define IE_PEER_ADDRESS 133
#define IE_EXT_TYPES 141
#define IE_TLV 0x80		/* types from here on have a length */
#define IE_MAX 8		/* our bound of the walk */

/* G14: Recovery is 0; the number is the request's. */
INLINE void message_echo(struct answer *a, __be16 seq)
{
	struct { struct gtpu g; __be16 seq; __u8 npdu, next, ie, recovery; } __attribute__((packed)) *m = (void *)a->octets;

	m->g.flags = GTPU_V1 | GTPU_S;
	m->g.type = GTPU_ECHO_RESPONSE;
	m->g.length = bpf_htons(6);
	m->seq = seq;
	m->ie = IE_RECOVERY;
	a->len = 14;
}

/* Z3, Z4: as version 0 has it; Recovery is the restart counter. */
INLINE void message_echo0(struct answer *a, __be16 seq, __u8 restart_count)
{
	struct gtpu0 *g = (void *)a->octets;

	g->flags = GTPU_V0_SEND;
	g->type = GTPU_ECHO_RESPONSE;
	g->length = bpf_htons(2);
	g->seq = seq;
	g->sndcp = 0xff;
	g->spare[0] = 0xff;
	g->spare[1] = 0xff;
	g->spare[2] = 0xff;
	a->octets[sizeof(*g)] = IE_RECOVERY;
	a->octets[sizeof(*g) + 1] = restart_count;
	a->len = sizeof(*g) + 2;
}

/* G17: whose packet it is about by its TEID, its destination address, and in the UDP Port extension its source port. */
INLINE void message_errind(struct answer *a, const struct outer *o, __be32 teid)
{
	__u8 *m = a->octets;
	__u32 address = o->version == 4 ? 4 : 16;

	m[0] = GTPU_V1 | GTPU_E | GTPU_S;
	m[1] = GTPU_ERROR_INDICATION;
	m[3] = 16 + address;
	m[11] = GTPU_EXT_UDP_PORT;
	m[12] = 1;
	m[13] = o->sport >> 8;
	m[14] = o->sport;
	m[16] = IE_TEID_DATA_I;
	__builtin_memcpy(m + 17, &teid, 4);
	m[21] = IE_PEER_ADDRESS;
	m[23] = address;
	if (o->version == 4)
		__builtin_memcpy(m + 24, o->local + 12, 4);
	else
		__builtin_memcpy(m + 24, o->local, 16);
	a->len = 24 + address;
}

/* G5: the extension headers that gtpu_walk understands. */
INLINE void message_extnotify(struct answer *a)
{
	static const __u8 known[] = { 0x03, 0x04, 0x20, 0x40, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0xc0 };
	__u8 *m = a->octets;

	m[0] = GTPU_V1 | GTPU_S;
	m[1] = GTPU_EXTNOTIFY;
	m[3] = 6 + sizeof(known);
	m[12] = IE_EXT_TYPES;
	m[13] = sizeof(known);
	__builtin_memcpy(m + 14, known, sizeof(known));
	a->len = 14 + sizeof(known);
}

/* What an Error Indication is about. */
struct errind {
	__u8 peer[16] __attribute__((aligned(8)));
	__u32 teid;
	__u8 has_teid;
	__u8 has_peer;
};

/* Octets of the information element at `at`, its header included; 0 for one that cannot be skipped (G26). */
INLINE __u32 ie_size(struct __sk_buff *skb, __u32 at, __u8 type)
{
	__u8 len[2];

	if (type == IE_RECOVERY)
		return 2;
	if (type == IE_TEID_DATA_I)
		return 5;
	if (type == IE_EXT_TYPES) /* its length has one octet, which may be the last of all */
		return bpf_skb_load_bytes(skb, at + 1, len, 1) ? 0 : 2 + len[0];
	if (!(type & IE_TLV) || bpf_skb_load_bytes(skb, at + 1, len, 2))
		return 0;
	return 3 + (len[0] << 8 | len[1]);
}

/* Takes note of an element of an Error Indication of `size` octets; of repeated ones the first counts. */
INLINE int errind_element(struct __sk_buff *skb, __u32 at, __u8 type, __u32 size, struct errind *e)
{
	__be32 word;

	if (type == IE_TEID_DATA_I && !e->has_teid) {
		if (bpf_skb_load_bytes(skb, at + 1, &word, 4))
			return -1;
		e->teid = bpf_ntohl(word);
		e->has_teid = 1;
	} else if (type == IE_PEER_ADDRESS && !e->has_peer) {
		e->has_peer = 1;
		if (size == 3 + 16)
			return bpf_skb_load_bytes(skb, at + 3, e->peer, 16);
		if (size != 3 + 4 || bpf_skb_load_bytes(skb, at + 3, &word, 4))
			return -1;
		addr_from_v4(e->peer, word);
	}
	return 0;
}

/* Reads an Error Indication's elements from `at` to `end`. Returns 0 when it has all it must have (G26). */
GLOBAL int errind_parse(struct __sk_buff *skb, __u32 at, __u32 end, struct errind *e)
{
	__u32 size;
	__u8 type;

	if (!e)
		return -1;
	for (int i = 0; i < IE_MAX && at < end; i++) {
		if (bpf_skb_load_bytes(skb, at, &type, 1))
			return -1;
		size = ie_size(skb, at, type);
		if (!size || size > end - at || errind_element(skb, at, type, size, e))
			return -1;
		at += size;
	}
	return at == end && e->has_teid && e->has_peer ? 0 : -1;
}

/* Returns 0 when a notification has its list of types. */
GLOBAL int extnotify_parse(struct __sk_buff *skb, __u32 at, __u32 end)
{
	int found = 0;
	__u32 size;
	__u8 type;

	for (int i = 0; i < IE_MAX && at < end; i++) {
		if (bpf_skb_load_bytes(skb, at, &type, 1))
			return -1;
		size = ie_size(skb, at, type);
		if (!size || size > end - at)
			return -1;
		found |= type == IE_EXT_TYPES;
		at += size;
	}
	return at == end && found ? 0 : -1;
}

#endif
