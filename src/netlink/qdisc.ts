// SPDX-License-Identifier: MIT
import { tolerating } from '../errors';
import { bytes, decodeAttributes, encodeAttributes, string, struct, u32 } from './attributes';
import { indexOf, type LinkRef, nameOf } from './link';
import { NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REPLACE, type RouteSocket } from './socket';

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

/** The kind of the qdisc that a device has for filters on receipt: clsact, ingress; undefined: none. Throws KernelError. */
export function filterQdisc(sock: RouteSocket, link: LinkRef): string | undefined {
  const body = tcmsg.encode({ index: indexOf(link), parent: TC_H_CLSACT });
  const tried = `find qdisc clsact of ${nameOf(link)}`;
  // Without NLM_F_ECHO the answer goes to those who listen for changes alone (qdisc_notify).
  const [message] = tolerating(['ENOENT'], () => sock.request(tried, RTM_GETQDISC, body, NLM_F_ECHO)) ?? [];
  return message === undefined ? undefined : decodeAttributes(qdiscAttributes, tcmsg.decode(message.data).rest).kind;
}

/** Gives a device that has none a clsact qdisc. Throws KernelError. */
export function addClsact(sock: RouteSocket, link: LinkRef): void {
  const body = clsact(link);
  sock.request(`add qdisc clsact to ${nameOf(link)}`, RTM_NEWQDISC, body, NLM_F_CREATE | NLM_F_EXCL);
}

/** Takes the clsact qdisc of a device away, with its filters. Throws KernelError. */
export function deleteClsact(sock: RouteSocket, link: LinkRef): void {
  sock.request(`delete qdisc clsact of ${nameOf(link)}`, RTM_DELQDISC, clsact(link));
}

const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;
// linux/pkt_sched.h
const TC_H_ROOT = 0xffffffff;
const TC_H_CLSACT = 0xfffffff1;
const CLSACT_HANDLE = 0xffff0000;

/** struct tcmsg of linux/rtnetlink.h. */
export const tcmsg = struct({ family: 1, _pad1: 1, _pad2: 2, index: 4, handle: 4, parent: 4, info: 4 });
// The options of pfifo are a bare struct tc_fifo_qopt, not attributes.
const qdiscAttributes = { kind: [1, string], options: [2, bytes] } as const;

function clsact(link: LinkRef): Buffer {
  const header = tcmsg.encode({ index: indexOf(link), handle: CLSACT_HANDLE, parent: TC_H_CLSACT });
  return Buffer.concat([header, encodeAttributes(qdiscAttributes, { kind: 'clsact' })]);
}
