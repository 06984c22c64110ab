// SPDX-License-Identifier: MIT
import test from 'ava';
import { endpoint_flag, kind } from '../../src/datapath/layout.gen';
import { answering, atEndpoint, configure } from './answering';
import { type Around, arriving, type Family, ours, theirs } from './gtp';
import { answer, ie, message, message0, type } from './messages';
import { network } from './network';
import { octets } from './packet';
import { octetsOf } from './receive';
import { PORT0 } from './session';
import { makeWorld } from './world';

const world = makeWorld();
const net = network(test, 'echo', ours);
const { answers, drops, send } = answering(world, net);
test.after.always(() => world.close());
test.beforeEach(() => {
  world.reset();
  configure(world, net);
  for (const family of families) world.endpoint(ours[family]);
});

const families = [4, 6] as const;
const NO_ECHO = { flags: endpoint_flag.errind | endpoint_flag.extnotify };

/** The Echo Response of version 1 to a number, octet by octet (G14). */
function response(seq: number): Buffer {
  return Buffer.from(`3202000600000000${seq.toString(16).padStart(4, '0')}00000e00`, 'hex');
}

/** Wants an Echo Request answered, in version 1. */
function echoes(t: Parameters<typeof answers>[0], family: Family, request: Buffer, seq: number, around: Around = {}) {
  const local = around.destination ?? ours[family];
  const wanted = answer(family, response(seq), around.sport ?? 40000, around);
  answers(t, arriving(family, request, around), wanted, `answered ${local}: 1 0`, `sent_echo ${local}: 1`);
}

for (const family of families) {
  test.serial(
    `IPv${family}: an Echo Request is answered with its number and Recovery 0, without a session (G12, G13, G14)`,
    (t) => {
      for (const seq of [0, 1, 0x1234, 0xffff]) echoes(t, family, message(type.echoRequest, '', { seq }), seq);
    },
  );

  test.serial(`IPv${family}: the response goes from the port it was sent to, to the port it came from (G13)`, (t) => {
    for (const sport of [2152, 1, 1024, 65535])
      echoes(t, family, message(type.echoRequest, '', { seq: 7 }), 7, { sport });
  });

  test.serial(`IPv${family}: the response goes from the address that was asked, to the one that asked (G13)`, (t) => {
    const [local, others] =
      family === 4 ? ['192.0.2.77', ['192.0.2.9', '192.0.2.254']] : ['2001:db8::77', ['2001:db8::9']];
    world.endpoint(local);
    for (const source of others)
      echoes(t, family, message(type.echoRequest, '', { seq: 9 }), 9, { source, destination: local });
  });

  test.serial(
    `IPv${family}: a Private Extension and known extension headers in an Echo Request change nothing (G5, G26)`,
    (t) => {
      echoes(t, family, message(type.echoRequest, ie.private('00112233'), { seq: 3 }), 3);
      const more = '00030020' + '01000040' + '01086800';
      echoes(t, family, message(type.echoRequest, '', { flags: 0x36, more }), 3);
      echoes(t, family, message(type.echoRequest, '', { flags: 0x33, more: '0003ff00' }), 3);
    },
  );

  test.serial(`IPv${family}: surplus octets and padding of an Echo Request are not part of it (G3)`, (t) => {
    const request = Buffer.concat([message(type.echoRequest, '', { seq: 5 }), Buffer.alloc(30, 0xa5)]);
    echoes(t, family, request, 5);
    const padded = Buffer.concat([
      octetsOf(arriving(family, message(type.echoRequest, '', { seq: 5 }))),
      Buffer.alloc(9),
    ]);
    answers(
      t,
      padded,
      answer(family, response(5), 40000),
      `answered ${ours[family]}: 1 0`,
      `sent_echo ${ours[family]}: 1`,
    );
  });

  test.serial(`IPv${family}: an Echo Request with a TEID, or without S, is malformed (G12)`, (t) => {
    for (const teid of [1, 0x01000000, 0xffffffff])
      drops(t, arriving(family, message(type.echoRequest, '', { teid })), atEndpoint('bad_message'));
    drops(t, arriving(family, message(type.echoRequest, '', { flags: 0x30, more: '' })), atEndpoint('bad_message'));
    drops(t, arriving(family, message(type.echoRequest, '', { flags: 0x31 })), atEndpoint('bad_message'));
  });

  test.serial(`IPv${family}: an Echo Request that is cut short is not answered (G3, G4)`, (t) => {
    for (const surplus of [1, 100, 0xfff0])
      drops(t, arriving(family, message(type.echoRequest, '', { surplus })), atEndpoint('bad_length'));
    for (let length = 0; length < 4; length++)
      drops(
        t,
        arriving(family, message(type.echoRequest, '', { more: '00'.repeat(length) })),
        atEndpoint('bad_length'),
      );
    drops(
      t,
      arriving(family, message(type.echoRequest, '', { flags: 0x36, more: '00000020' })),
      atEndpoint('bad_extension'),
    );
  });

  test.serial(`IPv${family}: an Echo Request with a wrong checksum is not answered (X11)`, (t) => {
    const request = message(type.echoRequest);
    drops(t, arriving(family, request, { udp: { checksum: 0x1234 } }), atEndpoint('bad_checksum'));
  });

  test.serial(`IPv${family}: an Echo Request from port 0 cannot be answered`, (t) => {
    drops(t, arriving(family, message(type.echoRequest), { sport: 0 }), atEndpoint('bad_source'));
  });

  test.serial(`IPv${family}: with echo off an Echo Request is dropped by that name`, (t) => {
    world.endpoint(ours[family], undefined, NO_ECHO);
    drops(t, arriving(family, message(type.echoRequest)), atEndpoint('echo_off'));
  });

  test.serial(`IPv${family}: an Echo Response that nobody asked for is dropped, whatever its Recovery (G14)`, (t) => {
    for (const recovery of [0, 1, 255])
      drops(t, arriving(family, message(type.echoResponse, ie.recovery(recovery))), atEndpoint('unexpected'));
  });

  test.serial(`IPv${family}: the Echo Requests of a peer are counted on it, and when it was last seen`, (t) => {
    world.peer(ours[family], theirs[family]);
    const run = send(t, arriving(family, message(type.echoRequest)));
    t.deepEqual(run.beside, [`sent_echo ${ours[family]}: 1`, `echo_requests ${theirs[family]}: 1`]);
    const [peer] = [...world.maps.peers.entries()].map(([, value]) => value);
    const now = Number(process.hrtime.bigint() >> 30n);
    t.true((peer?.seen ?? 0) >= now - 1 && (peer?.seen ?? 0) <= now);
  });

  test.serial(`IPv${family}: without a route back an Echo Request is dropped by name`, (t) => {
    const source = family === 4 ? '203.0.113.9' : '2001:db8:f::9';
    const run = send(t, arriving(family, message(type.echoRequest), { source }));
    t.deepEqual([run.verdict, run.beside], ['shot', []]);
    t.regex(run.counted.join(), /^no_route endpoint 2152: 1 \d+$/);
  });
}

test.serial('the response has no IP options, extension headers or marks of the request', (t) => {
  const noop = Buffer.from('01010100', 'hex');
  const v4 = arriving(4, message(type.echoRequest, '', { seq: 4 }), {
    ip4: { options: noop, tos: 0xbb, ttl: 1, id: 77 },
  });
  answers(t, v4, answer(4, response(4), 40000), `answered ${ours[4]}: 1 0`, `sent_echo ${ours[4]}: 1`);
  const datagram = octetsOf(arriving(6, message(type.echoRequest, '', { seq: 4 }))).subarray(54);
  const head = Buffer.from('1100010400000000', 'hex');
  const v6 = octetsOf(
    arriving(6, Buffer.alloc(0), { ip6: { next: 0, tos: 0xbb, flow: 5, length: 8 + datagram.length } }),
  );
  const frame = Buffer.concat([v6.subarray(0, 54), head, datagram]);
  answers(t, frame, answer(6, response(4), 40000), `answered ${ours[6]}: 1 0`, `sent_echo ${ours[6]}: 1`);
});

test.serial('a response whose checksum comes out as 0 is sent with ffff (X10)', (t) => {
  // which number makes it so: the rest of the sum is known
  for (const family of families) {
    const frame = octetsOf(answer(family, response(0), 40000));
    const seq = frame.readUInt16BE(frame.length - 14 - 2);
    echoes(t, family, message(type.echoRequest, '', { seq }), seq);
    t.is(octetsOf(answer(family, response(seq), 40000)).readUInt16BE(frame.length - 14 - 2), 0xffff);
  }
});

test.serial('what only looks like an Echo Request to us is left alone: another address, another port', (t) => {
  for (const around of [{ destination: '192.0.2.9' }, { dport: 2153 }, { dport: PORT0 }]) {
    const frame = arriving(4, message(type.echoRequest), around);
    const run = net.inside(() => world.send(t, 'underlay', frame, { ifindex: net.dev('ul') }, 0));
    t.deepEqual([run.verdict, run.beside], ['unspec', []]);
  }
});

// Version 0.

/** The Echo Response of version 0, octet by octet (Z3, Z4). */
function response0(seq: number, restart: number): Buffer {
  const number = seq.toString(16).padStart(4, '0');
  return Buffer.from(`1e020002${number}0000ffffffff00000000000000000e${restart.toString(16).padStart(2, '0')}`, 'hex');
}

for (const family of families) {
  test.serial(
    `IPv${family}: version 0 answers on its port with the number, TID and flow 0, and the restart counter (Z3, Z4)`,
    (t) => {
      for (const restart_count of [0, 1, 200, 255])
        for (const seq of [0, 0x1234, 0xffff]) {
          world.endpoint(ours[family], PORT0, { kind: kind.gtp0, restart_count });
          const frame = arriving(family, message0(type.echoRequest, '', { seq }), { dport: PORT0 });
          const wanted = answer(family, response0(seq, restart_count), 40000, { dport: PORT0 });
          answers(t, frame, wanted, `answered ${ours[family]}: 1 0`, `sent_echo ${ours[family]}: 1`);
        }
    },
  );

  test.serial(
    `IPv${family}: the response of version 0 goes to the source port of the request, 3386 or not (Z7)`,
    (t) => {
      world.endpoint(ours[family], PORT0, { kind: kind.gtp0, restart_count: 3 });
      for (const sport of [PORT0, 1, 50000]) {
        const frame = arriving(family, message0(type.echoRequest, '', { seq: 2 }), { dport: PORT0, sport });
        const wanted = answer(family, response0(2, 3), sport, { dport: PORT0 });
        answers(t, frame, wanted, `answered ${ours[family]}: 1 0`, `sent_echo ${ours[family]}: 1`);
      }
    },
  );

  test.serial(`IPv${family}: an Echo Request of version 0 with a TID or a flow label is malformed (Z3)`, (t) => {
    world.endpoint(ours[family], PORT0, { kind: kind.gtp0 });
    for (const words of [{ tid: 1n }, { tid: 1n << 63n }, { flow: 1 }, { flow: 0x100 }])
      drops(
        t,
        arriving(family, message0(type.echoRequest, '', words), { dport: PORT0 }),
        atEndpoint('bad_message', PORT0),
      );
  });

  test.serial(`IPv${family}: a message of version 0 is as long as its Length says behind 20 octets (Z2)`, (t) => {
    world.endpoint(ours[family], PORT0, { kind: kind.gtp0 });
    const frame = (surplus: number, rest = '') =>
      arriving(family, message0(type.echoRequest, rest, { surplus }), { dport: PORT0 });
    for (const surplus of [1, 12, 100]) drops(t, frame(surplus), atEndpoint('bad_length', PORT0));
    const wanted = answer(family, response0(0, 0), 40000, { dport: PORT0 });
    answers(t, frame(-4, 'a5a5a5a5'), wanted, `answered ${ours[family]}: 1 0`, `sent_echo ${ours[family]}: 1`);
    for (let length = 8; length < 20; length++)
      drops(
        t,
        arriving(family, message0(type.echoRequest).subarray(0, length), { dport: PORT0 }),
        atEndpoint('bad_length', PORT0),
      );
  });

  test.serial(`IPv${family}: with echo off version 0 does not answer either`, (t) => {
    world.endpoint(ours[family], PORT0, { kind: kind.gtp0, ...NO_ECHO });
    drops(t, arriving(family, message0(type.echoRequest), { dport: PORT0 }), atEndpoint('echo_off', PORT0));
  });

  test.serial(
    `IPv${family}: on port 3386 nothing is answered, and nothing touched, before a session of version 0 exists (G24)`,
    (t) => {
      const frame = arriving(family, message0(type.echoRequest), { dport: PORT0 });
      const run = net.inside(() => world.send(t, 'underlay', frame, { ifindex: net.dev('ul') }, 0));
      t.deepEqual([run.verdict, run.counted, run.beside], ['unspec', [], []]);
    },
  );
}

test.serial('each version is answered on its own port alone (G1, G24)', (t) => {
  for (const family of families) {
    world.endpoint(ours[family], PORT0, { kind: kind.gtp0 });
    drops(t, arriving(family, message0(type.echoRequest)), atEndpoint('bad_version'));
    drops(t, arriving(family, message(type.echoRequest), { dport: PORT0 }), atEndpoint('bad_version', PORT0));
  }
});

test.serial('an Echo Request of version 0 with PT 0, GTP prime, is not answered (G1)', (t) => {
  world.endpoint(ours[4], PORT0, { kind: kind.gtp0 });
  for (const flags of [0x0e, 0x0f, 0x00])
    drops(
      t,
      arriving(4, message0(type.echoRequest, '', { flags }), { dport: PORT0 }),
      atEndpoint('bad_version', PORT0),
    );
});

test.serial('the answer names our address as it was asked for', (t) => {
  const run = send(t, arriving(4, message(type.echoRequest)));
  t.deepEqual(run.frame.subarray(26, 30), octets(ours[4]));
});
