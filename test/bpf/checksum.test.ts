// SPDX-License-Identifier: MIT
// Outer checksums on receipt (X10, X11). Those that we send are in encap.test.ts.
import test from 'ava';
import { endpoint_flag, rx_flag } from '../../src/datapath/layout.gen';
import { arriving, type Family, gtp, ours } from './gtp';
import { inners, plain } from './inners';
import { message, type } from './messages';
import { bare, pattern, SERVER, SERVER6, UE, UE6 } from './packet';
import { octetsOf, receiver } from './receive';
import { PORT } from './session';
import { makeWorld } from './world';

const world = makeWorld();
const { delivers, drops, dropsAtEndpoint } = receiver(world);
test.after.always(() => world.close());
test.beforeEach(() => {
  world.reset();
  for (const family of families) {
    world.rx({}, { local: ours[family] });
    world.endpoint(ours[family]);
  }
});

const families = [4, 6] as const;
const header = (family: Family): number => 14 + (family === 4 ? 20 : 40);

/** An inner packet of so many octets, with sums that are right. */
function inner(family: Family, length: number): Buffer {
  const ip = family === 4 ? bare().ip4(UE, SERVER) : bare().ip6(UE6, SERVER6);
  const headers = family === 4 ? 28 : 48;
  return ip
    .udp(1000, 53)
    .payload(length - headers)
    .bytes();
}

for (const family of families) {
  test.serial(`IPv${family}: a right checksum is taken for every kind and length of packet (X11)`, (t) => {
    for (const each of inners) delivers(t, arriving(family, gtp(each.bytes)), each.bytes);
    // around the blocks of 512 octets that are summed at once
    for (const length of [487, 488, 489, 495, 496, 497, 511, 512, 513, 1007, 1008, 1009, 1024, 1500, 2999])
      delivers(t, arriving(family, gtp(inner(4, length))), inner(4, length));
  });

  test.serial(`IPv${family}: a wrong checksum is refused (X11)`, (t) => {
    const right = octetsOf(arriving(family, gtp(plain[4])));
    const at = header(family) + 6;
    for (let bit = 0; bit < 16; bit++) {
      const frame = Buffer.from(right);
      frame.writeUInt16BE(right.readUInt16BE(at) ^ (1 << bit), at);
      drops(t, frame, 'bad_checksum');
    }
  });

  test.serial(`IPv${family}: an octet damaged anywhere behind the UDP length is refused (X11)`, (t) => {
    for (const datagram of [gtp(plain[4]), gtp(inner(6, 601)), message(type.echoRequest)]) {
      const right = octetsOf(arriving(family, datagram));
      for (let at = header(family) + 6; at < right.length; at++)
        for (const mask of [0x01, 0x80]) {
          const frame = Buffer.from(right);
          frame[at] = (frame[at] ?? 0) ^ mask;
          const run = world.send(t, 'underlay', frame);
          t.is(run.verdict, 'shot', `octet ${at}`);
          t.deepEqual(run.beside, []);
          t.regex(run.counted[0] ?? '', /^bad_checksum /, `octet ${at}`);
        }
    }
  });

  test.serial(`IPv${family}: a checksum of another destination, or of another source, is refused (X11)`, (t) => {
    const [source, destination] = family === 4 ? ['192.0.2.3', '192.0.2.66'] : ['2001:db8::3', '2001:db8::66'];
    const address = family === 4 ? 4 : 16;
    for (const [around, at] of [
      [{ source }, header(family) - 2 * address],
      [{ destination }, header(family) - address],
    ] as const) {
      const right = octetsOf(arriving(family, gtp(plain[4])));
      const frame = octetsOf(arriving(family, gtp(plain[4]), around));
      right.copy(frame, at, at, at + address);
      if (family === 4) right.copy(frame, 24, 24, 26); // the sum of the IPv4 header is right
      drops(t, frame, 'bad_checksum');
    }
  });

  test.serial(
    `IPv${family}: the checksum covers what the UDP length tells, not what follows in the IP packet (X11)`,
    (t) => {
      const datagram = gtp(plain[4]);
      for (const count of [1, 2, 7]) {
        const udp = { length: 8 + datagram.length };
        delivers(t, arriving(family, Buffer.concat([datagram, pattern(count)]), { udp }), plain[4]);
        const padded = Buffer.concat([octetsOf(arriving(family, datagram)), Buffer.alloc(count, 0xff)]);
        delivers(t, padded, plain[4]);
      }
    },
  );

  test.serial(
    `IPv${family}: a sum that is still to be filled in, from a sender on this machine, is taken (X11)`,
    (t) => {
      for (const each of inners)
        delivers(t, arriving(family, gtp(each.bytes), { udp: { checksum: 'pseudo' } }), each.bytes);
    },
  );

  test.serial(`IPv${family}: a checksum of ffff is one like any other (X10)`, (t) => {
    // the two octets that make the sum of the whole come out as 0, which is sent as ffff
    const sum = (fill: number): Buffer => {
      const datagram = gtp(
        bare()
          .ip4(UE, SERVER, { protocol: 253 })
          .payload(Buffer.from([fill >> 8, fill & 0xff]))
          .bytes(),
      );
      return octetsOf(arriving(family, datagram));
    };
    const frame = sum(sum(0).readUInt16BE(header(family) + 6));
    t.is(frame.readUInt16BE(header(family) + 6), 0xffff);
    delivers(t, frame, frame.subarray(frame.length - 22));
  });
}

test.serial('no checksum over IPv4 is taken, for G-PDUs and for signalling (X10)', (t) => {
  const udp = { checksum: 0 };
  for (const each of inners) delivers(t, arriving(4, gtp(each.bytes), { udp }), each.bytes);
  const run = world.send(t, 'underlay', arriving(4, message(type.echoRequest), { udp }));
  t.deepEqual(run.counted, [`answered ${ours[4]}: 1 0`]);
});

test.serial('no checksum over IPv6 is refused by a name of its own, for G-PDUs and for signalling (X10)', (t) => {
  const udp = { checksum: 0 };
  for (const each of inners) drops(t, arriving(6, gtp(each.bytes), { udp }), 'zero_checksum');
  for (const datagram of [message(type.echoRequest), gtp(plain[4], { teid: 9 })])
    dropsAtEndpoint(t, arriving(6, datagram, { udp }), 'zero_checksum');
  drops(t, arriving(6, gtp(Buffer.alloc(0), { type: type.endMarker }), { udp }), 'zero_checksum');
});

test.serial('no checksum over IPv6 is taken by a session that opted in, and by it alone (X10)', (t) => {
  const udp = { checksum: 0 };
  world.rx({ flags: rx_flag.zero_csum }, { local: ours[6] });
  world.rx({}, { local: ours[6], teid: 7 });
  for (const each of inners) delivers(t, arriving(6, gtp(each.bytes), { udp }), each.bytes);
  const marker = world.send(t, 'underlay', arriving(6, gtp(Buffer.alloc(0), { type: type.endMarker }), { udp }));
  t.deepEqual(marker.counted, ['end_markers 0x1001: 1 0']);
  const frame = octetsOf(arriving(6, gtp(plain[4], { teid: 7 }), { udp }));
  t.deepEqual(world.send(t, 'underlay', frame).counted, [`zero_checksum session 0x7: 1 ${frame.length}`]);
  drops(t, arriving(6, gtp(plain[4]), { udp: { checksum: 1 } }), 'bad_checksum');
});

test.serial('signalling without checksum over IPv6 is answered where a session at that address opted in (X10)', (t) => {
  world.endpoint(ours[6], PORT, { flags: endpoint_flag.echo | endpoint_flag.zero_csum });
  const run = world.send(t, 'underlay', arriving(6, message(type.echoRequest), { udp: { checksum: 0 } }));
  t.deepEqual([run.counted, run.beside], [[`answered ${ours[6]}: 1 0`], [`sent_echo ${ours[6]}: 1`]]);
});
