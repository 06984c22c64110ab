// SPDX-License-Identifier: MIT
// Outer fragments on receipt (G27, X8): a test run each, the last one gives the inner packet.
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { kind } from '../../src/datapath/layout.gen';
import { datagram, datagramOf, fragment, fragments, orders, type Piece } from './fragments';
import { delivered, gtp, ours, theirs } from './gtp';
import { sameFrame } from './harness';
import { bare, eth, type Packet, SERVER, UE } from './packet';
import { octetsOf } from './receive';
import { hex, LOCAL_TEID, PORT } from './session';
import { type Counted, makeWorld } from './world';

const world = makeWorld();
test.beforeEach(() => {
  world.reset();
  for (const family of families) {
    world.rx({}, { local: ours[family] });
    world.endpoint(ours[family]);
  }
});
test.after.always(() => world.close());

const families = [4, 6] as const;
const packet = (length: number, tos = 0): Buffer =>
  bare()
    .ip4(UE, SERVER, { tos })
    .udp(1000, 53)
    .payload(length - 28)
    .bytes();
const inner = packet(301);

/** One piece, and wants it held: nothing counted, nothing said. */
function holds(t: ExecutionContext, frame: Packet | Buffer): void {
  const run = world.send(t, 'underlay', frame, {}, 0);
  t.is(run.verdict, 'shot');
}

/** Wants the last piece to bring the packet out. */
function completes(t: ExecutionContext, frame: Packet | Buffer, wanted = inner): void {
  const run = world.send(t, 'underlay', frame);
  t.is(run.verdict, 'redirect');
  t.deepEqual(run.counted, [`rx ${hex(LOCAL_TEID)}: 1 ${wanted.length}`]);
  sameFrame(t, run.frame, delivered(wanted));
}

function delivers(t: ExecutionContext, frames: readonly (Packet | Buffer)[], wanted = inner): void {
  for (const frame of frames.slice(0, -1)) holds(t, frame);
  const last = frames.at(-1);
  if (last !== undefined) completes(t, last, wanted);
}

/** Wants this piece to end its datagram: it and those in `held` are counted. */
function spoils(t: ExecutionContext, frame: Packet | Buffer, held: readonly (Packet | Buffer)[] = []): Counted {
  const octets = [...held, frame].reduce((sum, each) => sum + octetsOf(each).length, 0);
  const run = world.send(t, 'underlay', frame);
  t.is(run.verdict, 'shot');
  t.deepEqual(run.counted, [`fragment endpoint ${PORT}: ${held.length + 1} ${octets}`]);
  return run;
}

/** Wants it left to the stack. */
function leaves(t: ExecutionContext, frame: Packet | Buffer, wanted = frame): void {
  const run = world.send(t, 'underlay', frame, {}, 0);
  t.is(run.verdict, 'unspec');
  sameFrame(t, run.frame, wanted);
}

for (const family of families)
  test.serial(
    `IPv${family}: without its first piece, a datagram is counted at an endpoint that the address has`,
    (t) => {
      world.reset();
      world.endpoint(ours[family], 4789, { kind: kind.vxlan });
      const whole = datagramOf(family, inner);
      holds(t, fragment(family, whole, { start: 200, end: whole.length, more: false }));
      const run = world.send(t, 'underlay', fragment(family, whole, { start: 192, end: 208 }));
      t.is(run.verdict, 'shot');
      t.regex(run.counted.join(), /^fragment endpoint 4789: /);
    },
  );

for (const family of families) {
  const whole = datagramOf(family, inner);
  const pieces = fragments(family, whole, [120, 200]);
  const [first, second, third] = pieces as [Packet, Packet, Packet];
  const piece = (fields: Piece): Packet => fragment(family, whole, fields);

  for (const [i, order] of orders([0, 1, 2]).entries())
    test.serial(`IPv${family}: three pieces in the order ${order.join(' ')} become one packet (G27)`, (t) => {
      delivers(
        t,
        order.map((each) => pieces[each] as Packet),
        inner,
      );
      t.is(world.maps.datagrams.get(0)?.held.filter(({ state }) => state !== 0).length, 0, `slots after order ${i}`);
    });

  test.serial(`IPv${family}: the same datagram again is another one`, (t) => {
    for (let i = 0; i < 70; i++) delivers(t, pieces);
  });

  test.serial(`IPv${family}: a piece that comes twice counts as a fragment, the datagram arrives`, (t) => {
    for (const [before, again, after] of [
      [[first], first, [second, third]],
      [[first, second], second, [third]],
      [[third], third, [second, first]],
      [[third, second], third, [first]],
    ] as const) {
      for (const frame of before) holds(t, frame);
      spoils(t, again);
      delivers(t, after);
    }
  });

  for (const [title, held, bad] of [
    ['overlaps the one before', [first, third], { start: 112, end: 200 }],
    ['overlaps the one behind', [first, third], { start: 120, end: 208 }],
    ['is inside another', [first], { start: 8, end: 16 }],
    ['has another inside', [second], { start: 112, end: 208 }],
    ['is as the first but longer', [first], { start: 0, end: 128 }],
    ['is behind the end', [third], { start: whole.length + 3, end: whole.length + 11, more: true }],
    ['is the last, but others are behind it', [second], { start: 120, end: 160, more: false }],
    ['is the last of another length', [third], { start: 200, end: 256, more: false }],
    ['is as the last, but more follow', [third], { start: 200, end: whole.length, more: true }],
    ['is as one that was not the last', [second], { start: 120, end: 200, more: false }],
  ] as const)
    test.serial(`IPv${family}: a piece that ${title} spoils the datagram, and the rest is dropped (RFC 5722)`, (t) => {
      const long = Buffer.concat([whole, Buffer.alloc(64)]);
      for (const frame of held) holds(t, frame);
      spoils(t, fragment(family, long, { more: bad.end < whole.length, ...bad }), held);
      for (const frame of pieces) spoils(t, frame);
    });

  for (const [title, bad] of [
    ['is no multiple of eight octets', { start: 120, end: 199, more: true }],
    ['is empty', { start: 120, end: 120, more: true }],
    ['is empty and the last', { start: 120, end: 120, more: false }],
  ] as const)
    test.serial(`IPv${family}: a piece that ${title} is dropped, with those that are held`, (t) => {
      spoils(t, piece(bad));
      delivers(t, pieces);
      holds(t, first);
      spoils(t, piece(bad), [first]);
      spoils(t, third);
    });

  test.serial(`IPv${family}: a piece that ends behind 65,535 octets is dropped once it is known to be ours`, (t) => {
    const far = fragment(family, Buffer.alloc(65_600), { start: 65_528, end: 65_544, more: false });
    leaves(t, far);
    holds(t, first);
    spoils(t, far, [first]);
  });

  test.serial(`IPv${family}: packets of up to 16,000 octets are made, longer ones are not`, (t) => {
    const header = family === 4 ? 20 : 40;
    const longest = packet(16_000 - header - 16);
    const cuts = [8, 3000, 6000, 9000, 12_000, 15_000]; // a test run takes no frame of more than a page
    delivers(t, fragments(family, datagramOf(family, longest), cuts), longest);
    const frames = fragments(family, datagramOf(family, packet(16_001 - header - 16)), cuts);
    for (const frame of frames.slice(0, -1)) holds(t, frame);
    spoils(t, frames.at(-1) as Packet, frames.slice(0, -1));
    leaves(t, fragment(family, Buffer.alloc(17_000), { id: 8, start: 16_000, end: 17_000 }));
  });

  test.serial(`IPv${family}: 64 pieces make a packet, 65 are too many`, (t) => {
    const cuts = Array.from({ length: 63 }, (_, i) => (i + 1) * 8);
    const small = packet(64 * 8 - 16);
    delivers(t, fragments(family, datagramOf(family, small), cuts), small);
    const more = packet(65 * 8 - 16);
    const frames = fragments(family, datagramOf(family, more), [...cuts, 64 * 8]);
    for (const frame of frames.slice(0, 64)) holds(t, frame);
    spoils(t, frames[64] as Packet, frames.slice(0, 64));
  });

  test.serial(`IPv${family}: pieces of different datagrams do not mix`, (t) => {
    const others: Partial<Piece>[] = [
      { id: 8 },
      { source: family === 4 ? '192.0.2.77' : '2001:db8::77' },
      { destination: family === 4 ? '192.0.2.78' : '2001:db8::78' },
    ];
    world.endpoint(others[2]?.destination as string);
    holds(t, first);
    for (const other of others)
      for (const frame of fragments(family, whole, [120, 200], other).slice(1)) holds(t, frame);
    delivers(t, [third, second]);
  });

  test.serial(`IPv${family}: the sixty-fifth incomplete datagram takes the place of the oldest`, (t) => {
    for (let id = 100; id < 164; id++) holds(t, piece({ id, start: 0, end: 120 }));
    const oldest = piece({ id: 100, start: 0, end: 120 });
    const counted = world.send(t, 'underlay', piece({ id: 164, start: 0, end: 120 })).counted;
    t.deepEqual(counted, [`fragment endpoint ${PORT}: 1 ${octetsOf(oldest).length}`]);
    holds(t, piece({ id: 101, start: 120, end: 200 }));
    completes(t, piece({ id: 101, start: 200, end: whole.length }));
  });

  test.serial(`IPv${family}: pieces wait for 30 seconds, then they are counted with the next datagram`, (t) => {
    holds(t, first);
    holds(t, second);
    age(30);
    const octets = octetsOf(first).length + octetsOf(second).length;
    const counted = world.send(t, 'underlay', third).counted;
    t.deepEqual(counted, [`fragment endpoint ${PORT}: 2 ${octets}`]);
    delivers(t, [first, second]);
  });

  test.serial(`IPv${family}: a datagram for a port that is not ours is the stack's, piece by piece`, (t) => {
    const foreign = datagram(family, Buffer.alloc(300), { dport: 53 });
    for (const frame of fragments(family, foreign, [120, 200])) leaves(t, frame);
    // one that begins behind, as it came
    leaves(t, fragment(family, foreign, { start: 120, end: 200 }));
    // the identification may be one of ours later
    delivers(t, pieces);
  });

  test.serial(`IPv${family}: a datagram for another port that comes in disorder is the stack's as one packet`, (t) => {
    const foreign = datagram(family, Buffer.alloc(300), { dport: 53 });
    const [a, b, c] = fragments(family, foreign, [120, 200]) as [Packet, Packet, Packet];
    const fields = { id: 7 };
    const ip =
      family === 4
        ? eth().ip4(theirs[4], ours[4], { ...fields, protocol: 17 })
        : eth().ip6(theirs[6], ours[6], { next: 17 });
    for (const order of orders([a, b, c]).filter(([each]) => each !== a)) {
      holds(t, order[0] as Packet);
      holds(t, order[1] as Packet);
      leaves(t, order[2] as Packet, ip.payload(foreign));
    }
  });

  test.serial(`IPv${family}: what is for another address is the stack's`, (t) => {
    const destination = family === 4 ? '192.0.2.99' : '2001:db8::99';
    for (const frame of fragments(family, whole, [120, 200], { destination })) leaves(t, frame);
  });

  test.serial(`IPv${family}: the whole is checked as any packet: TEID, UDP checksum, lengths`, (t) => {
    const ends: readonly (readonly [string, Buffer])[] = [
      ['unknown_teid', datagram(family, gtp(inner, { teid: 0x77 }))],
      ['bad_checksum', datagramOf(family, inner, { udp: { checksum: 0x1234 } })],
    ];
    for (const [reason, octets] of ends) {
      const frames = fragments(family, octets, [120, 200]);
      holds(t, frames[0] as Packet);
      holds(t, frames[1] as Packet);
      const { counted } = world.send(t, 'underlay', frames[2] as Packet);
      const length = 14 + (family === 4 ? 20 : 40) + octets.length;
      const where = reason === 'bad_checksum' ? `session ${hex(LOCAL_TEID)}` : `endpoint ${PORT}`;
      t.deepEqual(counted, [`${reason} ${where}: 1 ${length}`]);
    }
  });

  test.serial(`IPv${family}: octets behind a piece are no part of it`, (t) => {
    delivers(
      t,
      pieces.map((frame) => Buffer.concat([frame.bytes(), Buffer.from('padding')])),
    );
  });

  const NOT = 0;
  const [ECT1, ECT0, CE] = [1, 2, 3];
  for (const [marks, outcome] of [
    [[CE, ECT0, ECT0], CE],
    [[ECT0, ECT0, CE], CE],
    [[ECT1, CE, ECT0], CE],
    [[ECT1, ECT0, ECT0], ECT1],
    [[ECT0, ECT1, ECT1], ECT0],
    [[ECT0, ECT0, NOT], undefined],
    [[NOT, CE, NOT], undefined],
  ] as const)
    test.serial(`IPv${family}: pieces marked ${marks.join(' ')} give ${outcome ?? 'nothing'} (RFC 3168 5.3)`, (t) => {
      const carried = packet(301, ECT0);
      const octets = datagramOf(family, carried);
      const frames = [0, 120, 200].map((start, i) =>
        fragment(family, octets, {
          start,
          end: [120, 200, octets.length][i] as number,
          ip4: { tos: marks[i] as number },
          ip6: { tos: marks[i] as number },
        }),
      );
      // what the outer mark makes of the inner one (X2)
      const mark = outcome === CE ? CE : outcome === ECT1 ? ECT1 : ECT0;
      if (outcome !== undefined) return delivers(t, frames, packet(301, mark));
      holds(t, frames[0] as Packet);
      holds(t, frames[1] as Packet);
      spoils(t, frames[2] as Packet, frames.slice(0, 2));
    });

  test.serial(`IPv${family}: any cuts, any order, pieces twice`, (t) => {
    const cases = fc.record({
      length: fc.integer({ min: 100, max: 3000 }),
      cuts: fc.uniqueArray(fc.integer({ min: 1, max: 11 }), { minLength: 1, maxLength: 11 }),
      seed: fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
      again: fc.boolean(),
    });
    fc.assert(
      fc.property(cases, ({ length, cuts, seed, again }) => {
        const wanted = packet(length);
        const octets = datagramOf(family, wanted);
        const places = cuts.map((each) => each * 8).toSorted((a, b) => a - b);
        const all = fragments(family, octets, places);
        const frames = all.map((frame, i) => [seed[i] ?? 0, frame] as const).toSorted(([a], [b]) => a - b);
        for (const [, frame] of frames.slice(0, -1)) {
          holds(t, frame);
          if (again) spoils(t, frame);
        }
        completes(t, (frames.at(-1) as (typeof frames)[0])[1], wanted);
      }),
      { numRuns: 60 },
    );
  });
}

test.serial('IPv4 options of the first piece stay in front, its header checksum is right', (t) => {
  const options = Buffer.from('0101010101010100', 'hex');
  delivers(t, fragments(4, datagramOf(4, inner), [120, 200], { ip4: { options } }));
  const foreign = datagram(4, Buffer.alloc(300), { dport: 53 });
  const [a, b] = fragments(4, foreign, [120], { ip4: { options } }) as [Packet, Packet];
  holds(t, b);
  leaves(t, a, eth().ip4(theirs[4], ours[4], { id: 7, protocol: 17, options }).payload(foreign));
});

test.serial('a piece whose IPv4 header checksum is wrong is dropped, and does not spoil its datagram (X11)', (t) => {
  const whole = datagramOf(4, inner);
  const bad = fragment(4, whole, { start: 120, end: 200, ip4: { checksum: 1 } });
  holds(t, fragment(4, whole, { start: 0, end: 120 }));
  const { verdict, counted } = world.send(t, 'underlay', bad);
  t.is(verdict, 'shot');
  t.deepEqual(counted, [`bad_checksum endpoint ${PORT}: 1 ${octetsOf(bad).length}`]);
  delivers(t, fragments(4, whole, [120, 200]).slice(1));
});

test.serial('IPv6: extension headers in front of the fragment header and behind it', (t) => {
  // hop-by-hop, then destination options, of padding each
  const before = { type: 0, octets: '3c000104000000002c00010400000000' };
  delivers(t, fragments(6, datagramOf(6, inner), [120, 200], { before }));
  const behind = Buffer.concat([Buffer.from('1100010400000000', 'hex'), datagramOf(6, inner)]);
  delivers(t, fragments(6, behind, [120, 200], { before, next: 60 }));
  delivers(t, fragments(6, behind, [120, 200], { next: 60 }).toReversed());
});

test.serial("IPv6: pieces of TCP and ICMPv6, and a first piece without a port, are the stack's", (t) => {
  const whole = datagramOf(6, inner);
  for (const next of [6, 58]) for (const frame of fragments(6, whole, [120, 200], { next })) leaves(t, frame);
  const behind = Buffer.concat([Buffer.from('1100010400000000', 'hex'), whole]);
  for (const frame of fragments(6, behind, [8, 200], { next: 60 })) leaves(t, frame);
});

test.serial('IPv6: a packet that says of itself that it is all there is one (RFC 6946)', (t) => {
  completes(t, fragment(6, datagramOf(6, inner), { start: 0, end: datagramOf(6, inner).length, more: false }));
});

test.serial('pieces of an IPv6 packet with mapped IPv4 addresses are none of an IPv4 one, and not ours', (t) => {
  const mapped = { source: '::ffff:192.0.2.1', destination: '::ffff:192.0.2.2' };
  const whole = datagramOf(4, inner);
  const [a, second, third] = fragments(4, whole, [120, 200]) as [Packet, Packet, Packet];
  holds(t, a);
  for (const piece of fragments(6, whole, [120, 200], mapped)) leaves(t, piece);
  delivers(t, [second, third]);
});

/** Makes what is held so many seconds older. */
function age(seconds: number): void {
  const table = world.maps.datagrams.get(0);
  if (table === undefined) throw new Error('no table');
  const older = (since: bigint): bigint => since - BigInt(seconds) * 1_000_000_000n;
  const held = table.held.map((each) => (each.state === 0 ? each : { ...each, until: older(each.until) }));
  world.maps.datagrams.put(0, { ...table, held });
}
