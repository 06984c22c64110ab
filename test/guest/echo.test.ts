// SPDX-License-Identifier: MIT
import test from 'ava';
import { closeFixture, gtpIn, gtpTry, machineStats } from '../fixture';
import { dropped, packets } from '../records';
import { joinGuest, tid, tool } from './driver';
import { quickKernels } from './kernels';
import { beside } from './topology';

test.after.always(closeFixture);

const three = 'count 3 interval 0.1';

for (const kernel of quickKernels) {
  beside(kernel, 'the kernel answers gtp ping, beside a link of ours and without one', async (t, world) => {
    await joinGuest(kernel, world, 'ggsn', { theirWords: 'restart_count 7' });
    const answers = async (words: string): Promise<string> => {
      const { status, stdout, stderr } = await gtpTry(world.m1, `ping ${words} ${three}`);
      t.is(status, 0, stderr);
      t.regex(stdout, /^3 packets transmitted, 3 received, 0% packet loss/m, words);
      return stdout;
    };
    await answers('dev gtp0');
    await answers('192.0.2.2 local 192.0.2.1');
    await gtpIn(world.m1, 'link del gtp0');
    await answers('192.0.2.2');
    t.regex(await answers('192.0.2.2 version 0'), /restart_count=7\b/);
  });

  for (const [version, ends] of [[1, undefined] as const, [0, tid] as const])
    beside(kernel, `our endpoint answers the kernel's Echo Request of version ${version}`, async (t, world) => {
      await joinGuest({ ...kernel, ipv6: false }, world, 'ggsn', ends === undefined ? {} : { ends });
      const told = await tool(world.guest, 'gtpctl.py', `echo gtp0 ${version} 192.0.2.2 192.0.2.1`);
      t.is(told, `version ${version} from 192.0.2.1\n`);
      const stats = await machineStats(world.m1);
      t.deepEqual([packets(stats.answered), dropped(stats)], [1, {}]);
    });
}
