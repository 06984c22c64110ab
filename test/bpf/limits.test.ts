// SPDX-License-Identifier: MIT
// Token buckets: how often answers go out, whatever comes in (G5, G19).
import test, { type ExecutionContext } from 'ava';
import { configure } from './answering';
import { arriving, chain, type Family, gtp, ours, theirs } from './gtp';
import { plain } from './inners';
import { message, type } from './messages';
import { network } from './network';
import type { Packet } from './packet';
import { octetsOf } from './receive';
import { hex, LOCAL_TEID, peerKey } from './session';
import { makeWorld } from './world';

const world = makeWorld();
const net = network(test, 'limits', ours);
test.after.always(() => world.close());
test.beforeEach(() => {
  world.reset();
  configure(world, net);
  for (const family of families) {
    world.endpoint(ours[family]);
    world.rx({}, { local: ours[family] });
  }
});

const families = [4, 6] as const;
const SECOND = 10n ** 9n;
const stranger = { 4: '192.0.2.9', 6: '2001:db8::9' } as const;

const errind = (family: Family) => arriving(family, gtp(plain[4], { teid: 9 }));
const extnotify = (family: Family) => arriving(family, gtp(plain[4], { flags: 0x34, more: chain([0x99, 1]) }));
const echo = (family: Family) => arriving(family, message(type.echoRequest), { source: stranger[family] });

/** Each kind of answer, how many go out in a second, and by which name a request without one counts. */
const kinds = [
  ['errind', errind, 100, 'unknown_teid endpoint 2152'],
  ['extnotify', extnotify, 100, `unknown_extension session ${hex(LOCAL_TEID)}`],
  ['echo', echo, 1000, 'rate_limited endpoint 2152'],
] as const;

/** Sends a frame many times as fast as it goes; gives what was raised, and how many tokens came back meanwhile. */
function flood(frame: Packet, times: number, rate: number) {
  const octets = octetsOf(frame);
  const start = process.hrtime.bigint();
  const run = net.inside(() =>
    world.watch(() => {
      for (let i = 0; i < times; i++) world.repeat('underlay', octets, 1, { ifindex: net.dev('ul') });
      return {};
    }),
  );
  const refilled = Number(process.hrtime.bigint() - start) / (1e9 / rate);
  const raised = [...run.counted, ...run.beside].map((line) => line.split(': '));
  const value = (name: string): number => Number(raised.find(([key]) => key === name)?.[1]?.split(' ')[0] ?? 0);
  return { value, refilled };
}

function once(t: ExecutionContext, frame: Packet) {
  return net.inside(() => world.send(t, 'underlay', frame, { ifindex: net.dev('ul') }));
}

for (const [what, frame, rate, without] of kinds)
  for (const family of families) {
    const sent = `sent_${what} ${ours[family]}`;

    test.serial(
      `IPv${family}: a flood gets ${rate} answers a second of ${what}, and every frame is counted (G19)`,
      (t) => {
        const times = rate * 3;
        const { value, refilled } = flood(frame(family), times, rate);
        t.true(value(sent) >= rate && value(sent) <= rate + refilled + 1, `${value(sent)} of ${rate} and ${refilled}`);
        t.is(value(without) + (what === 'echo' ? value(`answered ${ours[family]}`) : 0), times);
      },
    );

    test.serial(
      `IPv${family}: while the bucket of ${what} is empty nothing goes out, and requests go on being counted (G19)`,
      (t) => {
        world.limit(what, 10n * SECOND);
        const { value } = flood(frame(family), 50, rate);
        t.deepEqual([value(sent), value(without)], [0, 50]);
        world.limit(what, 0n);
        t.deepEqual(
          once(t, frame(family)).beside.filter((line) => line.startsWith('sent')),
          [`${sent}: 1`],
        );
      },
    );

    test.serial(`IPv${family}: a token of ${what} comes back by itself`, (t) => {
      const start = process.hrtime.bigint();
      world.limit(what, SECOND);
      let tries = 0;
      for (let got = 0; got === 0 && tries < 1e6; tries++) got = once(t, frame(family)).beside.length;
      t.true(Number(process.hrtime.bigint() - start) / 1e9 >= 1 / rate);
      t.true(tries < 1e6);
    });

    test.serial(`IPv${family}: the other kinds of answer have buckets of their own, beside that of ${what}`, (t) => {
      world.limit(what, 10n * SECOND);
      for (const [other, make] of kinds)
        t.is(
          once(t, make(family)).beside.some((line) => line.startsWith('sent')),
          other !== what,
        );
    });
  }

for (const family of families) {
  const request = arriving(family, message(type.echoRequest));
  const sent = `sent_echo ${ours[family]}`;

  test.serial(
    `IPv${family}: a peer with a session has a bucket of Echo Requests of its own, which strangers cannot empty (G13)`,
    (t) => {
      world.peer(ours[family], theirs[family]);
      world.limit('echo', 10n * SECOND);
      t.deepEqual(once(t, echo(family)).counted, [`rate_limited endpoint 2152: 1 ${octetsOf(echo(family)).length}`]);
      const { value, refilled } = flood(request, 300, 100);
      t.true(value(sent) >= 100 && value(sent) <= 101 + refilled, `${value(sent)} and ${refilled}`);
      t.is(value(`answered ${ours[family]}`) + value('rate_limited endpoint 2152'), 300);
    },
  );

  test.serial(`IPv${family}: a peer whose own bucket is empty takes from that of all (G13)`, (t) => {
    const now = process.hrtime.bigint();
    world.peer(ours[family], theirs[family], { echo_bucket: now + 10n * SECOND });
    t.deepEqual(once(t, request).beside, [`${sent}: 1`, `echo_requests ${theirs[family]}: 1`]);
    t.is(world.maps.peers.get(peerKey(ours[family], theirs[family]))?.echo_bucket, now + 10n * SECOND);
    world.limit('echo', 10n * SECOND);
    t.deepEqual(once(t, request).beside, []);
  });
}
