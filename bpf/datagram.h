/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The table of datagrams whose outer fragments are coming in. Everything here happens under its lock, so two fragments
 * on two CPUs see each other's marks whole; no helper may be called there, so counting is left to the caller (struct lost).
 */
#ifndef GTP_DATAGRAM_H
#define GTP_DATAGRAM_H

#include "maps.h"
#include "packet.h"

#define HOLD_V6_NS 30000000000ULL	/* as the kernel's ipfrag_time */
#define HOLD_V4_NS 2000000000ULL	/* its 16 bits of identification come round soon (RFC 4963) */
#define NOWHERE 0xffffffffU

/* A fragment as its own headers tell it. */
struct fragment {
	struct fragment_key key;
	__u32 at;		/* where in the frame its octets begin */
	__u32 start;		/* where they belong */
	__u32 end;
	__u32 bytes;		/* of the frame */
	__u32 head;		/* octets in front of what was cut */
	__u32 endpoint;		/* ENDPOINT_ID where it shows: of UDP in the first one; kind 0: none of ours */
	__u16 next_at;		/* as in struct datagram */
	__u8 next;
	__u8 more;
	__u8 ecn;
	__u8 ours;		/* the endpoint is one of ours */
	__u8 bad;		/* no fragment can be like that */
	__u8 too_long;		/* of a packet that is longer than we can make */
};

/* Frames that will not become a packet, to be counted. */
struct lost {
	__u8 local[16] __attribute__((aligned(8)));
	__u32 packets;
	__u32 bytes;
	__u32 endpoint;
};

/* What a datagram became that is all there. */
struct whole {
	__u32 slot;
	__u32 head;
	__u32 total;
	__u16 next_at;
	__u8 next;
	__u8 ecn;
	struct lost lost;	/* if nothing comes of it after all */
};

enum admission { ADMIT_STACK = -1, ADMIT_DROP = -2 }; /* else the slot */

/* Answers as bits, and choices by them: loops under the lock have no branch, as the verifier would follow each in every round. */
INLINE __u64 is_zero(__u64 x)
{
	__u64 minus = -x;

	OPAQUE(minus); /* or the compiler sees through it, and makes a branch of it after all */
	x = ((x | minus) >> 63) ^ 1;
	OPAQUE(x);
	return x;
}

/* Of numbers below 2^63. */
INLINE __u64 is_less(__u64 a, __u64 b)
{
	a = (a - b) >> 63;
	OPAQUE(a);
	return a;
}

INLINE __u64 choose(__u64 bit, __u64 yes, __u64 no)
{
	OPAQUE(bit);
	return no + (yes - no) * bit;
}

INLINE __u64 is_key_equal(const struct fragment_key *a, const struct fragment_key *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return is_zero((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]));
}

/* How long the fragments of a datagram may take. */
INLINE __u64 hold_ns(const struct fragment_key *key)
{
	return (key->version & 0xff) == 4 ? HOLD_V4_NS : HOLD_V6_NS;
}

INLINE struct foreign *foreign_set(struct datagrams *t, const struct fragment_key *key)
{
	const __u32 *words = (const __u32 *)key;
	__u32 hash = 0;

	for (__u32 i = 0; i < sizeof(*key) / 4; i++) {
		hash = (hash ^ words[i]) * 0x9e3779b1;
		hash ^= hash >> 15;
	}
	return &t->foreign[hash % FOREIGN_SETS * FOREIGN_WAYS];
}

INLINE int foreign_known(struct datagrams *t, const struct fragment_key *key, __u64 now)
{
	struct foreign *set = foreign_set(t, key);
	__u64 hold = hold_ns(key);
	int known = 0;

	for (int i = 0; i < FOREIGN_WAYS; i++)
		if (is_key_equal(&set[i].key, key) && now - set[i].since < hold)
			known = 1;
	return known;
}

/* Remembers, or with `since` 0 forgets, that the stack has a datagram. */
INLINE void foreign_note(struct datagrams *t, const struct fragment_key *key, __u64 since)
{
	struct foreign *set = foreign_set(t, key), *at = set;

	for (int i = 0; i < FOREIGN_WAYS; i++) {
		if (is_key_equal(&set[i].key, key)) {
			set[i].since = since;
			return;
		}
		if (set[i].since < at->since)
			at = &set[i];
	}
	if (!since)
		return;
	__builtin_memcpy(&at->key, key, sizeof(*key));
	at->since = since;
}

INLINE void lose(struct lost *lost, const void *local, __u32 endpoint, __u32 packets, __u32 bytes)
{
	addr_copy(lost->local, local);
	lost->endpoint = endpoint;
	lost->packets = packets;
	lost->bytes = bytes;
}

/* This fragment alone is of no use. */
INLINE int lose_fragment(struct lost *lost, const struct fragment *f, __u32 endpoint)
{
	lose(lost, f->key.local, endpoint, 1, f->bytes);
	return ADMIT_DROP;
}

/* Gives a datagram up, and with it the fragment `f`. What follows of it is dropped, too. */
INLINE int datagram_refuse(struct datagram *d, struct lost *lost, const struct fragment *f)
{
	lose(lost, d->key.local, d->endpoint, d->pieces + 1, d->bytes + f->bytes);
	d->state = DATAGRAM_REFUSED;
	d->pieces = 0;
	d->bytes = 0;
	return ADMIT_DROP;
}

/* Finds the slot of a datagram, and the one to give to a new one: the oldest if it is out of time, else a free one, else the
 * oldest. */
INLINE __u32 datagram_find(struct datagrams *t, const struct fragment_key *key, __u64 now, __u32 *place)
{
	__u64 best = ~0ULL >> 1, found = NOWHERE, first = NOWHERE;

	for (__u32 i = 0; i < DATAGRAMS; i++) {
		const struct datagram *d = &t->held[i];
		__u64 rank = choose(is_zero(d->state ^ DATAGRAM_FREE), now, d->until);
		__u64 idle = is_zero(d->users);
		__u64 known = is_zero(d->state ^ DATAGRAM_HELD) | is_zero(d->state ^ DATAGRAM_REFUSED);
		__u64 better = idle & is_less(rank, best);

		known &= ((idle & is_less(rank, now)) ^ 1) & is_key_equal(&d->key, key);
		found = choose(known, i, found);
		best = choose(better, rank, best);
		first = choose(better, i, first);
	}
	*place = first;
	return found;
}

/* What a fragment says against those that are there: 0 nothing, 1 that it came before, -1 that it cannot be. Two that share
 * octets and are not the same spoil the datagram (RFC 5722; RFC 8200 4.5 about the same). */
INLINE int piece_check(const struct datagram *d, const struct fragment *f)
{
	__u32 head = f->start ? d->head : f->head;
	__u64 twice = 0, wrong = 0;

	for (__u32 i = 0; i < DATAGRAM_PIECES; i++) {
		const struct piece *p = &d->piece[i];
		__u64 is_there = is_less(i, d->pieces), same = is_zero((p->start ^ f->start) | (p->end ^ f->end));
		__u64 shared = is_less(f->start, p->end) & is_less(p->start, f->end);
		__u64 behind = is_zero(f->more) & is_less(f->end, p->end);

		twice |= is_there & same;
		wrong |= is_there & (same ^ 1) & (shared | behind);
	}
	if (wrong || (d->total && (f->more ? f->end >= d->total : f->end != d->total)))
		return -1;
	if (twice)
		return f->more || d->total ? 1 : -1;
	if (d->pieces >= DATAGRAM_PIECES || head + (d->total ? d->total : f->end) > DATAGRAM_MAX)
		return -1;
	return 0;
}

INLINE void piece_keep(struct datagram *d, const struct fragment *f)
{
	struct piece *p = &d->piece[d->pieces & (DATAGRAM_PIECES - 1)];

	p->start = f->start;
	p->end = f->end;
	d->pieces++;
	d->bytes += f->bytes;
	d->users++;
	d->ecn |= 1 << f->ecn;
	if (!f->more)
		d->total = f->end;
	if (f->start)
		return;
	d->head = f->head;
	d->next_at = f->next_at;
	d->next = f->next;
	if (f->ours)
		d->endpoint = f->endpoint;
}

INLINE int admit(struct datagrams *t, const struct fragment *f, __u64 now, struct lost *lost)
{
	__u32 place, slot = datagram_find(t, &f->key, now, &place);
	struct datagram *d;
	int why;

	if (slot == NOWHERE) {
		if (f->start ? f->too_long || foreign_known(t, &f->key, now) : !f->ours) {
			if (!f->start)
				foreign_note(t, &f->key, now);
			return ADMIT_STACK;
		}
		if (!f->start)
			foreign_note(t, &f->key, 0);
		if (f->bad || place == NOWHERE)
			return lose_fragment(lost, f, f->endpoint);
		slot = place;
		d = &t->held[slot & (DATAGRAMS - 1)];
		lose(lost, d->key.local, d->endpoint, d->pieces, d->bytes);
		__builtin_memset(d, 0, __builtin_offsetof(struct datagram, piece));
		__builtin_memcpy(&d->key, &f->key, sizeof(f->key));
		d->until = now + hold_ns(&f->key);
		d->state = DATAGRAM_HELD;
	}
	d = &t->held[slot & (DATAGRAMS - 1)];
	if (d->state == DATAGRAM_REFUSED)
		return lose_fragment(lost, f, d->endpoint);
	why = f->bad || f->too_long ? -1 : piece_check(d, f);
	if (why)
		return why < 0 ? datagram_refuse(d, lost, f) : lose_fragment(lost, f, d->endpoint);
	piece_keep(d, f);
	return slot & (DATAGRAMS - 1);
}

/* Finds a slot for a fragment, whose octets the caller then copies there and calls datagram_settle. Else enum admission. */
GLOBAL int datagram_admit(const struct fragment *f, struct lost *lost)
{
	__u64 now = bpf_ktime_get_ns();
	struct datagrams *t;
	__u32 zero = 0;
	int slot;

	t = bpf_map_lookup_elem(&datagrams, &zero);
	if (!t || !f || !lost)
		return ADMIT_STACK;
	bpf_spin_lock(&t->lock);
	slot = admit(t, f, now, lost);
	bpf_spin_unlock(&t->lock);
	return slot;
}

/* The octets of a fragment are in their slot. Returns 1 if they were the last that lacked: then the caller makes a packet of
 * the datagram and gives the slot back with datagram_release. */
GLOBAL int datagram_settle(const struct fragment *f, __u32 slot, struct whole *w)
{
	struct datagrams *t;
	struct datagram *d;
	__u32 zero = 0;
	int done = 0;

	t = bpf_map_lookup_elem(&datagrams, &zero);
	if (!t || !f || !w)
		return 0;
	d = &t->held[slot & (DATAGRAMS - 1)];
	bpf_spin_lock(&t->lock);
	d->users--;
	if (d->state == DATAGRAM_HELD) { /* else another fragment has spoilt it meanwhile, and counted this one */
		d->have += f->end - f->start;
		done = d->have == d->total;
	}
	if (done) {
		d->state = DATAGRAM_WHOLE;
		d->users = 1;
		w->slot = slot;
		w->head = d->head;
		w->total = d->total;
		w->next_at = d->next_at;
		w->next = d->next;
		w->ecn = d->ecn;
		lose(&w->lost, d->key.local, d->endpoint, d->pieces, d->bytes);
	}
	bpf_spin_unlock(&t->lock);
	return done;
}

GLOBAL int datagram_release(__u32 slot)
{
	struct datagrams *t;
	struct datagram *d;
	__u32 zero = 0;

	t = bpf_map_lookup_elem(&datagrams, &zero);
	if (!t)
		return 0;
	d = &t->held[slot & (DATAGRAMS - 1)];
	bpf_spin_lock(&t->lock);
	d->users = 0;
	d->pieces = 0;
	d->bytes = 0;
	d->state = DATAGRAM_FREE;
	bpf_spin_unlock(&t->lock);
	return 0;
}

#endif
