// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { tx_flag } from '../../src/datapath/layout.gen';
import { internetSum } from './checksum';
import { sameFrame } from './harness';
import { etherType } from './inners';
import { A6, B6, bare, eth, SERVER, SERVER6, UE, UE6 } from './packet';
import { hex, LINK, LOCAL_TEID, REMOTE_TEID, type TxWords } from './session';
import { makeWorld } from './world';

const world = makeWorld();
test.beforeEach(() => world.reset());
test.after.always(() => world.close());

type Family = 4 | 6;
const over6: TxWords = { local: A6, remote: B6, flags: tx_flag.csum };
const families = [4, 6] as const;

/** Octets of an outer header without options. */
const overhead = { 4: 36, 6: 56 } as const;

function framed(inner: Buffer): Buffer {
  return eth({ type: (inner[0] ?? 0) >> 4 === 6 ? etherType[6] : etherType[4] })
    .payload(inner)
    .bytes();
}

/** An inner packet of that many octets. */
function packet(family: Family, length: number, df = true): Buffer {
  const ip = family === 4 ? bare().ip4(UE, SERVER, { df, id: 5 }) : bare().ip6(UE6, SERVER6);
  return ip
    .udp(1000, 53)
    .payload(length - (family === 4 ? 28 : 48))
    .bytes();
}

/** RFC 792 and 1191: from the address the packet was for, with as much of it as 576 octets hold. */
function fragNeeded(inner: Buffer, mtu: number, back: readonly [string, string] = [SERVER, UE]): Buffer {
  const quote = inner.subarray(0, 576 - 28);
  return eth({ type: etherType[4] })
    .ip4(...back)
    .icmp({ type: 3, code: 4, rest: mtu })
    .payload(quote)
    .bytes();
}

/** RFC 4443, 3.2: as much of the packet as the minimum MTU holds. */
function packetTooBig(inner: Buffer, mtu: number): Buffer {
  const quote = inner.subarray(0, 1280 - 48);
  return eth({ type: etherType[6] }).ip6(SERVER6, UE6).icmp({ type: 2, rest: mtu }).payload(quote).bytes();
}

/** Wants the packet dropped as too_big, and nothing said to the sender. */
function dropsInSilence(t: ExecutionContext, inner: Buffer, program = 'link'): void {
  const run = world.send(t, program, framed(inner), { mark: program === 'shim' ? LINK : 0 });
  t.is(run.verdict, 'shot');
  t.deepEqual(run.counted, [`too_big session ${hex(LOCAL_TEID)}: 1 ${inner.length + 14}`]);
  t.is(world.maps.links.get(LINK)?.icmp_sent, 0n);
}

/** Wants the packet turned into that answer. */
function answers(t: ExecutionContext, inner: Buffer, wanted: Buffer): void {
  const before = world.maps.links.get(LINK)?.icmp_sent ?? 0n;
  const run = world.send(t, 'link', framed(inner));
  t.is(run.verdict, 'redirect');
  t.deepEqual(run.counted, [`too_big session ${hex(LOCAL_TEID)}: 1 ${inner.length + 14}`]);
  sameFrame(t, run.frame, wanted);
  t.is(world.maps.links.get(LINK)?.icmp_sent, before + 1n);
}

for (const outer of families)
  for (const inside of families) {
    const words = outer === 4 ? {} : over6;
    const fit = 1500 - overhead[outer];

    test.serial(
      `IPv${inside} in IPv${outer}: the largest packet that fits goes, one octet more is answered (X6)`,
      (t) => {
        world.fallback(words);
        const fits = packet(inside, fit);
        t.deepEqual(world.send(t, 'link', framed(fits)).counted, [`tx ${hex(REMOTE_TEID)}: 1 ${fit}`]);
        const big = packet(inside, fit + 1);
        answers(t, big, inside === 4 ? fragNeeded(big, fit) : packetTooBig(big, fit));
      },
    );

    test.serial(`IPv${inside} in IPv${outer}: a PDU Session Container takes its room (X6)`, (t) => {
      for (const ext of ['01000900', '020089a000000000']) {
        world.reset();
        world.fallback({ ...words, ext: Buffer.from(ext, 'hex') });
        const less = fit - 4 - ext.length / 2;
        t.deepEqual(world.send(t, 'link', framed(packet(inside, less))).counted, [`tx ${hex(REMOTE_TEID)}: 1 ${less}`]);
        const big = packet(inside, less + 1);
        answers(t, big, inside === 4 ? fragNeeded(big, less) : packetTooBig(big, less));
      }
    });

    test.serial(`IPv${inside} in IPv${outer}: the answer is right for every kind and size of packet (X6)`, (t) => {
      world.fallback(words, { mtu: 1280 + overhead[outer] });
      for (const length of [1281, 1282, 1400, 1467, 2000, 2999]) {
        const big = packet(inside, length);
        answers(t, big, inside === 4 ? fragNeeded(big, 1280) : packetTooBig(big, 1280));
      }
    });
  }

test.serial('Packet Too Big never tells less than 1280, whatever the path (X6)', (t) => {
  for (const outer of families)
    for (const mtu of [1279 + overhead[outer], 1000, 576, overhead[outer] + 1]) {
      world.reset();
      world.fallback(outer === 4 ? {} : over6, { mtu });
      const big = packet(6, 1400);
      answers(t, big, packetTooBig(big, 1280));
    }
});

test.serial('frag needed tells the truth down to small paths, quoting no more than the packet has (X6)', (t) => {
  for (const mtu of [576, 200, 100]) {
    world.reset();
    world.fallback({}, { mtu });
    for (const length of [mtu - 35, 547, 548, 549, 700]) {
      const big = packet(4, length);
      answers(t, big, fragNeeded(big, mtu - 36));
    }
  }
});

test.serial('a path that does not even take the headers has no answer', (t) => {
  for (const mtu of [0, 20, 36]) {
    world.reset();
    world.fallback({}, { mtu });
    dropsInSilence(t, packet(4, 100));
  }
});

test.serial('IP options of the big packet are quoted, not copied', (t) => {
  world.fallback();
  const big = bare()
    .ip4(UE, SERVER, { df: true, options: Buffer.from('01010100', 'hex') })
    .udp()
    .payload(1500)
    .bytes();
  answers(t, big, fragNeeded(big, 1464));
});

test.serial('packets of odd length and TCP are answered with right checksums', (t) => {
  world.fallback();
  for (const length of [1441, 1442, 1443]) {
    const v4 = bare().ip4(UE, SERVER, { df: true }).tcp().payload(length).bytes();
    const v6 = bare().ip6(UE6, SERVER6).tcp().payload(length).bytes();
    answers(t, v4, fragNeeded(v4, 1464));
    answers(t, v6, packetTooBig(v6, 1464));
  }
});

test.serial('no answer about multicast or broadcast (RFC 1122 3.2.2)', (t) => {
  world.fallback();
  for (const destination of ['224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255'])
    dropsInSilence(t, bare().ip4(UE, destination, { df: true }).udp().payload(1480).bytes());
  for (const destination of ['ff02::1', 'ff0e::1234'])
    dropsInSilence(t, bare().ip6(UE6, destination).udp().payload(1480).bytes());
});

test.serial('no answer about a fragment that is not the first (RFC 1122 3.2.2)', (t) => {
  world.fallback();
  dropsInSilence(t, bare().ip4(UE, SERVER, { df: true, offset: 8, protocol: 17 }).payload(1480).bytes());
  dropsInSilence(
    t,
    bare().ip4(UE, SERVER, { df: true, offset: 65528, more: true, protocol: 17 }).payload(1480).bytes(),
  );
  dropsInSilence(t, bare().ip6(UE6, SERVER6).fragment6({ offset: 8, more: true }).payload(1480).bytes());
  dropsInSilence(t, bare().ip6(UE6, SERVER6).fragment6({ offset: 65528 }).payload(1480).bytes());
});

test.serial('a first fragment is answered', (t) => {
  world.fallback();
  const v4 = bare().ip4(UE, SERVER, { df: true, more: true }).udp().payload(1480).bytes();
  answers(t, v4, fragNeeded(v4, 1464));
  const v6 = bare().ip6(UE6, SERVER6).fragment6({ more: true }).udp().payload(1480).bytes();
  answers(t, v6, packetTooBig(v6, 1464));
});

test.serial('behind the shim a packet that is too big is answered as well', (t) => {
  world.fallback();
  const big = packet(4, 1465);
  const run = world.send(t, 'shim', framed(big), { mark: LINK });
  t.is(run.verdict, 'redirect');
  sameFrame(t, run.frame, fragNeeded(big, 1464));
});

test.serial('of a super-packet one segment is held against the path', (t) => {
  world.fallback();
  const train = framed(
    bare()
      .ip4(UE, SERVER, { df: true })
      .tcp()
      .payload(2 * 1424)
      .bytes(),
  );
  const fits = world.send(t, 'link', train, { gso_size: 1424, gso_segs: 2 }, 0);
  t.deepEqual([fits.verdict, fits.skb.mark], ['redirect', LINK], 'a segment of 1464 octets fits');
  world.reset();
  world.fallback();
  const bigger = bare()
    .ip4(UE, SERVER, { df: true })
    .tcp()
    .payload(2 * 1425)
    .bytes();
  const run = world.send(t, 'link', framed(bigger), { gso_size: 1425, gso_segs: 2 });
  t.deepEqual(run.counted, [`too_big session ${hex(LOCAL_TEID)}: 2 ${bigger.length + 14}`]);
  sameFrame(t, run.frame, fragNeeded(bigger, 1464));
});

test.serial('the checksums of the answers sum to zero', (t) => {
  world.fallback();
  const { frame } = world.send(t, 'link', framed(packet(4, 1499)));
  t.is(internetSum(frame.subarray(14, 34)), 0);
  t.is(internetSum(frame.subarray(34)), 0);
  t.deepEqual(frame.subarray(42), packet(4, 1499).subarray(0, 548));
});
