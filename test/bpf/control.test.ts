// SPDX-License-Identifier: MIT
import { constants } from 'node:os';
import test from 'ava';
import { encode, zero } from '../../src/datapath/codec';
import { control_what, session_state, type tx_session } from '../../src/datapath/layout.gen';
import { plain } from './inners';
import { eth, mapped, UE } from './packet';
import { LINK, NEVER, prefixKey, rxConfig, rxKey, txConfig } from './session';
import { makeWorld } from './world';

const world = makeWorld();
test.beforeEach(() => world.reset());
test.after.always(() => world.close());

const { ENOENT, EINVAL } = constants.errno;
const exact = { ifindex: LINK, addr: mapped(UE) };

interface Half {
  readonly what: 'tx' | 'prefix' | 'fallback';
  make(): void;
  put(session: tx_session): void;
  read(): tx_session | undefined;
  readonly keys: Parameters<typeof world.control>[1];
}

const halves: readonly Half[] = [
  {
    what: 'tx',
    make: () => world.exact(UE, { teid: 1 }),
    put: (session) => world.maps.tx.put(exact, session),
    read: () => world.maps.tx.get(exact),
    keys: { tx_key: exact },
  },
  {
    what: 'prefix',
    make: () => world.prefix('10.45.0.0/16', { teid: 1 }),
    put: (session) => world.maps.tx_prefix.put(prefixKey('10.45.0.0/16'), session),
    read: () => world.maps.tx_prefix.get(prefixKey('10.45.0.0/16')),
    keys: { prefix_key: prefixKey('10.45.0.0/16') },
  },
  {
    what: 'fallback',
    make: () => world.fallback({ teid: 1 }),
    put: (session) => {
      const link = world.maps.links.get(LINK);
      if (link !== undefined) world.maps.links.put(LINK, { ...link, fallback: session });
    },
    read: () => world.maps.links.get(LINK)?.fallback,
    keys: { tx_key: { ifindex: LINK, addr: Buffer.alloc(16) } },
  },
];

for (const { what, make, put, read, keys } of halves) {
  test.serial(`${what}: a change keeps the counters, looks the path up anew, and is in force at once`, (t) => {
    make();
    const old = read();
    if (old === undefined) return t.fail();
    put({ ...old, packets: 5n, bytes: 700n, local_dev: 3 });
    for (let teid = 2; teid < 6; teid++) {
      const config = txConfig({ teid, remote: '203.0.113.7', ext: Buffer.from('01000900', 'hex') });
      t.is(world.control(what, { ...keys, tx: config, local_dev: teid }), 0);
      const changed = read();
      t.deepEqual([changed?.packets, changed?.bytes], [5n, 700n]);
      t.is(changed?.expires, 0n);
      t.is(changed?.local_dev, teid);
      t.is(changed?.active, teid % 2 === 0 ? 1 : 0);
      t.deepEqual(
        encode('tx_config', changed?.config[changed.active] ?? zero('tx_config')),
        encode('tx_config', config),
      );
      t.is(changed?.config[1 - (changed?.active ?? 0)]?.teid, teid - 1, 'what was in force stays whole');
    }
  });

  test.serial(`${what}: there is nothing to change where there is no session`, (t) => {
    world.maps.links.delete(LINK);
    t.is(world.control(what, { ...keys, tx: txConfig() }), ENOENT);
    t.is(read(), undefined);
  });
}

test.serial('rx: a change keeps the counters and what was seen last', (t) => {
  world.rx({});
  const old = world.maps.rx.get(rxKey());
  if (old === undefined) return t.fail();
  world.maps.rx.put(rxKey(), { ...old, packets: 5n, bytes: 700n, qfi: 9, state: session_state.ended });
  for (let ifindex = 2; ifindex < 6; ifindex++) {
    const config = rxConfig({ ifindex, remote: '203.0.113.7', ue4: '10.0.0.0/8', flags: 3 });
    t.is(world.control('rx', { rx_key: rxKey(), rx: config }), 0);
    const changed = world.maps.rx.get(rxKey());
    t.deepEqual([changed?.packets, changed?.bytes, changed?.qfi], [5n, 700n, 9]);
    t.is(changed?.state, session_state.up);
    t.deepEqual(encode('rx_config', changed?.config[changed.active] ?? zero('rx_config')), encode('rx_config', config));
    t.is(changed?.config[1 - (changed?.active ?? 0)]?.ifindex, ifindex - 1);
  }
});

test.serial('rx: there is nothing to change where there is no session', (t) => {
  t.is(world.control('rx', { rx_key: rxKey({ teid: 7 }) }), ENOENT);
});

test.serial('link: flags and MTU change, the session and the counters stay', (t) => {
  world.fallback({ teid: 1 });
  const frame = eth({ type: 0x0800 }).payload(plain[4]);
  world.send(t, 'link', frame);
  const old = world.maps.links.get(LINK);
  const tx_key = { ifindex: LINK, addr: Buffer.alloc(16) };
  t.is(world.control('link', { tx_key, link: { flags: 3, mtu: 1358, slots: 5n } }), 0);
  const changed = world.maps.links.get(LINK);
  t.deepEqual(changed, old === undefined ? undefined : { ...old, config: { flags: 3, mtu: 1358, slots: 5n } });
  t.is(changed?.fallback.packets, 1n);
  t.is(world.control('link', { tx_key: { ...tx_key, ifindex: 99 }, link: { flags: 3, mtu: 1, slots: 0n } }), ENOENT);
});

test.serial('peer: sessions are counted, what was counted of it stays, and the last one takes it along', (t) => {
  const peer_key = { local: mapped('192.0.2.1'), remote: mapped('192.0.2.2') };
  const add = (sessions: number): number => world.control('peer', { peer_key, sessions });
  const count = (): number | undefined => world.maps.peers.get(peer_key)?.sessions;
  t.is(add(-1), ENOENT);
  for (const [more, wanted] of [
    [1, 1],
    [1, 2],
    [5, 7],
    [-4, 3],
  ] as const) {
    t.is(add(more), 0);
    t.is(count(), wanted);
  }
  const peer = world.maps.peers.get(peer_key) ?? zero('peer');
  world.maps.peers.put(peer_key, { ...peer, echo_requests: 9n });
  t.is(add(-1), 0);
  t.deepEqual(world.maps.peers.get(peer_key), { ...peer, sessions: 2, echo_requests: 9n });
  t.is(add(-2), 0);
  t.is(count(), undefined);
  t.is(add(1), 0);
  t.deepEqual(world.maps.peers.get(peer_key), { ...zero('peer'), sessions: 1 });
  t.is(add(-3), 0, 'more than there are');
  t.is(count(), undefined);
});

test.serial('epoch: raised by one, and nothing else of the configuration', (t) => {
  const old = world.maps.config.get(0);
  for (let i = 1; i < 4; i++) {
    t.is(world.control('epoch'), 0);
    t.deepEqual(world.maps.config.get(0), old === undefined ? undefined : { ...old, epoch: i });
  }
});

test.serial('anything else is refused', (t) => {
  const numbers = Object.values<number>(control_what);
  for (const what of [0, Math.max(...numbers) + 1, 0xffffffff]) t.is(world.control(what), EINVAL);
});

test.serial('fewer octets than the struct has are refused', (t) => {
  t.is(world.repeat('control', Buffer.alloc(encode('control', zero('control')).length - 1, 1), 1).value, EINVAL);
});

test.serial('the packets that come after a change go by it', (t) => {
  const frame = eth({ type: 0x0800 }).payload(plain[4]);
  world.fallback({ teid: 1 });
  const before = world.send(t, 'link', frame).frame;
  t.is(before.readUInt32BE(46), 1);
  const keys = { tx_key: { ifindex: LINK, addr: Buffer.alloc(16) } };
  world.control('fallback', { ...keys, tx: txConfig({ teid: 2 }) });
  const link = world.maps.links.get(LINK);
  if (link === undefined) return t.fail();
  // the path is stale now, as it has to be; here no route is wanted
  world.maps.links.put(LINK, { ...link, fallback: { ...link.fallback, expires: NEVER } });
  const run = world.send(t, 'link', frame);
  t.is(run.frame.readUInt32BE(46), 2);
});
