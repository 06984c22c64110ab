// SPDX-License-Identifier: MIT
import { closeSync } from 'node:fs';
import { getsockopt, MSG_DONTWAIT, POLLERR, POLLIN, poll, recv, SO_ERROR, SOL_SOCKET, send } from '../bindings/libc';
import { type IcmpError, takeErrors } from './errors';
import type { UdpSocket } from './socket';

/** A datagram of the peer. `at`: when the thread woke up for it, in milliseconds on the clock of performance.now. */
export type Datagram = { readonly at: number; readonly bytes: Buffer };

/** An answer of the peer of which no more is known than that it came; `at` as in Datagram. */
export type Sign = { readonly at: number };

/** What became of sending. `at`: right before, on the same clock. `errno`: 0, or why the kernel refused. */
export type Sent = { readonly at: number; readonly errno: number };

/** A socket in use. To wait blocks the thread: a callback of Node runs later than the answer comes. */
export type Talk = {
  send(bytes: Uint8Array): Sent;
  /** Waits at most so many milliseconds, less when a signal comes, until something is there. Returns what is, in order. */
  hear(milliseconds: number): readonly (Datagram | Sign | IcmpError)[];
  close(): void;
};

/** Starts to use a socket; from then on its descriptor is the talk's. The network namespace of the caller does not matter. */
export function talk({ fd }: UdpSocket): Talk {
  const buffer = Buffer.alloc(LONGEST);
  // Before the socket was connected, anybody could send to it; from then on the peer alone.
  while (hear(fd, buffer, 0).length > 0);
  return {
    send: (bytes) => {
      attempt(NO_FD, bytes); // after a pause the way to the kernel is slow
      const first = attempt(fd, bytes);
      // An ICMP error that came before is told by sending, which then has not sent. Its details stay for hear.
      return first.errno === 0 ? first : attempt(fd, bytes);
    },
    hear: (milliseconds) => hear(fd, buffer, milliseconds),
    close: () => closeSync(fd),
  };
}

/** A talk that sends nothing and hears nothing: what runs with it once runs faster the next time. */
export function rehearsal(): Talk {
  const buffer = Buffer.alloc(0);
  return {
    send: (bytes) => attempt(NO_FD, bytes),
    hear: () => hear(NO_FD, buffer, 0),
    close: () => undefined,
  };
}

// poll(2) passes over it, send(2) refuses it.
const NO_FD = -1;
/** No datagram is longer. */
const LONGEST = 65536;
/** At most so many are taken at once: a flood must not keep the rest waiting. */
const AT_ONCE = 64;

function attempt(fd: number, bytes: Uint8Array): Sent {
  const at = performance.now();
  const result = send(fd, bytes, MSG_DONTWAIT);
  return { at, errno: result < 0 ? -result : 0 };
}

function hear(fd: number, buffer: Buffer, milliseconds: number): (Datagram | IcmpError)[] {
  const heard: (Datagram | IcmpError)[] = [];
  let wait = Math.ceil(milliseconds);
  for (let turn = 0; turn < AT_ONCE; turn++) {
    const events = poll(fd, POLLIN, wait);
    const at = performance.now();
    if (events <= 0) break;
    if ((events & POLLERR) !== 0) heard.push(...pendingErrors(fd));
    else {
      const length = recv(fd, buffer, MSG_DONTWAIT);
      if (length >= 0) heard.push({ at, bytes: Buffer.from(buffer.subarray(0, length)) });
    }
    wait = 0;
  }
  return heard;
}

// The kernel has an error without details when the queue was full. To ask for it clears it, else poll would go on about it.
function pendingErrors(fd: number): IcmpError[] {
  const found = takeErrors(fd);
  const errno = new Int32Array(1);
  getsockopt(fd, SOL_SOCKET, SO_ERROR, new Uint8Array(errno.buffer));
  if (found.length > 0 || errno[0] === 0) return found;
  return [{ errno: errno[0] ?? 0, from: undefined, quoted: Buffer.alloc(0) }];
}
