// SPDX-License-Identifier: MIT
import test from 'ava';
import { rx_flag } from '../../src/datapath/layout.gen';
import { frame, userFrames } from './frames';
import { type Around, delivered, type Family, ours } from './gtp';
import { type Skb, sameFrame } from './harness';
import { inners, plain } from './inners';

import { bare, SERVER, UE } from './packet';
import { hex, rxKey } from './session';
import {
  all,
  carrying,
  gre,
  gtpEthernet,
  hexOctets,
  keyAt,
  openEndpoints,
  overUdp,
  type Tunnel,
  taker,
  wrapped,
} from './tunnel';
import { makeWorld } from './world';

const world = makeWorld();
test.beforeEach(() => {
  world.reset();
  openEndpoints(world);
});
test.after.always(() => world.close());

const FAMILIES = [4, 6] as const;
const SEQ = 7;
const ETHERNET = 14;

function payloadOf({ payload }: Tunnel): Buffer {
  return payload === 'ip' ? plain[4] : frame(0x0800, plain[4]);
}

function idOf(tunnel: Tunnel): string {
  return hex(keyAt(tunnel, '').id ?? 0n);
}

/** A frame as the inner end gets it: the kernel leaves nothing that is shorter than an IP header behind the link header. */
function whole(bytes: Buffer): Buffer {
  return bytes.length > ETHERNET + 20 ? bytes : Buffer.concat([bytes, Buffer.alloc(60 - bytes.length)]);
}

/** Where the header of the tunnel begins. */
function start(family: Family, tunnel: Tunnel): number {
  return ETHERNET + (family === 4 ? 20 : 40) + (overUdp(tunnel.kind) ? 8 : 0);
}

for (const family of FAMILIES)
  for (const tunnel of all) {
    const is = `${tunnel.name} in IPv${family}`;
    if (tunnel.payload === 'ethernet') {
      test.serial(`${is}: frames of every sort come back octet by octet (N10, L7, R6)`, (t) => {
        taker(world, tunnel, family);
        for (const [i, { name, bytes }] of userFrames.entries()) {
          const run = world.send(t, 'underlay', wrapped(tunnel, family, bytes, { seq: SEQ + i }));
          t.is(run.verdict, 'redirect', name);
          t.deepEqual(run.counted, [`rx ${idOf(tunnel)}: 1 ${bytes.length}`], name);
          sameFrame(t, run.frame, whole(bytes));
        }
      });
      test.serial(`${is}: on a link of packets the packets come out, other frames are not_ip`, (t) => {
        taker(world, tunnel, family, { flags: 0 });
        for (const [i, { name, bytes, isIp }] of userFrames.entries()) {
          const outer = wrapped(tunnel, family, bytes, { seq: SEQ + i });
          const run = world.send(t, 'underlay', outer);
          t.is(run.verdict, isIp ? 'redirect' : 'shot', name);
          const counted = isIp
            ? `rx ${idOf(tunnel)}: 1 ${bytes.length}`
            : `not_ip session ${idOf(tunnel)}: 1 ${outer.length}`;
          t.deepEqual(run.counted, [counted], name);
          if (isIp) sameFrame(t, run.frame, delivered(bytes.subarray(ETHERNET)));
        }
      });
      test.serial(`${is}: a frame without room for its Ethernet header is a bad_frame (L7)`, (t) => {
        taker(world, tunnel, family);
        // Of GTP nothing at all is a G-PDU without a T-PDU (G8).
        for (let length = tunnel.kind === 'gtp' ? 1 : 0; length < ETHERNET; length++)
          drops(t, 'bad_frame', wrapped(tunnel, family, payloadOf(tunnel).subarray(0, length), { seq: SEQ + length }));
      });
    } else
      for (const carries of ['packets', 'frames'] as const)
        test.serial(`${is}: packets come back octet by octet on a link of ${carries} (R6, N5)`, (t) => {
          taker(world, tunnel, family, { flags: carries === 'frames' ? rx_flag.frames : 0 });
          for (const [i, inner] of inners.entries()) {
            const run = world.send(t, 'underlay', wrapped(tunnel, family, inner.bytes, { seq: SEQ + i }));
            t.is(run.verdict, 'redirect', inner.name);
            t.deepEqual(run.counted, [`rx ${idOf(tunnel)}: 1 ${inner.bytes.length}`], inner.name);
            sameFrame(t, run.frame, delivered(inner.bytes));
          }
        });
    test.serial(`${is}: cut short at any octet it is dropped by name, or passed when it cannot be ours`, (t) => {
      taker(world, tunnel, family);
      const payload = payloadOf(tunnel);
      const outer = wrapped(tunnel, family, payload, { seq: SEQ });
      const from = start(family, tunnel);
      for (let length = from; length < outer.length; length++) {
        const cut = carrying(tunnel.kind, family, outer.subarray(from, length));
        const run = world.send(t, 'underlay', cut);
        t.is(run.verdict, 'shot', `content of ${length - from} octets`);
      }
      // The kernel runs no frame without room for an IP header.
      for (let length = ETHERNET + (family === 4 ? 20 : 40); length < outer.length; length++) {
        const isOurs = length >= from;
        const run = world.send(t, 'underlay', outer.subarray(0, length), {}, isOurs ? 1 : 0);
        t.is(run.verdict, isOurs ? 'shot' : 'unspec', `frame of ${length} octets`);
      }
    });
    test.serial(`${is}: what is shorter inside than outside, and what is longer (X13)`, (t) => {
      taker(world, tunnel, family);
      const wrap = (inner: Buffer): Buffer => wrapped(tunnel, family, front(tunnel, inner), { seq: SEQ });
      const more = Buffer.from(plain[4]);
      more.writeUInt16BE(plain[4].length + 1, 2);
      drops(t, 'bad_inner', wrap(more));
      const run = world.send(
        t,
        'underlay',
        wrapped(tunnel, family, front(tunnel, Buffer.concat([plain[4], Buffer.alloc(3)])), { seq: SEQ + 1 }),
      );
      t.is(run.verdict, 'redirect');
      t.true(run.frame.subarray(ETHERNET, ETHERNET + plain[4].length).equals(plain[4]));
      if (tunnel.payload === 'ip') t.is(run.frame.length, ETHERNET + plain[4].length);
    });
    test.serial(`${is}: the outer congestion mark is joined to the inner one (X2, X3, N9)`, (t) => {
      const mark = (outer: number, seq: number): Around & { seq: number } => ({
        seq,
        ip4: { tos: outer },
        ip6: { tos: outer },
      });
      let seq = SEQ;
      for (const [inner, outer, wanted] of ECN) {
        taker(world, tunnel, family);
        const packet = marked(inner);
        const outside = wrapped(tunnel, family, front(tunnel, packet), mark(outer, seq++));
        if (wanted === 'drop') drops(t, 'ecn', outside);
        else {
          const run = world.send(t, 'underlay', outside);
          t.is(run.verdict, 'redirect');
          t.true(run.frame.subarray(ETHERNET).equals(marked(wanted)), `${inner} in ${outer}`);
        }
      }
    });
    test.serial(`${is}: an inner source that is not the session's is dropped (G29)`, (t) => {
      taker(world, tunnel, family, { flags: rx_flag.antispoof | rx_flag.frames, ue4: '10.45.0.3/32' });
      drops(t, 'antispoof', wrapped(tunnel, family, payloadOf(tunnel), { seq: SEQ }));
      taker(world, tunnel, family, { flags: rx_flag.antispoof | rx_flag.frames, ue4: '10.45.0.2/32' });
      t.is(world.send(t, 'underlay', wrapped(tunnel, family, payloadOf(tunnel), { seq: SEQ + 1 })).verdict, 'redirect');
    });
    test.serial(`${is}: a link that is gone gets nothing`, (t) => {
      taker(world, tunnel, family, { ifindex: 0xffff });
      drops(t, 'no_link', wrapped(tunnel, family, payloadOf(tunnel), { seq: SEQ }));
    });

    function drops(t: Parameters<typeof sameFrame>[0], reason: string, outer: Buffer, skb?: Skb): void {
      const run = world.send(t, 'underlay', outer, skb);
      t.is(run.verdict, 'shot');
      t.deepEqual(run.counted, [`${reason} session ${idOf(tunnel)}: 1 ${outer.length}`]);
    }
  }

function front({ payload }: Tunnel, packet: Buffer): Buffer {
  return payload === 'ip' ? packet : frame(0x0800, packet);
}

const [ECT1, ECT0, CE] = [1, 2, 3];
/** Inner, outer, result (RFC 6040, 4.2). */
const ECN = [
  [0, 0, 0],
  [0, ECT0, 0],
  [0, ECT1, 0],
  [0, CE, 'drop'],
  [ECT0, 0, ECT0],
  [ECT0, ECT0, ECT0],
  [ECT0, ECT1, ECT1],
  [ECT0, CE, CE],
  [ECT1, ECT0, ECT1],
  [ECT1, CE, CE],
  [CE, 0, CE],
  [CE, CE, CE],
] as const;

function marked(ecn: number): Buffer {
  return bare()
    .ip4(UE, SERVER, { tos: 0xb8 | ecn })
    .udp(1000, 53)
    .payload(20)
    .bytes();
}

test.serial('octets behind a short frame are not delivered: it is filled up with zeros', (t) => {
  const tunnel = gre({ payload: 'ethernet' });
  for (const family of FAMILIES)
    for (const behind of [1, 26, 60]) {
      taker(world, tunnel, family);
      const short = frame(0x88b5, Buffer.alloc(20, 1));
      const outer = Buffer.concat([wrapped(tunnel, family, short), Buffer.alloc(behind, 0x5a)]);
      const run = world.send(t, 'underlay', outer);
      t.deepEqual(run.counted, [`rx 0x0: 1 ${short.length}`]);
      sameFrame(t, run.frame, whole(short));
    }
});

test.serial('ARP that is cut is judged by what came, not by octets behind it (G29, X13)', (t) => {
  const tunnel = gre({ payload: 'ethernet' });
  taker(world, tunnel, 4, { flags: rx_flag.antispoof | rx_flag.frames, ue4: '10.45.0.2/32' });
  const arp = hexOctets('0001 0800 0604 0001 02000000002e 0a2d0002 000000000000 c6336409');
  for (let length = 0; length < arp.length; length++) {
    const outer = wrapped(tunnel, 4, frame(0x0806, arp.subarray(0, length)));
    const run = world.send(t, 'underlay', Buffer.concat([outer, arp.subarray(length)]));
    t.regex(run.counted.join(), /^bad_inner session 0x0: 1 /, `${length}`);
  }
  t.is(world.send(t, 'underlay', wrapped(tunnel, 4, frame(0x0806, arp))).verdict, 'redirect');
});

test.serial(
  'GTP with frames: a stranger is a wrong peer whatever its extension headers, and a frame that is dropped tells nothing',
  (t) => {
    const tunnel = gtpEthernet(true);
    taker(world, tunnel, 4, { flags: rx_flag.frames | rx_flag.strict });
    const unknown = { ...tunnel, header: () => hexOctets('34ff 0008 00001001 000000c1 01000000') };
    const run = world.send(t, 'underlay', wrapped(unknown, 4, Buffer.alloc(0), { source: '192.0.2.77' }));
    t.deepEqual([run.counted, run.beside], [['wrong_peer session 0x1001: 1 58'], []]);
    const key = rxKey(keyAt(tunnel, ours[4]));
    world.send(t, 'underlay', wrapped(tunnel, 4, frame(0x0800, plain[4].subarray(0, 60))));
    t.is(world.maps.rx.get(key)?.qfi, 255);
    world.send(t, 'underlay', wrapped(tunnel, 4, frame(0x0800, plain[4])));
    t.is(world.maps.rx.get(key)?.qfi, 9);
  },
);
