// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { zero } from '../../src/datapath/codec';
import { path_kind, rx_flag, tx_flag, type tx_session } from '../../src/datapath/layout.gen';
import { sameFrame } from './harness';
import { etherType, plain } from './inners';
import { network } from './network';
import { A, A6, B, B6, eth, mapped, UE, UE6 } from './packet';
import { hex, LINK, LOCAL_TEID, NEVER, type Path, PORT, portBits, REMOTE_TEID, type TxWords } from './session';
import { type Counted, makeWorld } from './world';

const world = makeWorld();
const { dev, ip, inside } = network(test, 'path', { 4: A, 6: A6 });
test.after.always(() => world.close());
test.beforeEach(() => {
  world.reset();
  configure(0);
});

function configure(epoch: number): void {
  world.maps.config.put(0, {
    ...zero('config'),
    epoch,
    shim_out: dev('shim0'),
    shim_in: dev('shim1'),
    ports: portBits(PORT),
  });
  if (dev('ul') > 0) world.maps.underlays.put(dev('ul'), zero('underlay'));
}

const inner = eth({ type: etherType[4] }).payload(plain[4]).bytes();
const PAST = 0n;
const stale: Path = { expires: PAST, path: path_kind.none, mtu: 0, oif: 0, gateway: Buffer.alloc(16) };
const local6: TxWords = { local: A6, remote: B6, flags: tx_flag.csum };

function send(t: ExecutionContext, program = 'link', counters = 1): Counted {
  return inside(() => world.send(t, program, inner, { mark: program === 'shim' ? LINK : 0 }, counters));
}

function found(): tx_session {
  const link = world.maps.links.get(LINK);
  if (link === undefined) throw new Error('no link');
  return link.fallback;
}

type Row = readonly [
  title: string,
  words: TxWords,
  route: string,
  wanted: { dev: string; gateway: string; mtu: number },
];

const rows: readonly Row[] = [
  ['a remote on the same subnet is its own next hop', {}, '', { dev: 'ul', gateway: B, mtu: 1500 }],
  ['an IPv6 remote on the same subnet is its own next hop', local6, '', { dev: 'ul', gateway: B6, mtu: 1500 }],
  [
    'a remote behind a router is reached by it',
    { remote: '203.0.113.7' },
    'route add 203.0.113.0/24 via 192.0.2.254',
    { dev: 'ul', gateway: '192.0.2.254', mtu: 1500 },
  ],
  [
    'an IPv6 remote behind a router is reached by it',
    { ...local6, remote: '2001:db8:f::7' },
    'route add 2001:db8:f::/48 via 2001:db8::fe',
    { dev: 'ul', gateway: '2001:db8::fe', mtu: 1500 },
  ],
  [
    'an IPv4 remote may have an IPv6 router',
    { remote: '203.0.113.7' },
    'route add 203.0.113.0/24 via inet6 2001:db8::fe',
    { dev: 'ul', gateway: '2001:db8::fe', mtu: 1500 },
  ],
  [
    "the locked MTU of a route is the path's",
    { remote: '203.0.113.7' },
    'route add 203.0.113.0/24 via 192.0.2.254 mtu lock 1400',
    { dev: 'ul', gateway: '192.0.2.254', mtu: 1400 },
  ],
  [
    "the locked MTU of an IPv6 route is the path's",
    { ...local6, remote: '2001:db8:f::7' },
    'route add 2001:db8:f::/48 via 2001:db8::fe mtu lock 1333',
    { dev: 'ul', gateway: '2001:db8::fe', mtu: 1333 },
  ],
];

for (const [title, words, route, wanted] of rows)
  test.serial(title, (t) => {
    world.fallback(words, stale);
    ip(route);
    const run = send(t);
    ip(route.replace('add', 'del'));
    t.is(run.verdict, 'redirect');
    t.deepEqual(run.counted, [`tx ${hex(REMOTE_TEID)}: 1 ${plain[4].length}`]);
    const { path, oif, gateway, mtu } = found();
    t.deepEqual([path, oif, mtu], [path_kind.wire, dev(wanted.dev), wanted.mtu]);
    t.deepEqual(Buffer.from(gateway), mapped(wanted.gateway));
  });

test.serial('without a route, or with one that forbids, packets are dropped as no_route', (t) => {
  for (const [route, remote] of [
    ['', '203.0.113.7'],
    ['route add unreachable 203.0.113.0/24', '203.0.113.7'],
    ['route add blackhole 203.0.113.0/24', '203.0.113.7'],
    ['', '2001:db8:f::7'],
  ] as const) {
    world.reset();
    configure(0);
    world.fallback(remote.includes(':') ? { ...local6, remote } : { remote }, stale);
    ip(route);
    const run = send(t);
    ip(route.replace('add', 'del'));
    t.is(run.verdict, 'shot');
    t.deepEqual(run.counted, [`no_route session ${hex(LOCAL_TEID)}: 1 ${inner.length}`]);
    t.is(found().path, path_kind.none);
  }
});

test.serial('a route that leads into a link of ours is a loop (X12)', (t) => {
  world.maps.links.put(dev('gtp9'), zero('link_state'));
  for (const [remote, words] of [
    ['203.0.113.7', {}],
    ['2001:db8:f::7', local6],
  ] as const) {
    world.fallback({ ...words, remote }, stale);
    ip(`route add ${remote} dev gtp9`);
    const run = send(t);
    ip(`route del ${remote} dev gtp9`);
    t.is(run.verdict, 'shot');
    t.deepEqual(run.counted, [`loop session ${hex(LOCAL_TEID)}: 1 ${inner.length}`]);
  }
});

test.serial('a path is kept for its time, and looked up anew when the endpoints of the machine change', (t) => {
  const remote = '203.0.113.7';
  world.fallback({ remote }, stale);
  ip(`route add ${remote} via 192.0.2.254`);
  send(t);
  t.deepEqual(Buffer.from(found().gateway), mapped('192.0.2.254'));
  const link = world.maps.links.get(LINK);
  if (link !== undefined) world.maps.links.put(LINK, { ...link, fallback: { ...link.fallback, expires: NEVER } });
  ip(`route replace ${remote} via 192.0.2.253`);
  send(t);
  t.deepEqual(Buffer.from(found().gateway), mapped('192.0.2.254'), 'believed');
  configure(1);
  send(t);
  t.deepEqual(Buffer.from(found().gateway), mapped('192.0.2.253'), 'asked again');
  t.is(found().epoch, 1);
  ip(`route del ${remote}`);
});

test.serial('a path is looked up anew when it is too old', (t) => {
  world.fallback({}, { ...stale, path: path_kind.wire, mtu: 1500, oif: 99, expires: PAST });
  send(t);
  t.is(found().oif, dev('ul'));
  t.not(found().expires, PAST);
});

test.serial('a path longer than the kernel makes room in is cut to that', (t) => {
  ip('link set ul mtu 65535');
  world.fallback({}, stale);
  send(t);
  ip('link set ul mtu 1500');
  t.is(found().mtu, 16000);
});

// A program on this machine.

test.serial('a packet for a program of this machine is summed and cut in the shim first', (t) => {
  for (const remote of ['127.0.0.5', '192.0.2.1']) {
    world.reset();
    configure(0);
    world.fallback({ remote }, { ...stale, local_dev: remote === '192.0.2.1' ? dev('ul') : 1 });
    const run = send(t, 'link', 0);
    t.deepEqual([run.verdict, run.skb.mark, found().path], ['redirect', LINK, path_kind.local]);
    sameFrame(t, run.frame, inner);
    const out = send(t, 'shim');
    t.is(out.verdict, 'redirect');
    t.deepEqual(out.counted, [`tx ${hex(REMOTE_TEID)}: 1 ${plain[4].length}`]);
    t.is(out.skb.mark, remote === '127.0.0.5' ? 0 : 0x67747075);
  }
});

// The other end is a link on this machine.

const hairpin: TxWords = { flags: tx_flag.hairpin };

/** Both halves here: what the link sends to B arrives at the session of B. */
function meet(words: TxWords = {}, rx: Parameters<typeof world.rx>[0] = {}): void {
  world.fallback({ ...hairpin, ...words }, stale);
  world.endpoint(B);
  world.rx(rx, { local: B, teid: REMOTE_TEID });
}

test.serial('a hairpin passes the packet as it is, and counts it on both halves', (t) => {
  meet({ ext: Buffer.from('01000900', 'hex') });
  const run = send(t, 'link', 2);
  t.is(run.verdict, 'redirect');
  t.is(found().path, path_kind.hairpin);
  sameFrame(t, run.frame, inner);
  const octets = plain[4].length;
  t.deepEqual(run.counted.toSorted(), [`rx ${hex(REMOTE_TEID)}: 1 ${octets}`, `tx ${hex(REMOTE_TEID)}: 1 ${octets}`]);
  const [received] = [...world.maps.rx.entries()].map(([, value]) => value);
  t.is(received?.qfi, 9);
});

test.serial('a hairpin keeps super-packets whole and counts what they stand for', (t) => {
  meet();
  const train = eth().ip4(UE, '198.51.100.9').tcp().payload(250).bytes();
  const run = inside(() => world.send(t, 'link', train, { gso_size: 100 }, 2));
  sameFrame(t, run.frame, train);
  const octets = 290 + 2 * 40;
  t.deepEqual(run.counted.toSorted(), [`rx ${hex(REMOTE_TEID)}: 3 ${octets}`, `tx ${hex(REMOTE_TEID)}: 3 ${octets}`]);
});

test.serial('a hairpin passes packets that are longer than any wire', (t) => {
  meet();
  const long = eth().ip4(UE, '198.51.100.9').udp().payload(3000).bytes();
  sameFrame(t, inside(() => world.send(t, 'link', long, {}, 2)).frame, long);
});

const refusals: readonly (readonly [title: string, rx: Parameters<typeof world.rx>[0], reason: string])[] = [
  ['the other link is gone', { ifindex: 0x7ffff0 }, 'no_link'],
  ['peer strict and another local address', { flags: rx_flag.strict, remote: '192.0.2.77' }, 'wrong_peer'],
  ['antispoof and another inner source (G29)', { flags: rx_flag.antispoof, ue4: '10.99.0.0/16' }, 'antispoof'],
  ['antispoof and another family (G29)', { flags: rx_flag.antispoof, ue6: `${UE6}/64` }, 'antispoof'],
];

for (const [title, rx, reason] of refusals)
  test.serial(`hairpin: ${title}: sent here and dropped there`, (t) => {
    meet({}, rx);
    const run = send(t, 'link', 2);
    t.is(run.verdict, 'shot');
    t.deepEqual(
      [...run.counted].sort(),
      [
        `${reason} session ${hex(REMOTE_TEID)}: 1 ${inner.length}`,
        `tx ${hex(REMOTE_TEID)}: 1 ${plain[4].length}`,
      ].sort(),
    );
  });

test.serial('hairpin: peer strict and antispoof pass what is right', (t) => {
  meet({}, { flags: rx_flag.strict | rx_flag.antispoof, ue4: `${UE}/32` });
  t.is(send(t, 'link', 2).verdict, 'redirect');
  meet({}, { flags: rx_flag.antispoof | rx_flag.sgsn, ue4: '198.51.100.0/24' });
  t.is(send(t, 'link', 2).verdict, 'redirect');
});

test.serial('a local remote without such a session is asked for by lo, or else there is no route', (t) => {
  world.fallback(hairpin, stale);
  world.endpoint(B);
  t.deepEqual(send(t).counted, [`no_route session ${hex(LOCAL_TEID)}: 1 ${inner.length}`]);
  world.reset();
  configure(0);
  world.fallback(hairpin, { ...stale, local_dev: 1 });
  world.endpoint(B);
  const run = send(t, 'link', 0);
  t.deepEqual([run.verdict, run.skb.mark], ['redirect', LINK]);
  t.deepEqual(send(t, 'shim').counted, [`tx ${hex(REMOTE_TEID)}: 1 ${plain[4].length}`]);
});

test.serial('nohairpin takes the wire to an address of ours', (t) => {
  world.fallback({}, stale);
  world.endpoint(B);
  world.rx({}, { local: B, teid: REMOTE_TEID });
  t.is(send(t).verdict, 'redirect');
  t.is(found().path, path_kind.wire);
});

test.serial('another port of a local address is another endpoint', (t) => {
  meet({ dport: 9999 });
  send(t);
  t.is(found().path, path_kind.wire);
});

test.serial('a route by a device that nobody listens on goes through the shim, which cuts and completes sums', (t) => {
  world.maps.underlays.delete(dev('ul'));
  world.fallback({}, stale);
  t.is(send(t, 'link', 0).verdict, 'redirect');
  t.is(found().path, path_kind.other);
  t.is(send(t, 'shim').verdict, 'redirect');
});
