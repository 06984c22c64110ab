/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Sessions whose both ends are on this machine: which packets go from link to link without a header, and how. */
#ifndef GTP_HAIRPIN_H
#define GTP_HAIRPIN_H

#include "deliver.h"
#include "drop.h"
#include "frame.h"
#include "maps.h"
#include "packet.h"
#include "session.h"
#include "tunnel.h"

INLINE int mac_is_given(const struct detail *d)
{
	const __u32 *w = (const __u32 *)d->macs;

	return (w[0] | w[1] | w[2]) != 0;
}

/* L2TP: does the session with `rc` and receive key `key` take what `c` sends, by its cookie (L4) and sublayer? */
INLINE int is_expected(const struct tx_config *c, const struct rx_config *rc, const struct rx_key *key)
{
	const struct detail *sent = tx_detail(c), *wanted = 0;
	const __u32 *a, *b;

	if (!(c->flags & TX_L2SPEC) != !(rc->flags & RX_L2SPEC))
		return 0;
	if (rc->flags & RX_COOKIE)
		wanted = bpf_map_lookup_elem(&details, key);
	if (!sent || !wanted)
		return !(c->flags & TX_DETAIL || rc->flags & RX_COOKIE);
	if (sent->head_len != wanted->cookie_len || mac_is_given(sent))
		return 0;
	a = (const __u32 *)sent->head;
	b = (const __u32 *)wanted->cookie;
	return a[0] == b[0] && (sent->head_len == 4 || a[1] == b[1]);
}

/* May packets of session `c` go the short way to the session with `rc` and receive key `key` on this machine, without a header? Only
 * where the headers would say nothing but which session it is, or what that wants to hear; numbers of GTP nobody waits for. */
INLINE int is_short(const struct tx_config *c, const struct rx_config *rc, const struct rx_key *key)
{
	int is_gtp = c->kind == KIND_GTP || c->kind == KIND_GTP0;

	if (!is_gtp && (c->flags & TX_SEQ || rc->flags & RX_SEQ))
		return 0;
	if (c->kind == KIND_L2TP || c->kind == KIND_L2TP_IP)
		return is_expected(c, rc, key);
	return !(c->flags & TX_DETAIL) && (!is_gtp || !(c->flags & TX_ETHER) == !(rc->flags & RX_ETHER));
}

/* What the far end would have read from the PDU Session Container of the session (gtpu_psc). */
INLINE void hairpin_psc(struct rx_session *r, const __u8 *ext)
{
	int downlink = !(ext[1] >> 4);
	__u8 qfi = ext[2] & 0x3f;
	__u8 rqi = downlink ? ext[2] >> 6 & 1 : 0;
	__u8 ppi = downlink && ext[2] & 0x80 ? ext[3] >> 5 : 255;

	if (r->qfi == qfi && r->rqi == rqi && r->ppi == ppi)
		return;
	r->qfi = qfi;
	r->rqi = rqi;
	r->ppi = ppi;
}

/* Frames that receipt judges by what is in them, and the short cut does not: broken IP, and with antispoof ARP and what is behind tags. */
INLINE int must_be_read(struct __sk_buff *skb, const struct rx_config *rc, const struct inner *in)
{
	if (in->version && !skb->vlan_present)
		return 0;
	if (rc->flags & RX_ANTISPOOF)
		return 1;
	return !skb->vlan_present && (skb->protocol == bpf_htons(ETH_P_IP) || skb->protocol == bpf_htons(ETH_P_IPV6));
}

/* Both ends are on this machine: no outer header, no cut, straight into the other link. Returns a verdict, or -1
 * when there is no such session here: then the packet goes by lo and meets whoever else has that address. */
INLINE int hairpin(struct __sk_buff *skb, struct tx_session *s, const struct tx_config *c, const struct inner *in,
		   const struct trip *t, const int any)
{
	struct rx_key key = { .id = tx_remote_id(c), .port = c->dport, .kind = c->kind };
	const struct rx_config *rc;
	struct rx_session *r;
	int why = 0;

	addr_copy(key.local, c->remote);
	if (any)
		key.form = tx_form(c);
	r = any ? session_from(&key, c->local) : live_session(&key);
	if (!r)
		return -1;
	rc = &r->config[r->active & 1];
	if (any ? !is_short(c, rc, &key) || must_be_read(skb, rc, in) : rc->flags & RX_ETHER)
		return -1;
	count(&s->packets, &s->bytes, t->packets, t->bytes);
	if (!bpf_map_lookup_elem(&devices, &rc->ifindex))
		why = -DROP_NO_LINK;
	else if (rc->flags & RX_STRICT && !addr_equal(rc->remote, c->local))
		why = -DROP_WRONG_PEER;
	else if (rc->flags & RX_ANTISPOOF)
		why = antispoof(skb, ETH_HLEN, in->version, rc, &key);
	if (any && !why && (!in->version || skb->vlan_present) && !(rc->flags & RX_FRAMES))
		why = -DROP_NOT_IP;
	if (why)
		return drop_session(skb, rc->ifindex, &key, -why, t->packets);
	if (c->ext_len)
		hairpin_psc(r, c->ext);
	session_alive(r);
	count(&r->packets, &r->bytes, t->packets, t->bytes);
	if (any)
		return deliver_frame(skb, rc, in->front, in->version && !skb->vlan_present, NO_PROTOCOL);
	if (rc->flags & RX_HERE) /* the transmit side looks at the address */
		bpf_skb_store_bytes(skb, 0, rc->dmac, ETH_ALEN, 0);
	return deliver(rc, 0);
}

#endif
