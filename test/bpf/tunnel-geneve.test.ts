// SPDX-License-Identifier: MIT
import test from 'ava';
import { zero } from '../../src/datapath/codec';
import { kind, rx_flag, tx_flag } from '../../src/datapath/layout.gen';
import { frame, userFrames } from './frames';
import { ours } from './gtp';
import { plain } from './inners';
import { bare, eth, mapped, SERVER, UE } from './packet';
import { hex, LINK, portBits } from './session';
import {
  CRITICAL,
  carrying,
  geneve,
  gre,
  hexOctets,
  l2tp,
  linkOf,
  number,
  OWN,
  openEndpoints,
  remoteMark,
  sender,
  taker,
  VNI,
  vxlan,
  wrapped,
} from './tunnel';
import { tunnelReceiver } from './tunnel-receive';
import { makeWorld } from './world';

const world = makeWorld();
test.beforeEach(() => {
  world.reset();
  openEndpoints(world);
});
test.after.always(() => world.close());

const bytes = frame(0x0800, plain[4]);
const { delivers, drops, dropsAtEndpoint } = tunnelReceiver(world, bytes);
const VNI_TEXT = 'abcdef';

function behind(family: 4 | 6, header: string, payload = bytes): Buffer {
  return carrying('geneve', family, Buffer.concat([hexOctets(header), payload]));
}

for (const family of [4, 6] as const) {
  const is = `IPv${family}`;

  test.serial(`${is}: another version is dropped; reserved bits are not looked at, and sent as 0 (N1)`, (t) => {
    taker(world, geneve(), family);
    for (const first of ['40', '80', 'c0'])
      dropsAtEndpoint(t, behind(family, `${first}00 6558 ${VNI_TEXT} 00`), 'bad_version', 6081);
    for (const [flags, reserved] of [
      ['00', 'ff'],
      ['3f', '00'],
      ['01', '80'],
    ])
      delivers(t, behind(family, `00${flags} 6558 ${VNI_TEXT} ${reserved}`), VNI);
    linkOf(world, 'frames');
    sender(world, geneve(), family);
    const at = 14 + (family === 4 ? 28 : 48);
    t.is(world.send(t, 'link', bytes).frame.toString('hex', at, at + 8), `00006558${VNI_TEXT}00`);
  });

  test.serial(`${is}: a control packet is never forwarded (N2)`, (t) => {
    taker(world, geneve(), family);
    dropsAtEndpoint(t, behind(family, `0080 6558 ${VNI_TEXT} 00`), 'control', 6081);
    dropsAtEndpoint(t, behind(family, `02c0 6558 ${VNI_TEXT} 00 0104 05 01 00000000`), 'control', 6081);
  });

  test.serial(`${is}: a critical option that is not known drops the packet, wherever it stands (N3)`, (t) => {
    taker(world, geneve(), family);
    const odd = '0104 05 01 00000000';
    dropsAtEndpoint(t, behind(family, `0140 6558 ${VNI_TEXT} 00 0104 85 00`), 'unknown_option', 6081);
    dropsAtEndpoint(t, behind(family, `0340 6558 ${VNI_TEXT} 00 ${odd} 0104 80 00`), 'unknown_option', 6081);
    const many = '0000 0000'.repeat(62);
    dropsAtEndpoint(t, behind(family, `3f40 6558 ${VNI_TEXT} 00 ${many} 0000 ff00`), 'unknown_option', 6081);
    // C without such an option is a sender's fault that costs nobody anything; without C nothing is walked.
    delivers(t, behind(family, `0240 6558 ${VNI_TEXT} 00 ${odd}`), VNI);
    delivers(t, behind(family, `0100 6558 ${VNI_TEXT} 00 0104 85 00`), VNI);
    delivers(t, behind(family, `3f40 6558 ${VNI_TEXT} 00 ${many} 0000 7f00`), VNI);
  });

  test.serial(`${is}: C is sent when an option is critical, and only then (N3)`, (t) => {
    linkOf(world, 'frames');
    const at = 14 + (family === 4 ? 28 : 48);
    for (const [options, critical, wanted] of [
      [CRITICAL, true, 0x40],
      [hexOctets('0104 05 00'), false, 0],
      [Buffer.alloc(0), false, 0],
    ] as const) {
      world.reset();
      linkOf(world, 'frames');
      sender(world, geneve(options, 'ethernet', critical), family);
      t.is(world.send(t, 'link', bytes).frame[at + 1], wanted);
    }
  });

  test.serial(`${is}: options that nobody has to know are skipped; those that do not add up are refused (N4)`, (t) => {
    taker(world, geneve(), family);
    delivers(t, behind(family, `0500 6558 ${VNI_TEXT} 00 0104 05 01 00000000 ffff 7f 02 0000000000000000`), VNI);
    // Where they are not walked, only their whole length counts.
    delivers(t, behind(family, `0100 6558 ${VNI_TEXT} 00 0104 05 1f`), VNI);
    dropsAtEndpoint(t, behind(family, `0140 6558 ${VNI_TEXT} 00 0104 05 01`), 'bad_option', 6081);
    dropsAtEndpoint(t, behind(family, `0240 6558 ${VNI_TEXT} 00 0104 05 02 00000000`), 'bad_option', 6081);
    dropsAtEndpoint(t, carrying('geneve', family, hexOctets(`3f00 6558 ${VNI_TEXT} 00 0104 0500`)), 'bad_length', 6081);
  });

  test.serial(`${is}: an unknown VNI, payload type or a cut payload is dropped by name (N5)`, (t) => {
    taker(world, geneve(), family);
    dropsAtEndpoint(t, behind(family, '0000 6558 abcdee 00'), 'unknown_vni', 6081);
    for (const type of ['0806', '0000', '8847'])
      drops(t, behind(family, `0000 ${type} ${VNI_TEXT} 00`), 'bad_protocol', VNI);
    drops(t, behind(family, `0000 6558 ${VNI_TEXT} 00`, bytes.subarray(0, 13)), 'bad_frame', VNI);
    drops(t, behind(family, `0000 6558 ${VNI_TEXT} 00`, bytes.subarray(0, 60)), 'bad_inner', VNI);
    drops(t, behind(family, `0000 0800 ${VNI_TEXT} 00`, plain[6]), 'bad_inner', VNI);
  });

  test.serial(`${is}: the source port is one of 16384 for each flow, whatever the options (N6)`, (t) => {
    linkOf(world, 'frames');
    const at = 14 + (family === 4 ? 20 : 40);
    const portOf = (options: Buffer, sport: number): number => {
      sender(world, geneve(options), family, tx_flag.sport_hash);
      const inner = bare().ip4(UE, SERVER).udp(sport, 53).payload(20).bytes();
      const out = world.send(t, 'link', frame(0x0800, inner)).frame;
      t.is(out.readUInt16BE(at + 2), 6081);
      return out.readUInt16BE(at);
    };
    const ports = [1, 2, 3, 4, 5, 6, 7, 8].map((sport) => portOf(Buffer.alloc(0), sport));
    const [first = 0] = ports;
    t.true(ports.every((port) => port >= 49152));
    t.true(new Set(ports).size > 4);
    t.is(portOf(Buffer.alloc(0), 1), first);
    t.is(portOf(hexOctets('01040500'), 1), first);
  });

  test.serial(`${is}: a checksum that is there is verified (N7, X11)`, (t) => {
    for (const tunnel of [geneve(), vxlan]) {
      taker(world, tunnel, family);
      delivers(t, wrapped(tunnel, family, bytes), VNI);
      drops(t, wrapped(tunnel, family, bytes, { udp: { checksum: 0x1234 } }), 'bad_checksum', VNI);
    }
  });

  test.serial(`${is}: the VNI alone, or with the remote, names the session (N5)`, (t) => {
    const source = family === 4 ? '192.0.2.77' : '2001:db8::77';
    const mark = remoteMark(source);
    for (const tunnel of [geneve(), vxlan]) {
      taker(world, tunnel, family, {}, { id: BigInt(VNI) | mark.id, scope: mark.scope });
      const port = tunnel === vxlan ? 4789 : 6081;
      delivers(t, wrapped(tunnel, family, bytes, { source }), BigInt(VNI) | mark.id);
      dropsAtEndpoint(t, wrapped(tunnel, family, bytes), 'unknown_vni', port);
    }
  });

  test.serial(`${is}: one port is GTP's at one address and VXLAN's at another`, (t) => {
    const other = ours[family === 4 ? 6 : 4];
    const [gtpPort, vx] = [4789, (payload: Buffer) => carrying('vxlan', family, payload)];
    const config = world.maps.config.get(0) ?? zero('config');
    world.maps.config.put(0, { ...config, ports: portBits(gtpPort, 2152) });
    world.maps.endpoints.delete({ local: mapped(other), port: gtpPort, kind: kind.vxlan });
    world.endpoint(other, gtpPort);
    world.rx({}, { local: other, port: gtpPort });
    taker(world, vxlan, family);
    delivers(t, wrapped(vxlan, family, bytes), VNI);
    dropsAtEndpoint(t, vx(hexOctets('08000000 00000100')), 'unknown_vni', gtpPort);
    // What GTP would take for a G-PDU, and what it would not.
    dropsAtEndpoint(t, vx(hexOctets('30ff0000 00001001')), 'bad_header', gtpPort);
    const teid = hexOctets('00001001');
    const gpdu = Buffer.concat([hexOctets('30ff'), number(plain[4].length, 2), teid, plain[4]]);
    const run = world.send(t, 'stack underlay', carrying('vxlan', family === 4 ? 6 : 4, gpdu));
    t.deepEqual([run.verdict, run.counted], ['redirect', [`rx 0x1001: 1 ${plain[4].length}`]]);
    const unknown = carrying(
      'vxlan',
      family === 4 ? 6 : 4,
      Buffer.concat([gpdu.subarray(0, 4), hexOctets('00000009')]),
    );
    t.regex(world.send(t, 'stack underlay', unknown).counted.join(), /endpoint 4789/);
  });

  test.serial(`${is}: sessions of two kinds with one number have their own drops`, (t) => {
    taker(world, gre({ key: true }), family);
    taker(world, l2tp('ip'), family);
    const broken = frame(0x0800, plain[4].subarray(0, 10));
    const reasons = [gre({ key: true }), l2tp('ip')].map((tunnel) => {
      const payload = tunnel.payload === 'ip' ? plain[4].subarray(0, 10) : broken;
      return world.send(t, 'stack underlay', wrapped(tunnel, family, payload)).counted;
    });
    t.true(
      reasons.every((counted) => counted.join().includes(`session ${hex(OWN)}`)),
      reasons.join(),
    );
    const entries = [...world.maps.drops.entries()].map(([{ of }]) => of.kind).sort();
    t.deepEqual(entries, [kind.gre, kind.l2tp_ip]);
  });

  test.serial(`${is}: VXLAN without the I flag has no VNI; its other bits are not looked at`, (t) => {
    taker(world, vxlan, family);
    const vx = (header: string): Buffer => carrying('vxlan', family, Buffer.concat([hexOctets(header), bytes]));
    for (const flags of ['00', '04', 'f7']) dropsAtEndpoint(t, vx(`${flags}000000 ${VNI_TEXT} 00`), 'bad_header', 4789);
    for (const first of ['08000000', 'ffffffff', '0c123456']) delivers(t, vx(`${first} ${VNI_TEXT} ff`), VNI);
    dropsAtEndpoint(t, vx('08000000 abcdee 00'), 'unknown_vni', 4789);
  });

  test.serial(`${is}: tags inside go through untouched, both ways (N10)`, (t) => {
    for (const tunnel of [geneve(), vxlan]) {
      taker(world, tunnel, family);
      for (const one of userFrames.filter(({ isTagged }) => isTagged)) {
        const run = world.send(t, 'underlay', wrapped(tunnel, family, one.bytes));
        t.true(run.frame.equals(one.bytes), one.name);
      }
    }
  });
}

test.serial('IPv4 takes no checksum, IPv6 only where the session opted in (N7, N8, X10)', (t) => {
  const without = { udp: { checksum: 0 } };
  for (const tunnel of [geneve(), vxlan]) {
    taker(world, tunnel, 4);
    delivers(t, wrapped(tunnel, 4, bytes, without), VNI);
    taker(world, tunnel, 6);
    drops(t, wrapped(tunnel, 6, bytes, without), 'zero_checksum', VNI);
    taker(world, tunnel, 6, { flags: rx_flag.frames | rx_flag.zero_csum });
    delivers(t, wrapped(tunnel, 6, bytes, without), VNI);
  }
});

test.serial("the inner congestion mark goes outside, tos is the session's or inherited (N9, X1, X4)", (t) => {
  linkOf(world, 'frames');
  for (const [words, tos] of [
    [0, 2],
    [tx_flag.tos_inherit, 0xba],
  ] as const) {
    sender(world, geneve(), 4, words);
    const inner = bare().ip4(UE, SERVER, { tos: 0xba }).udp().payload(9).bytes();
    t.is(world.send(t, 'link', frame(0x0800, inner)).frame[15], tos);
  }
  sender(world, geneve(), 4, tx_flag.ttl_inherit | tx_flag.tos_inherit);
  const opaque = world.send(t, 'link', frame(0x88b5, Buffer.alloc(50))).frame;
  t.deepEqual([opaque[15], opaque[22]], [0, 64]);
});

test.serial(
  'who sent a packet that the path does not take is told; a frame of another type goes in outer fragments (N10, X6)',
  (t) => {
    linkOf(world, 'frames');
    sender(world, geneve(), 4, 0, { path: { mtu: 120 } });
    const inner = bare().ip4(UE, SERVER, { df: true }).udp().payload(60).bytes();
    const run = world.send(t, 'link', frame(0x0800, inner));
    t.is(run.verdict, 'redirect');
    t.regex(run.counted.join(), /^too_big session 0xabcdef: 1 /);
    t.is(run.frame.readUInt16BE(14 + 20 + 6), 120 - 50, 'the MTU that is told is the inner one');
    t.is(world.send(t, 'link', frame(0x88b5, Buffer.alloc(70))).skb.mark, 0);
    t.is(world.send(t, 'link', frame(0x88b5, Buffer.alloc(71)), {}, 0).skb.mark, LINK, 'to the shim, where it is cut');
  },
);

test.serial('geneve with IP packets as payload on a link of packets', (t) => {
  const ip = geneve(Buffer.alloc(0), 'ip');
  taker(world, ip, 4, { flags: 0 });
  tunnelReceiver(world, plain[4]).delivers(t, wrapped(ip, 4, plain[4]), VNI);
  linkOf(world, 'packets');
  sender(world, ip, 4);
  const out = world.send(t, 'link', eth({ type: 0x86dd }).payload(plain[6])).frame;
  t.is(out.toString('hex', 42, 50), `000086dd${VNI_TEXT}00`);
});
