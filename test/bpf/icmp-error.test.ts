// SPDX-License-Identifier: MIT
// ICMP errors about packets that we sent (X7): believed when they quote a packet of a session, and left to the stack always.
import test, { type ExecutionContext } from 'ava';
import { zero } from '../../src/datapath/codec';
import { kind, tx_flag } from '../../src/datapath/layout.gen';
import { type Family, ours, theirs } from './gtp';
import { sameFrame } from './harness';
import { message0, type } from './messages';
import { network } from './network';
import { eth, type Ip4, octets, type Packet, pattern, SERVER, UE } from './packet';
import { LOCAL_TEID, PORT, PORT0, peerKey, portBits, REMOTE_TEID } from './session';
import { makeWorld } from './world';

const world = makeWorld();
const net = network(test, 'icmp', ours);
test.after.always(() => world.close());
test.beforeEach(() => {
  world.reset();
  const config = world.maps.config.get(0);
  if (config !== undefined)
    world.maps.config.put(0, { ...config, shim_in: net.dev('shim1'), ports: portBits(PORT, PORT0) });
  world.maps.underlays.put(net.dev('ul'), zero('underlay'));
  for (const family of families) {
    const [local, remote] = [ours[family], theirs[family]];
    world.endpoint(local);
    world.rx({ remote }, { local });
    world.peer(local, remote);
    world.remote({ local, remote, id: REMOTE_TEID }, LOCAL_TEID);
  }
});

const families = [4, 6] as const;
const router = { 4: '203.0.113.254', 6: '2001:db8:f::fe' } as const;
const TEN_MINUTES = 600n * 10n ** 9n;

/** A packet that we sent, as it stands in an ICMP error: 1400 octets of it unless said otherwise. */
interface Quoted {
  readonly source?: string;
  readonly destination?: string;
  readonly dport?: number;
  readonly teid?: number;
  readonly length?: number;
  readonly ip4?: Ip4;
  readonly datagram?: Buffer;
}

function quoted(family: Family, q: Quoted = {}): Buffer {
  const [source, destination] = [q.source ?? ours[family], q.destination ?? theirs[family]];
  const ip = family === 4 ? eth().ip4(source, destination, q.ip4) : eth().ip6(source, destination);
  const udp = ip.udp(2152, q.dport ?? PORT);
  const whole =
    q.datagram === undefined
      ? udp.gtpu({ teid: q.teid ?? REMOTE_TEID }).payload(pattern(1464))
      : udp.payload(q.datagram);
  return whole.bytes().subarray(14, 14 + (q.length ?? 548));
}

interface Told {
  readonly type?: number;
  readonly code?: number;
  readonly checksum?: number;
  readonly to?: string;
  readonly ip4?: Ip4;
}

/** "Fragmentation needed" or "Packet Too Big" of a router, as it arrives. */
function tooBig(family: Family, mtu: number, quote = quoted(family), told: Told = {}): Packet {
  const to = told.to ?? ours[family];
  const ip = family === 4 ? eth().ip4(router[4], to, told.ip4) : eth().ip6(router[6], to);
  const [of, code] = family === 4 ? [3, 4] : [2, 0];
  const checksum = told.checksum === undefined ? {} : { checksum: told.checksum };
  return ip.icmp({ type: told.type ?? of, code: told.code ?? code, rest: mtu, ...checksum }).payload(quote);
}

function known(family: Family): number | undefined {
  return world.maps.peers.get(peerKey(ours[family], theirs[family]))?.mtu;
}

/** Sends it in, uncounted and left to the stack whatever it does; gives what is known of the path then. */
function tells(t: ExecutionContext, family: Family, frame: Packet): number | undefined {
  const run = net.inside(() => world.send(t, 'underlay', frame, { ifindex: net.dev('ul') }, 0));
  t.is(run.verdict, 'unspec');
  sameFrame(t, run.frame, frame);
  return known(family);
}

for (const family of families) {
  test.serial(
    `IPv${family}: an error that quotes a packet of a session lowers the MTU of the path for ten minutes (X7)`,
    (t) => {
      t.is(tells(t, family, tooBig(family, 1400)), 1400);
      const until = world.maps.peers.get(peerKey(ours[family], theirs[family]))?.mtu_until ?? 0;
      const wanted = Number((process.hrtime.bigint() + TEN_MINUTES) >> 30n);
      t.true(Math.abs(until - wanted) <= 2);
      t.is(world.maps.config.get(0)?.epoch, 1, 'paths are looked up anew');
      t.is(known(family === 4 ? 6 : 4), 0, 'of that peer alone');
    },
  );

  test.serial(`IPv${family}: a smaller one lowers it again, a larger one does not raise it (X7)`, (t) => {
    for (const [told, mtu] of [
      [1450, 1450],
      [1300, 1300],
      [1300, 1300],
      [1400, 1300],
    ] as const)
      t.is(tells(t, family, tooBig(family, told)), mtu);
    t.is(world.maps.config.get(0)?.epoch, 2);
  });

  test.serial(`IPv${family}: when its time is over a larger one is believed again (X7)`, (t) => {
    world.peer(ours[family], theirs[family], { mtu: 1300, mtu_until: Number(process.hrtime.bigint() >> 30n) - 2 });
    t.is(tells(t, family, tooBig(family, 1400)), 1400);
  });

  test.serial(`IPv${family}: it need quote no more than the TEID (X7)`, (t) => {
    const least = (family === 4 ? 28 : 48) + 8;
    t.is(tells(t, family, tooBig(family, 1400, quoted(family, { length: least }))), 1400);
    world.peer(ours[family], theirs[family]);
    for (const length of [0, least - 17, least - 13])
      t.is(tells(t, family, tooBig(family, 1400, quoted(family, { length }))), 0, `${length} octets`);
  });

  test.serial(
    `IPv${family}: a quote that ends before the TEID is believed of a peer with sessions, down to 1280 octets (X7)`,
    (t) => {
      const short = (mtu: number, words: Quoted = {}): number | undefined => {
        world.peer(ours[family], theirs[family]);
        return tells(t, family, tooBig(family, mtu, quoted(family, { ...words, length: family === 4 ? 28 : 48 })));
      };
      t.deepEqual([short(1400), short(1280)], [1400, 1280]);
      if (family === 4) t.is(short(600), 1280);
      t.is(short(1400, { dport: 2153 }), 0);
      t.is(short(1400, { destination: family === 4 ? '192.0.2.9' : '2001:db8::9' }), 0);
    },
  );

  test.serial(
    `IPv${family}: it is not believed about another TEID, port or address, or one that was not sent (X7)`,
    (t) => {
      const [stranger, mine] = family === 4 ? ['192.0.2.9', '192.0.2.77'] : ['2001:db8::9', '2001:db8::77'];
      const wrong: readonly (readonly [string, Quoted, Told?])[] = [
        ['another TEID', { teid: REMOTE_TEID + 1 }],
        ['our own TEID', { teid: LOCAL_TEID }],
        ['TEID 0', { teid: 0 }],
        ['another port', { dport: 2153 }],
        ['a port of version 0', { dport: PORT0 }],
        ['another peer', { destination: stranger }],
        ['another address of ours', { source: mine }],
        ['another address of ours, told to it', { source: mine }, { to: mine }],
        ['a packet of the other direction', { source: theirs[family], destination: ours[family] }],
        ['a packet that somebody else sent', { source: stranger }],
        ['told to another address than the sender', {}, { to: mine }],
        ['a wrong checksum', {}, { checksum: 0x1234 }],
        ['another type', {}, { type: family === 4 ? 11 : 1 }],
      ];
      for (const [what, quote, told] of wrong)
        t.is(tells(t, family, tooBig(family, 1400, quoted(family, quote), told)), 0, what);
      t.is(world.maps.config.get(0)?.epoch, 0);
    },
  );

  test.serial(`IPv${family}: an MTU that the quoted packet would have fitted into is not believed (X7)`, (t) => {
    const whole = family === 4 ? 1500 : 1520;
    for (const mtu of [whole, whole + 1, 9000, 65535]) t.is(tells(t, family, tooBig(family, mtu)), 0, `${mtu}`);
    t.is(tells(t, family, tooBig(family, whole - 1)), whole - 1);
  });

  test.serial(`IPv${family}: without a session with that peer nothing is kept (X7)`, (t) => {
    world.maps.peers.delete(peerKey(ours[family], theirs[family]));
    t.is(tells(t, family, tooBig(family, 1400)), undefined);
  });

  test.serial(`IPv${family}: a packet of version 0 is known by its TID (X7)`, (t) => {
    const [local, remote, tid] = [ours[family], theirs[family], 0x1122334455667788n];
    world.remote({ local, remote, id: tid, port: PORT0, kind: kind.gtp0 }, tid);
    const of = (id: bigint) =>
      quoted(family, { dport: PORT0, datagram: message0(type.gpdu, pattern(1440).toString('hex'), { tid: id }) });
    for (const wrong of [tid + 1n, tid ^ (1n << 60n)]) t.is(tells(t, family, tooBig(family, 1400, of(wrong))), 0);
    t.is(tells(t, family, tooBig(family, 1400, of(tid))), 1400);
  });
}

test.serial('IPv4: less than 552 octets is believed as 552, and 0 not at all (X7)', (t) => {
  t.is(tells(t, 4, tooBig(4, 0)), 0);
  t.is(tells(t, 4, tooBig(4, 68)), 552);
});

test.serial('IPv6: less than 1280 octets is not believed (X7)', (t) => {
  for (const mtu of [0, 68, 1279]) t.is(tells(t, 6, tooBig(6, mtu)), 0);
  t.is(tells(t, 6, tooBig(6, 1280)), 1280);
});

test.serial('IPv4: other codes, a quoted fragment, and an error that is itself a fragment do nothing (X7)', (t) => {
  for (const code of [0, 1, 3, 5, 13]) t.is(tells(t, 4, tooBig(4, 1400, undefined, { code })), 0, `code ${code}`);
  t.is(tells(t, 4, tooBig(4, 1400, quoted(4, { ip4: { offset: 8 } }))), 0);
  t.is(tells(t, 4, tooBig(4, 1400, quoted(4, { ip4: { protocol: 6 } }))), 0);
});

test.serial('IPv4: the first fragment of a packet of ours is one, with options around it or not (X7)', (t) => {
  const noop = Buffer.from('01010100', 'hex');
  t.is(tells(t, 4, tooBig(4, 1400, quoted(4, { ip4: { more: true } }), { ip4: { options: noop } })), 1400);
});

for (const family of families)
  test.serial(
    `IPv${family}: what is told of the path is what the inner sender is told, less the headers (X6, X7)`,
    (t) => {
      const [local, remote] = [ours[family], theirs[family]];
      const flags = family === 6 ? tx_flag.csum : 0;
      world.fallback({ local, remote, flags }, { epoch: 99 });
      const send = (length: number, epoch: number) => {
        const config = world.maps.config.get(0);
        if (config !== undefined) world.maps.config.put(0, { ...config, epoch });
        const frame = eth()
          .ip4(UE, SERVER, { df: true })
          .udp()
          .payload(length - 28);
        return net.inside(() => world.send(t, 'link', frame));
      };
      const overhead = family === 4 ? 36 : 56;
      t.is(send(1500 - overhead, 1).counted[0]?.split(' ')[0], 'tx');
      tells(t, family, tooBig(family, 1400));
      t.is(send(1400 - overhead, 2).counted[0]?.split(' ')[0], 'tx');
      const run = send(1401 - overhead, 3);
      t.is(run.counted[0]?.split(' ')[0], 'too_big');
      t.deepEqual(run.frame.subarray(26, 34), Buffer.concat([octets(SERVER), octets(UE)]));
      t.is(run.frame.readUInt16BE(14 + 20 + 6), 1400 - overhead);
      world.peer(local, remote, { mtu: 1400, mtu_until: 1 });
      t.is(send(1500 - overhead, 4).counted[0]?.split(' ')[0], 'tx', 'and when the time is over it fits again');
    },
  );
