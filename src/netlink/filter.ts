// SPDX-License-Identifier: MIT
import { decodeAttributes, encodeAttributes, nest, string, u32 } from './attributes';
import { indexOf, type LinkRef, nameOf } from './link';
import { tcmsg } from './qdisc';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, type RouteSocket } from './socket';

/** A side of a device's clsact qdisc. */
export type FilterSide = 'ingress' | 'egress';

/** A filter of a clsact qdisc, of whatever kind; only those of kind bpf have a name. */
export type Filter = {
  readonly preference: number;
  readonly handle: number;
  readonly name: string | undefined;
  /** The id of the program that it runs. */
  readonly programId: number | undefined;
};

/** A filter that runs a program and does what that says; TC_ACT_UNSPEC of the program asks the next filter (cls_bpf.c). */
export type NewFilter = {
  readonly name: string;
  readonly preference: number;
  readonly programFd: number;
  /** Of the filter whose place it takes, without a packet passing by; else the kernel chooses one. */
  readonly handle?: number | undefined;
};

/** The filters on one side of a device; none where it has no such qdisc, or is not there. Throws KernelError. */
export function listFilters(sock: RouteSocket, link: LinkRef, side: FilterSide): Filter[] {
  const body = tcmsg.encode({ index: indexOf(link), parent: PARENTS[side] });
  return sock
    .dump(`list filters of ${nameOf(link)}`, RTM_GETTFILTER, body)
    .map(({ data }) => {
      const { values, rest } = tcmsg.decode(data);
      const { kind, options } = decodeAttributes(filterAttributes, rest);
      const { name, id: programId } = kind === 'bpf' && options !== undefined ? options : {};
      return { preference: values.info >>> 16, handle: values.handle, name, programId };
    })
    .filter(({ handle }) => handle !== 0); // without handle: what the filters of one preference have in common
}

/** Adds a filter for all protocols, or puts it in the place of another. Throws KernelError. */
export function putFilter(sock: RouteSocket, link: LinkRef, side: FilterSide, filter: NewFilter): void {
  const { name, programFd: fd, preference, handle } = filter;
  const options = { fd, name, flags: TCA_BPF_FLAG_ACT_DIRECT };
  const flags = NLM_F_CREATE | (handle === undefined ? NLM_F_EXCL : NLM_F_REPLACE);
  const attributes = encodeAttributes(filterAttributes, { kind: 'bpf', options });
  const body = Buffer.concat([header(link, side, { preference, handle: handle ?? 0 }), attributes]);
  sock.request(`add filter ${name} to ${side} of ${nameOf(link)}`, RTM_NEWTFILTER, body, flags);
}

/** Takes one filter of kind bpf away. Throws KernelError. */
export function deleteFilter(
  sock: RouteSocket,
  link: LinkRef,
  side: FilterSide,
  filter: Pick<Filter, 'preference' | 'handle'>,
): void {
  const body = Buffer.concat([header(link, side, filter), encodeAttributes(filterAttributes, { kind: 'bpf' })]);
  sock.request(`delete filter from ${side} of ${nameOf(link)}`, RTM_DELTFILTER, body);
}

const RTM_NEWTFILTER = 44;
const RTM_DELTFILTER = 45;
const RTM_GETTFILTER = 46;
// linux/pkt_sched.h, linux/pkt_cls.h
const PARENTS = { ingress: 0xfffffff2, egress: 0xfffffff3 } as const;
const TCA_BPF_FLAG_ACT_DIRECT = 1;
// ETH_P_ALL as it stands in the header: big-endian
const ALL_PROTOCOLS = 0x0300;

const bpfOptions = { fd: [6, u32], name: [7, string], flags: [8, u32], id: [11, u32] } as const;
const filterAttributes = { kind: [1, string], options: [2, nest(bpfOptions)] } as const;

function header(
  link: LinkRef,
  side: FilterSide,
  { preference, handle }: Pick<Filter, 'preference' | 'handle'>,
): Buffer {
  // The preference is the upper half.
  const info = preference * 0x10000 + ALL_PROTOCOLS;
  return tcmsg.encode({ index: indexOf(link), handle, parent: PARENTS[side], info });
}
