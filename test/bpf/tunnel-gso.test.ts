// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { drop_reason, tx_flag } from '../../src/datapath/layout.gen';
import { frame } from './frames';
import { bare, eth, SERVER, UE } from './packet';
import { LINK } from './session';
import {
  geneve,
  gre,
  gtpEthernet,
  l2tp,
  linkOf,
  openEndpoints,
  sender,
  type Tunnel,
  taker,
  vxlan,
  wrapped,
} from './tunnel';
import { makeWorld } from './world';

const world = makeWorld();
test.beforeEach(() => {
  world.reset();
  openEndpoints(world);
});
test.after.always(() => world.close());

const SIZE = 100;
const tcp = (length: number): Buffer => bare().ip4(UE, SERVER, { df: true }).tcp(1000, 80).payload(length).bytes();

/** What a link does with a super-packet of TCP: cut it in the shim, or encapsulate it to be cut late. */
function fate(t: ExecutionContext, tunnel: Tunnel, flags: number, length: number): 'shim' | 'late' {
  world.reset();
  const isFrame = tunnel.payload === 'ethernet';
  linkOf(world, isFrame ? 'frames' : 'packets');
  sender(world, tunnel, 4, flags);
  const given = isFrame ? frame(0x0800, tcp(length)) : eth({ type: 0x0800 }).payload(tcp(length)).bytes();
  const run = world.watch(() => world.repeat('link', given, 1, { gso_size: SIZE }));
  t.deepEqual([run.skb.mark, run.counted], [LINK, []], 'in the shim nothing is counted yet');
  // A test run cannot tell the kind of the segments, so the kernel makes no room in them, and they go by the shim after all.
  return run.skb.cb[4] === drop_reason.no_room ? 'late' : 'shim';
}

for (const [tunnel, flags, full, rest] of [
  [gre(), 0, 'late', 'late'],
  [gre({ key: true }), 0, 'late', 'late'],
  [gre({ payload: 'ethernet' }), 0, 'late', 'late'],
  [gre({ csum: true }), 0, 'shim', 'shim'],
  [gre({ seq: true }), 0, 'shim', 'shim'],
  [geneve(), 0, 'late', 'late'],
  [geneve(), tx_flag.csum, 'late', 'shim'],
  [geneve(Buffer.from('01040500', 'hex')), tx_flag.csum, 'late', 'shim'],
  [geneve(), tx_flag.split, 'shim', 'shim'],
  [vxlan, 0, 'late', 'late'],
  [l2tp('udp'), tx_flag.csum, 'late', 'shim'],
  [l2tp('udp', 0, 'seq'), 0, 'shim', 'shim'],
  [l2tp('ip'), 0, 'shim', 'shim'],
  [gtpEthernet(), 0, 'late', 'shim'],
] as const)
  test.serial(`${tunnel.name} with flags ${flags}: full segments go ${full}, a remainder ${rest}`, (t) => {
    t.is(fate(t, tunnel, flags, 3 * SIZE), full);
    t.is(fate(t, tunnel, flags, 3 * SIZE + 7), rest);
  });

for (const [name, frameOf] of Object.entries({
  '': (inner: Buffer) => frame(0x0800, inner),
  ' of frames with a tag': (inner: Buffer) => tagged(frame(0x0800, inner), '81000007'),
  ' of frames with two tags': (inner: Buffer) => tagged(tagged(frame(0x0800, inner), '81000007'), '88a80009'),
}))
  test.serial(
    `a train of tunnel packets${name} is taken apart in the shim, a super-packet that was cut late is not`,
    (t) => {
      const whole = (inner: Buffer): Buffer => wrapped(geneve(), 4, frameOf(inner));
      taker(world, geneve(), 4);
      comesApart(t, whole(tcp(200)));
      const late = world.send(t, 'underlay', whole(tcp(300)), { gso_size: SIZE });
      t.regex(late.counted.join(), /^no_room session /);
    },
  );

test.serial('a train of frames without IP is taken apart', (t) => {
  taker(world, geneve(), 4);
  comesApart(t, wrapped(geneve(), 4, frame(0x88b5, tcp(200))));
});

const tagged = (inside: Buffer, tag: string): Buffer =>
  Buffer.concat([inside.subarray(0, 12), Buffer.from(tag, 'hex'), inside.subarray(12)]);

/** Wants a train of two of this packet to be sent into the shim. */
function comesApart(t: ExecutionContext, one: Buffer): void {
  // The second packet of the train stands behind the first: IP counts both.
  const message = one.subarray(14 + 28);
  const train = Buffer.concat([one, message]);
  train.writeUInt16BE(train.length - 14, 16);
  train.writeUInt16BE(0, 24);
  let sum = 0;
  for (let at = 14; at < 34; at += 2) sum += train.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  train.writeUInt16BE(~sum & 0xffff, 24);
  const run = world.send(t, 'underlay', train, { gso_size: message.length }, 0);
  t.deepEqual([run.verdict, run.skb.mark], ['redirect', 0xffffffff]);
}
