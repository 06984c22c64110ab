// SPDX-License-Identifier: MIT
import test from 'ava';
import { closeFixture, linkStats } from '../fixture';
import { ping } from '../topology';
import { exchange, joinGuest, opposite, theirStats, users } from './driver';
import { quickKernels } from './kernels';
import { beside } from './topology';

test.after.always(closeFixture);

const roles = ['ggsn', 'sgsn'] as const;

for (const kernel of quickKernels) {
  const inners = kernel.ipv6 ? ([4, 6] as const) : ([4] as const);

  for (const family of inners)
    for (const role of roles)
      beside(
        kernel,
        `IPv${family} outer: we are ${opposite[role]} for the kernel's ${role}, IPv${inners.join(' and IPv')} inside`,
        async (t, world) => {
          await joinGuest(kernel, world, role, { family });
          await exchange(t, world, inners);
        },
      );

  for (const role of roles)
    beside(
      kernel,
      `as ${opposite[role]} we send PDU Session Containers, and the kernel ${kernel.extensions ? 'takes' : 'refuses'} them`,
      async (t, world) => {
        await joinGuest(kernel, world, role, { words: 'qfi 9' });
        if (kernel.extensions) return exchange(t, world, inners);
        t.is(await ping(world.ue1, users[4][1], 3, '-W', '0.3'), 0);
        const [here, there] = [await linkStats(world.m1), await theirStats(world.guest)];
        t.deepEqual(
          [here.encap.packets, here.decap.packets, there.rx.packets, there.rx.errors],
          [3, 0, 0, 0],
          'silence',
        );
      },
    );
}
