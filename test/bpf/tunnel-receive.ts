// SPDX-License-Identifier: MIT
import type { ExecutionContext } from 'ava';
import { frame } from './frames';
import { delivered } from './gtp';
import { sameFrame } from './harness';
import { plain } from './inners';
import { hex } from './session';
import type { Tunnel } from './tunnel';
import type { Counted, World } from './world';

/** What the tests of tunnels by kind assert; each frame raises exactly one counter. */
export interface TunnelReceiver {
  /** Wants the plain payload of the tunnel at the inner end, counted on the session with that number. */
  delivers(t: ExecutionContext, outer: Buffer, id: number | bigint): void;
  /** Wants the frame dropped, and counted on a session, by its number. */
  drops(t: ExecutionContext, outer: Buffer, reason: string, id: number | bigint): void;
  /** Wants the frame dropped, and counted on the local address. */
  dropsAtEndpoint(t: ExecutionContext, outer: Buffer, reason: string, at: number | string): void;
  /** Wants the frame left to the stack as it came: counted as passed on the local address, or nowhere. */
  leaves(t: ExecutionContext, outer: Buffer, local?: string): void;
}

/** The payload that tests of a kind send: an IPv4 packet, or a frame with it. */
export function payloadOf({ payload }: Pick<Tunnel, 'payload'>): Buffer {
  return payload === 'ip' ? plain[4] : frame(0x0800, plain[4]);
}

export function tunnelReceiver(world: World, payload: Buffer): TunnelReceiver {
  const isPacket = payload === plain[4];
  const send = (t: ExecutionContext, outer: Buffer, verdict: string, counted: readonly string[]): Counted => {
    const run = world.send(t, 'stack underlay', outer, {}, counted.length);
    t.is(run.verdict, verdict);
    t.deepEqual(run.counted, counted);
    return run;
  };
  return {
    delivers: (t, outer, id) => {
      const run = send(t, outer, 'redirect', [`rx ${hex(id)}: 1 ${payload.length}`]);
      sameFrame(t, run.frame, isPacket ? delivered(payload) : payload);
    },
    drops: (t, outer, reason, id) => void send(t, outer, 'shot', [`${reason} session ${hex(id)}: 1 ${outer.length}`]),
    dropsAtEndpoint: (t, outer, reason, at) =>
      void send(t, outer, 'shot', [`${reason} endpoint ${at}: 1 ${outer.length}`]),
    leaves: (t, outer, local) => {
      const run = send(t, outer, 'unspec', local === undefined ? [] : [`passed ${local}: 1 0`]);
      sameFrame(t, run.frame, outer);
    },
  };
}
