// SPDX-License-Identifier: MIT
import { CLOCK_REALTIME, clock_gettime, ioctl, SIOCGSTAMPNS } from '../bindings/libc';

/** Milliseconds since the kernel got the datagram that was read last from a socket; asked before, it starts to note them. */
export function sinceArrival(fd: number): number {
  const [stamp, now] = [Buffer.alloc(TIMESPEC), Buffer.alloc(TIMESPEC)];
  // ENOENT: nothing was read yet.
  if (ioctl(fd, SIOCGSTAMPNS, stamp) < 0 || clock_gettime(CLOCK_REALTIME, now) < 0) return 0;
  return Number(nanoseconds(now) - nanoseconds(stamp)) / 1e6;
}

const TIMESPEC = 16;

function nanoseconds(timespec: Buffer): bigint {
  return timespec.readBigInt64LE(0) * 1_000_000_000n + timespec.readBigInt64LE(8);
}
