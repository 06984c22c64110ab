// SPDX-License-Identifier: MIT
import type { ExecutionContext } from 'ava';
import { delivered } from './gtp';
import { type Skb, sameFrame } from './harness';
import type { Packet } from './packet';
import { hex, LOCAL_TEID, PORT } from './session';
import type { World } from './world';

export interface Receiver {
  /** Wants the inner packet at the inner end, counted on the session. */
  delivers(t: ExecutionContext, frame: Packet | Buffer, inner: Buffer): void;
  /** Wants the frame dropped, and counted on the session. */
  drops(t: ExecutionContext, frame: Packet | Buffer, reason: string, skb?: Skb): void;
  /** Wants the frame dropped, and counted on the local address. */
  dropsAtEndpoint(t: ExecutionContext, frame: Packet | Buffer, reason: string): void;
  /** Wants the frame left to the stack as it came, uncounted unless said otherwise. */
  leaves(t: ExecutionContext, frame: Packet | Buffer, counted?: readonly string[]): void;
}

/** What the tests of receipt assert. */
export function receiver(world: World): Receiver {
  const shot = (t: ExecutionContext, frame: Packet | Buffer, counter: string, skb?: Skb): void => {
    const run = world.send(t, 'underlay', frame, skb);
    t.is(run.verdict, 'shot');
    t.deepEqual(run.counted, [`${counter}: 1 ${octetsOf(frame).length}`]);
  };
  return {
    delivers: (t, frame, inner) => {
      const run = world.send(t, 'underlay', frame);
      t.is(run.verdict, 'redirect');
      t.deepEqual(run.counted, [`rx ${hex(LOCAL_TEID)}: 1 ${inner.length}`]);
      sameFrame(t, run.frame, delivered(inner));
    },
    drops: (t, frame, reason, skb) => shot(t, frame, `${reason} session ${hex(LOCAL_TEID)}`, skb),
    dropsAtEndpoint: (t, frame, reason) => shot(t, frame, `${reason} endpoint ${PORT}`),
    leaves: (t, frame, counted = []) => {
      const run = world.send(t, 'underlay', frame, {}, counted.length);
      t.is(run.verdict, 'unspec');
      t.deepEqual(run.counted, counted);
      sameFrame(t, run.frame, frame);
    },
  };
}

export function octetsOf(frame: Packet | Buffer): Buffer {
  return Buffer.isBuffer(frame) ? frame : frame.bytes();
}
