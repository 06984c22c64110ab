// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Somebody else's XDP program. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return ctx->data < ctx->data_end ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
