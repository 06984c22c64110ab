// SPDX-License-Identifier: MIT
import test from 'ava';
import { zero } from '../../src/datapath/codec';
import { kind, session_state, sweep_cause } from '../../src/datapath/layout.gen';
import { fromMapped } from '../../src/tunnels/address';
import { address } from '../../src/values';
import { closeFixture, gtpIn, gtpTry, links, sessions, using } from '../fixture';
import { must } from '../run';
import { faulty } from '../state/fault';
import { withMaps } from '../state/snapshot';
import { ends, type TwoMachines, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const there = '192.0.2.2';
const one = (m: TwoMachines): string =>
  `link add gtp0 local 192.0.2.1 netns ${m.ue1} ${ends(1, 2, there)} ue 10.45.0.1`;
const text = (mapped: Uint8Array): string => address.format(fromMapped(mapped));

/** The far ends as "LOCAL:PORT REMOTE TEID = OWN TEID", with " + N" where N more send there, and the peers as "LOCAL REMOTE SESSIONS". */
function farEnds(ns: string): readonly [remotes: string[], peers: string[]] {
  return withMaps(ns, (maps) => [
    [...maps.remotes.entries()]
      .map(([key, { id, others }]) => {
        const more = others === 0 ? '' : ` + ${others}`;
        return `${text(key.local)}:${key.port} ${text(key.remote)} ${key.id} = ${id}${more}`;
      })
      .sort(),
    [...maps.peers.entries()].map(([key, peer]) => `${text(key.local)} ${text(key.remote)} ${peer.sessions}`).sort(),
  ]);
}

test.serial(
  'far ends and peers follow add, change, replace, link set, del and flush',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, one(m));
    t.deepEqual(farEnds(m.m1), [['192.0.2.1:2152 192.0.2.2 2 = 1'], ['192.0.2.1 192.0.2.2 1']]);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 4, there)} ue 10.45.0.3 ue 10.47.0.0/16`);
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 3 ue 10.45.0.3 name three');
    const two = ['192.0.2.1:2152 192.0.2.2 2 = 1', '192.0.2.1:2152 192.0.2.2 4 = 3'];
    t.deepEqual(farEnds(m.m1), [two, ['192.0.2.1 192.0.2.2 2']]);
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 3 remote-teid 9 remote 192.0.2.77');
    const apart = ['192.0.2.1 192.0.2.2 1', '192.0.2.1 192.0.2.77 1'];
    t.deepEqual(farEnds(m.m1), [['192.0.2.1:2152 192.0.2.2 2 = 1', '192.0.2.1:2152 192.0.2.77 9 = 3'], apart]);
    await gtpIn(m.m1, `session replace dev gtp0 ${ends(3, 4, there)} ue 10.45.0.3`);
    t.deepEqual(farEnds(m.m1), [two, ['192.0.2.1 192.0.2.2 2']]);
    await must(['ip', '-n', m.m1, 'addr', 'add', '192.0.2.11/24', 'dev', 'ul']);
    await gtpIn(m.m1, 'link set gtp0 local 192.0.2.11 port 2153');
    const moved = two.map((line) => line.replace('192.0.2.1:2152', '192.0.2.11:2153'));
    t.deepEqual(farEnds(m.m1), [moved, ['192.0.2.11 192.0.2.2 2']]);
    await gtpIn(m.m1, 'session del dev gtp0 local-teid 3');
    t.deepEqual(farEnds(m.m1), [moved.slice(0, 1), ['192.0.2.11 192.0.2.2 1']]);
    await gtpIn(m.m1, 'session flush');
    t.deepEqual(farEnds(m.m1), [[], []]);
  }),
);

test.serial(
  'a link that goes takes its far ends along, and nobody else',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, one(m));
    await gtpIn(m.m1, `link add gtp1 local 192.0.2.1 netns ${m.ue2} ${ends(5, 6, there)} ue 10.45.0.1`);
    await gtpIn(m.m1, `session add dev gtp1 ${ends(7, 8, '192.0.2.3')} ue 10.45.0.7`);
    t.deepEqual(farEnds(m.m1)[1], ['192.0.2.1 192.0.2.2 2', '192.0.2.1 192.0.2.3 1']);
    await gtpIn(m.m1, 'link del gtp1');
    const left = [['192.0.2.1:2152 192.0.2.2 2 = 1'], ['192.0.2.1 192.0.2.2 1']];
    t.deepEqual(farEnds(m.m1), left);
    await gtpIn(m.m1, `link add gtp1 local 192.0.2.1 netns ${m.ue2} ${ends(5, 6, there)}`);
    await must(['ip', '-n', m.m1, 'link', 'del', 'gtp1']);
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 name swept');
    t.deepEqual(farEnds(m.m1), left);
  }),
);

test.serial(
  'of sessions that send to one TEID of one peer the first is the one that an Error Indication means; another when it goes',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, one(m));
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 2, there)} ue 10.45.0.3`);
    const meant = (session: string, peers: number): boolean =>
      t.deepEqual(farEnds(m.m1), [[`192.0.2.1:2152 192.0.2.2 2 = ${session}`], [`192.0.2.1 192.0.2.2 ${peers}`]]);
    meant('1 + 1', 2);
    await gtpIn(m.m1, 'session del dev gtp0 local-teid 3');
    meant('1', 1);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 2, there)} ue 10.45.0.3 ue 10.47.0.0/16`);
    await gtpIn(m.m1, 'session del dev gtp0 local-teid 1');
    meant('3', 1);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(4, 2, there)} ue 10.45.0.4`);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(5, 2, there)} ue 10.45.0.5`);
    meant('3 + 2', 3);
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 3 remote-teid 9');
    const apart = farEnds(m.m1)[0];
    t.regex(apart[0] ?? '', /^192\.0\.2\.1:2152 192\.0\.2\.2 2 = [45] \+ 1$/);
    t.is(apart[1], '192.0.2.1:2152 192.0.2.2 9 = 3');
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 3 remote-teid 2');
    await must(['ip', '-n', m.m1, 'addr', 'add', '192.0.2.11/24', 'dev', 'ul']);
    await gtpIn(m.m1, 'link set gtp0 local 192.0.2.11');
    t.regex(farEnds(m.m1)[0].join(), /^192\.0\.2\.11:2152 192\.0\.2\.2 2 = [345] \+ 2$/);
    await gtpIn(m.m1, 'session flush');
    t.deepEqual(farEnds(m.m1), [[], []]);
  }),
);

test.serial(
  'a link that goes leaves what an Error Indication means to sessions of other links that send there',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, one(m));
    await gtpIn(m.m1, `link add gtp1 local 192.0.2.1 netns ${m.ue2} ${ends(5, 2, there)} ue 10.45.0.1`);
    await gtpIn(m.m1, `session add dev gtp1 ${ends(7, 2, there)} ue 10.45.0.7 ue 10.48.0.0/16`);
    t.deepEqual(farEnds(m.m1)[0], ['192.0.2.1:2152 192.0.2.2 2 = 1 + 2']);
    await gtpIn(m.m1, 'link del gtp0');
    t.regex(farEnds(m.m1)[0].join(), /^192\.0\.2\.1:2152 192\.0\.2\.2 2 = [57] \+ 1$/);
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1} ${ends(1, 2, there)}`);
    await must(['ip', '-n', m.m1, 'link', 'del', 'gtp1']);
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 name swept');
    t.deepEqual(farEnds(m.m1), [['192.0.2.1:2152 192.0.2.2 2 = 1'], ['192.0.2.1 192.0.2.2 1']]);
  }),
);

test.serial(
  'a session that ends while a command is at work is left whole for the next one to sweep',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, one(m));
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 4, there)} ue 10.45.0.3`);
    endSession(m.m1, 3n, 0); // as when its Error Indication came after the look
    const { status, stderr } = await gtpTry(m.m1, `session add dev gtp0 ${ends(3, 5, there)} ue 10.45.0.5`);
    t.is(status, 2);
    t.regex(stderr, /File exists/);
    t.is(farEnds(m.m1)[1][0], '192.0.2.1 192.0.2.2 2');
    withMaps(m.m1, (maps) => maps.unswept.put(sweep_cause.errind, 1));
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 5, there)} ue 10.45.0.3`);
    t.deepEqual(farEnds(m.m1)[1], ['192.0.2.1 192.0.2.2 2']);
    t.is((await sessions(m.m1)).length, 2);
  }),
);

test.serial(
  'a sweep that fails is done again by the next command',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, one(m));
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 4, there)} ue 10.45.0.3 ue 10.47.0.0/16 name three`);
    endSession(m.m1, 3n);
    const rename = 'session change dev gtp0 local-teid 1 name one';
    for (let n = 1; n < 9; n++) {
      const { call, stderr } = await faulty(m.m1, rename, n, 'refuse');
      t.regex(stderr, /Input\/output error/, call);
      const mark = withMaps(m.m1, (maps) => maps.unswept.get(sweep_cause.errind));
      const isThere = withMaps(m.m1, (maps) => [...maps.rx.entries()].some(([{ id }]) => id === 3n));
      t.is(mark, isThere ? 1 : 0, `${n} ${call}`);
    }
    await gtpIn(m.m1, rename);
    t.deepEqual(farEnds(m.m1), [['192.0.2.1:2152 192.0.2.2 2 = 1'], ['192.0.2.1 192.0.2.2 1']]);
  }),
);

/** What the program does to a session of TEID `id` when an Error Indication ends it; `mark` 0: a sweep has been meanwhile. */
function endSession(ns: string, id: bigint, mark = 1): void {
  withMaps(ns, (maps) => {
    const [key, rx] = [...maps.rx.entries()].find(([each]) => each.id === id) ?? [];
    if (key !== undefined && rx !== undefined) maps.rx.put(key, { ...rx, state: session_state.deleted });
    maps.unswept.put(sweep_cause.errind, mark);
  });
}

/** The endpoints as "LOCAL:PORT KIND FLAGS RESTART", and the addresses for fragments and ICMP errors. */
function endpoints(ns: string): readonly [endpoints: string[], locals: string[], ports: number[]] {
  return withMaps(ns, (maps) => {
    const all = [...maps.endpoints.entries()].map(([key, { flags, restart_count }]) => {
      const name = Object.entries(kind).find(([, value]) => value === key.kind)?.[0];
      return `${text(key.local)}:${key.port} ${name} ${flags} ${restart_count}`;
    });
    const ports = (maps.config.get(0)?.ports ?? []).flatMap((bits, word) =>
      bits === 0n
        ? []
        : Array.from({ length: 64 }, (_, bit) => bit)
            .filter((bit) => bits & (1n << BigInt(bit)))
            .map((bit) => word * 64 + bit),
    );
    return [all.sort(), [...maps.locals.entries()].map(([{ octets }]) => text(octets)).sort(), ports];
  });
}

test.serial(
  'version 0 is received on its port as long as there is a session of it',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1} restart_count 7 echo off`);
    const plain = [['192.0.2.1:2152 gtp 6 7'], ['192.0.2.1'], [2152]];
    t.deepEqual(endpoints(m.m1), plain);
    await gtpIn(m.m1, `session add dev gtp0 version 0 tid 0x1234567890 remote ${there} ue 10.45.0.1`);
    await gtpIn(m.m1, `session add dev gtp0 version 0 tid 0x99 remote ${there} local 127.0.0.5 ue 10.45.0.2`);
    const both = ['127.0.0.5:3386 gtp0 6 7', '192.0.2.1:2152 gtp 6 7', '192.0.2.1:3386 gtp0 6 7'];
    t.deepEqual(endpoints(m.m1), [both, ['127.0.0.5', '192.0.2.1'], [2152, 3386]]);
    await gtpIn(m.m1, 'link set gtp0 restart_count 3 echo on');
    t.deepEqual(
      endpoints(m.m1)[0],
      both.map((line) => line.replace('6 7', '7 3')),
    );
    await gtpIn(m.m1, 'link set gtp0 port 4000');
    const moved = ['127.0.0.5:4000 gtp0 7 3', '192.0.2.1:4000 gtp 7 3', '192.0.2.1:4000 gtp0 7 3'];
    t.deepEqual(endpoints(m.m1), [moved, ['127.0.0.5', '192.0.2.1'], [4000]]);
    await gtpIn(m.m1, 'link set gtp0 port 3386 ttl 9');
    await gtpIn(m.m1, 'link set gtp0 port 2152 ttl 8');
    t.deepEqual(
      endpoints(m.m1)[0],
      both.map((line) => line.replace('6 7', '7 3')),
      "its port may stay when the link's does not",
    );
    t.deepEqual((await sessions(m.m1)).length, 2);
    await gtpIn(m.m1, 'link set gtp0 port 4000');
    await gtpIn(m.m1, 'session del dev gtp0 tid 0x99 local 127.0.0.5');
    await gtpIn(m.m1, 'session del dev gtp0 tid 0x1234567890');
    await gtpIn(m.m1, 'link set gtp0 port 2152 echo off restart_count 7');
    t.deepEqual(endpoints(m.m1), plain);
  }),
);

test.serial(
  'datagrams without checksum over IPv6 are taken where a link or one of its sessions says so',
  inMachines(async (t, m) => {
    const flags = () => endpoints(m.m1)[0].map((line) => line.split(' ')[2]);
    await gtpIn(m.m1, `link add gtp0 local 2001:db8:2::1 netns ${m.ue1}`);
    t.deepEqual(flags(), ['7']);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(1, 2, '2001:db8:2::2')} noudpcsum ue 10.45.0.1`);
    t.deepEqual(flags(), ['15']);
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 udpcsum');
    t.deepEqual(flags(), ['7']);
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 noudpcsum');
    await gtpIn(m.m1, 'session del dev gtp0 local-teid 1');
    t.deepEqual(flags(), ['7']);
    await gtpIn(m.m1, 'link set gtp0 noudpcsum');
    t.deepEqual(flags(), ['15']);
  }),
);

test.serial(
  'a session that an Error Indication has ended is there for nobody, and the next change sweeps it away',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, one(m));
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 4, '192.0.2.3')} ue 10.45.0.3 ue 10.47.0.0/16 name three`);
    endSession(m.m1, 3n);
    t.deepEqual(
      (await sessions(m.m1)).map(({ local_teid }) => local_teid),
      [1],
    );
    t.is((await links(m.m1))[0]?.sessions, 1);
    t.regex((await gtpTry(m.m1, 'session get dev gtp0 local-teid 3')).stderr, /No such session/);
    const paths = JSON.parse(await gtpIn(m.m1, '-j path show')) as { remote: string | null; sessions: number }[];
    t.deepEqual(
      paths.map(({ remote, sessions }) => [remote, sessions]),
      [
        [null, 1],
        ['192.0.2.2', 1],
      ],
    );
    t.regex((await gtpTry(m.m1, 'session change dev gtp0 local-teid 3 name x')).stderr, /No such session/);
    const left = withMaps(m.m1, (maps) =>
      [maps.rx, maps.tx, maps.tx_prefix, maps.labels].map((map) => [...map.entries()].length),
    );
    t.deepEqual(left, [1, 1, 0, 0]);
    t.deepEqual(farEnds(m.m1), [['192.0.2.1:2152 192.0.2.2 2 = 1'], ['192.0.2.1 192.0.2.2 1']]);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 4, there)} ue 10.45.0.3`);
    endSession(m.m1, 3n);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 5, there)} ue 10.45.0.3`);
    t.deepEqual(farEnds(m.m1)[0], ['192.0.2.1:2152 192.0.2.2 2 = 1', '192.0.2.1:2152 192.0.2.2 5 = 3']);
  }),
);

test.serial(
  'the MTU of the route to a peer is what the command saw last, learned ones left out',
  inMachines(async (t, m) => {
    const route = (words: string) => must(['ip', '-n', m.m1, 'route', ...words.split(' '), 'via', there]);
    const seen = () => withMaps(m.m1, (maps) => [...maps.tx.entries()].map(([, { route_mtu }]) => route_mtu));
    await gtpIn(m.m1, one(m));
    t.deepEqual(seen(), [0]);
    await must(['ip', '-n', m.m1, 'route', 'add', '198.51.100.0/24', 'via', there, 'mtu', '1400']);
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 remote 198.51.100.2');
    t.deepEqual(seen(), [1400]);
    await must(['ip', '-n', m.m1, 'route', 'replace', '198.51.100.0/24', 'via', there, 'mtu', '1300']);
    await gtpIn(m.m1, 'link set gtp0 ttl 64');
    t.deepEqual(seen(), [1300]);
    t.is((await links(m.m1))[0]?.mtu, 1264);
    await route('replace 198.51.100.0/24');
    await gtpIn(m.m1, 'link set gtp0 ttl 64');
    t.deepEqual(seen(), [0]);
  }),
);

test.serial(
  'what a killed command left of sessions is mended by the next change',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, one(m));
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 2, there)} ue 10.45.0.3 ue 10.47.0.0/16`);
    await gtpIn(m.m1, `session add dev gtp0 version 0 tid 0xfedcba9876543210 remote ${there} ue 10.45.0.4`);
    await gtpIn(m.m1, `link add gtp1 local 192.0.2.1 netns ${m.ue2} ${ends(5, 6, '192.0.2.3')}`);
    const was = [farEnds(m.m1), endpoints(m.m1), (await sessions(m.m1)).length];
    t.true(farEnds(m.m1)[0].includes('192.0.2.1:2152 192.0.2.2 2 = 1 + 1'));
    await gtpIn(m.m1, `session add dev gtp0 ${ends(7, 8, '192.0.2.3')} ue 10.45.0.7`);
    withMaps(m.m1, (maps) => {
      const find = (teid: bigint) => [...maps.rx.entries()].find(([{ id }]) => id === teid)?.[0];
      const [seven, five] = [find(7n), find(5n)];
      if (seven === undefined || five === undefined) return t.fail();
      const owned = (own: bigint) => [...maps.remotes.entries()].find(([, { id }]) => id === own)?.[0];
      const [remote, shared] = [owned(2n ** 64n - 0x123456789abcdf0n), owned(1n)];
      if (remote === undefined || shared === undefined) return t.fail();
      maps.rx.delete(seven); // a send half without its other half
      maps.rx.put({ ...five, id: 99n }, maps.rx.get(five) ?? zero('rx_session'));
      maps.remotes.delete(remote);
      maps.remotes.put({ ...remote, id: 77n }, { id: 78n, others: 0 });
      maps.remotes.put(shared, { id: 1n, others: 0 });
      for (const [key, peer] of [...maps.peers.entries()]) maps.peers.put(key, { ...peer, sessions: 9 });
      maps.peers.put({ local: remote.local, remote: remote.local }, zero('peer'));
      maps.unswept.put(sweep_cause.command, 1);
    });
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 name one');
    t.deepEqual([farEnds(m.m1), endpoints(m.m1), (await sessions(m.m1)).length], was);
    const left = withMaps(m.m1, (maps) => [maps.rx, maps.tx, maps.tx_prefix].map((map) => [...map.entries()].length));
    t.deepEqual(left, [4, 3, 1]);
  }),
);
