// SPDX-License-Identifier: MIT
// Which TEIDs a machine gives (G21).
import test from 'ava';
import { closeFixture, gtpIn, gtpTry, using } from '../fixture';
import { twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const DRAWS = 12;

test.serial(
  'local-teid auto draws from all 32 bits, never 0, and never again what was given back (G21)',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1}`);
    const drawn: number[] = [];
    for (let i = 0; i < DRAWS; i++) {
      const words = 'remote-teid 2 remote 192.0.2.2 ue 10.45.0.9';
      const said = await gtpIn(m.m1, `session add dev gtp0 local-teid auto ${words}`);
      const [, text] = /^local-teid (0x[0-9a-f]{8})\n$/.exec(said) ?? [];
      await gtpIn(m.m1, `session del dev gtp0 local-teid ${text}`);
      drawn.push(Number(text));
    }
    t.false(drawn.includes(0));
    t.is(new Set(drawn).size, DRAWS, 'each once');
    for (const shift of [0, 8, 16, 24])
      t.true(new Set(drawn.map((teid) => (teid >>> shift) & 0xff)).size > 2, `octet at ${shift} of ${drawn}`);
    const gaps = drawn.slice(1).map((teid, i) => teid - (drawn[i] ?? 0));
    t.true(new Set(gaps).size > 2, `no row of numbers: ${drawn}`);
  }),
);

test.serial(
  'a TEID is taken once at each local address: again there it is refused, at another it is free (G21, G22)',
  inMachines(async (t, m) => {
    const session = 'local-teid 0x77 remote-teid 2 remote 192.0.2.2';
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1} ${session} ue 10.45.0.9`);
    for (const link of ['gtp0', 'gtp1']) {
      if (link === 'gtp1') await gtpIn(m.m1, `link add gtp1 local 192.0.2.1 netns ${m.ue1} inner eth1`);
      const { status, stderr } = await gtpTry(m.m1, `session add dev ${link} ${session} ue 10.45.0.10`);
      t.is(status, 2);
      t.regex(stderr, /File exists/);
    }
    await gtpIn(m.m1, `link add gtp2 local 127.0.0.7 netns ${m.ue1} inner eth2`);
    await gtpIn(m.m1, 'session add dev gtp2 local-teid 0x77 remote-teid 2 remote 127.0.0.8 ue 10.45.0.10');
    t.pass();
  }),
);
