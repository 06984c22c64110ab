// SPDX-License-Identifier: MIT
import { plain } from './inners';
import { bare, mac, octets, pattern, SERVER, UE } from './packet';
import { hexOctets, number } from './tunnel';

export const FAR = mac('02:00:00:00:00:2e');
export const NEAR = mac('02:00:00:00:00:1e');

/** A frame of a user. */
export interface UserFrame {
  readonly name: string;
  readonly bytes: Buffer;
  /** Its checksum makes the sum of the whole known (LCO). */
  readonly lco: boolean;
  readonly isTagged: boolean;
  readonly isIp: boolean;
}

/** A frame from the inner end to the far one, or the other way round. */
export function frame(type: number, content: Buffer, { tags = '', from = NEAR, to = FAR } = {}): Buffer {
  return Buffer.concat([to, from, hexOctets(tags), number(type, 2), content]);
}

const arp = Buffer.concat([
  hexOctets('0001 0800 06 04 0001'),
  NEAR,
  octets(UE),
  Buffer.alloc(6),
  octets(SERVER),
  Buffer.alloc(18),
]);
const odd = bare().ip4(UE, SERVER).udp(1000, 53).payload(33).bytes();
const padded = Buffer.concat([bare().ip4(UE, SERVER).udp(1000, 53).payload(1).bytes(), Buffer.alloc(17, 0x5a)]);

const ip = (name: string, lco: boolean, bytes: Buffer): UserFrame => ({
  name,
  lco,
  bytes,
  isTagged: false,
  isIp: true,
});
const tagged = (name: string, bytes: Buffer): UserFrame => ({ name, lco: false, bytes, isTagged: true, isIp: false });
const other = (name: string, bytes: Buffer): UserFrame => ({ name, lco: false, bytes, isTagged: false, isIp: false });

/** Every sort of frame that is told apart on its way. */
export const userFrames: readonly UserFrame[] = [
  ip('IPv4', true, frame(0x0800, plain[4])),
  ip('IPv6', true, frame(0x86dd, plain[6])),
  ip('IPv4 of odd length', true, frame(0x0800, odd)),
  ip('IPv4 with octets behind the packet', false, frame(0x0800, padded)),
  other('ARP', frame(0x0806, arp)),
  tagged('IPv4 with a VLAN tag', frame(0x0800, odd, { tags: '81004123' })),
  tagged('IPv6 with a tag of 802.1ad', frame(0x86dd, plain[6], { tags: '88a80007' })),
  tagged('IPv4 with two tags (QinQ)', frame(0x0800, plain[4], { tags: '88a8 0064 8100 6005' })),
  tagged('ARP with a tag', frame(0x0806, arp, { tags: '81000001' })),
  other('of another type, of odd length', frame(0x88b5, pattern(61))),
  other('of LLC', frame(0x0027, pattern(47))),
  other('of 16 octets', frame(0x88b5, pattern(2))),
];
