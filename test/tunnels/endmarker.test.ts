// SPDX-License-Identifier: MIT
import test from 'ava';
import { zero } from '../../src/datapath/codec';
import { type Structs, tx_flag } from '../../src/datapath/layout.gen';
import { toMapped } from '../../src/tunnels/address';
import { endMarker } from '../../src/tunnels/endmarker';
import { address } from '../../src/values';
import { gtp, packet } from '../gtp-frame';

const config = (from: string, to: string, more: Partial<Structs['tx_config']> = {}): Structs['tx_config'] => ({
  ...zero('tx_config'),
  ...{ local: toMapped(address.parse(from)), remote: toMapped(address.parse(to)), teid: 0xfedcba98, local_teid: 1 },
  ...{ sport: 4444, dport: 2152, ttl: 9, tos: 0x2b, ...more },
});

test('an End Marker has type 254, Length 0, S=0 and the TEID of the peer (G11)', (t) => {
  const { payload } = packet(lengthFilled(endMarker(config('192.0.2.1', '192.0.2.2'))));
  t.is(payload.subarray(8).toString('hex'), '30fe0000fedcba98');
  t.deepEqual([payload.readUInt16BE(0), payload.readUInt16BE(2), payload.readUInt16BE(4)], [4444, 2152, 16]);
});

test('over IPv4 it has the TTL, DSCP and DF of the session, no ECN, and a checksum with udpcsum', (t) => {
  const ip = packet(lengthFilled(endMarker(config('192.0.2.1', '192.0.2.2'))));
  t.like(ip, { source: '192.0.2.1', destination: '192.0.2.2', ttl: 9, tos: 0x28, dontFragment: false });
  t.is(ip.payloadSum, 'absent');
  const other = packet(lengthFilled(endMarker(config('192.0.2.1', '192.0.2.2', { flags: tx_flag.df | tx_flag.csum }))));
  t.deepEqual([other.dontFragment, other.payloadSum], [true, 'right']);
});

test('over IPv6 it always has a checksum', (t) => {
  const ip = packet(endMarker(config('2001:db8::1', '2001:db8::2')));
  t.like(ip, { source: '2001:db8::1', destination: '2001:db8::2', ttl: 9, tos: 0x28, payloadSum: 'right', length: 56 });
  t.like(gtp(ip.payload.subarray(8)), { flags: 0x30, type: 254, length: 0, teid: 0xfedcba98, size: 8 });
});

test('what G-PDUs take from the packets inside has its default', (t) => {
  const flags = tx_flag.ttl_inherit | tx_flag.tos_inherit | tx_flag.df_inherit;
  const ip = packet(lengthFilled(endMarker(config('192.0.2.1', '192.0.2.2', { flags, ttl: 0, tos: 0 }))));
  t.like(ip, { ttl: 64, tos: 0, dontFragment: false });
});

// The kernel fills the length in.
function lengthFilled(octets: Buffer): Buffer {
  octets.writeUInt16BE(octets.length, 2);
  return octets;
}
