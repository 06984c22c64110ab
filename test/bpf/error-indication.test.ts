// SPDX-License-Identifier: MIT
// Error Indications that we send (G16, G17, G19).
import test from 'ava';
import { endpoint_flag, kind } from '../../src/datapath/layout.gen';
import { answering, atEndpoint, configure } from './answering';
import { datagram, fragments, orders } from './fragments';
import { type Around, arriving, chain, type Family, type Gtp, gtp, ours } from './gtp';
import { sameFrame } from './harness';
import { inners, plain } from './inners';
import { answer, errorIndication, message, message0, type } from './messages';
import { network } from './network';
import type { Packet } from './packet';
import { octetsOf } from './receive';
import { LOCAL_TEID, PORT0 } from './session';
import { makeWorld } from './world';

const world = makeWorld();
const net = network(test, 'errind', ours);
const { answers, drops, send } = answering(world, net);
test.after.always(() => world.close());
test.beforeEach(() => {
  world.reset();
  configure(world, net);
  for (const family of families) {
    world.endpoint(ours[family]);
    world.rx({}, { local: ours[family] });
  }
});

const families = [4, 6] as const;
const UNKNOWN = 0x0badcafe;

/** Wants a G-PDU answered with an Error Indication, and counted as unknown_teid. */
function indicates(
  t: Parameters<typeof answers>[0],
  family: Family,
  { teid = UNKNOWN, ...words }: Gtp = {},
  around: Around = {},
) {
  const frame = arriving(family, gtp(plain[4], { teid, ...words }), around);
  const local = around.destination ?? ours[family];
  const wanted = answer(family, errorIndication(teid, local, around.sport ?? 40000), 2152, around);
  answers(t, frame, wanted, `${atEndpoint('unknown_teid')}: 1 ${octetsOf(frame).length}`, `sent_errind ${local}: 1`);
}

for (const family of families) {
  test.serial(
    `IPv${family}: an unknown TEID is dropped by name and answered with its TEID and our address (G16, G17)`,
    (t) => {
      for (const teid of [1, LOCAL_TEID + 1, 0x01100000, 0xffffffff]) indicates(t, family, { teid });
    },
  );

  test.serial(
    `IPv${family}: the Error Indication goes to port 2152; the source port is told in a UDP Port extension (G17)`,
    (t) => {
      for (const sport of [2152, 1, 0, 65535]) indicates(t, family, {}, { sport });
    },
  );

  test.serial(`IPv${family}: the peer address is the one the G-PDU was sent to, of several of ours (G17)`, (t) => {
    const [local, source] = family === 4 ? ['192.0.2.77', '192.0.2.9'] : ['2001:db8::77', '2001:db8::9'];
    world.endpoint(local);
    indicates(t, family, {}, { destination: local, source });
  });

  test.serial(`IPv${family}: a G-PDU with any header that is right is answered alike (G16)`, (t) => {
    indicates(t, family, { flags: 0x32, more: '12340000' });
    indicates(t, family, { flags: 0x34, more: chain([0x85, '1009']) });
    indicates(t, family, { flags: 0x37, more: chain([0x20, 1], [0x85, '0049']) });
    indicates(t, family, { surplus: -10 });
  });

  test.serial(`IPv${family}: every inner packet of an unknown TEID is answered alike, none as well (G16)`, (t) => {
    for (const inner of [...inners.map((each) => each.bytes), Buffer.alloc(0)]) {
      const frame = arriving(family, gtp(inner, { teid: UNKNOWN }));
      const wanted = answer(family, errorIndication(UNKNOWN, ours[family], 40000), 2152);
      const counted = `${atEndpoint('unknown_teid')}: 1 ${octetsOf(frame).length}`;
      answers(t, frame, wanted, counted, `sent_errind ${ours[family]}: 1`);
    }
  });

  test.serial(`IPv${family}: TEID 0 is dropped and never answered (G16)`, (t) => {
    drops(t, arriving(family, gtp(plain[4], { teid: 0 })), atEndpoint('unknown_teid'));
  });

  test.serial(`IPv${family}: an End Marker of an unknown TEID is dropped and never answered (G11)`, (t) => {
    for (const teid of [0, UNKNOWN])
      drops(t, arriving(family, gtp(Buffer.alloc(0), { type: type.endMarker, teid })), atEndpoint('unknown_teid'));
    const more = chain([0x85, '1009']);
    const frame = arriving(family, gtp(Buffer.alloc(0), { type: type.endMarker, teid: UNKNOWN, flags: 0x34, more }));
    drops(t, frame, atEndpoint('unknown_teid'));
  });

  test.serial(`IPv${family}: signalling is never answered with an Error Indication (G18, G19)`, (t) => {
    for (const of of [type.echoResponse, type.errorIndication, type.extNotify, type.tunnelStatus, 3, 100]) {
      const run = send(t, arriving(family, message(of, '', { teid: UNKNOWN })));
      t.deepEqual([run.verdict, run.beside], ['shot', []]);
    }
  });

  test.serial(`IPv${family}: a G-PDU with a wrong UDP checksum is never answered (G19, X11)`, (t) => {
    const frame = arriving(family, gtp(plain[4], { teid: UNKNOWN }), { udp: { checksum: 0x1234 } });
    drops(t, frame, atEndpoint('bad_checksum'));
  });

  test.serial(`IPv${family}: a G-PDU that is cut short or has a broken chain is never answered (G3, G4)`, (t) => {
    drops(t, arriving(family, gtp(plain[4], { teid: UNKNOWN, surplus: 1 })), atEndpoint('bad_length'));
    drops(t, arriving(family, gtp(Buffer.alloc(3), { teid: UNKNOWN, flags: 0x32 })), atEndpoint('bad_length'));
    const broken = gtp(plain[4], { teid: UNKNOWN, flags: 0x34, more: '0000008500000000' });
    drops(t, arriving(family, broken), atEndpoint('bad_extension'));
  });

  test.serial(`IPv${family}: a G-PDU of another version is never answered (G1)`, (t) => {
    for (const flags of [0x00, 0x10, 0x20, 0x50, 0xf0])
      drops(t, arriving(family, gtp(plain[4], { teid: UNKNOWN, flags })), atEndpoint('bad_version'));
  });

  test.serial(`IPv${family}: with errind off an unknown TEID is dropped and not answered`, (t) => {
    world.endpoint(ours[family], undefined, { flags: endpoint_flag.echo | endpoint_flag.extnotify });
    drops(t, arriving(family, gtp(plain[4], { teid: UNKNOWN })), atEndpoint('unknown_teid'));
  });

  test.serial(`IPv${family}: without a route back an unknown TEID is dropped all the same`, (t) => {
    const source = family === 4 ? '203.0.113.9' : '2001:db8:f::9';
    const frame = arriving(family, gtp(plain[4], { teid: UNKNOWN }), { source });
    const run = send(t, frame);
    t.deepEqual([run.verdict, run.beside], ['shot', []]);
    t.deepEqual(run.counted, [`${atEndpoint('unknown_teid')}: 1 ${octetsOf(frame).length}`]);
  });
}

const nobodies = {
  4: ['0.0.0.0', '0.1.2.3', '224.0.0.1', '239.1.2.3', '255.255.255.255'],
  6: ['::', 'ff02::1', 'ff0e::77'],
};

for (const family of families)
  test.serial(`IPv${family}: a piece of a datagram is never answered, the whole is (G19, G27)`, (t) => {
    const whole = datagram(family, gtp(plain[4], { teid: UNKNOWN }));
    for (const order of orders([0, 1, 2])) {
      const pieces = order.map((each) => fragments(family, whole, [40, 64])[each] as Packet);
      const runs = pieces.map((piece, i) => {
        world.limit('errind', 0n);
        return net.inside(() => world.send(t, 'underlay', piece, { ifindex: net.dev('ul') }, i < 2 ? 0 : 1));
      });
      t.deepEqual(
        runs.map((run) => run.beside),
        [[], [], [`sent_errind ${ours[family]}: 1`]],
      );
      t.regex(runs[2]?.counted[0] ?? '', /^unknown_teid /);
    }
  });

for (const family of families)
  test.serial(`IPv${family}: a source that is no host is dropped as bad_source, and never answered (G19)`, (t) => {
    for (const source of nobodies[family]) {
      drops(t, arriving(family, gtp(plain[4], { teid: UNKNOWN }), { source }), atEndpoint('bad_source'));
      drops(t, arriving(family, message(type.echoRequest), { source }), atEndpoint('bad_source'));
    }
  });

test.serial('a wrong checksum of the IPv4 header is never answered, whatever the packet is (G19, X11)', (t) => {
  for (const datagram of [gtp(plain[4], { teid: UNKNOWN }), gtp(plain[4]), message(type.echoRequest)])
    drops(t, arriving(4, datagram, { ip4: { checksum: 0x1234 } }), atEndpoint('bad_checksum'));
});

test.serial('multicast and broadcast to our port are left alone, unanswered (G19)', (t) => {
  for (const [family, destination] of [
    [4, '224.0.0.1'],
    [4, '255.255.255.255'],
    [4, '192.0.2.255'],
    [6, 'ff02::1'],
  ] as const)
    for (const datagram of [gtp(plain[4], { teid: UNKNOWN }), message(type.echoRequest)]) {
      const frame = arriving(family, datagram, { destination });
      const run = net.inside(() => world.send(t, 'underlay', frame, { ifindex: net.dev('ul') }, 0));
      t.deepEqual([run.verdict, run.beside], ['unspec', []]);
    }
});

test.serial(
  'at an endpoint on another port the Error Indication goes to that port, which is the link port of both ends',
  (t) => {
    configure(world, net, 9999);
    for (const family of families) {
      world.endpoint(ours[family], 9999);
      const frame = arriving(family, gtp(plain[4], { teid: UNKNOWN }), { dport: 9999 });
      const wanted = answer(family, errorIndication(UNKNOWN, ours[family], 40000), 9999, { dport: 9999 });
      const counted = `${atEndpoint('unknown_teid', 9999)}: 1 ${octetsOf(frame).length}`;
      answers(t, frame, wanted, counted, `sent_errind ${ours[family]}: 1`);
    }
  },
);

test.serial('a train of G-PDUs of unknown TEIDs is cut in the shim first, and each of them answered (G16)', (t) => {
  for (const family of families) {
    const packets = [UNKNOWN, UNKNOWN + 1].map((teid) => gtp(plain[4], { teid }));
    const train = octetsOf(arriving(family, Buffer.concat(packets), { udp: { checksum: 'pseudo' } }));
    const skb = { ifindex: net.dev('ul'), gso_size: packets[0]?.length ?? 0 };
    const run = net.inside(() => world.send(t, 'underlay', train, skb, 0));
    t.deepEqual([run.verdict, run.skb.mark], ['redirect', 0xffffffff]);
    for (const [i, packet] of packets.entries()) {
      const back = { ifindex: net.dev('shim1'), mark: run.skb.mark };
      const out = net.inside(() => world.send(t, 'shim', arriving(family, packet), back));
      t.deepEqual([out.verdict, out.beside], ['redirect', [`sent_errind ${ours[family]}: 1`]]);
      sameFrame(t, out.frame, answer(family, errorIndication(UNKNOWN + i, ours[family], 40000), 2152));
    }
  }
});

test.serial('an unknown TID of version 0 is dropped and not answered (Z1)', (t) => {
  for (const family of families) {
    world.endpoint(ours[family], PORT0, { kind: kind.gtp0 });
    const datagram = message0(type.gpdu, plain[4].toString('hex'), { tid: 0x1234567890n, flow: 7 });
    drops(t, arriving(family, datagram, { dport: PORT0 }), atEndpoint('unknown_teid', PORT0));
  }
});
