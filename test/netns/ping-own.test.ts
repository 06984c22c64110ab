// SPDX-License-Identifier: MIT
// gtp ping against endpoints of our own: the datapath answers, no socket does.
import test from 'ava';
import { closeFixture, gtpIn, gtpTry, using } from '../fixture';
import { pingJson } from '../ping';
import { ends, join, joinHairpin, oneMachine, outer, ownAddresses, twoMachines } from '../topology';

test.after.always(closeFixture);

const all = /\n3 packets transmitted, 3 received, 0% packet loss, time \d+ms\nrtt /;
const three = 'count 3 interval 0.05';

for (const family of [4, 6] as const) {
  test.serial(
    `an endpoint of ours on another machine answers over IPv${family}, with links at both ends and with one`,
    using(twoMachines)(async (t, m) => {
      await join(m, family);
      const [, peer] = outer[family];
      t.regex(await gtpIn(m.m1, `ping dev gtp0 ${three}`), all);
      t.regex(await gtpIn(m.m1, `ping ${peer} ${three}`), all);
      await gtpIn(m.m1, 'link del gtp0');
      t.regex(await gtpIn(m.m1, `ping ${peer} ${three}`), all);
    }),
  );

  test.serial(
    `endpoints of ours on this machine answer over IPv${family}`,
    using(oneMachine)(async (t, m) => {
      await joinHairpin(m, family);
      const [own, other] = ownAddresses[family];
      t.regex(await gtpIn(m.m1, `ping dev gtp1 ${three}`), all);
      t.regex(await gtpIn(m.m1, `ping ${other} local ${own} ${three}`), all, 'from the port of an endpoint');
      t.regex(await gtpIn(m.m1, `ping ${own} local ${own} ${three}`), all, 'its own address');
    }),
  );
}

test.serial(
  'two machines that ping each other at the same time get all their answers',
  using(twoMachines)(async (t, m) => {
    for (const family of [4, 6] as const) {
      await join(m, family);
      const [one, two] = outer[family];
      const records = await Promise.all([
        pingJson(m.m1, `${two} count 10 interval 0.05`),
        pingJson(m.m2, `${one} count 10 interval 0.05`),
      ]);
      for (const record of records) t.like(record, { status: 0, srcport: 2152, transmitted: 10, received: 10 });
      for (const ns of [m.m1, m.m2]) await gtpIn(ns, 'link del gtp0');
    }
  }),
);

test.serial(
  'a link with echo off does not answer',
  using(twoMachines)(async (t, m) => {
    await gtpIn(m.m2, `link add gtp0 local 192.0.2.2 netns ${m.ue2} echo off ${ends(1, 2, '192.0.2.1')}`);
    const { status, stdout } = await gtpTry(m.m1, 'ping 192.0.2.2 count 2 interval 0.05 timeout 0.2');
    t.is(status, 2);
    t.regex(stdout, /\n2 packets transmitted, 0 received, 100% packet loss/);
  }),
);
