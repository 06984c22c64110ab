// SPDX-License-Identifier: MIT
import { createSocket } from 'node:dgram';
import { send as sendOn } from '../bindings/libc';
import { address as addressKind, sameAddress } from '../values';
import { type IcmpError, takeErrors } from './errors';
import type { UdpSocket } from './socket';
import { sinceArrival } from './stamp';

/**
 * A datagram of the peer. `at`: when the kernel got it, `read`: when we did, in milliseconds on the clock of
 * performance.now; `at` is wrong when somebody set the clock in between.
 */
export type Datagram = { readonly at: number; readonly read: number; readonly bytes: Buffer };

/** A socket in use: what is sent, and what has come in since somebody looked. */
export type Inbox = {
  /** Sends one datagram. Returns 0, or the errno with which the kernel refused it. */
  send(bytes: Uint8Array): number;
  /** What came in, in order. */
  take(): readonly (Datagram | IcmpError)[];
  /** Waits until something comes in, `stop` is set, or so many milliseconds are over. */
  wait(milliseconds: number, stop: AbortSignal): Promise<void>;
  close(): Promise<void>;
};

/** Listens to a socket; from then on the inbox owns its descriptor. The network namespace of the caller does not matter. */
export function listen({ fd, peer }: UdpSocket): Inbox {
  const arrived: (Datagram | IcmpError)[] = [];
  let wake = (): void => undefined;
  const put = (...found: readonly (Datagram | IcmpError)[]): void => {
    arrived.push(...found);
    wake();
  };
  const socket = createSocket(peer.address.family === 4 ? 'udp4' : 'udp6');
  socket.on('message', (bytes, from) => {
    const read = performance.now();
    const at = read - sinceArrival(fd);
    // Before the socket was connected, anybody could send to it.
    const sender = addressKind.parse(from.address.split('%')[0] ?? '');
    if (from.port === peer.port && sameAddress(sender, peer.address)) put({ at, read, bytes });
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    const found = takeErrors(fd);
    const bare = { errno: Math.abs(error.errno ?? 0), from: undefined, quoted: Buffer.alloc(0) };
    put(...(found.length > 0 ? found : [bare]));
  });
  // The first call of each function binds it, which takes longer than many an answer.
  sinceArrival(fd);
  sendOn(-1, new Uint8Array(0));
  socket.bind({ fd });
  return {
    send: (bytes) => send(fd, bytes, put),
    take: () => arrived.splice(0),
    wait: (milliseconds, stop) =>
      new Promise((resolve) => {
        if (arrived.length > 0 || stop.aborted) return resolve();
        const timer = setTimeout(() => wake(), Math.max(0, milliseconds));
        wake = () => {
          clearTimeout(timer);
          stop.removeEventListener('abort', wake);
          resolve();
        };
        stop.addEventListener('abort', wake);
      }),
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

// Sending tells of an ICMP error that came before, and then has not sent.
function send(fd: number, bytes: Uint8Array, put: (...found: IcmpError[]) => void): number {
  const first = sendOn(fd, bytes);
  if (first >= 0) return 0;
  put(...takeErrors(fd));
  const second = sendOn(fd, bytes);
  if (second >= 0) return 0;
  put(...takeErrors(fd));
  return -second;
}
