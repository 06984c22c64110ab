/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* A G-PDU, of version 1 or 0: its header, the rules of its length, what it tells of its session. */
#ifndef GTP_GPDU_H
#define GTP_GPDU_H

#include "arrival.h"
#include "gtpu.h"
#include "maps.h"
#include "packet.h"
#include "session.h"

/* What a G-PDU is found by, and where its payload is. */
struct gpdu {
	struct rx_key key;
	__u32 at;		/* of the GTP header */
	__u32 header;		/* octets of it that its length does not count */
	__u32 length;		/* octets behind those, as it says */
	__u16 seq;		/* version 0 */
	__u8 flags;
};

/* Reads the GTP header of a datagram that is all there. Returns 0 for a G-PDU of version 1 or 0. */
INLINE int gpdu_parse(struct __sk_buff *skb, const struct outer *o, struct gpdu *p)
{
	struct gtpu g;
	__be32 tid[2];
	__be16 seq;

	p->at = o->udp + sizeof(struct udphdr);
	if (o->end < p->at + sizeof(g) || peek_words(skb, p->at, &g, sizeof(g)) || g.type != GTPU_GPDU)
		return -1;
	p->flags = g.flags;
	p->length = bpf_ntohs(g.length);
	p->key.port = o->dport;
	addr_copy(p->key.local, o->local);
	if ((g.flags & GTPU_V1_MASK) == GTPU_V1) {
		p->key.kind = KIND_GTP;
		p->key.id = bpf_ntohl(g.teid);
		p->header = sizeof(g);
		return 0;
	}
	if ((g.flags & GTPU_V1_MASK) != GTPU_V0 || o->end < p->at + sizeof(struct gtpu0) ||
	    bpf_skb_load_bytes(skb, p->at + 4, &seq, sizeof(seq)) ||
	    bpf_skb_load_bytes(skb, p->at + 12, tid, sizeof(tid)))
		return -1;
	p->key.kind = KIND_GTP0;
	p->key.id = (__u64)bpf_ntohl(tid[0]) << 32 | bpf_ntohl(tid[1]);
	p->header = sizeof(struct gtpu0);
	p->seq = bpf_ntohs(seq);
	return 0;
}

/* Octets in front of the T-PDU. Slow: for what looks damaged. */
INLINE __u32 gpdu_header(struct __sk_buff *skb, const struct gpdu *g)
{
	struct gtpu_seen seen = { .payload = g->header };

	if (g->key.kind == KIND_GTP && g->flags & GTPU_OPTIONAL && gtpu_walk(skb, g->at, g->length, &seen))
		return 0;
	return seen.payload;
}

/* What the last packets of a session told: QoS flow, sequence number, that the peer lives. Numbers behind the last one are
 * counted, no more (G10). */
INLINE void session_seen(struct rx_session *r, const struct gtpu_seen *seen)
{
	__s16 ahead = seen->seq - r->rx_seq;

	session_alive(r);
	if (seen->has_psc && (r->qfi != seen->qfi || r->rqi != seen->rqi || r->ppi != seen->ppi)) {
		r->qfi = seen->qfi;
		r->rqi = seen->rqi;
		r->ppi = seen->ppi;
	}
	if (!seen->has_seq)
		return;
	/* far behind is a peer that began anew */
	if (r->rx_seq && ahead <= 0 && ahead > -REORDER_WINDOW)
		__sync_fetch_and_add(&r->reordered, 1);
	else
		r->rx_seq = 1U << 16 | seen->seq;
}

/*
 * The rules of length. One packet: what the header announces must be there (G3). A super-packet: either late cut by the
 * sender, the length is that of one segment; or a train of whole GTP packets, which must be cut first; or the length of
 * the whole. The three cannot be confused, an inner header being 28 octets at least. `announced` is the GTP length,
 * `have` the octets behind the GTP header, `headers` the inner headers behind `optional` octets.
 */
INLINE int bad_length(struct __sk_buff *skb, __u32 announced, __u32 have, __u32 optional, __u32 headers)
{
	if (!skb->gso_size)
		return announced > have;
	return announced != optional + headers + skb->gso_size && announced != have;
}

#endif
