// SPDX-License-Identifier: MIT
import test from 'ava';
import { udpSocket } from '../agent';
import { closeFixture, gtpIn, linkStatsWhen, sessions, using } from '../fixture';
import { waitFor } from '../run';
import { ends, outer, twoMachines } from '../topology';

test.after.always(closeFixture);

test.serial(
  'errind-action of a link holds for its live sessions: none, mark, del (G18)',
  using(twoMachines)(async (t, m) => {
    const [local, remote] = outer[4];
    const peer = await udpSocket(m.m2, remote, 2152);
    await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${ends(1, 2, remote)} errind-action none`);
    const indicate = () => peer.send(Buffer.from(ERROR_INDICATION, 'hex'), [local, 2152]);
    const states = async () => (await sessions(m.m1)).map(({ state }) => state);
    await indicate();
    await linkStatsWhen(m.m1, ({ answered }) => answered === 1);
    t.deepEqual(await states(), ['up']);
    await gtpIn(m.m1, 'link set gtp0 errind-action mark');
    await indicate();
    t.deepEqual(await waitFor(states, ([state]) => state !== 'up'), ['error_indicated']);
    await gtpIn(m.m1, `session change dev gtp0 local-teid 1 remote ${remote}`);
    t.deepEqual(await states(), ['up'], 'what was told of it was told of what it had been');
    await gtpIn(m.m1, 'link set gtp0 errind-action del');
    t.deepEqual(await states(), ['up']);
    await indicate();
    t.deepEqual(await waitFor(states, (list) => list.length === 0), []);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(1, 2, remote)}`);
    t.deepEqual(await states(), ['up'], 'its place is free');
  }),
);

test.serial(
  'of two sessions that send to one TEID of one peer the other is told when the first has gone',
  using(twoMachines)(async (t, m) => {
    const [local, remote] = outer[4];
    const peer = await udpSocket(m.m2, remote, 2152);
    await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${ends(1, 2, remote)} ue 10.45.0.1`);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 2, remote)} ue 10.45.0.3`);
    await gtpIn(m.m1, 'session del dev gtp0 local-teid 1');
    await peer.send(Buffer.from(ERROR_INDICATION, 'hex'), [local, 2152]);
    await linkStatsWhen(m.m1, ({ answered }) => answered === 1);
    t.is((await sessions(m.m1))[0]?.state, 'error_indicated');
  }),
);

/** About TEID 2 of 192.0.2.2. */
const ERROR_INDICATION = '321a00100000000000000000' + '1000000002' + '850004c0000202';
