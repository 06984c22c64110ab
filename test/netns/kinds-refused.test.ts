// SPDX-License-Identifier: MIT
import test from 'ava';
import { closeFixture, gtpIn, gtpTry, using } from '../fixture';
import { ends, twoMachines } from '../topology';

test.after.always(closeFixture);

const there = 'remote 192.0.2.2';
const mac = (last: number): string => `lladdr 02:00:00:00:00:${last.toString(16).padStart(2, '0')}`;

test.serial(
  'what a link does not take is refused in words that say why',
  using(twoMachines)(async (t, m) => {
    const refused = async (words: string, status: number, said: RegExp): Promise<void> => {
      const result = await gtpTry(m.m1, words);
      t.is(result.status, status, `${words}: ${result.stderr}`);
      t.regex(result.stderr, said, words);
    };
    const frames = `link add vx0 type vxlan local 192.0.2.1 netns ${m.ue1}`;
    await gtpIn(m.m1, `${frames} vni 1 ${there} ue 10.0.0.1`);
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue2} ${ends(1, 2, '192.0.2.2')}`);
    await gtpIn(m.m1, `session add dev vx0 vni 2 ${there} ${mac(2)} from 10.0.0.3 to 10.0.0.4`);
    await refused(
      `session add dev vx0 vni 3 ${there}`,
      2,
      /has a session already, and this one has no lladdr, ue or from/,
    );
    await refused(
      `session add dev vx0 vni 3 ${there} ${mac(2)}`,
      2,
      /lladdr 02:00:00:00:00:02 belongs to session vni 2/,
    );
    await refused(`session add dev vx0 vni 3 ${there} from 10.0.0.3 to 10.0.0.4`, 2, /belongs to session vni 2/);
    await refused(
      `session add dev gtp0 type vxlan vni 2 ${there} ue 10.1.0.1 ${mac(9)}`,
      2,
      /File exists(.|\n)*vx0 has that vni 2/,
    );
    await refused(`session add dev gtp0 type vxlan vni 3 ${there} ue 10.1.0.1`, 1, /"lladdr" is missing/);
    await refused(
      `link add gnv0 type geneve local 192.0.2.1 port 4789 vni 5 ${there}`,
      2,
      /receive geneve at 192\.0\.2\.1 port 4789: a link or session of type vxlan receives there/,
    );
    await refused('link add vl0 type vlan dev vx0 id 5', 2, /end of a tunnel/);
    await refused('link add vl0 type vlan id 5', 1, /"dev" is missing/);
    await gtpIn(m.m1, `session add dev vx0 vni 2 remote 192.0.2.3 ${mac(3)}`);
    await refused('session del dev vx0 vni 2', 1, /several sessions of vx0 have vni 2: expected "remote"/);
    await gtpIn(m.m1, 'session del dev vx0 vni 2 remote 192.0.2.3');
    for (let at = 2; at < 64; at++) await gtpIn(m.m1, `session add dev vx0 vni ${at + 100} ${there} ${mac(at + 1)}`);
    await refused(`session add dev vx0 vni 300 ${there} ${mac(200)}`, 2, /vx0 has 64 sessions already/);
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 ue 10.9.0.1');
    t.regex(await gtpIn(m.m1, 'session show dev gtp0'), /ue 10\.9\.0\.1/);
  }),
);
