// SPDX-License-Identifier: MIT
// Sequence numbers of G-PDUs (G10): on send where a session asks for them, on receipt counted and no more.
import test from 'ava';
import { tx_flag } from '../../src/datapath/layout.gen';
import { arriving, type Family, gtp, ours, theirs } from './gtp';
import { sameFrame } from './harness';
import { etherType, plain } from './inners';
import { message0, type } from './messages';
import { eth, UE, UE6 } from './packet';
import { hex, LINK, LOCAL_TEID, PORT, PORT0, portBits, REMOTE_TEID, rxKey } from './session';
import { makeWorld } from './world';

const world = makeWorld();
test.after.always(() => world.close());
test.beforeEach(() => {
  world.reset();
  for (const family of families) world.rx({ remote: theirs[family] }, { local: ours[family] });
});

const families = [4, 6] as const;
const inner = eth({ type: etherType[4] }).payload(plain[4]);

function words(family: Family, flags: number, ext = '') {
  const csum = family === 6 ? tx_flag.csum : 0;
  return { local: ours[family], remote: theirs[family], flags: flags | csum, ext: Buffer.from(ext, 'hex') };
}

/** What an inner packet has in front of it on the wire: flags, Length, and the octets behind the TEID. */
function header(t: Parameters<typeof world.send>[0], family: Family, more = 0, frame = inner) {
  const run = world.send(t, 'link', frame);
  t.is(run.verdict, 'redirect');
  const at = 14 + (family === 4 ? 28 : 48);
  const [flags, length] = [run.frame[at], run.frame.readUInt16BE(at + 2)];
  return [flags, length - plain[4].length, run.frame.toString('hex', at + 8, at + 8 + more)];
}

for (const family of families) {
  test.serial(`IPv${family}: without seq a G-PDU has no number and S is 0 (G10)`, (t) => {
    world.fallback(words(family, 0));
    for (let i = 0; i < 3; i++) t.deepEqual(header(t, family), [0x30, 0, '']);
    world.fallback(words(family, 0, '01000900'));
    t.deepEqual(header(t, family, 8), [0x34, 8, '00000085' + '01000900']);
  });

  test.serial(
    `IPv${family}: with seq numbers increase from 0 and wrap from 65535 to 0; what is not used is 0 (G2, G10)`,
    (t) => {
      world.fallback(words(family, tx_flag.seq));
      for (const seq of ['0000', '0001', '0002']) t.deepEqual(header(t, family, 4), [0x32, 4, `${seq}0000`]);
      const key = rxKey({ local: ours[family] });
      const half = world.maps.rx.get(key);
      if (half !== undefined) world.maps.rx.put(key, { ...half, tx_seq: 65534 });
      for (const seq of ['fffe', 'ffff', '0000', '0001']) t.deepEqual(header(t, family, 4), [0x32, 4, `${seq}0000`]);
    },
  );

  test.serial(`IPv${family}: a number and a PDU Session Container go together (G2, G6, G10)`, (t) => {
    world.fallback(words(family, tx_flag.seq, '01100500'));
    for (const seq of ['0000', '0001']) t.deepEqual(header(t, family, 8), [0x36, 8, `${seq}008501100500`]);
  });

  test.serial(`IPv${family}: the checksum covers the number (X10)`, (t) => {
    world.fallback(words(family, tx_flag.seq | tx_flag.csum));
    for (const seq of ['0000', '0001']) {
      const run = world.send(t, 'link', inner);
      const start = eth({ destination: '00:00:00:00:00:00' });
      const [from, to] = [ours[family], theirs[family]];
      const ip = family === 4 ? start.ip4(from, to, { id: run.frame.readUInt16BE(18) }) : start.ip6(from, to);
      const datagram = gtp(plain[4], { flags: 0x32, more: `${seq}0000`, teid: REMOTE_TEID });
      sameFrame(t, run.frame, ip.udp(PORT, PORT).payload(datagram));
    }
  });
}

test.serial('all prefixes of a session share its numbers, another session has its own (G10)', (t) => {
  world.exact(UE, words(4, tx_flag.seq));
  world.exact('198.51.100.9', words(4, tx_flag.seq));
  world.prefix(`${UE6}/64`, words(4, tx_flag.seq));
  world.rx({}, { local: ours[4], teid: 7 });
  world.exact('10.45.0.7', { ...words(4, tx_flag.seq), local_teid: 7 });
  const to = (address: string) => header(t, 4, 4, eth().ip4('10.0.0.1', address).udp().payload(56)).at(2);
  t.deepEqual(
    [to(UE), to('198.51.100.9'), to('10.45.0.7'), to(UE), to('10.45.0.7')],
    ['00000000', '00010000', '00000000', '00020000', '00010000'],
  );
  const v6 = eth().ip6('2001:db8::1', UE6).udp().payload(36);
  t.is(header(t, 4, 4, v6).at(2), '00030000');
});

test.serial('a super-packet of a session with numbers is cut first, so that each packet gets its own (G10)', (t) => {
  world.fallback(words(4, tx_flag.seq));
  const train = eth().ip4(UE, '198.51.100.9').tcp().payload(200);
  const run = world.send(t, 'link', train, { gso_size: 100 }, 0);
  t.deepEqual([run.verdict, run.skb.mark], ['redirect', LINK]);
});

test.serial('the octets of a number leave less room (X6)', (t) => {
  world.fallback(words(4, tx_flag.seq));
  const packet = (length: number) =>
    eth()
      .ip4(UE, '198.51.100.9', { df: true })
      .udp()
      .payload(length - 28);
  t.deepEqual(world.send(t, 'link', packet(1460)).counted, [`tx ${hex(REMOTE_TEID)}: 1 1460`]);
  t.deepEqual(world.send(t, 'link', packet(1461)).counted, [`too_big session ${hex(LOCAL_TEID)}: 1 1475`]);
});

// Receipt. Each row: numbers as they come, and which of them are behind.
const arrivals: readonly (readonly [title: string, numbers: readonly number[], behind: readonly boolean[]])[] = [
  ['in order', [0, 1, 2, 3], [false, false, false, false]],
  ['with gaps', [5, 9, 1000, 33000], [false, false, false, false]],
  ['over the wrap', [65534, 65535, 0, 1], [false, false, false, false]],
  ['one late', [1, 3, 2, 4], [false, false, true, false]],
  ['one twice', [1, 1, 2], [false, true, false]],
  ['late over the wrap', [65535, 1, 0, 65535, 2], [false, false, true, true, false]],
  ['a start anywhere', [40000, 40001], [false, false]],
];

for (const family of families)
  for (const [title, numbers, behind] of arrivals)
    test.serial(`IPv${family}: numbers ${title}: all are delivered, those behind are counted (G10)`, (t) => {
      const beside = behind.map((late) => (late ? [`reordered ${hex(LOCAL_TEID)}: 1`] : []));
      const runs = numbers.map((seq) => {
        const more = `${seq.toString(16).padStart(4, '0')}0000`;
        return world.send(t, 'underlay', arriving(family, gtp(plain[4], { flags: 0x32, more })));
      });
      t.deepEqual(
        runs.map((run) => run.beside),
        beside,
      );
      for (const run of runs) t.is(run.verdict, 'redirect');
    });

test.serial('packets without S between numbered ones are not looked at (G2, G10)', (t) => {
  for (const [flags, more] of [
    [0x32, '00050000'],
    [0x31, '00010000'],
    [0x30, ''],
    [0x32, '00060000'],
  ] as const)
    t.deepEqual(world.send(t, 'underlay', arriving(4, gtp(plain[4], { flags, more }))).beside, []);
});

test.serial('a packet that is dropped has no part in the order', (t) => {
  const send = (seq: string, payload: Buffer) =>
    world.send(t, 'underlay', arriving(4, gtp(payload, { flags: 0x32, more: `${seq}0000` })));
  send('0005', plain[4]);
  t.is(send('0009', plain[4].subarray(0, 30)).verdict, 'shot');
  t.deepEqual(send('0006', plain[4]).beside, []);
});

test.serial('numbers of version 0 are counted in the same way (Z5)', (t) => {
  const config = world.maps.config.get(0);
  if (config !== undefined) world.maps.config.put(0, { ...config, ports: portBits(PORT0) });
  world.rx({}, { local: ours[4], tid: 5n });
  const beside = [65535, 0, 1, 1, 0].map((seq) => {
    const datagram = message0(type.gpdu, plain[4].toString('hex'), { tid: 5n, seq });
    return world.send(t, 'underlay', arriving(4, datagram, { dport: PORT0 })).beside.length;
  });
  t.deepEqual(beside, [0, 0, 0, 1, 1]);
});
