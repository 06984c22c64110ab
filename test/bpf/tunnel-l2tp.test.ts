// SPDX-License-Identifier: MIT
import test from 'ava';
import { rx_flag } from '../../src/datapath/layout.gen';
import { frame, userFrames } from './frames';
import { ours } from './gtp';
import { plain } from './inners';
import { bare, SERVER, UE } from './packet';
import {
  carrying,
  hexOctets,
  l2tp,
  linkOf,
  number,
  OWN,
  openEndpoints,
  PORT_OF,
  sender,
  taker,
  wrapped,
} from './tunnel';
import { tunnelReceiver } from './tunnel-receive';
import { makeWorld } from './world';

const world = makeWorld();
test.beforeEach(() => {
  world.reset();
  openEndpoints(world);
});
test.after.always(() => world.close());

const bytes = frame(0x0800, plain[4]);
const { delivers, drops, dropsAtEndpoint, leaves } = tunnelReceiver(world, bytes);

for (const family of [4, 6] as const)
  for (const encap of ['udp', 'ip'] as const) {
    const is = `${encap} in IPv${family}`;
    const start = encap === 'udp' ? '00030000' : '';
    const endpoint = encap === 'udp' ? PORT_OF.l2tp : 'l2tp_ip';
    const kind = encap === 'udp' ? 'l2tp' : 'l2tp_ip';
    const behind = (header: string, payload = bytes): Buffer =>
      carrying(kind, family, Buffer.concat([hexOctets(start + header), payload]));
    const at = 14 + (family === 4 ? 20 : 40) + (encap === 'udp' ? 8 : 0);

    test.serial(`${is}: session 0 carries no data: over IP it is a control message, left to the stack (L1)`, (t) => {
      taker(world, l2tp(encap), family);
      if (encap === 'udp') dropsAtEndpoint(t, behind('00000000'), 'unknown_session', endpoint);
      else leaves(t, behind('00000000'), ours[family]);
    });

    test.serial(`${is}: a cookie is compared whole, and no cookie is none (L4)`, (t) => {
      for (const [length, cookie] of [
        [4, 'e1e2e3e4'],
        [8, 'e1e2e3e4e5e6e7e8'],
      ] as const) {
        taker(world, l2tp(encap, length), family);
        delivers(t, behind(`00001001 ${cookie}`), OWN);
        for (let octet = 0; octet < length; octet++) {
          const wrong = Buffer.from(cookie, 'hex');
          wrong[octet] = (wrong[octet] ?? 0) ^ 0x10;
          drops(t, behind(`00001001 ${wrong.toString('hex')}`), 'bad_cookie', OWN);
        }
        drops(t, behind('00001001'), 'bad_cookie', OWN);
        for (let octets = 0; octets < length; octets++)
          drops(t, behind(`00001001 ${cookie.slice(0, 2 * octets)}`, Buffer.alloc(0)), 'bad_cookie', OWN);
        // The one that we send is no key to us.
        drops(t, behind('00001001 c1c2c3c4c5c6c7c8'), 'bad_cookie', OWN);
      }
    });

    test.serial(`${is}: what is sent as cookie and what is expected are independent (L4)`, (t) => {
      linkOf(world, 'frames');
      for (const [length, sent] of [
        [0, ''],
        [4, 'c1c2c3c4'],
        [8, 'c1c2c3c4c5c6c7c8'],
      ] as const) {
        world.reset();
        linkOf(world, 'frames');
        sender(world, l2tp(encap, length), family);
        const out = world.send(t, 'link', bytes).frame;
        const from = at + (encap === 'udp' ? 8 : 4);
        t.is(out.toString('hex', from, from + length), sent);
        t.true(out.subarray(from + length).equals(bytes));
      }
    });

    test.serial(`${is}: a cookie whose entry is gone lets nothing in (L4)`, (t) => {
      const tunnel = l2tp(encap, 8);
      taker(world, tunnel, family);
      for (const [key] of [...world.maps.details.entries()]) world.maps.details.delete(key);
      drops(t, wrapped(tunnel, family, bytes), 'bad_cookie', OWN);
    });

    test.serial(`${is}: a session that is not known is dropped and counted (L5)`, (t) => {
      taker(world, l2tp(encap), family);
      delivers(t, behind('00001001'), OWN);
      for (const id of ['00001002', 'ffffffff', '01100000'])
        dropsAtEndpoint(t, behind(id), 'unknown_session', endpoint);
    });

    test.serial(
      `${is}: the number of the default sublayer is looked at only if S is set and the session wants it (L6)`,
      (t) => {
        const numbered = (seq: number, s = 0x40): Buffer =>
          behind(`00001001 ${number((s << 24) | seq, 4).toString('hex')}`);
        taker(world, l2tp(encap, 0, 'default'), family);
        for (const [seq, s] of [
          [5, 0x40],
          [5, 0x40],
          [1, 0x40],
          [9, 0],
          [0, 0xbf],
        ] as const)
          delivers(t, numbered(seq, s), OWN);
        taker(world, l2tp(encap, 0, 'seq'), family);
        drops(t, numbered(1, 0), 'no_sequence', OWN);
        drops(t, numbered(1, 0xbf), 'no_sequence', OWN);
        for (const seq of [0, 1, 7]) delivers(t, numbered(seq), OWN);
        for (const seq of [7, 0]) drops(t, numbered(seq), 'out_of_order', OWN);
        for (const seq of [0x7fffff, 0x800000, 0xffffff, 0, 1]) delivers(t, numbered(seq, 0xff), OWN);
        drops(t, numbered(0xffffff), 'out_of_order', OWN);
      },
    );

    test.serial(`${is}: numbers are sent per session, modulo 2^24; without seq S is 0 (L3, L6)`, (t) => {
      linkOf(world, 'frames');
      const from = at + (encap === 'udp' ? 8 : 4);
      sender(world, l2tp(encap, 0, 'seq'), family, 0, { seq: 0xfffffe });
      for (const wanted of [0x40fffffe, 0x40ffffff, 0x40000000, 0x40000001])
        t.is(world.send(t, 'link', bytes).frame.readUInt32BE(from), wanted);
      sender(world, l2tp(encap, 0, 'default'), family);
      t.is(world.send(t, 'link', bytes).frame.readUInt32BE(from), 0);
    });

    test.serial(`${is}: frames are whole, with their tags, and at least 14 octets (L7)`, (t) => {
      taker(world, l2tp(encap), family);
      for (const one of userFrames.filter(({ isTagged }) => isTagged))
        t.true(world.send(t, 'underlay', behind('00001001', one.bytes)).frame.equals(one.bytes), one.name);
      for (const length of [0, 1, 13]) drops(t, behind('00001001', bytes.subarray(0, length)), 'bad_frame', OWN);
      const shortest = world.send(t, 'underlay', behind('00001001', frame(0x88b5, Buffer.alloc(0))));
      t.deepEqual([shortest.verdict, shortest.counted], ['redirect', ['rx 0x1001: 1 14']]);
      t.is(shortest.frame.length, 60, 'filled up to the least that Ethernet sends');
    });

    test.serial(`${is}: peer strict takes packets of the remote alone (L4)`, (t) => {
      const source = family === 4 ? '192.0.2.77' : '2001:db8::77';
      taker(world, l2tp(encap), family);
      delivers(t, wrapped(l2tp(encap), family, bytes, { source }), OWN);
      taker(world, l2tp(encap), family, { flags: rx_flag.frames | rx_flag.strict });
      delivers(t, wrapped(l2tp(encap), family, bytes), OWN);
      drops(t, wrapped(l2tp(encap), family, bytes, { source }), 'wrong_peer', OWN);
    });
  }

for (const family of [4, 6] as const) {
  const behind = (header: string): Buffer => carrying('l2tp', family, Buffer.concat([hexOctets(header), bytes]));

  test.serial(`IPv${family}: control messages and version 2 are left to the stack (L2)`, (t) => {
    taker(world, l2tp('udp'), family);
    for (const first of ['8003', 'c803', '8002', '0002', '0001', '0000', '000f', '4002'])
      leaves(t, behind(`${first}0000 00001001`), ours[family]);
  });

  test.serial(`IPv${family}: reserved bits are not looked at, and sent as 0 (L3)`, (t) => {
    taker(world, l2tp('udp'), family);
    for (const first of ['7ff3ffff', '00030001', '40030000']) delivers(t, behind(`${first} 00001001`), OWN);
    linkOf(world, 'frames');
    sender(world, l2tp('udp'), family);
    const at = 14 + (family === 4 ? 28 : 48);
    t.is(world.send(t, 'link', bytes).frame.toString('hex', at, at + 8), '00030000a0b0c0d0');
  });

  test.serial(`IPv${family}: any source port is accepted; a checksum that is there is verified (L8, X11)`, (t) => {
    taker(world, l2tp('udp'), family);
    for (const sport of [1, 1701, 65535]) delivers(t, wrapped(l2tp('udp'), family, bytes, { sport }), OWN);
    drops(t, wrapped(l2tp('udp'), family, bytes, { udp: { checksum: 0xbeef } }), 'bad_checksum', OWN);
  });
}

test.serial('over UDP in IPv6 a checksum has to be there unless the session opted out (L8, X10)', (t) => {
  const outer = wrapped(l2tp('udp'), 6, bytes, { udp: { checksum: 0 } });
  taker(world, l2tp('udp'), 6);
  drops(t, outer, 'zero_checksum', OWN);
  taker(world, l2tp('udp'), 6, { flags: rx_flag.frames | rx_flag.zero_csum });
  delivers(t, outer, OWN);
  taker(world, l2tp('udp'), 4);
  delivers(t, wrapped(l2tp('udp'), 4, bytes, { udp: { checksum: 0 } }), OWN);
});

test.serial(
  'over IPv6 without UDP the next header is 115 and there is no checksum: the cookie is the guard (L9)',
  (t) => {
    const tunnel = l2tp('ip', 8);
    linkOf(world, 'frames');
    sender(world, tunnel, 6);
    const out = world.send(t, 'link', bytes).frame;
    t.is(out[20], 115);
    t.is(out.length, 14 + 40 + 4 + 8 + bytes.length);
    taker(world, tunnel, 6);
    delivers(t, wrapped(tunnel, 6, bytes), OWN);
  },
);

const overheads = ([4, 6] as const).flatMap((family) =>
  (['udp', 'ip'] as const).flatMap((encap) =>
    ([0, 4, 8] as const).map((cookie) => {
      const octets = (family === 4 ? 20 : 40) + (encap === 'udp' ? 16 : 4) + cookie + 4;
      return { family, tunnel: l2tp(encap, cookie, 'default'), octets };
    }),
  ),
);

test.serial(
  'the overhead is 20 or 40, 8 of UDP, 8 or 4, cookie and sublayer; more than the path takes is not sent (L10)',
  (t) => {
    const told = frame(0x0800, bare().ip4(UE, SERVER, { df: true }).udp().payload(100).bytes());
    for (const { family, tunnel, octets } of overheads) {
      world.reset();
      linkOf(world, 'frames');
      const counted = (mtu: number): string | undefined => {
        sender(world, tunnel, family, 0, { path: { mtu } });
        return world.send(t, 'link', told).counted[0]?.split(' ')[0];
      };
      t.is(counted(octets + told.length), 'tx', tunnel.name);
      t.is(counted(octets + told.length - 1), 'too_big', tunnel.name);
    }
  },
);
