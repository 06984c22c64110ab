// SPDX-License-Identifier: MIT
import test from 'ava';
import { stream, udpSocket } from '../agent';
import { capture } from '../capture';
import { closeFixture, gtpIn, gtpTry, linkStats, links, scratch, sessions, using } from '../fixture';
import { gtp } from '../gtp-frame';
import { dropped } from '../records';
import { must, waitFor } from '../run';
import { ends, inner, join, joinHairpin, oneMachine, ping, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);

test.serial(
  'replace and change of a live session lose no packet and no count',
  inMachines(async (t, m) => {
    await join(m, 4);
    t.is(await ping(m.ue1, inner[4][1], 1), 1);
    const moving = await stream(m.ue1, inner[4][0], m.ue2, inner[4][1], 200);
    for (let i = 0; i < 6; i++) {
      const before = await moving.sent();
      await gtpIn(m.m1, `session replace dev gtp0 ${ends(0x101, 0x202, '192.0.2.2')} ttl ${40 + i}`);
      await gtpIn(m.m2, `session change dev gtp0 local-teid 0x202 peer ${i % 2 ? 'strict' : 'any'}`);
      await waitFor(moving.sent, (sent) => sent > before + 100);
    }
    const { sent, received, refused } = await moving.end();
    t.deepEqual([received, refused], [sent, 0]);
    const [near, far] = [await linkStats(m.m1), await linkStats(m.m2)];
    t.deepEqual(near.encap, { packets: sent + 1, bytes: sent * 228 + 84 });
    t.deepEqual(far.decap, near.encap);
    t.deepEqual([dropped(near), dropped(far)], [{}, {}]);
    t.is((await sessions(m.m1)).length, 1);
  }),
);

test.serial(
  'the same on one machine, where the receiving session is replaced as well',
  using(oneMachine)(async (t, m) => {
    await joinHairpin(m, 4);
    const moving = await stream(m.ue1, inner[4][0], m.ue2, inner[4][1], 200);
    for (let i = 0; i < 6; i++) {
      const before = await moving.sent();
      await gtpIn(m.m1, `session replace dev gtp1 ${ends(0x101, 0x202, '192.0.2.11')}`);
      await gtpIn(m.m1, `session replace dev gtp2 ${ends(0x202, 0x101, '192.0.2.1')}`);
      await waitFor(moving.sent, (sent) => sent > before + 100);
    }
    const { sent, received } = await moving.end();
    t.is(received, sent);
    t.is((await linkStats(m.m1, 'gtp1')).encap.packets, sent);
    t.is((await linkStats(m.m1, 'gtp2')).decap.packets, sent);
  }),
);

test.serial(
  'change needs the ID and what changes, keeps the rest, and fails on a session that is not there',
  inMachines(async (t, m) => {
    const peer = await udpSocket(m.m2, '192.0.2.2', 2152);
    await join2(m.m1, m.ue1);
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 remote-teid 0x77 name alice');
    const [record] = await sessions(m.m1);
    t.like(record, {
      local_teid: 1,
      remote_teid: 0x77,
      remote: '192.0.2.2',
      local: '192.0.2.1',
      name: 'alice',
      peer: 'any',
    });
    const user = await udpSocket(m.ue1, inner[4][0], 0);
    await user.send(Buffer.from('x'), [inner[4][1], 9]);
    const [got] = await peer.receive();
    t.is(got === undefined ? undefined : gtp(got.data).teid, 0x77);
    const missing = await gtpTry(m.m1, 'session change dev gtp0 local-teid 5 remote-teid 6');
    t.is(missing.status, 2);
    t.regex(missing.stderr, /^Error: .*0x0*5\b.*No such /);
  }),
);

test.serial(
  'add of an existing session fails, replace does either, del and get need the ID',
  inMachines(async (t, m) => {
    await join2(m.m1, m.ue1);
    const again = await gtpTry(m.m1, `session add dev gtp0 ${ends(1, 3, '192.0.2.2')} ue 10.45.0.9`);
    t.is(again.status, 2);
    t.regex(again.stderr, /^Error: .*File exists/);
    t.is((await sessions(m.m1))[0]?.remote_teid, 2, 'the old one is untouched');
    await gtpIn(m.m1, `session replace dev gtp0 ${ends(1, 3, '192.0.2.2')}`);
    await gtpIn(m.m1, `session replace dev gtp0 ${ends(9, 4, '192.0.2.2')} ue 10.45.0.9`);
    t.deepEqual((await sessions(m.m1)).map((each) => [each.local_teid, each.remote_teid]).sort(), [
      [1, 3],
      [9, 4],
    ]);
    const got = JSON.parse(await gtpIn(m.m1, '-j session get dev gtp0 local-teid 9')) as { remote_teid: number }[];
    t.deepEqual(
      got.map((each) => each.remote_teid),
      [4],
    );
    await gtpIn(m.m1, 'session del dev gtp0 local-teid 9');
    t.is((await gtpTry(m.m1, 'session get dev gtp0 local-teid 9')).status, 2);
    t.is((await gtpTry(m.m1, 'session del dev gtp0 local-teid 9')).status, 2);
    await gtpIn(m.m1, 'session flush dev gtp0');
    t.deepEqual(await sessions(m.m1), []);
  }),
);

test.serial(
  'a second session without ue, from or to on one link is refused',
  inMachines(async (t, m) => {
    await join2(m.m1, m.ue1);
    const { status, stderr } = await gtpTry(m.m1, `session add dev gtp0 ${ends(3, 4, '192.0.2.2')}`);
    t.not(status, 0);
    t.regex(stderr, /^Error: /);
    t.is((await sessions(m.m1)).length, 1);
  }),
);

test.serial(
  'hairpin off sends real packets, hairpin on none',
  using(oneMachine)(async (t, m) => {
    await joinHairpin(m, 4);
    const counted = async (label: string) => {
      const seen = await capture(m.m1, 'lo', `${scratch}/${label}.pcap`);
      t.is(await ping(m.ue1, inner[4][1], 4), 4, label);
      return (await seen.stop()).length;
    };
    t.is(await counted('on'), 0);
    for (const name of ['gtp1', 'gtp2']) await gtpIn(m.m1, `link set ${name} hairpin off`);
    t.true((await counted('off')) >= 8);
    const [one, two] = [await linkStats(m.m1, 'gtp1'), await linkStats(m.m1, 'gtp2')];
    t.deepEqual([one.encap.packets, two.decap.packets, two.encap.packets, one.decap.packets], [8, 8, 8, 8]);
    t.deepEqual([dropped(one), dropped(two)], [{}, {}]);
  }),
);

test.serial(
  'link set: down and up, mtu, role, and what cannot change is refused',
  inMachines(async (t, m) => {
    await join(m, 4);
    await gtpIn(m.m1, 'link set gtp0 down');
    t.is(await ping(m.ue1, inner[4][1], 1, '-W', '0.2').catch(() => 0), 0);
    await gtpIn(m.m1, 'link set gtp0 up');
    t.is(await ping(m.ue1, inner[4][1], 2), 2);
    await gtpIn(m.m1, 'link set gtp0 mtu 1400 role sgsn');
    t.like((await links(m.m1))[0], { mtu: 1400, role: 'sgsn' });
    t.is(await ping(m.ue1, inner[4][1], 2), 2);
    for (const words of ['type gre', `netns ${m.ue2}`, 'inner eth9']) {
      const { status, stderr } = await gtpTry(m.m1, `link set gtp0 ${words}`);
      t.is(status, 1, words);
      t.regex(stderr, /^Error: /);
    }
  }),
);

test.serial(
  'local-teid auto takes a free random TEID and prints it',
  inMachines(async (t, m) => {
    const words = 'remote-teid 2 remote 192.0.2.2';
    const first = await gtpIn(
      m.m1,
      `link add gtp0 local 192.0.2.1 netns ${m.ue1} local-teid auto ${words} ue 10.45.0.9`,
    );
    t.regex(first, /^local-teid 0x[0-9a-f]{1,8}\n$/);
    const second = JSON.parse(await gtpIn(m.m1, `-j session add dev gtp0 local-teid auto ${words} ue 10.45.0.10`)) as {
      local_teid: number;
    }[];
    const teids = (await sessions(m.m1)).map((each) => each.local_teid);
    t.deepEqual(teids.sort(), [Number(first.split(/\s/)[1]), second[0]?.local_teid].sort());
    t.true(teids.every((teid) => teid > 0));
    t.is((await must(['ip', '-n', m.m1, '-o', 'link', 'show', 'gtp0'])).split('\n').length, 2);
  }),
);

async function join2(m1: string, ue1: string): Promise<void> {
  await gtpIn(m1, `link add gtp0 local 192.0.2.1 netns ${ue1} address 10.45.0.1/24 ${ends(1, 2, '192.0.2.2')}`);
}
