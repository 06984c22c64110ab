// SPDX-License-Identifier: MIT
// Sessions of a link of frames that were chosen by where a MAC address spoke last.
import test from 'ava';
import { closeFixture, gtpIn, linkStats, using } from '../fixture';
import { ping, twoMachines } from '../topology';

test.after.always(closeFixture);

test.serial(
  'the answer to a broadcast goes back by its session, before any packet chose one by from and to',
  using(twoMachines)(async (t, { m1, m2, ue1, ue2 }) => {
    const ends = (local: number, remote: number): string =>
      `local 192.0.2.${local} remote 192.0.2.${remote} from 10.45.0.${local} to 10.45.0.${remote} address 10.45.0.${local}/24`;
    await gtpIn(m1, `link add gtp0 type vxlan vni 5 netns ${ue1} ${ends(1, 2)}`);
    await gtpIn(m2, `link add gtp0 type vxlan vni 5 netns ${ue2} ${ends(2, 1)}`);
    t.is(await ping(ue1, '10.45.0.2'), 3);
    t.is((await linkStats(m2)).drops.no_session, 0);
  }),
);
