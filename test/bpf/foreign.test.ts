// SPDX-License-Identifier: MIT
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { zero } from '../../src/datapath/codec';
import { arriving, chain, delivered, gtp, ours } from './gtp';
import { sameFrame } from './harness';
import { etherType, inners, plain } from './inners';
import { A, A6, B, B6, eth, type Packet, pattern } from './packet';
import { receiver } from './receive';
import { hex, LOCAL_TEID, PORT, portBits } from './session';
import { makeWorld } from './world';

const world = makeWorld();
const { delivers, dropsAtEndpoint, leaves } = receiver(world);
test.beforeEach(() => {
  world.reset();
  for (const family of families) {
    world.rx({}, { local: ours[family] });
    world.endpoint(ours[family]);
  }
});
test.after.always(() => world.close());

const families = [4, 6] as const;
const gpdu = gtp(plain[4]);
const noop = Buffer.from('01010100', 'hex');

const strangers: Readonly<Record<string, Packet | Buffer>> = {
  ARP: eth({ type: 0x0806 }).payload(28),
  'an 802.1Q tag in the frame': eth({ vlan: 5 }).ip4(A, B).udp(PORT, PORT).payload(gpdu),
  'IPv4 in a frame of IPv6': eth({ type: 0x86dd }).payload(arriving(4, gpdu).bytes().subarray(14)),
  'IPv6 in a frame of IPv4': eth({ type: 0x0800 }).payload(arriving(6, gpdu).bytes().subarray(14)),
  'IPv4 with a header of less than 20 octets': arriving(4, gpdu, { ip4: { headerLength: 4 } }),
  'TCP to port 2152': eth().ip4(A, B).tcp(40000, 2152).payload(gpdu),
  'TCP over IPv6 to port 2152': eth().ip6(A6, B6).tcp(40000, 2152).payload(gpdu),
  ICMP: eth().ip4(A, B).icmp().payload(56),
  ICMPv6: eth().ip6(A6, B6).icmp().payload(56),
  GRE: eth().ip4(A, B, { protocol: 47 }).payload(gpdu),
  'UDP to another port': arriving(4, gpdu, { dport: 2153 }),
  'UDP over IPv6 to another port': arriving(6, gpdu, { dport: 53 }),
  'UDP from port 2152 to another': arriving(4, gpdu, { sport: 2152, dport: 40000 }),
  'GTP-C': arriving(4, gpdu, { dport: 2123 }),
  'GTP version 0 on its own port': arriving(4, gpdu, { dport: 3386 }),
  'UDP to an IPv4 address that is not ours': arriving(4, gpdu, { destination: '192.0.2.9' }),
  'UDP to an IPv6 address that is not ours': arriving(6, gpdu, { destination: '2001:db8::9' }),
  'a broadcast': arriving(4, gpdu, { destination: '255.255.255.255' }),
  'IPv6 to our IPv4 address in its mapped form': eth().ip6(A6, `::ffff:${B}`).udp(PORT, PORT).payload(gpdu),
  'IPv6 from a mapped IPv4 address': eth().ip6(`::ffff:${A}`, B6).udp(PORT, PORT).payload(gpdu),
  'UDP behind an Authentication Header': eth().ip6(A6, B6, { next: 51 }).payload(100),
  'IPv6 without next header': eth().ip6(A6, B6, { next: 59 }).payload(100),
  'ICMPv6 behind hop-by-hop options': eth()
    .ip6(A6, B6, { next: 0 })
    .payload(Buffer.concat([Buffer.from('3a00050200000100', 'hex'), pattern(24)])),
  'five IPv6 extension headers': behind([60, 60, 60, 60, 60]),
  'a later IPv4 fragment to an address that is not ours': eth()
    .ip4(A, '192.0.2.9', { offset: 8 })
    .udp(PORT, PORT)
    .payload(gpdu),
  'a first IPv4 fragment to another port': eth().ip4(A, B, { more: true }).udp(PORT, 53).payload(gpdu),
  'a later IPv6 fragment to an address that is not ours': eth()
    .ip6(A6, '2001:db8::9')
    .fragment6({ offset: 8 })
    .udp(PORT, PORT)
    .payload(gpdu),
  'a first IPv6 fragment to another port': eth().ip6(A6, B6).fragment6({ more: true }).udp(PORT, 53).payload(gpdu),
  'an IPv6 fragment of TCP': eth().ip6(A6, B6).fragment6({ more: true }).tcp(PORT, PORT).payload(gpdu),
};

for (const [title, frame] of Object.entries(strangers))
  test.serial(`${title} is left to the stack as it came`, (t) => leaves(t, frame));

test.serial('whatever comes to a local address that has no endpoint is left to the stack', (t) => {
  const wrong = [
    gtp(plain[4], { teid: 9 }),
    gtp(plain[4], { flags: 0x10 }),
    gtp(plain[4], { type: 1 }),
    gpdu.subarray(0, 7),
  ];
  for (const datagram of wrong) leaves(t, arriving(4, datagram, { destination: '192.0.2.9' }));
});

test.serial('a port that no endpoint has is not looked at, even for a session', (t) => {
  world.maps.config.put(0, { ...zero('config'), ports: portBits() });
  for (const family of families) leaves(t, arriving(family, gpdu));
});

test.serial('an endpoint on another port has its own sessions', (t) => {
  world.maps.config.put(0, { ...zero('config'), ports: portBits(PORT, 63, 64, 65535) });
  for (const port of [63, 64, 65535]) {
    world.rx({}, { local: B, port, teid: port });
    const run = world.send(t, 'underlay', arriving(4, gtp(plain[4], { teid: port }), { dport: port }));
    t.deepEqual(run.counted, [`rx ${hex(port)}: 1 ${plain[4].length}`]);
  }
  leaves(t, arriving(4, gpdu, { dport: 62 }));
});

test.serial('versions other than 1 and PT 0 are not taken apart (G1)', (t) => {
  for (let first = 0; first < 256; first += 16) {
    if (first === 0x30) continue;
    for (const family of families) dropsAtEndpoint(t, arriving(family, gtp(plain[4], { flags: first })), 'bad_version');
  }
});

test.serial('a message of a type that is not known is dropped under its own name, and in silence (G25)', (t) => {
  const known: readonly number[] = [1, 2, 26, 31, 254];
  for (let type = 0; type < 255; type++)
    if (!known.includes(type))
      for (const family of families)
        for (const teid of [0, 9, LOCAL_TEID]) {
          const run = world.send(t, 'underlay', arriving(family, gtp(plain[4], { type, teid })));
          t.deepEqual([run.verdict, run.beside], ['shot', []]);
          t.regex(run.counted[0] ?? '', /^unknown_message endpoint 2152: 1 /);
        }
});

test.serial('a datagram too short for a GTP header is dropped (G3)', (t) => {
  for (const family of families)
    for (let length = 0; length < 8; length++)
      dropsAtEndpoint(t, arriving(family, gpdu.subarray(0, length)), 'bad_length');
});

test.serial('an IPv6 fragment that is all there is is a packet (RFC 6946)', (t) => {
  delivers(t, eth().ip6(A6, B6).fragment6().udp(PORT, PORT).payload(gpdu), plain[4]);
});

test.serial('IPv4 options are passed over', (t) => {
  for (let words = 1; words <= 10; words++)
    for (const inside of families) {
      const options = Buffer.concat(Array.from({ length: words }, () => noop));
      delivers(t, arriving(4, gtp(plain[inside]), { ip4: { options } }), plain[inside]);
    }
});

/** UDP to us behind IPv6 extension headers of these types, each of 8, 16, ... octets. */
function behind(types: readonly number[]): Packet {
  const datagram = arriving(6, gpdu)
    .bytes()
    .subarray(14 + 40);
  const headers = types.map((_, i) => {
    const header = Buffer.alloc(8 * (i + 1));
    header.set([types[i + 1] ?? 17, i]);
    return header;
  });
  return eth()
    .ip6(A6, B6, { next: types[0] ?? 17 })
    .payload(Buffer.concat([...headers, datagram]));
}

test.serial('up to three IPv6 extension headers are passed over', (t) => {
  for (const types of [[], [0], [43], [60], [0, 60], [0, 43, 60], [60, 60, 60]]) delivers(t, behind(types), plain[4]);
});

test.serial('what is not ours is left to a program of this machine that has a socket there', async (t) => {
  for (const [kind, local] of [
    ['udp4', '127.0.0.1'],
    ['udp6', '::1'],
  ] as const) {
    const family = kind === 'udp4' ? 4 : 6;
    const socket = createSocket(kind).bind(0, local);
    await once(socket, 'listening');
    const { port } = socket.address();
    world.maps.config.put(0, { ...zero('config'), ports: portBits(port) });
    world.endpoint(local, port, { flags: 0 });
    const around = { source: local, destination: local, dport: port };
    const counted = [`passed ${local}: 1 0`];
    for (const datagram of [
      gtp(plain[4], { teid: 9 }),
      gtp(plain[4], { type: 1 }),
      gtp(plain[4], { flags: 0 }),
      Buffer.alloc(3),
    ])
      leaves(t, arriving(family, datagram, around), counted);
    world.rx({}, { local, port });
    delivers(t, arriving(family, gpdu, around), plain[4]);
    socket.close();
    await once(socket, 'close');
    const run = world.send(t, 'underlay', arriving(family, gtp(plain[4], { teid: 9 }), around));
    t.deepEqual([run.verdict, run.counted[0]?.split(':')[0]], ['shot', `unknown_teid endpoint ${port}`]);
  }
});

test.serial('without a configuration nothing is touched', (t) => {
  world.maps.config.put(0, zero('config'));
  leaves(t, arriving(4, gpdu));
});

const variants: Readonly<Record<string, Packet>> = {
  'IPv4, plain': arriving(4, gpdu),
  'IPv6, plain': arriving(6, gpdu),
  'IPv4 with options and PN': arriving(4, gtp(plain[6], { flags: 0x31, more: '00000700' }), { ip4: { options: noop } }),
  'IPv4 with S': arriving(4, gtp(plain[4], { flags: 0x32, more: '00070000' })),
  'IPv6 with a chain': arriving(6, gtp(plain[6], { flags: 0x37, more: chain([0x85, 2], [0x20, 1], [0x03, 2]) })),
  'IPv6 behind extension headers': behind([0, 60]),
  'an IPv6 fragment': eth().ip6(A6, B6).fragment6().udp(PORT, PORT).payload(gpdu),
  'no T-PDU': arriving(4, gtp(Buffer.alloc(0), { flags: 0x34, more: chain([0x85, 1]) })),
  'with Ethernet padding': eth()
    .ip4(A, B, { length: 28 + gpdu.length })
    .udp(PORT, PORT, { length: 8 + gpdu.length })
    .payload(Buffer.concat([gpdu, Buffer.alloc(9)])),
};

for (const [title, packet] of Object.entries(variants))
  test.serial(`${title}: a frame cut at any octet is delivered whole or not at all, and counted once`, (t) => {
    const frame = packet.bytes();
    const whole = world.send(t, 'underlay', frame);
    // the kernel runs no program on less than an IP header
    const least = frame.readUInt16BE(12) === etherType[4] ? 34 : 54;
    for (let length = least; length < frame.length; length++) cut(t, frame.subarray(0, length), whole.frame);
  });

/** As the first `length` octets of a frame, with all lengths as they were. */
function cut(t: ExecutionContext, frame: Buffer, whole: Buffer): void {
  const { family, l4 } = outerOf(frame);
  const isOurs = family !== undefined && frame.length >= l4 + 8;
  const run = world.send(t, 'underlay', frame, {}, isOurs ? 1 : 0);
  if (run.verdict === 'redirect') sameFrame(t, run.frame, whole);
  else if (isOurs) t.is(run.verdict, 'shot', `${frame.length} octets`);
  else {
    t.is(run.verdict, 'unspec', `${frame.length} octets`);
    sameFrame(t, run.frame, frame);
  }
}

/** Where the UDP header of a frame from `variants` is, as far as can be seen. */
function outerOf(frame: Buffer): { family?: 4 | 6; l4: number } {
  const type = frame.readUInt16BE(12);
  if (type === etherType[4] && frame.length >= 34) return { family: 4, l4: 14 + ((frame[14] ?? 0) & 15) * 4 };
  if (type !== etherType[6] || frame.length < 54) return { l4: 0 };
  let next = frame[20] ?? 0;
  let l4 = 54;
  while (next !== 17 && frame.length >= l4 + 8) {
    const units = next === 44 ? 0 : (frame[l4 + 1] ?? 0);
    next = frame[l4] ?? 0;
    l4 += (units + 1) * 8;
  }
  return next === 17 ? { family: 6, l4 } : { l4: 0 };
}

for (const outside of families)
  for (const inside of families)
    test.serial(
      `IPv${inside} in IPv${outside}: an inner packet cut at any octet, all around it right, is bad and counted once`,
      (t) => {
        for (const inner of inners)
          if (inner.family === inside)
            for (let length = 1; length < inner.bytes.length; length++) {
              const frame = arriving(outside, gtp(inner.bytes.subarray(0, length)));
              const run = world.send(t, 'underlay', frame);
              t.is(run.verdict, 'shot');
              t.true(run.counted[0]?.startsWith(`bad_inner session ${hex(LOCAL_TEID)}: 1 `));
            }
      },
    );

test.serial('damage of one octet of the outer headers never makes another inner packet of it', (t) => {
  for (const family of families) {
    const frame = arriving(family, gtp(plain[4], { flags: 0x34, more: chain([0x85, '0009']) })).bytes();
    const payload = frame.length - plain[4].length;
    for (let at = 14; at < payload; at++)
      for (const mask of [0x01, 0x80, 0xff]) {
        const damaged = Buffer.from(frame);
        damaged[at] = (damaged[at] ?? 0) ^ mask;
        const run = counts(t, damaged);
        if (run.verdict === 'redirect') sameFrame(t, run.frame, delivered(plain[4]));
      }
  }
});

/** Sends a frame that may or may not be ours. */
function counts(t: ExecutionContext, frame: Buffer) {
  const probe = world.repeat('underlay', frame, 1);
  return world.send(t, 'underlay', frame, {}, probe.verdict === 'unspec' ? 0 : 1);
}
