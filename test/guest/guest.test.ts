// SPDX-License-Identifier: MIT
import test from 'ava';
import { closeFixture } from '../fixture';
import { kernels, quickKernels } from './kernels';
import { answers, beside } from './topology';

test.after.always(closeFixture);

for (const kernel of kernels) {
  beside(kernel, 'a guest runs commands of this machine by a kernel of its own', async (t, { m1, guest }) => {
    t.true((await guest.must('uname -r')).startsWith(kernel.release));
    t.deepEqual(await guest.run('echo out; echo err >&2; exit 3'), { status: 3, stdout: 'out\n', stderr: 'err\n' });
    t.not((await guest.run('touch /etc/touched')).status, 0, 'the files of this machine are not its to change');
    t.true(await answers(m1, '192.0.2.2'));
    t.true(await answers(m1, '2001:db8:2::2'));
    const slow = guest.must('until [ -e quick ]; do sleep 0.1; done; echo slow');
    t.deepEqual(await Promise.all([slow, guest.must('touch quick; echo quick')]), ['slow\n', 'quick\n']);
  });
}

for (const kernel of quickKernels)
  beside(kernel, 'a guest that panics is gone with all its processes, and says why', async (t, { guest }) => {
    const error = await t.throwsAsync(guest.run('echo c >/proc/sysrq-trigger'));
    t.regex(error?.message ?? '', /the guest died before .*Kernel panic/s);
  });
