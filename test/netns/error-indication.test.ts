// SPDX-License-Identifier: MIT
import test from 'ava';
import { udpSocket } from '../agent';
import { addressStats, closeFixture, gtpIn, linkStats, sessions, using } from '../fixture';
import { addressOctets, errorIndication } from '../messages';
import { dropped } from '../records';
import { must, waitFor } from '../run';
import { type Family, inner, join, joinHairpin, oneMachine, outer, ownAddresses, ping, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);

/** What becomes of a session of m1 that m2 does not know any more, by what the link says. */
const actions = { '': ['error_indicated'], 'errind-action none': ['up'], 'errind-action del': [] } as const;

for (const family of [4, 6] as const)
  for (const [words, states] of Object.entries(actions))
    test.serial(
      `IPv${family} outer${words && `, ${words}`}: a session that the peer has deleted ${states[0] === undefined ? 'goes' : `is ${states[0]}`}`,
      inMachines(async (t, m) => {
        const [local, remote] = outer[family];
        await join(m, family, { m1: words });
        t.is(await ping(m.ue1, inner[4][1]), 3);
        await gtpIn(m.m2, 'session del dev gtp0 local-teid 0x202');
        t.is(await ping(m.ue1, inner[4][1], 1, '-W', '0.2'), 0);
        const there = await addressStats(m.m2, remote);
        t.deepEqual([dropped(there), there.sent.errind], [{ unknown_teid: 1 }, 1]);
        t.deepEqual(dropped(await addressStats(m.m1, local)), {});
        t.deepEqual(
          (await sessions(m.m1)).map(({ state }) => state),
          [...states],
        );
        t.is(await ping(m.ue1, inner[4][1], 1, '-W', '0.2'), 0);
        const lost = states[0] === undefined ? { no_session: 1 } : {};
        t.deepEqual(dropped(await linkStats(m.m1)), lost);
        t.is((await addressStats(m.m2, remote)).sent.errind, states[0] === undefined ? 1 : 2);
      }),
    );

test.serial(
  'errind-action can change while the session lives, and one that is marked works on when the peer knows it again',
  inMachines(async (t, m) => {
    await join(m, 4, { m1: 'errind-action none' });
    await gtpIn(m.m1, 'link set gtp0 errind-action mark');
    await gtpIn(m.m2, 'session del dev gtp0 local-teid 0x202');
    t.is(await ping(m.ue1, inner[4][1], 1, '-W', '0.2'), 0);
    t.is((await sessions(m.m1))[0]?.state, 'error_indicated');
    await gtpIn(m.m2, 'session add dev gtp0 local-teid 0x202 remote-teid 0x101 remote 192.0.2.1');
    t.is(await ping(m.ue1, inner[4][1]), 3);
  }),
);

for (const family of [4, 6] as const)
  test.serial(
    `IPv${family} outer: a forged Error Indication changes nothing, even where one would end the session`,
    inMachines(async (t, m) => {
      const [local, remote] = outer[family];
      const stranger = ({ 4: '192.0.2.66', 6: '2001:db8:2::66' } as const)[family];
      await must(['ip', '-n', m.m2, 'addr', 'add', `${stranger}/${family === 4 ? 24 : 64}`, 'dev', 'ul']);
      await join(m, family, { m1: 'errind-action del' });
      const [forger, peer] = [await udpSocket(m.m2, stranger, 2152), await udpSocket(m.m2, remote, 2152)];
      const about = (teid: number, address: string): Buffer => errorIndication(teid, addressOctets(address), 2152);
      await forger.send(about(0x202, remote), [local, 2152]);
      await forger.send(about(0x202, stranger), [local, 2152]);
      await forger.send(about(0x101, local), [local, 2152]);
      await peer.send(about(0x101, remote), [local, 2152]);
      await peer.send(about(0x202, outer[family === 4 ? 6 : 4][1]), [local, 2152]);
      await peer.send(about(0x202, remote).subarray(0, 21), [local, 2152]);
      const stats = await waitFor(
        () => addressStats(m.m1, local),
        ({ drops }) => drops.bad_length === 1,
      );
      t.deepEqual(dropped(stats), { wrong_peer: 1, unknown_session: 4, bad_length: 1 });
      t.deepEqual(stats.sent, { echo: 0, errind: 0, extnotify: 0, icmp: 0 }, 'none is answered');
      t.deepEqual(
        (await sessions(m.m1)).map(({ state }) => state),
        ['up'],
      );
      await Promise.all([forger.close(), peer.close()]);
      t.is(await ping(m.ue1, inner[4][1]), 3);
    }),
  );

for (const family of [4, 6] as Family[])
  test.serial(
    `IPv${family}, two links of one machine without hairpin: the session of the other one is marked`,
    using(oneMachine)(async (t, m) => {
      await joinHairpin(m, family, 'hairpin off');
      t.is(await ping(m.ue1, inner[4][1]), 3);
      await gtpIn(m.m1, 'session del dev gtp2 local-teid 0x202');
      t.is(await ping(m.ue1, inner[4][1], 1, '-W', '0.2'), 0);
      t.is((await addressStats(m.m1, ownAddresses[family][1])).sent.errind, 1);
      t.deepEqual(
        (await sessions(m.m1)).map(({ dev, state }) => [dev, state]),
        [['gtp1', 'error_indicated']],
      );
    }),
  );
