// SPDX-License-Identifier: MIT
import { tolerating } from '../errors';
import { type Address, address as addressKind, type Mac } from '../values';
import { FAMILIES } from './address';
import { bytes, decodeAttributes, encodeAttributes, struct } from './attributes';
import type { RouteSocket } from './socket';

/** What the kernel knows about a neighbour; `mac` is absent until it has answered. */
export type Neighbour = {
  /** In the words of `ip neigh`, in lower case: reachable, stale, delay, probe, failed, incomplete, permanent, noarp, none. */
  readonly state: string;
  readonly mac?: Mac;
};

/** Looks a neighbour up without asking it. Returns undefined when the kernel has no entry. */
export function neighbour(sock: RouteSocket, oif: number, dst: Address): Neighbour | undefined {
  const header = ndmsg.encode({ family: FAMILIES[dst.family], index: oif });
  const body = Buffer.concat([header, encodeAttributes(neighbourAttributes, { dst: dst.bytes })]);
  const tried = `find neighbour ${addressKind.format(dst)}`;
  const [message] = tolerating(['ENOENT'], () => sock.request(tried, RTM_GETNEIGH, body)) ?? [];
  return message === undefined ? undefined : decodeNeighbour(message.data);
}

const RTM_GETNEIGH = 30;
// linux/neighbour.h, NUD_: one bit is set at a time
const STATES = new Map([
  [0x00, 'none'],
  [0x01, 'incomplete'],
  [0x02, 'reachable'],
  [0x04, 'stale'],
  [0x08, 'delay'],
  [0x10, 'probe'],
  [0x20, 'failed'],
  [0x40, 'noarp'],
  [0x80, 'permanent'],
]);

const ndmsg = struct({ family: 1, _pad1: 1, _pad2: 2, index: 4, state: 2, flags: 1, type: 1 });
const neighbourAttributes = { dst: [1, bytes], lladdr: [2, bytes] } as const;

function decodeNeighbour(data: Buffer): Neighbour {
  const { values: header, rest } = ndmsg.decode(data);
  const { lladdr } = decodeAttributes(neighbourAttributes, rest);
  const state = STATES.get(header.state) ?? String(header.state);
  return lladdr === undefined ? { state } : { state, mac: lladdr };
}
