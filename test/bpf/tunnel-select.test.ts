// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { zero } from '../../src/datapath/codec';
import { link_flag, rx_flag } from '../../src/datapath/layout.gen';
import { FAR, frame, NEAR } from './frames';
import { bare, eth, mac, mapped, SERVER, SERVER6, UE, UE6 } from './packet';
import { LINK, txSession } from './session';
import { gre, linkOf, openEndpoints, taker, txWords, vxlan, wrapped } from './tunnel';
import { makeWorld } from './world';

const world = makeWorld();
test.beforeEach(() => {
  world.reset();
  openEndpoints(world);
});
test.after.always(() => world.close());

/** A session that sends with this key, to be told by it. */
function session(teid: number) {
  return txSession({ ...txWords(gre({ key: true, payload: 'ethernet' }), 4, 0), teid });
}

function packets(teid: number) {
  return txSession({ ...txWords(gre({ key: true }), 4, 0), teid });
}

function macKey(address: Buffer): Buffer {
  return Buffer.concat([Buffer.alloc(8), Buffer.from('fffe', 'hex'), address]);
}

function slotKey(slot: number): Buffer {
  return Buffer.concat([Buffer.alloc(8), Buffer.from('fffd', 'hex'), Buffer.alloc(5), Buffer.from([slot])]);
}

/** Puts a session under a slot of the link, as every one of a link of frames but the fallback stands. */
function slot(at: number, teid: number, flags = 0): void {
  const link = world.maps.links.get(LINK);
  if (link === undefined) throw new Error('no link');
  world.maps.tx.put({ ifindex: LINK, addr: slotKey(at) }, flagged(session(teid), flags));
  const config = {
    ...link.config,
    flags: link.config.flags | link_flag.select,
    slots: link.config.slots | (1n << BigInt(at)),
  };
  world.maps.links.put(LINK, { ...link, config });
}

function flagged(one: ReturnType<typeof session>, flags: number): ReturnType<typeof session> {
  const [first, second] = one.config;
  return { ...one, config: [{ ...first, flags: first.flags | flags }, second] };
}

/** Of the link's only session, which alone has a counter here. */
const FALLBACK = 5;

/** The session that a frame went by: the key on the wire. */
function keyOf(frame: Buffer): number {
  return frame.readUInt32BE(14 + 20 + 4);
}

function chooses(t: ExecutionContext, given: Buffer, teid: number | 'no_session', title = ''): void {
  const run = world.send(t, 'link', given, {}, teid === 'no_session' || teid === FALLBACK ? 1 : 0);
  t.is(run.verdict, teid === 'no_session' ? 'shot' : 'redirect', title);
  if (teid === 'no_session') t.deepEqual(run.counted, [`no_session link ${LINK}: 1 ${given.length}`], title);
  else t.is(keyOf(run.frame), teid, title);
}

const ip = (from: string, to: string, mac = FAR): Buffer => {
  const packet = to.includes(':') ? bare().ip6(from, to) : bare().ip4(from, to);
  return frame(to.includes(':') ? 0x86dd : 0x0800, packet.udp(1000, 53).payload(9).bytes(), { to: mac });
};
const now = (): number => Number(process.hrtime.bigint() >> 30n);

for (const [role, flag] of [
  ['ggsn', 0],
  ['sgsn', link_flag.sgsn],
] as const)
  test.serial(`role ${role}: exact address, from and to, prefix, given MAC, the only session: in this order`, (t) => {
    linkOf(world, 'frames');
    world.link(flag | link_flag.select | link_flag.prefix | link_flag.pair);
    const [user, server] = role === 'ggsn' ? [SERVER, UE] : [UE, SERVER];
    const user6 = role === 'ggsn' ? UE6 : SERVER6;
    const addressed = role === 'ggsn' ? server : user;
    const set: (() => void)[] = [
      () => world.fallback({ ...txWords(gre({ key: true, payload: 'ethernet' }), 4, 0), teid: FALLBACK }),
      () => {
        slot(3, 4);
        world.maps.tx.put({ ifindex: LINK, addr: macKey(FAR) }, session(4));
      },
      () =>
        world.maps.tx_prefix.put(
          { prefixlen: 64 + 96 + 8, ifindex: LINK, version: 4, addr: mapped(`${addressed.split('.')[0]}.0.0.0`) },
          session(3),
        ),
      () => world.maps.tx_pair.put({ ifindex: LINK, from: mapped(user), to: mapped(server) }, session(2)),
      () => world.maps.tx.put({ ifindex: LINK, addr: mapped(addressed) }, session(1)),
    ];
    for (const [i, put] of set.entries()) {
      put();
      chooses(t, ip(user, server), 5 - i, `${i}`);
    }
    // Of another address pair, and of IPv6, which ::ffff: prefixes are not for.
    world.maps.tx.delete({ ifindex: LINK, addr: mapped(addressed) });
    chooses(t, ip(user === UE ? UE : '203.0.113.1', user === UE ? '203.0.113.1' : UE), 3);
    chooses(t, ip(user6 === UE6 ? SERVER6 : UE6, user6), 4);
  });

test.serial('from and to choose where nothing else does, and by both addresses', (t) => {
  for (const any of [link_flag.any, 0]) {
    world.reset();
    world.link(any | link_flag.pair);
    world.maps.tx_pair.put({ ifindex: LINK, from: mapped(UE), to: mapped(SERVER) }, packets(7));
    world.maps.tx_pair.put({ ifindex: LINK, from: mapped(UE6), to: mapped(SERVER6) }, packets(8));
    chooses(t, ip(UE, SERVER), 7);
    chooses(t, ip(UE6, SERVER6), 8);
    chooses(t, ip(SERVER, UE), 'no_session');
    chooses(t, ip(UE, '198.51.100.10'), 'no_session');
    chooses(t, ip(SERVER6, UE6), 'no_session');
  }
});

test.serial('a prefix is found behind a pair that does not fit, for both families', (t) => {
  linkOf(world, 'packets');
  world.link(link_flag.select | link_flag.prefix | link_flag.pair);
  world.maps.tx_pair.put({ ifindex: LINK, from: mapped(UE), to: mapped('203.0.113.1') }, packets(1));
  world.maps.tx_prefix.put(
    { prefixlen: 64 + 96 + 24, ifindex: LINK, version: 4, addr: mapped('198.51.100.0') },
    packets(2),
  );
  world.maps.tx_prefix.put(
    { prefixlen: 64 + 64, ifindex: LINK, version: 6, addr: mapped('2001:db8:c0::') },
    packets(3),
  );
  chooses(t, ip(UE, SERVER), 2);
  chooses(t, ip(UE6, SERVER6), 3);
  chooses(t, ip(UE, '203.0.113.1'), 1);
  chooses(t, ip(UE, '203.0.113.2'), 'no_session');
});

test.serial(
  'a MAC address that was given chooses, one that was learned until it is forgotten, and only that of the link',
  (t) => {
    linkOf(world, 'frames');
    slot(0, 10);
    slot(63, 11);
    world.maps.tx.put({ ifindex: LINK, addr: macKey(FAR) }, session(10));
    const other = mac('02:00:00:00:00:99');
    const frames = [0x0806, 0x88b5, 0x0800].map((type) => (to: Buffer) => frame(type, Buffer.alloc(50), { to }));
    const learned = (slotNumber: number, seen: number, ifindex = LINK): void =>
      world.maps.fdb.put({ ifindex, mac: other }, { slot: slotNumber, seen });
    for (const make of frames) chooses(t, make(FAR), 10);
    for (const make of frames) chooses(t, make(other), 'no_session');
    learned(63, now());
    for (const make of frames) chooses(t, make(other), 11);
    learned(0, now() - 270);
    for (const make of frames) chooses(t, make(other), 10);
    learned(0, now() - 281);
    for (const make of frames) chooses(t, make(other), 'no_session');
    learned(5, now());
    for (const make of frames) chooses(t, make(other), 'no_session', 'a slot that is empty');
    world.maps.fdb.delete({ ifindex: LINK, mac: other });
    learned(0, now(), LINK + 1);
    for (const make of frames) chooses(t, make(other), 'no_session', 'learned on another link');
  },
);

test.serial('a copy of a frame that comes by the shim with a slot goes by the session of that slot', (t) => {
  linkOf(world, 'frames');
  slot(0, 20);
  slot(63, 21);
  const broadcast = frame(0x0806, Buffer.alloc(46), { to: mac('ff:ff:ff:ff:ff:ff') });
  for (const [at, teid] of [
    [0, 20],
    [63, 21],
  ] as const) {
    const run = world.send(t, 'shim', broadcast, { mark: LINK | ((at + 1) << 24) }, 0);
    t.is(run.verdict, 'redirect');
    t.is(keyOf(run.frame), teid);
  }
  const run = world.send(t, 'shim', broadcast, { mark: LINK | (8 << 24) });
  t.deepEqual(run.counted, [`no_session link ${LINK}: 1 ${broadcast.length}`]);
});

test.serial('broadcast of a link with one session goes by that one', (t) => {
  linkOf(world, 'frames');
  world.fallback({ ...txWords(gre({ key: true, payload: 'ethernet' }), 4, 0), teid: 30 });
  const run = world.send(t, 'link', frame(0x0806, Buffer.alloc(46), { to: mac('ff:ff:ff:ff:ff:ff') }));
  t.is(keyOf(run.frame), 30);
});

test.serial(
  'what a link of frames receives teaches it where a MAC address is, but by a slot alone and of one host',
  (t) => {
    const from = (source: Buffer): Buffer => wrapped(vxlan, 4, frame(0x88b5, Buffer.alloc(50), { from: source }));
    const entry = (): number | undefined => world.maps.fdb.get({ ifindex: LINK, mac: NEAR })?.slot;
    taker(world, vxlan, 4);
    world.send(t, 'underlay', from(NEAR));
    t.is(entry(), undefined, 'the only session needs no slot');
    const link = world.maps.links.get(LINK) ?? zero('link_state');
    world.maps.links.put(LINK, { ...link, config: { ...link.config, slots: (1n << 7n) | (1n << 63n) } });
    taker(world, vxlan, 4, { flow: 1 + 7 });
    world.send(t, 'underlay', from(NEAR));
    t.is(entry(), 7);
    taker(world, vxlan, 4, { flow: 1 + 63 });
    world.send(t, 'underlay', from(NEAR));
    t.is(entry(), 63, 'a host that moves is followed');
    world.send(t, 'underlay', from(mac('03:00:00:00:00:01')));
    t.is([...world.maps.fdb.entries()].length, 1, 'no host has a group address');
    taker(world, vxlan, 4, { flow: 1 + 7, flags: rx_flag.frames | rx_flag.antispoof });
    world.send(t, 'underlay', wrapped(vxlan, 4, ip(UE, SERVER)));
    t.is(entry(), 63, 'a frame that is dropped teaches nothing');
    taker(world, vxlan, 4);
    world.send(t, 'underlay', from(NEAR));
    t.is(entry(), undefined, 'who moves to the session without a slot is forgotten where it was');
  },
);

test.serial('a packet of one session never meets the fallback of another link', (t) => {
  linkOf(world, 'packets');
  chooses(t, eth({ type: 0x0800 }).payload(ip(UE, SERVER).subarray(14)).bytes(), 'no_session');
});
