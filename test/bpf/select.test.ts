// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { zero } from '../../src/datapath/codec';
import { link_flag, path_kind, tx_flag } from '../../src/datapath/layout.gen';
import { sameFrame } from './harness';
import { etherType, inners, plain } from './inners';
import { A6, B6, bare, eth, mapped, SERVER, SERVER6, UE, UE6 } from './packet';
import { hex, LINK, prefixKey, REMOTE_TEID, txSession } from './session';
import { makeWorld } from './world';

const world = makeWorld();
test.beforeEach(() => world.reset());
test.after.always(() => world.close());

function framed(inner: Buffer): Buffer {
  return eth({ type: (inner[0] ?? 0) >> 4 === 6 ? etherType[6] : etherType[4] })
    .payload(inner)
    .bytes();
}

function between(source: string, destination: string): Buffer {
  const ip = source.includes(':') ? bare().ip6(source, destination) : bare().ip4(source, destination);
  return ip.udp(1000, 53).payload(9).bytes();
}

/** Wants an inner packet in the session with that remote TEID. */
function chooses(t: ExecutionContext, source: string, destination: string, teid: number | 'no_session'): void {
  const inner = between(source, destination);
  const run = world.send(t, 'link', framed(inner));
  const wanted =
    teid === 'no_session' ? `no_session link ${LINK}: 1 ${inner.length + 14}` : `tx ${hex(teid)}: 1 ${inner.length}`;
  t.deepEqual(run.counted, [wanted], `${source} ${destination}`);
  t.is(run.verdict, teid === 'no_session' ? 'shot' : 'redirect');
  if (teid !== 'no_session') t.is(run.frame.readUInt32BE(14 + 20 + 8 + 4), teid);
}

for (const [role, flag] of [
  ['ggsn', 0],
  ['sgsn', link_flag.sgsn],
] as const) {
  // role ggsn: the user is the destination; role sgsn: the source
  const user = (t: ExecutionContext, address: string, teid: number | 'no_session'): void => {
    const other = address.includes(':') ? SERVER6 : SERVER;
    if (role === 'ggsn') chooses(t, other, address, teid);
    else chooses(t, address, other, teid);
  };

  test.serial(`role ${role}: an exact address chooses its session`, (t) => {
    world.link(flag);
    world.exact(UE, { teid: 1 });
    world.exact('10.45.0.3', { teid: 2 });
    world.exact(UE6, { teid: 3 });
    user(t, UE, 1);
    user(t, '10.45.0.3', 2);
    user(t, UE6, 3);
    user(t, '10.45.0.4', 'no_session');
    user(t, '2001:db8:45::3', 'no_session');
  });

  test.serial(`role ${role}: of several prefixes the longest chooses, and an exact address before all`, (t) => {
    world.link(flag);
    world.prefix('0.0.0.0/0', { teid: 1 });
    world.prefix('10.45.0.0/16', { teid: 2 });
    world.prefix('10.45.7.0/24', { teid: 3 });
    world.prefix('10.45.7.9/32', { teid: 4 });
    world.exact('10.45.7.10', { teid: 5 });
    for (const [address, teid] of [
      ['8.8.8.8', 1],
      ['10.45.1.1', 2],
      ['10.45.7.8', 3],
      ['10.45.7.9', 4],
      ['10.45.7.10', 5],
    ] as const)
      user(t, address, teid);
    user(t, UE6, 'no_session');
  });

  test.serial(`role ${role}: prefixes of IPv6, to the bit`, (t) => {
    world.link(flag);
    world.prefix('2001:db8::/32', { teid: 1 });
    world.prefix('2001:db8:45::/64', { teid: 2 });
    world.prefix('2001:db8:45:0:8000::/65', { teid: 3 });
    world.prefix('2001:db8:45::7f/128', { teid: 4 });
    const rows = [
      ['2001:db8:ffff::1', 1],
      ['2001:db8:45::1', 2],
      ['2001:db8:45:0:8000::1', 3],
      ['2001:db8:45::7f', 4],
    ] as const;
    for (const [address, teid] of rows) user(t, address, teid);
    user(t, '2001:db9::1', 'no_session');
    user(t, '10.45.0.2', 'no_session');
  });

  test.serial(`role ${role}: the session without addresses takes what no other wants`, (t) => {
    world.link(flag);
    world.fallback({ teid: 9 });
    user(t, UE, 9);
    world.exact(UE, { teid: 1 });
    user(t, UE, 1);
    user(t, '10.45.0.3', 9);
    world.prefix('10.45.0.0/16', { teid: 2 });
    user(t, '10.45.0.3', 2);
    user(t, '10.46.0.3', 9);
    user(t, UE6, 9);
  });
}

test.serial("the other side's address chooses nothing", (t) => {
  world.exact(UE, { teid: 1 });
  chooses(t, UE, SERVER, 'no_session');
  world.link(link_flag.sgsn);
  chooses(t, SERVER, UE, 'no_session');
  chooses(t, UE, SERVER, 1);
});

test.serial(
  'an IPv6 prefix of all addresses does not hold IPv4 ones back from a shorter key, nor the other way round',
  (t) => {
    world.prefix('0.0.0.0/0', { teid: 4 });
    world.prefix('8000::/1', { teid: 6 });
    chooses(t, SERVER, UE, 4);
    chooses(t, SERVER6, 'fd00::1', 6);
    chooses(t, SERVER6, UE6, 'no_session');
  },
);

test.serial('sessions of another link are not asked', (t) => {
  world.maps.tx.put({ ifindex: LINK + 1, addr: mapped(UE) }, txSession());
  world.maps.tx_prefix.put({ ...prefixKey('10.45.0.0/16'), ifindex: LINK + 1 }, txSession());
  world.link(link_flag.select | link_flag.prefix);
  chooses(t, SERVER, UE, 'no_session');
});

test.serial('a link without sessions drops everything as no_session', (t) => {
  for (const inner of inners) {
    const run = world.send(t, 'link', framed(inner.bytes));
    t.deepEqual(run.counted, [`no_session link ${LINK}: 1 ${inner.bytes.length + 14}`]);
  }
});

test.serial('a frame of a link that is half made or half gone is dropped', (t) => {
  world.maps.links.delete(LINK);
  t.is(world.send(t, 'link', framed(plain[4]), {}, 0).verdict, 'shot');
  t.is(world.send(t, 'shim', framed(plain[4]), { mark: 77 }, 0).verdict, 'shot');
});

test.serial('a frame that is not IP is dropped and counted on the link', (t) => {
  world.fallback();
  const frames = [
    eth({ type: 0x0806 }).payload(28),
    eth({ type: 0x88cc }).payload(64),
    eth({ vlan: 7 }).ip4(UE, SERVER).udp().payload(9),
    eth({ type: 0x05dc }).payload(64),
  ];
  for (const frame of frames) {
    const run = world.send(t, 'link', frame);
    t.is(run.verdict, 'shot');
    t.deepEqual(run.counted, [`not_ip link ${LINK}: 1 ${frame.bytes().length}`]);
  }
});

test.serial('an inner packet of another version than its EtherType, or a header that is too short, is bad', (t) => {
  world.fallback();
  const bad = [
    eth({ type: 0x0800 }).payload(plain[6]),
    eth({ type: 0x86dd }).payload(plain[4]),
    eth().ip4(UE, SERVER, { headerLength: 4 }).udp().payload(9),
    eth().ip4(UE, SERVER, { version: 5 }).udp().payload(9),
    eth().ip4(UE, SERVER, { length: 500 }).udp().payload(9),
    eth().ip6(UE6, SERVER6, { length: 500 }).udp().payload(9),
    eth().ip4(UE, SERVER, { headerLength: 15 }).udp().payload(9),
  ];
  for (const frame of bad) {
    const run = world.send(t, 'link', frame);
    t.is(run.verdict, 'shot');
    t.deepEqual(run.counted, [`bad_inner link ${LINK}: 1 ${frame.bytes().length}`]);
  }
});

for (const inner of inners.filter(({ name }) => !name.endsWith('header alone')))
  test.serial(`${inner.name}, cut at any octet, is bad and counted once`, (t) => {
    world.fallback();
    const frame = framed(inner.bytes);
    // the kernel runs no program on less than an IP header
    for (let length = 14 + (inner.family === 4 ? 20 : 40); length < frame.length; length++) {
      const run = world.send(t, 'link', frame.subarray(0, length));
      t.is(run.verdict, 'shot');
      t.deepEqual(run.counted, [`bad_inner link ${LINK}: 1 ${length}`]);
    }
  });

for (const inner of inners.filter(({ lco }) => lco))
  test.serial(`${inner.name}, cut at any octet, with an IP length that fits, goes out as it is`, (t) => {
    world.fallback({ local: A6, remote: B6, flags: tx_flag.csum });
    const header = inner.family === 4 ? 20 : 40;
    for (let length = header; length < inner.bytes.length; length++) {
      const short = Buffer.from(inner.bytes.subarray(0, length));
      short.writeUInt16BE(inner.family === 4 ? length : length - header, inner.family === 4 ? 2 : 4);
      const isHeader = inner.family === 6 || length >= ((short[0] ?? 0) & 15) * 4;
      const run = world.send(t, 'shim', framed(short), { mark: LINK });
      t.deepEqual(
        run.counted,
        isHeader ? [`tx ${hex(REMOTE_TEID)}: 1 ${length}`] : [`bad_inner link ${LINK}: 1 ${length + 14}`],
      );
      if (!isHeader) continue;
      const wanted = eth({ destination: '00:00:00:00:00:00' })
        .ip6(A6, B6)
        .udp(2152, 2152)
        .gtpu({ teid: REMOTE_TEID })
        .payload(short);
      t.is(run.frame.length, wanted.bytes().length);
    }
  });

test.serial('no route: dropped, and counted on the session', (t) => {
  for (const [path, reason] of [
    [path_kind.none, 'no_route'],
    [path_kind.loop, 'loop'],
  ] as const)
    for (const program of ['link', 'shim']) {
      world.reset();
      world.fallback({ local_teid: 0x77 }, { path });
      const run = world.send(t, program, framed(plain[4]), { mark: program === 'shim' ? LINK : 0 });
      t.is(run.verdict, 'shot');
      t.deepEqual(run.counted, [`${reason} session 0x77: 1 ${plain[4].length + 14}`]);
    }
});

test.serial('the second configuration is in force when it is the active one', (t) => {
  world.fallback({ teid: 1 });
  const link = world.maps.links.get(LINK);
  if (link === undefined) return t.fail();
  const [first, second] = link.fallback.config;
  world.maps.links.put(LINK, { ...link, fallback: { ...link.fallback, active: 1, config: [second, first] } });
  return chooses(t, UE, SERVER, 1);
});

test.serial('without a shim, what has to be cut or summed there is dropped as no_shim', (t) => {
  world.maps.config.put(0, { ...zero('config') });
  world.fallback({ local: A6, remote: B6, flags: tx_flag.csum });
  for (const inner of inners.filter(({ lco }) => !lco)) {
    const run = world.send(t, 'link', framed(inner.bytes));
    t.is(run.verdict, 'shot');
    t.deepEqual(run.counted, [`no_shim session 0x1001: 1 ${inner.bytes.length + 14}`]);
    sameFrame(t, run.frame, framed(inner.bytes));
  }
});

test.serial('packets of every session are counted on it alone', (t) => {
  for (let i = 0; i < 20; i++) world.exact(`10.45.0.${i}`, { teid: 100 + i });
  for (let round = 0; round < 3; round++) for (let i = 0; i < 20; i++) chooses(t, SERVER, `10.45.0.${i}`, 100 + i);
});
