// SPDX-License-Identifier: MIT
// What the words of a session put into the GTP header, as it is on the wire (G6, G7, G9, G20).
import test from 'ava';
import { closeFixture, gtpIn, gtpTry, using } from '../fixture';
import { linked, linkedBy } from '../on-wire';
import { outer, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const families = [4, 6] as const;
const change = 'session change dev gtp0 local-teid 1';

for (const family of families) {
  test.serial(
    `IPv${family} outer: without qfi and psc there is no container, whatever the role; nor with psc none (G9)`,
    inMachines(async (t, m) => {
      const { sent } = await linked(m, family);
      const plain = async (): Promise<void> => {
        const { gtp } = await sent({});
        t.deepEqual([gtp.flags, gtp.extensions], [0x30, []]);
      };
      await plain();
      await gtpIn(m.m1, 'link set gtp0 role sgsn');
      await plain();
      await gtpIn(m.m1, `${change} qfi 9`);
      t.is((await sent({})).gtp.extensions.length, 1, 'asked for');
      await gtpIn(m.m1, 'session del dev gtp0 local-teid 1');
      await gtpIn(m.m1, `session add dev gtp0 local-teid 1 remote-teid 2 remote ${outer[family][1]} psc none`);
      await plain();
    }),
  );

  test.serial(
    `IPv${family} outer: qfi brings a container of the role's direction, as the first and only extension (G6, G7)`,
    inMachines(async (t, m) => {
      const { sent } = await linked(m, family, 'qfi 9');
      const has = async (content: string): Promise<void> => {
        for (const version of families) {
          const { gtp } = await sent({ version });
          const found = gtp.extensions.map((each) => [each.type, each.content.toString('hex')]);
          t.deepEqual([gtp.flags, found], [0x34, [[0x85, content]]]);
        }
      };
      await has('0009');
      await gtpIn(m.m1, `${change} qfi 63 rqi`);
      await has('007f');
      await gtpIn(m.m1, `${change} ppi 5`);
      await has('00ffa0000000');
      await gtpIn(m.m1, `session replace dev gtp0 local-teid 1 remote-teid 2 remote ${outer[family][1]} psc ul qfi 5`);
      await has('1005');
      await gtpIn(m.m1, `session replace dev gtp0 local-teid 1 remote-teid 2 remote ${outer[family][1]} psc dl qfi 5`);
      await has('0005');
      await gtpIn(m.m1, `session replace dev gtp0 local-teid 1 remote-teid 2 remote ${outer[family][1]} qfi 5`);
      await gtpIn(m.m1, 'link set gtp0 role sgsn');
      await has('1005');
    }),
  );
}

test.serial(
  'rqi and ppi, which exist downlink only, are refused uplink; a QFI has six bits (G7)',
  inMachines(async (t, m) => {
    await linkedBy(m, 4, 'role sgsn');
    const add = (words: string) =>
      gtpTry(m.m1, `session add dev gtp0 local-teid 1 remote-teid 2 remote ${outer[4][1]} ${words}`);
    for (const words of ['qfi 9 rqi', 'qfi 9 ppi 1']) {
      const { status, stderr } = await add(words);
      t.is(status, 1, words);
      t.regex(stderr, /downlink only/);
    }
    t.regex((await add('qfi 64')).stderr, /qfi: .*64/);
  }),
);

for (const family of families) {
  test.serial(
    `IPv${family} outer: a peer's TEID 0 is taken and sent; our own 0 is refused (G20)`,
    inMachines(async (t, m) => {
      const remote = outer[family][1];
      const { sent } = await linkedBy(m, family, `local-teid 1 remote-teid 0 remote ${remote}`);
      t.is((await sent({})).gtp.teid, 0);
      for (const command of ['add', 'change', 'replace']) {
        const { status, stderr } = await gtpTry(
          m.m1,
          `session ${command} dev gtp0 local-teid 0 remote-teid 2 remote ${remote} ue 10.9.9.9`,
        );
        t.is(status, 1, command);
        t.regex(stderr, /^Error: .*local-teid.*"0"/);
      }
    }),
  );
}
