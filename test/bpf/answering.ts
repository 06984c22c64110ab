// SPDX-License-Identifier: MIT
import type { ExecutionContext } from 'ava';
import { zero } from '../../src/datapath/codec';
import { sameFrame } from './harness';
import type { Network } from './network';
import type { Packet } from './packet';
import { octetsOf } from './receive';
import { PORT, PORT0, portBits } from './session';
import type { Counted, World } from './world';

/** What the tests of signalling assert: of a frame that came by a device with a route back, and of one that came by lo. */
export interface Answering {
  /** Wants exactly this answer, and these counters. */
  answers(t: ExecutionContext, frame: Packet | Buffer, wanted: Packet | Buffer, counted: string, sent: string): void;
  /** Wants it dropped by this name at the local address, or on the session, and nothing sent. */
  drops(t: ExecutionContext, frame: Packet | Buffer, counted: string, beside?: readonly string[]): void;
  /** Wants it taken note of: neither dropped by name nor answered. */
  notes(t: ExecutionContext, frame: Packet | Buffer, counted: string, beside?: readonly string[]): void;
  /** Sends a frame by the underlay, with every bucket full. */
  send(t: ExecutionContext, frame: Packet | Buffer, dev?: 'lo' | 'ul'): Counted;
}

/** The namespace's shim and ports, after each reset of the world. */
export function configure(world: World, { dev }: Network, ...more: readonly number[]): void {
  const ports = portBits(PORT, PORT0, ...more);
  world.maps.config.put(0, { ...zero('config'), shim_out: dev('shim0'), shim_in: dev('shim1'), ports });
}

export function answering(world: World, { dev, inside }: Network): Answering {
  const send: Answering['send'] = (t, frame, by = 'ul') => {
    for (const limit of ['echo', 'errind', 'extnotify'] as const) world.limit(limit, 0n);
    return inside(() => world.send(t, 'underlay', frame, by === 'lo' ? {} : { ifindex: dev('ul') }));
  };
  const shot: Answering['drops'] = (t, frame, counted, beside = []) => {
    for (const by of ['ul', 'lo'] as const) {
      const run = send(t, frame, by);
      t.is(run.verdict, 'shot', by);
      t.deepEqual([run.counted, run.beside], [[counted], beside], by);
    }
  };
  return {
    send,
    answers: (t, frame, wanted, counted, sent) => {
      for (const by of ['ul', 'lo'] as const) {
        const run = send(t, frame, by);
        // by lo it goes up the stack as it stands, which has the route already
        t.is(run.verdict, by === 'ul' ? 'redirect' : 'unspec');
        t.deepEqual([run.counted, run.beside.filter((each) => each.startsWith('sent'))], [[counted], [sent]]);
        sameFrame(t, run.frame, wanted);
      }
    },
    drops: (t, frame, reason, beside) => shot(t, frame, `${reason}: 1 ${octetsOf(frame).length}`, beside),
    notes: (t, frame, counted, beside) => shot(t, frame, `${counted}: 1 0`, beside),
  };
}

/** What counts at our address of a family. */
export const atEndpoint = (reason: string, port = PORT): string => `${reason} endpoint ${port}`;
