// SPDX-License-Identifier: MIT
import { bytes, encodeAttributes, string, struct, u32 } from './attributes';
import { indexOf, type LinkRef, nameOf } from './link';
import { NLM_F_CREATE, NLM_F_REPLACE, type RouteSocket } from './socket';

/**
 * A queue of packets in their order: pfifo with a limit in packets, or pfifo_fast, which takes the device's transmit queue
 * length when it is made and has no lock.
 */
export type Queue = { readonly kind: 'pfifo'; readonly limit: number } | { readonly kind: 'pfifo_fast' };

/** Makes this the root qdisc of a device, in place of what is there. A veth has none by default. Throws KernelError. */
export function addQdisc(sock: RouteSocket, link: LinkRef, qdisc: Queue): void {
  const header = tcmsg.encode({ index: indexOf(link), parent: TC_H_ROOT });
  const options = qdisc.kind === 'pfifo' ? u32.encode(qdisc.limit) : undefined;
  const body = Buffer.concat([header, encodeAttributes(qdiscAttributes, { kind: qdisc.kind, options })]);
  sock.request(`add qdisc ${qdisc.kind} to ${nameOf(link)}`, RTM_NEWQDISC, body, NLM_F_CREATE | NLM_F_REPLACE);
}

const RTM_NEWQDISC = 36;
const TC_H_ROOT = 0xffffffff;

/** struct tcmsg of linux/rtnetlink.h. */
export const tcmsg = struct({ family: 1, _pad1: 1, _pad2: 2, index: 4, handle: 4, parent: 4, info: 4 });
// The options of pfifo are a bare struct tc_fifo_qopt, not attributes.
const qdiscAttributes = { kind: [1, string], options: [2, bytes] } as const;
