// SPDX-License-Identifier: MIT
import { closeSync } from 'node:fs';
import { missingHint } from '../bindings/capabilities';
import { bind, connect, IPPROTO_RAW, SOCK_RAW, send, socket } from '../bindings/libc';
import { KernelError } from '../errors';
import { type Address, address as addressKind } from '../values';
import { encodeSockaddr, familyOf } from './sockaddr';

/**
 * Sends one whole IP packet by the routing table, from `local` to `remote` as its header says; no port is bound, and to
 * an address of this machine it goes by lo. The kernel fills in the header checksum of IPv4. `tried` says what it is for
 * when KernelError is thrown.
 */
export function sendPacket(tried: string, packet: Uint8Array, local: Address, remote: Address): void {
  const [from, to] = [local, remote].map((address) => encodeSockaddr({ address, port: 0 })) as [Buffer, Buffer];
  // IPPROTO_RAW: the header is ours, in both families (raw(7)).
  const fd = socket(familyOf(remote), SOCK_RAW, IPPROTO_RAW);
  if (fd < 0) refuse(`${tried}: open a raw socket`, fd, missingHint(['CAP_NET_RAW']));
  try {
    refuse(tried, bind(fd, from), `${addressKind.format(local)} must be an address of this machine`);
    refuse(tried, connect(fd, to), `ip route get ${addressKind.format(remote)} tells the way to it`);
    refuse(tried, send(fd, packet), '"Operation not permitted" is the word of a firewall: nft list ruleset shows it');
  } finally {
    closeSync(fd);
  }
}

function refuse(tried: string, result: number, hint?: string): void {
  if (result >= 0) return;
  throw new KernelError(tried, { errno: -result, ...(hint === undefined ? {} : { hint }) });
}
