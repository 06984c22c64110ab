/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The tables of outer fragments: a part of maps.h, which includes it. */
#ifndef GTP_FRAGMENT_MAPS_H
#define GTP_FRAGMENT_MAPS_H

#include "maps.h"

/*
 * Outer fragments that wait for the rest of their datagram. One lock holds for all of it and for moments only; the octets are
 * copied into and out of `pieces` without it, and `users` keeps whose octets are being copied from being given away.
 */
#define DATAGRAMS 64		/* that are incomplete at a time */
#define DATAGRAM_PIECES 64
#define DATAGRAM_MAX 16000	/* octets of the whole packet: what the kernel makes room for */
#define DATAGRAM_HEAD 256	/* octets in front of what was cut */
#define FOREIGN_SETS 256
#define FOREIGN_WAYS 4

struct fragment_key {
	__u8 local[16] __attribute__((aligned(8)));
	__u8 remote[16] __attribute__((aligned(8)));
	__u32 id;
	__u32 version;		/* of IP; of IPv4 and a protocol other than UDP that << 8, too (RFC 791) */
};

/* Where a fragment belongs, in octets from the begin of what was cut. */
struct piece {
	__u16 start;
	__u16 end;
};

enum datagram_state {
	DATAGRAM_FREE,
	DATAGRAM_HELD,
	DATAGRAM_WHOLE,		/* all there: on its way into one packet */
	DATAGRAM_REFUSED,	/* holds nothing; what still comes of it is dropped (RFC 5722) */
};

struct datagram {
	struct fragment_key key;
	__u64 until;		/* nanoseconds by which its pieces must be there */
	__u32 bytes;		/* of the frames that brought its pieces */
	__u16 pieces;
	__u16 users;		/* programs that copy octets of it at this moment */
	__u16 have;		/* octets that are copied */
	__u16 total;		/* octets in all, 0: not known before the last one is there */
	__u16 head;		/* octets in front of what was cut, 0: not known before the first one is there */
	__u16 next_at;		/* IPv6: the octet of the head that names the fragment header ... */
	__u8 next;		/* ... and what takes its place */
	__u8 ecn;		/* 1 << each ECN field that came */
	__u8 state;		/* enum datagram_state */
	__u8 pad;
	__u32 endpoint;		/* ENDPOINT_ID */
	struct piece piece[DATAGRAM_PIECES];
};

/* A datagram whose first fragment had a port that is none of ours: the stack has it. */
struct foreign {
	struct fragment_key key;
	__u64 since;
};

struct datagrams {
	struct bpf_spin_lock lock;
	struct datagram held[DATAGRAMS];
	struct foreign foreign[FOREIGN_SETS * FOREIGN_WAYS];
};

ARRAY(datagrams, struct datagrams, 1);

/* What the pieces of the datagram of the same number hold. Twice the longest offset, so that offset and length are in it. */
struct pieces {
	__u8 head[DATAGRAM_HEAD];
	__u8 octets[32768];
};

ARRAY(pieces, struct pieces, DATAGRAMS);

#define CUT_MAX 4096		/* octets in one outer fragment of ours */

/* A datagram that is being cut, with room for one more piece behind. */
struct cut {
	__u8 octets[16384 + CUT_MAX];
};

PER_CPU(cut, struct cut);

/* The identification of the next IPv4 datagram that is cut: of all 65536 the one that was used longest ago (X9). */
ARRAY(next_id, __u32, 1);

#endif
