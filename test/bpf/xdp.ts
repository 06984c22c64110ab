// SPDX-License-Identifier: MIT
import type { ExecutionContext } from 'ava';
import type { rx_session } from '../../src/datapath/layout.gen';
import type { OpenMaps } from '../../src/datapath/maps';
import { type Counters, raisedBetween } from './counters';
import { type Programs, type Run, type Skb, sameFrame } from './harness';
import type { Packet } from './packet';

/**
 * Sends a frame through `underlay_xdp` where a driver would, then through `underlay`, and wants the same of both: either XDP leaves the
 * frame as it came and counts nothing, or both deliver the same octets, with the same counters and the same said of the session.
 */
export function underlayBothWays(
  t: ExecutionContext,
  { programs, counters }: { programs: Programs; counters: Counters },
  frame: Buffer | Packet,
  skb: Skb,
): Run & ReturnType<Counters['around']> {
  const tc = (): Run => programs.run('underlay', frame, skb);
  if (skb.gso_size !== undefined || skb.ifindex !== undefined) return counters.around(tc);
  const { maps } = programs;
  const sessions = [...maps.rx.entries()];
  const before = counters.snapshot();
  const first = programs.runXdp(frame);
  const between = counters.snapshot();
  const raised = raisedBetween(before, between);
  if (first.verdict === 'pass') {
    sameFrame(t, first.frame, frame);
    t.deepEqual(raised, { counted: [], beside: [] }, 'XDP counts nothing of what it passes');
    return { ...tc(), ...raisedBetween(between, counters.snapshot()) };
  }
  const seen = seenOf(maps);
  for (const [key, session] of sessions) maps.rx.put(key, session);
  const run = counters.around(tc);
  sameFrame(t, first.frame, run.frame);
  t.deepEqual([first.verdict, raised.counted, raised.beside], [run.verdict, run.counted, run.beside], 'XDP as tc');
  t.deepEqual(seen, seenOf(maps), 'what the session is known to have sent');
  return run;
}

// Without the clock.
function seenOf(maps: OpenMaps): Omit<rx_session, 'seen' | 'config'>[] {
  return [...maps.rx.entries()].map(([, { seen: _, config: __, ...rest }]) => rest);
}
