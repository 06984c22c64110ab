// SPDX-License-Identifier: MIT
import test from 'ava';
import { kind } from '../../src/datapath/layout.gen';
import { frame } from './frames';
import { ours } from './gtp';
import { inners, plain } from './inners';
import { A, eth } from './packet';
import {
  carrying,
  gre,
  hexOctets,
  linkOf,
  number,
  OWN,
  openEndpoints,
  remoteMark,
  sender,
  taker,
  wrapped,
} from './tunnel';
import { payloadOf, tunnelReceiver } from './tunnel-receive';
import { makeWorld } from './world';

const world = makeWorld();
test.beforeEach(() => {
  world.reset();
  openEndpoints(world);
});
test.after.always(() => world.close());

const ENDPOINT = 'gre';
const { delivers, drops, dropsAtEndpoint, leaves } = tunnelReceiver(world, plain[4]);

/** The plain packet behind a header in hex, from the peer. */
function behind(family: 4 | 6, header: string, payload = plain[4]): Buffer {
  return carrying('gre', family, Buffer.concat([hexOctets(header), payload]));
}

for (const family of [4, 6] as const) {
  const is = `IPv${family}`;

  test.serial(`${is}: bits 1, 4 and 5 of the flags are refused, bits 6 to 12 are not looked at (R1)`, (t) => {
    taker(world, gre(), family);
    for (const bits of ['4000', '0800', '0400', '4c00'])
      dropsAtEndpoint(t, behind(family, `${bits} 0800`), 'bad_header', ENDPOINT);
    for (const bits of ['0200', '0100', '0080', '0040', '0020', '0010', '0008', '03f8'])
      delivers(t, behind(family, `${bits} 0800`), 0);
  });

  test.serial(`${is}: another version is not ours (R2)`, (t) => {
    taker(world, gre(), family);
    for (let version = 1; version < 8; version++) leaves(t, behind(family, `000${version} 0800`), ours[family]);
    leaves(t, behind(family, '3001 880b 0000 0000 0000 0000'), ours[family]);
  });

  test.serial(`${is}: a checksum is verified whatever its value; a wrong one is dropped (R3)`, (t) => {
    const csum = gre({ csum: true });
    taker(world, csum, family);
    const right = wrapped(csum, family, plain[4]);
    delivers(t, right, 0);
    const at = right.length - plain[4].length - 4;
    for (const [offset, mask] of [
      [0, 0x80],
      [1, 1],
      [4, 1],
      [30, 0x40],
      [plain[4].length + 3, 1],
    ] as const) {
      const wrong = Buffer.from(right);
      wrong[at + offset] = (wrong[at + offset] ?? 0) ^ mask;
      drops(t, wrong, 'bad_checksum', 0);
    }
    drops(t, behind(family, '8000 0800 0000 0000'), 'bad_checksum', 0);
  });

  test.serial(`${is}: a checksum that comes out as 0 is right, and is one (R3)`, (t) => {
    taker(world, gre({ csum: true }), family);
    // The reserved field takes what makes the sum 0xffff; it is not looked at otherwise.
    const [packet] = inners.filter(({ name }) => name === 'IPv4 UDP of odd length');
    const payload = packet?.bytes ?? Buffer.alloc(0);
    const open = Buffer.concat([hexOctets('8000 0800 0000 0000'), payload]);
    let sum = 0;
    for (let i = 0; i < open.length; i += 2) sum += ((open[i] ?? 0) << 8) | (open[i + 1] ?? 0);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    open.writeUInt16BE(0xffff - sum, 6);
    const run = world.send(t, 'underlay', carrying('gre', family, open));
    t.deepEqual(run.counted, [`rx 0x0: 1 ${payload.length}`]);
    open.writeUInt16BE((0xffff - sum) ^ 1, 6);
    drops(t, carrying('gre', family, open), 'bad_checksum', 0);
  });

  test.serial(`${is}: a checksum of an odd number of octets (R3)`, (t) => {
    const csum = gre({ csum: true, payload: 'ethernet' });
    taker(world, csum, family);
    for (const length of [15, 40, 41, 511, 512, 513, 1025]) {
      const bytes = frame(0x88b5, Buffer.alloc(length, 0xa7));
      const outer = wrapped(csum, family, bytes);
      t.is(world.send(t, 'underlay', outer).verdict, 'redirect', `${length}`);
      outer[outer.length - 1] = 0;
      drops(t, outer, 'bad_checksum', 0);
    }
  });

  test.serial(`${is}: a key on both ends or on neither, and the same one (R4)`, (t) => {
    taker(world, gre({ key: true }), family);
    delivers(t, behind(family, '2000 0800 00001001'), OWN);
    dropsAtEndpoint(t, behind(family, '2000 0800 00001002'), 'unknown_key', ENDPOINT);
    dropsAtEndpoint(t, behind(family, '2000 0800 00000000'), 'unknown_key', ENDPOINT);
    dropsAtEndpoint(t, behind(family, '0000 0800'), 'unknown_key', ENDPOINT);
    taker(world, gre(), family);
    delivers(t, behind(family, '0000 0800'), 0);
    dropsAtEndpoint(t, behind(family, '2000 0800 00000000'), 'unknown_key', ENDPOINT);
    taker(world, gre({ key: true }), family, {}, { id: 0n });
    delivers(t, behind(family, '2000 0800 00000000'), 0);
  });

  test.serial(`${is}: NVGRE: VSID and flow are one key of 32 bits (R4)`, (t) => {
    taker(world, gre({ key: true, payload: 'ethernet' }), family, {}, { id: 0x123456aan });
    const bytes = frame(0x0800, plain[4]);
    const run = world.send(t, 'underlay', behind(family, '2000 6558 123456aa', bytes));
    t.deepEqual(run.counted, [`rx 0x123456aa: 1 ${bytes.length}`]);
    dropsAtEndpoint(t, behind(family, '2000 6558 123456ab', bytes), 'unknown_key', ENDPOINT);
  });

  test.serial(`${is}: numbers that are wanted have to be there and in order; else they are ignored (R5)`, (t) => {
    const numbered = (seq: number): Buffer => behind(family, `1000 0800 ${number(seq, 4).toString('hex')}`);
    taker(world, gre({ seq: true }), family);
    drops(t, behind(family, '0000 0800'), 'no_sequence', 0);
    for (const seq of [0, 1, 5]) delivers(t, numbered(seq), 0);
    for (const seq of [5, 4, 0]) {
      const run = world.send(t, 'underlay', numbered(seq));
      t.regex(run.counted.join(), /^out_of_order session 0x0: 1 /);
      t.deepEqual(run.beside, ['reordered 0x0: 1']);
    }
    delivers(t, numbered(6), 0);
    for (const seq of [0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0, 1]) delivers(t, numbered(seq), 0);
    drops(t, numbered(0xffffffff), 'out_of_order', 0);
    // Far behind is a peer that began anew.
    delivers(t, numbered(0x80000000), 0);
    taker(world, gre(), family);
    for (const seq of [9, 9, 1]) delivers(t, numbered(seq), 0);
  });

  test.serial(`${is}: the first number is 0, each is one more, and the last is followed by 0 (R5)`, (t) => {
    const seq = gre({ seq: true });
    linkOf(world, 'packets');
    const given = eth({ type: 0x0800 }).payload(plain[4]);
    const at = 14 + (family === 4 ? 20 : 40) + 4;
    for (const [first, numbers] of [
      [0, [0, 1, 2]],
      [0xfffffffe, [0xfffffffe, 0xffffffff, 0, 1]],
    ] as const) {
      sender(world, seq, family, 0, { seq: first });
      for (const wanted of numbers) t.is(world.send(t, 'link', given).frame.readUInt32BE(at), wanted);
    }
  });

  test.serial(`${is}: the payload is what the protocol says, and agrees with its version (R6)`, (t) => {
    taker(world, gre(), family);
    delivers(t, behind(family, '0000 0800'), 0);
    drops(t, behind(family, '0000 86dd'), 'bad_inner', 0);
    drops(t, behind(family, '0000 0800', plain[6]), 'bad_inner', 0);
    for (const type of ['0806', '88be', '22eb', '880b', '0000', '8847'])
      drops(t, behind(family, `0000 ${type}`), 'bad_protocol', 0);
    // Frames are another session's.
    dropsAtEndpoint(t, behind(family, '0000 6558'), 'unknown_key', ENDPOINT);
    drops(t, behind(family, '0000 0800', Buffer.alloc(0)), 'empty', 0);
  });

  test.serial(`${is}: one key serves many remotes, each its own session; the named one first (R7)`, (t) => {
    const key = gre({ key: true });
    const near = remoteMark(family === 4 ? '192.0.2.77' : '2001:db8::77');
    const far = remoteMark(family === 4 ? '192.0.2.78' : '2001:db8::78');
    taker(world, key, family, {}, { id: BigInt(OWN) | near.id, scope: near.scope });
    taker(world, key, family, {}, { id: BigInt(OWN) | far.id, scope: far.scope });
    const from = (source: string): Buffer => wrapped(key, family, plain[4], { source });
    const [one, other, none] =
      family === 4 ? ['192.0.2.77', '192.0.2.78', A] : ['2001:db8::77', '2001:db8::78', '2001:db8::a'];
    delivers(t, from(one), BigInt(OWN) | near.id);
    delivers(t, from(other), BigInt(OWN) | far.id);
    dropsAtEndpoint(t, from(none), 'unknown_key', ENDPOINT);
    taker(world, key, family);
    delivers(t, from(one), BigInt(OWN) | near.id);
    delivers(t, from(none), OWN);
  });

  test.serial(`${is}: two sessions without key, one of packets and one of frames, are told apart (R6, R7)`, (t) => {
    taker(world, gre(), family);
    taker(world, gre({ payload: 'ethernet' }), family);
    delivers(t, behind(family, '0000 0800'), 0);
    const frames = tunnelReceiver(world, payloadOf({ payload: 'ethernet' }));
    frames.delivers(t, behind(family, '0000 6558', payloadOf({ payload: 'ethernet' })), 0);
  });
}

test.serial('IPv6: a tunnel encapsulation limit and other options in front of GRE are skipped (R8)', (t) => {
  taker(world, gre(), 6);
  const limit = Buffer.concat([hexOctets('2f00 0401 0401 0000 0000 0800'), plain[4]]);
  delivers(t, carrying('gre', 6, limit, { ip6: { next: 60 } }), 0);
  const hop = Buffer.concat([hexOctets('3c00 0104 00000000 2f00 0401 0401 0000 0000 0800'), plain[4]]);
  delivers(t, carrying('gre', 6, hop, { ip6: { next: 0 } }), 0);
});

test.serial('IPv6: neither a checksum nor anything in its place is asked for (R9)', (t) => {
  taker(world, gre({ key: true, seq: true }), 6);
  delivers(t, behind(6, '3000 0800 00001001 00000001'), OWN);
  taker(world, gre(), 6);
  delivers(t, behind(6, '0000 0800'), 0);
});

test.serial('a fragment of GRE waits for the rest; at another address it is left to the stack (X8)', (t) => {
  const content = Buffer.concat([hexOctets('00000800'), plain[4]]);
  const first = carrying('gre', 4, content, { ip4: { more: true } });
  taker(world, gre(), 4);
  leaves(t, carrying('gre', 4, content, { ip4: { more: true }, destination: '192.0.2.9' }));
  leaves(t, carrying('gre', 4, plain[4], { ip4: { offset: 8 }, destination: '192.0.2.9' }));
  const run = world.watch(() => world.repeat('underlay', first, 1));
  t.deepEqual([run.verdict, run.counted], ['shot', []]);
});

test.serial('GRE at another address, and where nothing has sessions of GRE, is not touched', (t) => {
  taker(world, gre(), 4);
  leaves(t, carrying('gre', 4, Buffer.concat([hexOctets('00000800'), plain[4]]), { destination: '192.0.2.9' }));
  const config = world.maps.config.get(0);
  if (config !== undefined) world.maps.config.put(0, { ...config, kinds: 1 << kind.vlan });
  leaves(t, behind(4, '0000 0800'));
});

test.serial(
  'a wrong checksum of the outer IPv4 header, or a source that is no host, is dropped by name (X11, G19)',
  (t) => {
    taker(world, gre(), 4);
    const content = Buffer.concat([hexOctets('00000800'), plain[4]]);
    dropsAtEndpoint(t, carrying('gre', 4, content, { ip4: { checksum: 1 } }), 'bad_checksum', ENDPOINT);
    for (const source of ['0.0.0.0', '224.0.0.1', '255.255.255.255'])
      dropsAtEndpoint(t, carrying('gre', 4, content, { source }), 'bad_source', ENDPOINT);
    dropsAtEndpoint(t, carrying('gre', 4, content, { ip4: { length: 2000 } }), 'bad_length', ENDPOINT);
  },
);
