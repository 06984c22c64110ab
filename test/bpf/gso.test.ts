// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { drop_reason, tx_flag } from '../../src/datapath/layout.gen';
import { arriving, chain, gtp } from './gtp';
import { sameFrame } from './harness';
import { etherType, plain } from './inners';
import { bare, eth, SERVER, SERVER6, UE, UE6 } from './packet';
import { receiver } from './receive';
import { hex, LINK, LOCAL_TEID, type TxWords } from './session';
import { makeWorld } from './world';

const world = makeWorld();
const { drops } = receiver(world);
test.beforeEach(() => world.reset());
test.after.always(() => world.close());

/** skb->mark of a train of outer packets on its way through the shim. */
const SHIM_DECAP = 0xffffffff;
// A test run can tell the size of the segments but not their kind, so the kernel refuses to make or take away room in
// them: what gets as far as that is accepted. live.test.ts sends such packets for real. What is refused room on the way
// out goes by the shim, with this in cb[4].
const ACCEPTED = 'no_room';
const REFUSED = drop_reason.no_room;

function framed(inner: Buffer): Buffer {
  return eth({ type: (inner[0] ?? 0) >> 4 === 6 ? etherType[6] : etherType[4] })
    .payload(inner)
    .bytes();
}

const tcp4 = (length: number, options = 0) =>
  bare()
    .ip4(UE, SERVER, { df: true })
    .tcp(1000, 80, { options: Buffer.alloc(options, 1) })
    .payload(length)
    .bytes();
const tcp6 = (length: number) => bare().ip6(UE6, SERVER6).tcp(1000, 80).payload(length).bytes();
const udp4 = (length: number) => bare().ip4(UE, SERVER).udp(1000, 80).payload(length).bytes();

/** Wants a super-packet sent to the shim: as it is, uncounted, marked with the link. */
function cutInShim(t: ExecutionContext, inner: Buffer, size: number, words: TxWords = {}): void {
  world.reset();
  world.fallback(words);
  const run = world.send(t, 'link', framed(inner), { gso_size: size }, 0);
  t.is(run.verdict, 'redirect');
  t.is(run.skb.mark, LINK);
  t.not(run.skb.cb[4], REFUSED);
  sameFrame(t, run.frame, framed(inner));
}

/** Wants a super-packet encapsulated at once, to be cut late. */
function cutLate(t: ExecutionContext, inner: Buffer, size: number, words: TxWords = {}): void {
  world.reset();
  world.fallback(words);
  const run = world.send(t, 'link', framed(inner), { gso_size: size }, 0);
  t.deepEqual([run.verdict, run.skb.cb[4]], ['redirect', REFUSED]);
}

test.serial('a super-packet of full segments alone is cut late (late cut, C1)', (t) => {
  for (const count of [1, 2, 3, 5])
    for (const size of [100, 536]) {
      cutLate(t, tcp4(count * size), size);
      cutLate(t, tcp6(count * size), size);
      cutLate(t, udp4(count * size), size);
      cutLate(t, tcp4(count * size, 12), size);
    }
});

test.serial('a super-packet with a remainder goes through the shim (late cut, C1)', (t) => {
  for (const rest of [1, 7, 99]) {
    cutInShim(t, tcp4(300 + rest), 100);
    cutInShim(t, tcp6(300 + rest), 100);
    cutInShim(t, udp4(300 + rest), 100);
    cutInShim(t, tcp4(300 + rest, 12), 100);
  }
});

test.serial('a super-packet with IP options or extension headers goes through the shim (late cut, C1)', (t) => {
  const options = Buffer.from('01010100', 'hex');
  cutInShim(t, bare().ip4(UE, SERVER, { options }).tcp().payload(300).bytes(), 100);
  const segment = tcp6(300).subarray(40);
  const behind = Buffer.concat([Buffer.from('0600010400000000', 'hex'), segment]);
  cutInShim(t, bare().ip6(UE6, SERVER6, { next: 0 }).payload(behind).bytes(), 100);
});

test.serial('gso split sends every super-packet through the shim', (t) => {
  cutInShim(t, tcp4(300), 100, { flags: tx_flag.split });
});

test.serial('gso keep sends super-packets of UDP through the shim, those of TCP not (late cut, C4)', (t) => {
  cutInShim(t, udp4(300), 100, { flags: tx_flag.keep });
  cutLate(t, tcp4(300), 100, { flags: tx_flag.keep });
});

test.serial('inner UDP without checksum, to be summed outside, goes through the shim', (t) => {
  const inner = bare().ip4(UE, SERVER).udp(1, 2, { checksum: 0 }).payload(300).bytes();
  cutInShim(t, inner, 100, { flags: tx_flag.csum });
  cutLate(t, inner, 100);
});

test.serial('dropped super-packets count as the packets that they stand for', (t) => {
  world.exact('10.99.0.1');
  const rows = [
    { inner: tcp4(300), size: 100, segments: 0, packets: 3 },
    { inner: tcp4(301), size: 100, segments: 0, packets: 4 },
    { inner: tcp4(300), size: 100, segments: 3, packets: 3 },
    { inner: udp4(500), size: 100, segments: 5, packets: 5 },
    { inner: tcp6(101), size: 100, segments: 2, packets: 2 },
  ];
  for (const { inner, size, segments, packets } of rows) {
    const run = world.send(t, 'link', framed(inner), { gso_size: size, gso_segs: segments });
    t.deepEqual(run.counted, [`no_session link ${LINK}: ${packets} ${inner.length + 14}`]);
  }
});

test.serial('a packet does not overtake those of its flow that are in the shim (late cut, D)', (t) => {
  world.fallback();
  const single = framed(udp4(20));
  const behind = (): boolean => {
    world.send(t, 'link', framed(udp4(301)), { gso_size: 100 }, 0);
    const run = world.repeat('link', single, 1);
    return run.skb.mark === LINK;
  };
  // the memory lasts three jiffies: a machine that is slow just now gets another try
  t.true(Array.from({ length: 20 }).some(behind));
  const other = bare().ip4(UE, SERVER).udp(7, 7).payload(20).bytes();
  t.is(world.repeat('link', framed(other), 1).skb.mark, 0);
});

test.serial('once they have left the shim, packets of the flow go straight again', (t) => {
  world.fallback();
  world.send(t, 'link', framed(udp4(201)), { gso_size: 100 }, 0);
  for (let i = 0; i < 3; i++) world.send(t, 'shim', framed(udp4(i === 2 ? 1 : 100)), { mark: LINK });
  const run = world.send(t, 'link', framed(udp4(20)));
  t.is(run.skb.mark, 0);
});

// Receipt.

test.serial('the length of one segment is that of a super-packet cut late (late cut, C2)', (t) => {
  world.rx({});
  for (const [more, flags] of [
    ['', 0x30],
    ['00000000', 0x32],
    [chain([0x85, 1]), 0x34],
  ] as const)
    for (const inner of [tcp4(400), tcp6(400), udp4(400), tcp4(400, 12)]) {
      const surplus = 100 - 400;
      drops(t, arriving(4, gtp(inner, { more, flags, surplus })), ACCEPTED, { gso_size: 100 });
    }
});

test.serial(
  'the length of the whole is that of a super-packet from one who knows nothing of cuts (late cut, C2)',
  (t) => {
    world.rx({});
    for (const inner of [tcp4(400), tcp6(401), udp4(399)])
      drops(t, arriving(4, gtp(inner)), ACCEPTED, { gso_size: 100 });
  },
);

test.serial('any other length of a super-packet is refused (late cut, C2)', (t) => {
  world.rx({});
  for (const inner of [tcp4(400), tcp6(400), udp4(400)])
    for (const surplus of [-1, 1, -299, -301, -200, 100])
      drops(t, arriving(4, gtp(inner, { surplus })), 'bad_length', { gso_size: 100 });
});

test.serial('a super-packet of neither TCP nor UDP is refused', (t) => {
  world.rx({});
  const icmp = bare().ip4(UE, SERVER).icmp().payload(400).bytes();
  drops(t, arriving(4, gtp(icmp)), 'bad_inner', { gso_size: 100 });
});

test.serial(
  'a train of whole GTP packets is sent through the shim, to be cut and looked at again (late cut, C2)',
  (t) => {
    world.rx({});
    const one = gtp(plain[4]);
    const train = arriving(4, Buffer.concat([one, one, one]));
    const run = world.send(t, 'underlay', train, { gso_size: one.length }, 0);
    t.is(run.verdict, 'redirect');
    t.is(run.skb.mark, SHIM_DECAP);
    sameFrame(t, run.frame, train);
  },
);

test.serial('a packet of such a train comes out of the shim and is delivered', (t) => {
  world.rx({});
  const run = world.send(t, 'shim', arriving(4, gtp(plain[4])), { mark: SHIM_DECAP });
  t.is(run.verdict, 'redirect');
  t.is(run.skb.mark, 0);
  t.deepEqual(run.counted, [`rx ${hex(LOCAL_TEID)}: 1 ${plain[4].length}`]);
});

test.serial(
  'what comes out of such a train and is none of ours is left to the stack, as if it had come by itself',
  (t) => {
    world.rx({});
    const run = world.send(t, 'shim', arriving(4, gtp(plain[4]), { dport: 53 }), { mark: SHIM_DECAP }, 0);
    t.is(run.verdict, 'unspec');
  },
);
