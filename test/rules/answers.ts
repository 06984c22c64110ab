// SPDX-License-Identifier: MIT
import type { Datagram } from './outer';
import { addWords, pseudoSum } from './sum';

/** A v1 Echo Response to the address and port that asked (G13, G14). */
export function echoResponse(to: Datagram, sequence: number): Buffer {
  return packet(to, to.sport, Buffer.from(`3202000600000000${hex(sequence, 2)}00000e00`, 'hex'));
}

/** A v0 Echo Response with the restart counter (Z3, Z4). */
export function echoResponse0(to: Datagram, sequence: number): Buffer {
  const tid = '00'.repeat(8);
  const text = `1e020002${hex(sequence, 2)}0000ffffffff${tid}0e${hex(to.endpoint.restart, 1)}`;
  return packet(to, to.sport, Buffer.from(text, 'hex'));
}

/** An Error Indication about a G-PDU, with the UDP Port extension header (G17). */
export function errorIndication(to: Datagram, teid: bigint): Buffer {
  const { local, port } = to.endpoint;
  const size = local.length / 2;
  const elements = `10${hex(Number(teid), 4)}85${hex(size, 2)}${local}`;
  const text = `361a${hex(4 + 4 + elements.length / 2, 2)}0000000000000040` + `01${hex(to.sport, 2)}00${elements}`;
  return packet(to, port, Buffer.from(text, 'hex'));
}

/** A Supported Extension Headers Notification (G5). */
export function notification(to: Datagram): Buffer {
  const text = '321f00110000000000000000' + '8d0b03042040818283848586c0';
  return packet(to, to.endpoint.port, Buffer.from(text, 'hex'));
}

/** UDP over IP from our end back to where a datagram came from: ttl 64, DF, no options, with a UDP checksum. */
function packet({ endpoint, source }: Datagram, dport: number, payload: Buffer): Buffer {
  const ends = [Buffer.from(endpoint.local, 'hex'), Buffer.from(source, 'hex')] as const;
  const length = 8 + payload.length;
  const udp = Buffer.concat([
    Buffer.from(`${hex(endpoint.port, 2)}${hex(dport, 2)}${hex(length, 2)}0000`, 'hex'),
    payload,
  ]);
  const sum = addWords(udp, 0, udp.length, pseudoSum(...ends, length));
  udp.writeUInt16BE(~sum & 0xffff || 0xffff, 6);
  return Buffer.concat([endpoint.local.length === 8 ? header4(...ends, length) : header6(...ends, length), udp]);
}

function header4(from: Buffer, to: Buffer, length: number): Buffer {
  const header = Buffer.concat([Buffer.from(`4500${hex(20 + length, 2)}0000400040110000`, 'hex'), from, to]);
  header.writeUInt16BE(~addWords(header) & 0xffff, 10);
  return header;
}

function header6(from: Buffer, to: Buffer, length: number): Buffer {
  return Buffer.concat([Buffer.from(`60000000${hex(length, 2)}1140`, 'hex'), from, to]);
}

function hex(value: number, octets: number): string {
  return value.toString(16).padStart(octets * 2, '0');
}
