// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The hooks: one program each. `SEC("tc")` also serves tcx, whose section name libbpf 1.1 does not know. */
#include "maps.h"
#include "packet.h"
#include "control.h"
#include "decap.h"
#include "fragment.h"
#include "icmp_error.h"
#include "link.h"
#include "reassemble.h"
#include "signal.h"
#include "tail.h"
#include "underlay.h"

/* tcx ingress of a link: what its inner end sends. */
SEC("tc")
int link(struct __sk_buff *skb)
{
	struct trip t = { .ifindex = skb->ifindex };
	struct config *cfg;
	union select key;
	struct inner in;
	__u32 zero = 0;

	cfg = bpf_map_lookup_elem(&config, &zero);
	return cfg ? link_send(skb, cfg, &t, &in, &key, 0) : TC_ACT_SHOT;
}

/* By a tail call of `link` and `shim`, for links of other kinds than GTP with IP packets. cb[1] tells that the frame came by the shim,
 * cb[2] and cb[3] the link and the slot. */
SEC("tc")
int link_any(struct __sk_buff *skb)
{
	struct config *cfg;
	struct work *w;
	__u32 zero = 0;

	cfg = bpf_map_lookup_elem(&config, &zero);
	w = bpf_map_lookup_elem(&works, &zero);
	if (!cfg || !w)
		return TC_ACT_SHOT;
	__builtin_memset(&w->trip, 0, sizeof(w->trip));
	w->trip.ifindex = skb->cb[2];
	w->trip.in_shim = skb->cb[1] != 0;
	w->trip.slot = skb->cb[3];
	return link_send(skb, cfg, &w->trip, &w->inner, (union select *)w->key, 1);
}

/* tcx ingress of the shim's far end: packets that the stack has cut and summed. */
SEC("tc")
int shim(struct __sk_buff *skb)
{
	struct trip t = { .ifindex = skb->mark, .in_shim = 1 };
	struct config *cfg;
	union select key;
	struct inner in;
	__u32 zero = 0;

	cfg = bpf_map_lookup_elem(&config, &zero);
	if (!cfg)
		return TC_ACT_SHOT;
	skb->mark = 0;
	if (t.ifindex == SHIM_DECAP) {
		tail(skb, TAIL_SHIM_DECAP, ETH_HLEN, ASK_ALL);
		return TC_ACT_SHOT;
	}
	if (t.ifindex == SHIM_PIECE)
		return piece_leave(skb, cfg->shim_in);
	t.slot = t.ifindex >> SHIM_SLOT_SHIFT;
	if (t.slot)
		t.ifindex &= (1U << SHIM_SLOT_SHIFT) - 1;
	else
		pending_done(skb, t.ifindex);
	return link_send(skb, cfg, &t, &in, &key, 0);
}

/* By a tail call of `shim`: one packet of a train that an underlay brought. */
SEC("tc")
int shim_decap(struct __sk_buff *skb)
{
	int verdict = underlay_receive(skb, ETH_HLEN);

	return verdict == TC_ACT_UNSPEC ? TC_ACT_SHOT : verdict;
}

/* tcx ingress of an underlay with Ethernet headers, and of lo. A frame that was overheard, or sent to everybody, is not ours:
 * such a one would be delivered twice, and answered by many (RFC 1122 3.3.6). */
SEC("tc")
int underlay(struct __sk_buff *skb)
{
	if (skb->pkt_type != PACKET_HOST && !(skb->vlan_present && skb->vlan_tci & VLAN_ID)) /* a VLAN session may be a bridge's */
		return TC_ACT_UNSPEC;
	return underlay_receive(skb, ETH_HLEN);
}

/* tcx ingress of an underlay without link header (tun). */
SEC("tc")
int underlay_l3(struct __sk_buff *skb)
{
	return underlay_receive(skb, 0);
}

/* By a tail call of `underlay`: what came to an address of ours and is no G-PDU of a session. */
SEC("tc")
int signal(struct __sk_buff *skb)
{
	return signal_receive(skb);
}

/* By a tail call of `underlay`: what came to an endpoint of another kind than GTP, and GTP with Ethernet frames. */
SEC("tc")
int tunnel(struct __sk_buff *skb)
{
	return tunnel_receive(skb);
}

/* By a tail call of `underlay`: ICMP, which may tell of a packet that we sent. The stack gets it in any case. */
SEC("tc")
int icmp_error(struct __sk_buff *skb)
{
	icmp_error_receive(skb);
	return TC_ACT_UNSPEC;
}

/* By a tail call of `underlay`: an outer fragment. */
SEC("tc")
int reassemble(struct __sk_buff *skb)
{
	return fragment_receive(skb, skb->cb[0] ? ETH_HLEN : 0);
}

/* By a tail call of `shim`: an outer packet that its path does not take whole. cb[0] is what it takes. */
SEC("tc")
int cut_out(struct __sk_buff *skb)
{
	return cut_send(skb, skb->cb[0]);
}

/* tcx egress of a device that holds an IPv4 address which a session on this machine has as its remote. The route
 * that the packet carries is the local one; over lo it stays with it, so the stack takes it as its own. */
SEC("tc")
int local_out(struct __sk_buff *skb)
{
	if (skb->mark != LOCAL_MARK)
		return TC_ACT_UNSPEC;
	skb->mark = 0;
	return bpf_redirect(LOOPBACK_IFINDEX, 0);
}

/* Run by the command with a struct control as its frame, never attached: changes one live entry. Not a syscall
 * program, because those may not touch an LPM trie. Returns 0 or an errno. */
SEC("tc")
int control(struct __sk_buff *skb)
{
	const struct control *c = data(skb);

	return (void *)(c + 1) > data_end(skb) ? EINVAL : control_run(c);
}

char _license[] SEC("license") = "GPL";
