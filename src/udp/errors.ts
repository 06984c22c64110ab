// SPDX-License-Identifier: MIT
import {
  IP_RECVERR,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_RECVERR,
  MSG_DONTWAIT,
  MSG_ERRQUEUE,
  recvmsg,
} from '../bindings/libc';
import type { Address } from '../values';
import { decodeSockaddr } from './sockaddr';

/** An ICMP error about a datagram of ours: what it says (positive errno), who sent it, and what it quotes of the datagram. */
export type IcmpError = { readonly errno: number; readonly from: Address | undefined; readonly quoted: Buffer };

/** Empties the error queue of a socket. Errors of sending itself are left out: send told them already. */
export function takeErrors(fd: number): IcmpError[] {
  const found: IcmpError[] = [];
  for (;;) {
    const [bytes, control] = [Buffer.alloc(QUOTED), Buffer.alloc(CONTROL)];
    const read = recvmsg(fd, bytes, control, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (typeof read === 'number') return found;
    const error = extendedError(control.subarray(0, read[1]));
    if (error !== undefined) found.push({ ...error, quoted: bytes.subarray(0, read[0]) });
  }
}

/** More than the longest header of GTP. */
const QUOTED = 64;
const CONTROL = 256;
const CMSG_HEADER = 16;
/** struct sock_extended_err of linux/errqueue.h: ee_errno, ee_origin; the address of who sent it follows. */
const EE = { errno: 0, origin: 4, offender: 16 } as const;
const ORIGIN_LOCAL = 1;

function extendedError(control: Buffer): Omit<IcmpError, 'quoted'> | undefined {
  for (let at = 0; at + CMSG_HEADER + EE.offender <= control.length; ) {
    const length = Number(control.readBigUInt64LE(at));
    const [level, type] = [control.readInt32LE(at + 8), control.readInt32LE(at + 12)];
    const isError = (level === IPPROTO_IP && type === IP_RECVERR) || (level === IPPROTO_IPV6 && type === IPV6_RECVERR);
    const data = control.subarray(at + CMSG_HEADER, at + length);
    if (isError && data[EE.origin] !== ORIGIN_LOCAL) {
      return { errno: data.readUInt32LE(EE.errno), from: decodeSockaddr(data.subarray(EE.offender))?.address };
    }
    at += Math.max(CMSG_HEADER, Math.ceil(length / 8) * 8);
  }
  return undefined;
}
