// SPDX-License-Identifier: MIT
import test from 'ava';
import { zero } from '../../src/datapath/codec';
import { kind, rx_flag, tx_flag } from '../../src/datapath/layout.gen';
import { FAR, frame, NEAR, userFrames } from './frames';
import { delivered } from './gtp';
import { sameFrame } from './harness';
import { plain } from './inners';
import { eth, MAC_B, mac } from './packet';
import { hex, LINK, type RxAt, type TxWords } from './session';
import { hexOctets, linkOf, openEndpoints, putDetail, taker, VID, VNI, vxlan, wrapped } from './tunnel';
import { tunnelReceiver } from './tunnel-receive';
import { makeWorld } from './world';

const world = makeWorld();
test.beforeEach(() => {
  world.reset();
  openEndpoints(world);
});
test.after.always(() => world.close());

const Q = 0x8100;
const AD = 0x88a8;
const HERE = mac(MAC_B);

function at(port: number, id = VID): RxAt {
  return { kind: kind.vlan, local: '::', id: BigInt(id), port, scope: LINK };
}

function words(dport: number, more = 0): TxWords {
  const flags = tx_flag.ether | more;
  return { kind: kind.vlan, local: '::', remote: '::', teid: VID, local_teid: LINK, dport, sport: 0, flags };
}

/** A frame on the wire: the tag in front of what it carries. */
function tagged(inner: Buffer, protocol: number, tci = VID): Buffer {
  const tag = Buffer.alloc(4);
  tag.writeUInt16BE(protocol, 0);
  tag.writeUInt16BE(tci, 2);
  return Buffer.concat([inner.subarray(0, 12), tag, inner.subarray(12)]);
}

const bytes = frame(0x0800, plain[4], { to: HERE });
const { delivers, leaves } = tunnelReceiver(world, bytes);

for (const protocol of [Q, AD]) {
  const is = protocol === Q ? '802.1Q' : '802.1ad';

  test.serial(
    `${is}: a tagged frame of the underlay comes out of its session without the tag, whatever its priority`,
    (t) => {
      world.rx({ flags: rx_flag.frames }, at(protocol));
      for (const one of userFrames.filter(({ isTagged }) => !isTagged))
        for (const priority of [0, 0x3000, 0xf000]) {
          const inner = Buffer.concat([HERE, one.bytes.subarray(6)]);
          const run = world.send(t, 'stack underlay', tagged(inner, protocol, VID | priority));
          t.is(run.verdict, 'redirect', one.name);
          t.deepEqual(run.counted, [`rx ${hex(VID)}: 1 ${inner.length}`]);
          sameFrame(t, run.frame, inner);
        }
    },
  );

  test.serial(`${is}: of several tags the outermost is the session's (QinQ)`, (t) => {
    world.rx({ flags: rx_flag.frames }, at(protocol));
    const two = tagged(tagged(frame(0x0800, plain[4], { to: HERE }), 0x8100, 0x0123), protocol);
    const run = world.send(t, 'stack underlay', two);
    t.is(run.verdict, 'redirect');
    t.deepEqual(run.counted, [`rx 0x5a5: 1 ${bytes.length + 4}`], 'the tag that stays is counted');
    world.rx({ flags: 0 }, at(protocol));
    const [counted] = world.send(t, 'stack underlay', two).counted;
    t.is(counted?.split(' ')[0], 'not_ip', 'with a tag it is no packet');
  });

  test.serial(`${is}: another id, protocol or underlay, and untagged frames, belong to somebody else`, (t) => {
    world.rx({ flags: rx_flag.frames }, at(protocol));
    for (const [other, id] of [
      [protocol, VID + 1],
      [protocol === Q ? AD : Q, VID],
      [protocol, 0xfff],
    ] as const) {
      const run = world.send(t, 'stack underlay', tagged(bytes, other, id), {}, 0);
      t.deepEqual([run.verdict, run.counted], ['unspec', []]);
    }
    leaves(t, bytes);
    world.rx({ flags: rx_flag.frames }, { ...at(protocol, VID + 1), scope: LINK + 1 });
    t.is(world.send(t, 'stack underlay', tagged(bytes, protocol, VID + 1), {}, 0).verdict, 'unspec');
  });

  test.serial(`${is}: frames to others and to all are the session's, too`, (t) => {
    world.rx({ flags: rx_flag.frames }, at(protocol));
    for (const to of [FAR, mac('ff:ff:ff:ff:ff:ff'), mac('33:33:00:00:00:01')]) {
      const inner = frame(0x0806, Buffer.alloc(46), { to, from: NEAR });
      const run = world.send(t, 'stack underlay', tagged(inner, protocol));
      t.is(run.verdict, 'redirect');
      sameFrame(t, run.frame, inner);
    }
  });

  test.serial(
    `${is}: on a link of packets the packet comes out; what is none is not_ip, what is broken bad_inner (X13)`,
    (t) => {
      world.rx({ flags: 0 }, at(protocol));
      const run = world.send(t, 'stack underlay', tagged(bytes, protocol));
      t.is(run.verdict, 'redirect');
      sameFrame(t, run.frame, delivered(plain[4]));
      const drop = (inner: Buffer, reason: string): void => {
        const { verdict, counted } = world.send(t, 'stack underlay', tagged(inner, protocol));
        // The tag stands beside the frame, or is taken away already.
        t.deepEqual([verdict, counted], ['shot', [`${reason} session ${hex(VID)}: 1 ${inner.length}`]]);
      };
      drop(frame(0x0806, Buffer.alloc(46), { to: HERE }), 'not_ip');
      drop(frame(0x0800, plain[4].subarray(0, 60), { to: HERE }), 'bad_inner');
      drop(frame(0x86dd, plain[4], { to: HERE }), 'bad_inner');
    },
  );

  test.serial(`${is}: frames go out with the tag, and their own one behind it`, (t) => {
    linkOf(world, 'frames');
    world.maps.underlays.put(LINK, zero('underlay'));
    for (const one of userFrames) {
      world.fallback(words(protocol));
      const run = world.send(t, 'stack link', one.bytes);
      t.is(run.verdict, 'redirect', one.name);
      t.deepEqual(run.counted, [`tx ${hex(VID)}: 1 ${one.bytes.length}`]);
      // The outermost tag stands beside the frame, where a test run does not show it.
      sameFrame(t, run.frame, one.bytes);
      // Sent twice, the first tag is pushed into the frame by the second.
      if (!one.isTagged) sameFrame(t, world.repeat('link', one.bytes, 2).frame, tagged(one.bytes, protocol));
    }
    world.maps.underlays.delete(LINK);
  });

  test.serial(`${is}: packets of a link of packets get the addresses of the session`, (t) => {
    linkOf(world, 'packets');
    world.maps.underlays.put(LINK, zero('underlay'));
    world.fallback(words(protocol, tx_flag.detail));
    putDetail(world, at(protocol), { macs: Buffer.concat([FAR, NEAR]) });
    const run = world.send(t, 'link', eth({ type: 0x0800 }).payload(plain[4]));
    t.is(run.verdict, 'redirect');
    t.deepEqual(run.counted, [`tx ${hex(VID)}: 1 ${bytes.length}`]);
    sameFrame(t, run.frame, frame(0x0800, plain[4]));
    world.maps.underlays.delete(LINK);
  });

  test.serial(`${is}: without its underlay a session has no route`, (t) => {
    linkOf(world, 'frames');
    world.maps.underlays.delete(LINK);
    world.fallback(words(protocol));
    const run = world.send(t, 'link', bytes);
    t.deepEqual([run.verdict, run.counted], ['shot', [`no_route session ${hex(VID)}: 1 ${bytes.length}`]]);
  });
}

test.serial('a priority tag (id 0) is no session: what is behind it is received as without', (t) => {
  world.rx({ flags: rx_flag.frames }, at(Q));
  const run = world.send(t, 'stack underlay', tagged(bytes, Q, 0x6000), {}, 0);
  t.is(run.verdict, 'unspec');
  taker(world, vxlan, 4);
  const outer = wrapped(vxlan, 4, bytes);
  t.deepEqual(world.send(t, 'stack underlay', tagged(outer, Q, 0x6000)).counted, [`rx ${hex(VNI)}: 1 ${bytes.length}`]);
});

test.serial('behind a priority tag a tag with an id is what it is elsewhere: not the underlay itself', (t) => {
  taker(world, vxlan, 4);
  const outer = wrapped(vxlan, 4, bytes);
  const run = world.send(t, 'stack underlay', tagged(tagged(outer, Q, 7), Q, 0x6000), {}, 0);
  t.deepEqual([run.verdict, run.counted], ['unspec', []]);
});

test.serial('a frame that ends in its second tag is dropped by name', (t) => {
  world.rx({ flags: rx_flag.frames }, at(Q));
  const cut = Buffer.concat([bytes.subarray(0, 12), hexOctets('8100 05a5 8100')]);
  const run = world.send(t, 'stack underlay', cut);
  t.deepEqual([run.verdict, run.counted], ['shot', [`no_room session ${hex(VID)}: 1 ${cut.length - 4}`]]);
});

test.serial("an inner source that is not the session's is dropped, of ARP as well (G29)", (t) => {
  const arp = (sender: string): Buffer =>
    frame(0x0806, hexOctets(`0001 0800 0604 0001 02000000002e ${sender} 000000000000 c6336409`), { to: HERE });
  const flags = rx_flag.frames | rx_flag.antispoof;
  world.rx({ flags, ue4: '10.45.0.2/32' }, at(Q));
  t.is(world.send(t, 'stack underlay', tagged(arp('0a2d0002'), Q)).verdict, 'redirect');
  const foreign = arp('0a2d0003');
  const run = world.send(t, 'stack underlay', tagged(foreign, Q));
  t.deepEqual(run.counted, [`antispoof session ${hex(VID)}: 1 ${foreign.length}`]);
  world.rx({ flags: flags | rx_flag.sgsn, ue4: '198.51.100.9/32' }, at(Q));
  t.is(world.send(t, 'stack underlay', tagged(foreign, Q)).verdict, 'redirect');
  delivers(t, tagged(bytes, Q), VID);
});
