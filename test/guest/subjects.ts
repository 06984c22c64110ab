// SPDX-License-Identifier: MIT
import type { ExecutionContext, TryResult } from 'ava';
import { LIFE } from './boot';
import { carrying } from './carrying';
import { tool } from './driver';
import type { Kernel } from './kernels';
import { mixedFrames, mixedPackets } from './mixing';
import { strangers } from './strangers';
import { tenants } from './tenants';
import { type Beside, beside } from './topology';

const SUBJECTS: Readonly<Record<string, (t: ExecutionContext, world: Beside, kernel: Kernel) => Promise<void>>> = {
  'small, large and many packets go both ways': carrying,
  'tenants with equal addresses do not meet': tenants,
  'one link of frames has sessions of many kinds': mixedFrames,
  'one link of packets has sessions of many kinds': mixedPackets,
  'what does not fit is dropped for the reason that is its own': strangers,
};

/** Defines the test of a kernel's tunnels of all kinds: all subjects beside one guest, as booting it takes long. */
export function tunnelsOf(kernel: Kernel): void {
  beside(kernel, 'tunnels of all the kinds that it has', async (t, world) => {
    t.timeout(LIFE * 1000);
    await tool(world.guest, 'mirror.py');
    await world.guest.must('echo 1 >/proc/sys/net/ipv4/tcp_l3mdev_accept');
    const attempts: TryResult[] = [];
    for (const [title, body] of Object.entries(SUBJECTS))
      attempts.push(await t.try(title, (each) => body(each, world, kernel)));
    // The first that is committed and failed ends the test.
    for (const { title, passed } of attempts) if (!passed) t.log('failed:', title);
    for (const attempt of attempts) attempt.commit();
  });
}
