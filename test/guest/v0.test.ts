// SPDX-License-Identifier: MIT
import test from 'ava';
import { closeFixture } from '../fixture';
import { exchange, joinGuest, opposite, tid } from './driver';
import { quickKernels } from './kernels';
import { beside } from './topology';

test.after.always(closeFixture);

for (const kernel of quickKernels)
  for (const role of ['ggsn', 'sgsn'] as const)
    beside(kernel, `GTP version 0: we are ${opposite[role]} for the kernel's ${role}`, async (t, world) => {
      await joinGuest({ ...kernel, ipv6: false }, world, role, { ends: tid });
      await exchange(t, world, [4]);
    });
