// SPDX-License-Identifier: MIT
import { type Structs, tx_flag } from '../datapath/layout.gen';
import { fromMapped } from './address';

/**
 * An End Marker (TS 29.281, 7.3.2) as a whole IP packet with the addresses, ports, TTL, TOS and DF of the session's
 * G-PDUs, so that it takes the same way (G11). What they take from the packets inside has its default here. The IPv4
 * header's length, identification and checksum are left to the kernel.
 */
export function endMarker(tx: Structs['tx_config']): Buffer {
  const [local, remote] = [fromMapped(tx.local), fromMapped(tx.remote)];
  const datagram = Buffer.alloc(UDP_HEADER + GTP_HEADER);
  datagram.writeUInt16BE(tx.sport, 0);
  datagram.writeUInt16BE(tx.dport, 2);
  datagram.writeUInt16BE(datagram.length, 4);
  datagram.set([VERSION_1, END_MARKER, 0, 0], UDP_HEADER);
  datagram.writeUInt32BE(tx.teid, UDP_HEADER + 4);
  // Over IPv6 always: a receiver may refuse what has none (X10).
  if (remote.family === 6 || tx.flags & tx_flag.csum) {
    datagram.writeUInt16BE(checksum(local.bytes, remote.bytes, datagram), 6);
  }
  const header = remote.family === 4 ? headerV4(tx) : headerV6(tx, datagram.length);
  header.set(local.bytes, header.length - 2 * local.bytes.length);
  header.set(remote.bytes, header.length - remote.bytes.length);
  return Buffer.concat([header, datagram]);
}

const UDP_HEADER = 8;
const GTP_HEADER = 8;
const VERSION_1 = 0x30;
const END_MARKER = 254;
const PROTOCOL_UDP = 17;
const DONT_FRAGMENT = 0x40;
const DEFAULT_TTL = 64;
// The lower two bits are ECN: what carries no packet of a user asks for none.
const DSCP = 0xfc;

function headerV4({ flags, tos, ttl }: Structs['tx_config']): Buffer {
  const header = Buffer.alloc(20);
  header.set([0x45, flags & tx_flag.tos_inherit ? 0 : tos & DSCP]);
  header.set([flags & tx_flag.df ? DONT_FRAGMENT : 0, 0, ttlOf(flags, ttl), PROTOCOL_UDP], 6);
  return header;
}

function headerV6({ flags, tos, ttl }: Structs['tx_config'], length: number): Buffer {
  const header = Buffer.alloc(40);
  const trafficClass = flags & tx_flag.tos_inherit ? 0 : tos & DSCP;
  header.writeUInt32BE(0x60000000 + trafficClass * 0x100000);
  header.writeUInt16BE(length, 4);
  header.set([PROTOCOL_UDP, ttlOf(flags, ttl)], 6);
  return header;
}

function ttlOf(flags: number, ttl: number): number {
  return flags & tx_flag.ttl_inherit ? DEFAULT_TTL : ttl;
}

// Of UDP, with the pseudo header; the field itself is still 0. A sum of 0 is sent as 0xffff (RFC 768).
function checksum(local: Uint8Array, remote: Uint8Array, datagram: Buffer): number {
  const octets = Buffer.concat([local, remote, Buffer.of(0, PROTOCOL_UDP, 0, datagram.length), datagram]);
  let sum = 0;
  for (let at = 0; at < octets.length; at += 2) sum += octets.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum === 0xffff ? 0xffff : 0xffff - sum;
}
