/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What comes to a local address of ours and is no G-PDU of a session: signalling, and what is wrong. Echo Requests are
 * answered here, Error Indications, End Markers and notifications taken note of. Everything is counted once.
 */
#ifndef GTP_SIGNAL_H
#define GTP_SIGNAL_H

#include "answer.h"
#include "arrival.h"
#include "drop.h"
#include "gtpu.h"
#include "maps.h"
#include "messages.h"
#include "packet.h"
#include "session.h"
#include "shim.h"
#include "tail.h"

/* A message on its way through the checks. */
struct signal {
	struct outer o;
	struct endpoint_key at;		/* where it came to */
	struct endpoint *endpoint;
	struct peer *peer;		/* who sent it, if there are sessions with it */
	struct config *cfg;
	struct gtpu g;
	__u32 gtp;			/* where its GTP header is */
	__u8 is_served;			/* the endpoint has the message's version */
};

INLINE int signal_drop(struct __sk_buff *skb, const struct signal *s, __u32 reason)
{
	return drop_endpoint(skb, &s->at, reason);
}

/* The endpoint of the message's version, else that of the other one at the same address and port. */
INLINE int signal_endpoint(struct signal *s, __u8 flags)
{
	__u8 kind = flags >> 5 ? KIND_GTP : KIND_GTP0;

	s->at.port = s->o.dport;
	s->at.kind = kind;
	addr_copy(s->at.local, s->o.local);
	s->endpoint = bpf_map_lookup_elem(&endpoints, &s->at);
	s->is_served = s->endpoint && (flags & GTPU_V1_MASK) == (kind == KIND_GTP ? GTPU_V1 : GTPU_V0);
	if (s->endpoint)
		return 0;
	s->at.kind = kind == KIND_GTP ? KIND_GTP0 : KIND_GTP;
	s->endpoint = bpf_map_lookup_elem(&endpoints, &s->at);
	return s->endpoint ? 0 : -1;
}

/* G5: which extension headers we know, to who sent another one that must be known. Its packet is counted already. */
INLINE int signal_extnotify(struct __sk_buff *skb, const struct signal *s)
{
	struct answer a = { .dport = s->o.dport };
	struct bpf_fib_lookup fib = {};

	if (!(s->endpoint->flags & ENDPOINT_EXTNOTIFY) || !limit_take(LIMIT_EXTNOTIFY, ERROR_INTERVAL) ||
	    answer_route(skb, &s->o, &fib, s->cfg->shim_in))
		return TC_ACT_SHOT;
	message_extnotify(&a);
	return answer_send(skb, &s->o, &a, &fib, &s->endpoint->sent_extnotify);
}

/* G16, G17: to who sent a G-PDU that no session wants; TEID 0 is nobody's. */
INLINE int signal_unknown_teid(struct __sk_buff *skb, const struct signal *s)
{
	struct answer a = { .dport = s->o.dport };
	struct bpf_fib_lookup fib = {};

	signal_drop(skb, s, DROP_UNKNOWN_TEID);
	if (s->at.kind != KIND_GTP || !s->g.teid || !(s->endpoint->flags & ENDPOINT_ERRIND) ||
	    !limit_take(LIMIT_ERRIND, ERROR_INTERVAL) || answer_route(skb, &s->o, &fib, s->cfg->shim_in))
		return TC_ACT_SHOT;
	message_errind(&a, &s->o, s->g.teid);
	return answer_send(skb, &s->o, &a, &fib, &s->endpoint->sent_errind);
}

/* G13, Z3: answered at any time, from where it was sent to, to where it came from. */
INLINE int signal_echo(struct __sk_buff *skb, const struct signal *s, __be16 seq)
{
	struct answer a = { .dport = s->o.sport };
	struct bpf_fib_lookup fib = {};

	if (!(s->endpoint->flags & ENDPOINT_ECHO))
		return signal_drop(skb, s, DROP_ECHO_OFF);
	if (!s->o.sport)
		return signal_drop(skb, s, DROP_BAD_SOURCE);
	if (!(s->peer && bucket_take(&s->peer->echo_bucket, PEER_ECHO_INTERVAL)) &&
	    !limit_take(LIMIT_ECHO, ECHO_INTERVAL))
		return signal_drop(skb, s, DROP_RATE_LIMITED);
	if (answer_route(skb, &s->o, &fib, s->cfg->shim_in))
		return signal_drop(skb, s, DROP_NO_ROUTE);
	if (s->peer)
		__sync_fetch_and_add(&s->peer->echo_requests, 1);
	__sync_fetch_and_add(&s->endpoint->answered, 1);
	if (s->at.kind == KIND_GTP)
		message_echo(&a, seq);
	else
		message_echo0(&a, seq, s->endpoint->restart_count);
	return answer_send(skb, &s->o, &a, &fib, &s->endpoint->sent_echo);
}

/* G18: about a session of ours, from its peer. What it does is the user's choice. */
INLINE int signal_errind(struct __sk_buff *skb, const struct signal *s, __u32 at)
{
	struct remote_key at_peer = { .port = s->o.dport, .kind = KIND_GTP };
	struct rx_key key = { .port = s->o.dport, .kind = KIND_GTP };
	__u32 cause = SWEEP_ERRIND, one = 1;
	struct errind e = {};
	struct rx_session *r;
	struct remote *known;
	enum rx_flag flags;

	if (errind_parse(skb, at, s->gtp + sizeof(s->g) + bpf_ntohs(s->g.length), &e))
		return signal_drop(skb, s, DROP_BAD_MESSAGE);
	addr_copy(at_peer.local, s->o.local);
	addr_copy(at_peer.remote, e.peer);
	at_peer.id = e.teid;
	known = bpf_map_lookup_elem(&remotes, &at_peer);
	addr_copy(key.local, s->o.local);
	key.id = known ? known->id : 0;
	r = known ? live_session(&key) : 0;
	if (!r)
		return signal_drop(skb, s, DROP_UNKNOWN_SESSION);
	if (!addr_equal(s->o.remote, e.peer))
		return signal_drop(skb, s, DROP_WRONG_PEER);
	__sync_fetch_and_add(&r->errinds, 1);
	if (s->peer)
		__sync_fetch_and_add(&s->peer->errinds, 1);
	flags = r->config[r->active & 1].flags;
	if (flags & RX_ERRIND_DEL) {
		r->state = SESSION_DELETED;
		bpf_map_update_elem(&unswept, &cause, &one, BPF_ANY);
		__sync_fetch_and_add(&s->cfg->epoch, 1); /* the sending half looks for it, and stops */
	} else if (!(flags & RX_ERRIND_NONE)) {
		r->state = SESSION_ERROR_INDICATED;
	}
	return TC_ACT_SHOT;
}

INLINE int signal_notified(struct __sk_buff *skb, const struct signal *s, __u32 at)
{
	if (extnotify_parse(skb, at, s->gtp + sizeof(s->g) + bpf_ntohs(s->g.length)))
		return signal_drop(skb, s, DROP_BAD_MESSAGE);
	if (!s->peer)
		return signal_drop(skb, s, DROP_UNEXPECTED);
	__sync_fetch_and_add(&s->peer->extnotifies, 1);
	return TC_ACT_SHOT;
}

/* The receive key of a session by its number in a message of version 1. */
INLINE void signal_key(const struct signal *s, struct rx_key *key)
{
	addr_copy(key->local, s->o.local);
	key->id = bpf_ntohl(s->g.teid);
	key->port = s->o.dport;
	key->kind = KIND_GTP;
	key->form = 0;
	key->scope = 0;
}

/* G11: the peer sends no more. Counted, and shown as the session's state. `why` is what the checks so far found. */
INLINE int signal_end_marker(struct __sk_buff *skb, const struct signal *s, struct rx_session *r, int why)
{
	const struct rx_config *c = &r->config[r->active & 1];
	struct rx_key key;

	if (!why && c->flags & RX_STRICT && !addr_equal(c->remote, s->o.remote))
		why = -DROP_WRONG_PEER;
	if (why) {
		signal_key(s, &key);
		return drop_session(skb, c->ifindex, &key, -why, 1);
	}
	__sync_fetch_and_add(&r->end_markers, 1);
	r->state = SESSION_ENDED;
	r->seen = now_coarse();
	return TC_ACT_SHOT;
}

/* Messages of version 0 (Z1). Error Indications are not acted upon: what they hold could not be confirmed. */
INLINE int signal_v0(struct __sk_buff *skb, const struct signal *s)
{
	struct gtpu0 g;

	if (s->o.end < s->gtp + sizeof(g) || bpf_skb_load_bytes(skb, s->gtp, &g, sizeof(g)) ||
	    bpf_ntohs(g.length) > s->o.end - s->gtp - sizeof(g))
		return signal_drop(skb, s, DROP_BAD_LENGTH);
	if (g.type == GTPU_GPDU)
		return signal_unknown_teid(skb, s);
	if (g.type == GTPU_ECHO_RESPONSE)
		return signal_drop(skb, s, DROP_UNEXPECTED);
	if (g.type != GTPU_ECHO_REQUEST)
		return signal_drop(skb, s, DROP_UNKNOWN_MESSAGE);
	if (g.tid[0] || g.tid[1] || g.flow) /* Z3 */
		return signal_drop(skb, s, DROP_BAD_MESSAGE);
	return signal_echo(skb, s, g.seq);
}

/* Path messages of version 1 have S set and TEID 0 (G12). `why` is what the walk over their extension headers found. */
INLINE int signal_path(struct __sk_buff *skb, const struct signal *s, const struct gtpu_seen *seen, int why)
{
	if (!(s->g.flags & GTPU_S) || s->g.teid)
		return signal_drop(skb, s, DROP_BAD_MESSAGE);
	if (why) {
		signal_drop(skb, s, -why);
		/* errors are not answered with errors */
		return why == -DROP_UNKNOWN_EXTENSION && s->g.type == GTPU_ECHO_REQUEST ? signal_extnotify(skb, s) :
											   TC_ACT_SHOT;
	}
	if (s->g.type == GTPU_ECHO_REQUEST)
		return signal_echo(skb, s, bpf_htons(seen->seq));
	if (s->g.type == GTPU_ERROR_INDICATION)
		return signal_errind(skb, s, s->gtp + seen->payload);
	return signal_notified(skb, s, s->gtp + seen->payload);
}

/* Version 1, after the checksum. */
INLINE int signal_v1(struct __sk_buff *skb, const struct signal *s, struct rx_session *ended, int why)
{
	struct gtpu_seen seen = { .payload = sizeof(s->g) };
	__u32 length = bpf_ntohs(s->g.length);

	if (!why && length > s->o.end - s->gtp - sizeof(s->g))
		why = -DROP_BAD_LENGTH;
	if (!why && s->g.flags & GTPU_OPTIONAL)
		why = gtpu_walk(skb, s->gtp, length, &seen);
	if (ended)
		return signal_end_marker(skb, s, ended, why);
	if (why && why != -DROP_BAD_EXTENSION && why != -DROP_UNKNOWN_EXTENSION)
		return signal_drop(skb, s, -why);
	switch (s->g.type) {
	case GTPU_GPDU:
	case GTPU_END_MARKER:
		if (why == -DROP_BAD_EXTENSION)
			return signal_drop(skb, s, -why);
		return s->g.type == GTPU_GPDU ? signal_unknown_teid(skb, s) : signal_drop(skb, s, DROP_UNKNOWN_TEID);
	case GTPU_ECHO_RESPONSE:
		return signal_drop(skb, s, DROP_UNEXPECTED);
	case GTPU_ECHO_REQUEST:
	case GTPU_ERROR_INDICATION:
	case GTPU_EXTNOTIFY:
		return signal_path(skb, s, &seen, why);
	}
	return signal_drop(skb, s, DROP_UNKNOWN_MESSAGE);
}

/* A socket of another program gets everything; the answers to our own Echo Requests are counted on the way. */
INLINE int signal_pass(struct __sk_buff *skb, const struct signal *s)
{
	if (s->peer && s->g.type == GTPU_ECHO_RESPONSE) {
		__sync_fetch_and_add(&s->peer->echo_responses, 1);
		s->peer->seen = now_coarse();
	}
	__sync_fetch_and_add(&s->endpoint->passed, skb->gso_segs > 1 ? skb->gso_segs : 1);
	return TC_ACT_UNSPEC;
}

/* The session that an End Marker ends, if this is one. */
INLINE struct rx_session *ended_session(const struct signal *s)
{
	struct rx_key key;

	if (!s->is_served || s->at.kind != KIND_GTP || s->g.type != GTPU_END_MARKER)
		return 0;
	signal_key(s, &key);
	return live_session(&key);
}

INLINE int signal_receive(struct __sk_buff *skb)
{
	struct signal s = { .o.l3 = skb->cb[0] };
	struct rx_session *ended;
	__u32 zero = 0;
	int zero_is_fine, why;

	s.cfg = bpf_map_lookup_elem(&config, &zero);
	if (!s.cfg || s.o.l3 > ETH_HLEN || outer_parse(skb, &s.o) != OUTER_UDP)
		return TC_ACT_UNSPEC;
	s.gtp = s.o.udp + sizeof(struct udphdr);
	bpf_skb_load_bytes(skb, s.gtp, &s.g, sizeof(s.g)); /* what is too short for it stays 0 */
	if (signal_endpoint(&s, s.g.flags)) /* a session whose endpoint is not there yet has dropped it already */
		return skb->cb[1] == ASK_EXTNOTIFY ? TC_ACT_SHOT : TC_ACT_UNSPEC;
	if (skb->cb[1] == ASK_EXTNOTIFY)
		return signal_extnotify(skb, &s);
	s.peer = peer_of(s.o.local, s.o.remote);
	ended = ended_session(&s);
	if (!ended && has_socket(skb, &s.o, s.g.type == GTPU_ECHO_RESPONSE))
		return signal_pass(skb, &s);
	if (skb->gso_size) { /* several messages: one by one */
		why = shim_send(skb, s.cfg, SHIM_DECAP, 1);
		return why < 0 ? signal_drop(skb, &s, -why) : why;
	}
	if (s.o.bad_sum)
		return signal_drop(skb, &s, DROP_BAD_CHECKSUM);
	if (bad_source(&s.o))
		return signal_drop(skb, &s, DROP_BAD_SOURCE);
	if (s.o.end < s.gtp + sizeof(s.g))
		return signal_drop(skb, &s, DROP_BAD_LENGTH);
	zero_is_fine = ended ? ended->config[ended->active & 1].flags & RX_ZERO_CSUM :
			       s.endpoint->flags & ENDPOINT_ZERO_CSUM;
	why = bad_checksum(skb, &s.o, zero_is_fine);
	if (why && !ended)
		return signal_drop(skb, &s, -why);
	if (!s.is_served)
		return signal_drop(skb, &s, DROP_BAD_VERSION);
	if (s.peer)
		s.peer->seen = now_coarse();
	return s.at.kind == KIND_GTP0 ? signal_v0(skb, &s) : signal_v1(skb, &s, ended, why);
}

#endif
