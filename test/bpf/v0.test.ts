// SPDX-License-Identifier: MIT
// GTP version 0: T-PDUs both ways (Z1, Z2, Z5, Z6). Its Echo is in echo.test.ts.
import test, { type ExecutionContext } from 'ava';
import { kind, rx_flag, tx_flag } from '../../src/datapath/layout.gen';
import { arriving, delivered, type Family, gtp, ours, theirs } from './gtp';
import { sameFrame } from './harness';
import { etherType, inners, plain } from './inners';
import { type Message0Words, message0, type } from './messages';
import { eth, pattern } from './packet';
import { octetsOf } from './receive';
import { hex, LOCAL_TEID, PORT, PORT0, portBits, rxKey } from './session';
import { makeWorld } from './world';

const TID = 0x2143658709214355n;
const FLOW = 0x1234;
const families = [4, 6] as const;

const world = makeWorld();
test.after.always(() => world.close());
test.beforeEach(() => {
  world.reset();
  const config = world.maps.config.get(0);
  if (config !== undefined) world.maps.config.put(0, { ...config, ports: portBits(PORT, PORT0) });
  for (const family of families) {
    world.endpoint(ours[family], PORT0, { kind: kind.gtp0 });
    world.rx({ remote: theirs[family] }, { local: ours[family], tid: TID });
  }
});

function tpdu(family: Family, inner: Buffer, words: Message0Words = {}, udp = {}) {
  const datagram = message0(type.gpdu, inner.toString('hex'), { tid: TID, flow: FLOW, ...words });
  return arriving(family, datagram, { dport: PORT0, udp });
}

function delivers(t: ExecutionContext, frame: ReturnType<typeof tpdu>, inner: Buffer): void {
  const run = world.send(t, 'underlay', frame);
  t.deepEqual([run.verdict, run.counted, run.beside], ['redirect', [`rx ${hex(TID)}: 1 ${inner.length}`], []]);
  sameFrame(t, run.frame, delivered(inner));
}

function drops(t: ExecutionContext, frame: ReturnType<typeof tpdu>, reason: string): void {
  const run = world.send(t, 'underlay', frame);
  t.deepEqual([run.verdict, run.counted, run.beside], ['shot', [`${reason}: 1 ${octetsOf(frame).length}`], []]);
}

const onSession = (reason: string): string => `${reason} session ${hex(TID)}`;
const atEndpoint = (reason: string): string => `${reason} endpoint ${PORT0}`;

for (const family of families) {
  test.serial(`IPv${family}: a T-PDU of version 0 is delivered by its TID, whatever is inside (Z1, Z6)`, (t) => {
    for (const [seq, inner] of inners.entries()) delivers(t, tpdu(family, inner.bytes, { seq }), inner.bytes);
  });

  test.serial(`IPv${family}: the flow label is not part of the key and not checked (Z6)`, (t) => {
    for (const [seq, flow] of [0, FLOW, 1, 0xffff].entries())
      delivers(t, tpdu(family, plain[4], { flow, seq }), plain[4]);
  });

  test.serial(`IPv${family}: with an SNDCP number or other spare bits it is the same 20 octets (Z2)`, (t) => {
    for (let bits = 0; bits < 16; bits++)
      delivers(t, tpdu(family, plain[4], { flags: 0x10 | bits, seq: bits }), plain[4]);
  });

  test.serial(
    `IPv${family}: Length counts what follows 20 octets: more is refused, surplus is not delivered (Z2)`,
    (t) => {
      for (const surplus of [1, 12, 20, 1000]) drops(t, tpdu(family, plain[4], { surplus }), onSession('bad_length'));
      for (const [seq, count] of [1, 12, 64].entries())
        delivers(t, tpdu(family, Buffer.concat([plain[4], pattern(count)]), { seq, surplus: -count }), plain[4]);
      drops(t, tpdu(family, plain[4], { surplus: -12 }), onSession('bad_inner'));
      drops(t, tpdu(family, Buffer.alloc(0)), onSession('empty'));
    },
  );

  test.serial(`IPv${family}: an unknown TID, each half of it, is dropped by name and not answered (Z1)`, (t) => {
    for (const tid of [0n, 1n, TID + 1n, TID ^ (1n << 63n), TID & 0xffffffffn, TID >> 32n])
      drops(t, tpdu(family, plain[4], { tid }), atEndpoint('unknown_teid'));
  });

  test.serial(`IPv${family}: other messages of version 0 are dropped by name and not answered (Z1)`, (t) => {
    for (const of of [0, 3, 4, 16, 26, 31, 254]) {
      const frame = arriving(family, message0(of, '', { tid: TID }), { dport: PORT0 });
      drops(t, frame, atEndpoint('unknown_message'));
    }
    drops(t, arriving(family, message0(type.echoResponse, '0e01'), { dport: PORT0 }), atEndpoint('unexpected'));
  });

  test.serial(
    `IPv${family}: version 1 on port 3386, and version 0 on port 2152, are not taken apart (G1, G24)`,
    (t) => {
      drops(t, arriving(family, gtp(plain[4]), { dport: PORT0 }), atEndpoint('bad_version'));
      world.endpoint(ours[family]);
      world.rx({}, { local: ours[family] });
      const frame = arriving(family, message0(type.gpdu, plain[4].toString('hex'), { tid: BigInt(LOCAL_TEID) }));
      drops(t, frame, `bad_version endpoint ${PORT}`);
    },
  );

  test.serial(`IPv${family}: checksum, peer strict and antispoof hold for version 0 as well (X11, G29)`, (t) => {
    drops(t, tpdu(family, plain[4], {}, { checksum: 0x1234 }), onSession('bad_checksum'));
    const at = { local: ours[family], tid: TID };
    world.rx({ flags: rx_flag.strict, remote: ours[family] }, at);
    drops(t, tpdu(family, plain[4]), onSession('wrong_peer'));
    world.rx({ flags: rx_flag.antispoof, ue4: '10.99.0.1/32' }, at);
    drops(t, tpdu(family, plain[4]), onSession('antispoof'));
  });
}

test.serial('a TID that looks like a TEID is another session (Z6)', (t) => {
  world.rx({}, { local: ours[4], tid: BigInt(LOCAL_TEID) });
  world.endpoint(ours[4], PORT, { flags: 0 });
  const frame = arriving(4, gtp(plain[4]));
  drops(t, frame, `unknown_teid endpoint ${PORT}`);
  const run = world.send(t, 'underlay', tpdu(4, plain[4], { tid: BigInt(LOCAL_TEID) }));
  t.deepEqual(run.counted, [`rx ${hex(LOCAL_TEID)}: 1 ${plain[4].length}`]);
});

// Sending.

const V0 = tx_flag.v0 | tx_flag.seq;

/** The session that sends to the peer, in version 0. */
function sender(family: Family, flags = 0): void {
  const csum = family === 6 ? tx_flag.csum : 0;
  world.fallback({
    local: ours[family],
    remote: theirs[family],
    teid: Number(TID >> 32n),
    local_teid: Number(TID & 0xffffffffn),
    sport: PORT0,
    dport: PORT0,
    ext: Buffer.from([FLOW >> 8, FLOW & 0xff]),
    ext_len: 0,
    flags: V0 | csum | flags,
  });
}

const sent = `tx ${hex(TID >> 32n)}`;

function sends(t: ExecutionContext, family: Family, inner: Buffer, seq: number, checksum = {}): void {
  const of = (inner[0] ?? 0) >> 4 === 6 ? 6 : 4;
  const run = world.send(t, 'link', eth({ type: etherType[of] }).payload(inner));
  t.deepEqual([run.verdict, run.counted], ['redirect', [`${sent}: 1 ${inner.length}`]]);
  const start = eth({ destination: '00:00:00:00:00:00' });
  const id = family === 4 ? run.frame.readUInt16BE(18) : 0;
  const [from, to] = [ours[family], theirs[family]];
  const ip = family === 4 ? start.ip4(from, to, { id }) : start.ip6(from, to);
  const datagram = message0(type.gpdu, inner.toString('hex'), { tid: TID, flow: FLOW, seq });
  sameFrame(t, run.frame, ip.udp(PORT0, PORT0, checksum).payload(datagram));
}

for (const family of families) {
  test.serial(`IPv${family}: a T-PDU goes out in a header of version 0 (Z1, Z2, Z6)`, (t) => {
    sender(family);
    for (const inside of families)
      sends(t, family, plain[inside], inside === 4 ? 0 : 1, family === 4 ? { checksum: 0 } : {});
  });

  test.serial(`IPv${family}: the checksum over a header of version 0 is right for every inner packet (X10)`, (t) => {
    sender(family, tx_flag.csum);
    for (const [seq, inner] of inners.filter(({ lco }) => lco).entries()) sends(t, family, inner.bytes, seq);
  });

  test.serial(`IPv${family}: sequence numbers of version 0 start at 0 and wrap from 65535 to 0 (Z5)`, (t) => {
    sender(family, tx_flag.csum);
    for (let seq = 0; seq < 5; seq++) sends(t, family, plain[4], seq);
    const key = rxKey({ local: ours[family], tid: TID });
    const half = world.maps.rx.get(key);
    if (half !== undefined) world.maps.rx.put(key, { ...half, tx_seq: 65533 });
    for (const seq of [65533, 65534, 65535, 0, 1]) sends(t, family, plain[4], seq);
  });

  test.serial(`IPv${family}: a packet of version 0 has 12 octets less room than one of version 1 (X6)`, (t) => {
    sender(family, tx_flag.csum);
    const room = 1500 - (family === 4 ? 48 : 68);
    const packet = (length: number) =>
      eth({ type: 0x0800 })
        .ip4('10.45.0.2', '198.51.100.9', { df: true })
        .udp()
        .payload(length - 28);
    t.deepEqual(world.send(t, 'link', packet(room)).counted, [`${sent}: 1 ${room}`]);
    const run = world.send(t, 'link', packet(room + 1));
    t.deepEqual(run.counted, [`${onSession('too_big')}: 1 ${room + 15}`]);
    t.is(run.frame.readUInt16BE(14 + 20 + 6), room);
  });
}

test.serial('every number from 0 to 65535 is sent once in a round, 65535 among them (Z5)', (t) => {
  sender(4);
  const frame = eth({ type: 0x0800 }).payload(plain[4]);
  const seen = new Set<number>();
  for (let i = 0; i < 65536; i++) seen.add(world.repeat('link', frame, 1).frame.readUInt16BE(14 + 28 + 4));
  t.is(seen.size, 65536);
});
