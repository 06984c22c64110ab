// SPDX-License-Identifier: MIT
import type { Outcome } from '../rules/outcome';
import { receive } from '../rules/receive';
import type { Tables } from '../rules/tables';
import { tagOf } from '../rules/tunnel';
import { type Counts, dropPlace, endpointName, sessionName } from './counters';
import type { Made } from './datapath';

const ETHERNET = 14;

/** What the rules want to see of the program. */
export interface Wanted {
  readonly verdict: Made['verdict'];
  /** The frame behind the Ethernet header; undefined where nobody gets one. */
  readonly packet: Buffer | undefined;
  /** The Ethernet header, where it matters. */
  readonly header?: Buffer | undefined;
  /** Counters to raise, and by how much. */
  readonly counted: readonly (readonly [name: string, count: number])[];
}

/**
 * What has to be seen when the rules say so of this frame. Frames come by lo here, where an answer goes up as if it had come
 * so: to the stack, or to another endpoint of ours, which receives it by the same rules.
 */
export function wantedOf(outcome: Claimed, frame: Buffer, tables: Tables): Wanted {
  switch (outcome.kind) {
    case 'pass':
      return { verdict: 'pass', packet: behindTag(frame), counted: [] };
    case 'other':
      return {
        verdict: 'pass',
        packet: frame.subarray(ETHERNET),
        counted: [[`passed ${endpointName(outcome.endpoint)}`, 1]],
      };
    case 'deliver': {
      const name = sessionName(outcome.session);
      const { inner, octets } = outcome;
      const isTagged = 'kind' in outcome.session && outcome.session.kind === 'vlan';
      return {
        verdict: 'redirect',
        packet: isTagged ? behindTag(Buffer.concat([frame.subarray(0, 12), frame.subarray(16, 18), inner])) : inner,
        header: outcome.header,
        counted: [
          [`delivered ${name}`, 1],
          [`delivered octets ${name}`, octets],
        ],
      };
    }
    case 'answer': {
      const name = endpointName(outcome.endpoint);
      return withSent(
        [
          [`answered ${name}`, 1],
          [`sent_echo ${name}`, 1],
        ],
        outcome.packet,
        frame,
        tables,
      );
    }
    case 'consume':
      return { verdict: 'drop', packet: undefined, counted: [[`${outcome.counter} ${placeOf(outcome, frame)}`, 1]] };
    case 'drop':
      return wantedDrop(outcome, frame, tables);
  }
}

/** What stands behind the Ethernet header, and a tag, which the stack puts beside the frame. */
function behindTag(frame: Buffer): Buffer {
  return frame.subarray(tagOf(frame)?.id === undefined ? ETHERNET : ETHERNET + 4);
}

type Claimed = Exclude<Outcome, { kind: 'unclaimed' }>;

function withSent(counted: Wanted['counted'], packet: Buffer, frame: Buffer, tables: Tables): Wanted {
  const answer = Buffer.concat([frame.subarray(0, ETHERNET), packet]);
  const then = receive(answer, tables);
  if (then.kind === 'unclaimed') throw new Error(`nothing is said of an answer of our own: ${answer.toString('hex')}`);
  const wanted = wantedOf(then, answer, tables);
  return { ...wanted, counted: [...counted, ...wanted.counted] };
}

function placeOf({ session }: Extract<Outcome, { kind: 'consume' }>, frame: Buffer): string {
  return session === undefined ? peerName(frame) : sessionName(session);
}

// Whoever sent a Notification: outer addresses, whatever stands between IP and UDP.
function peerName(frame: Buffer): string {
  const [from, size] = frame.readUInt16BE(12) === 0x0800 ? [ETHERNET + 12, 4] : [ETHERNET + 8, 16];
  const address = (n: number): string => frame.toString('hex', from + n * size, from + (n + 1) * size);
  return `${address(1)} ${address(0)}`;
}

function wantedDrop(outcome: Extract<Outcome, { kind: 'drop' }>, frame: Buffer, tables: Tables): Wanted {
  const { reason, session, endpoint, sent } = outcome;
  const at = session === undefined ? `endpoint ${endpointName(endpoint)}` : dropPlace(session);
  const octets = frame.length - tagOctets(frame);
  const counted = [[`${reason} ${at}`, 1] as const, [`octets ${reason} ${at}`, octets] as const];
  if (sent === undefined) return { verdict: 'drop', packet: undefined, counted };
  return withSent([...counted, [`sent_${sent.what} ${endpointName(endpoint)}`, 1]], sent.packet, frame, tables);
}

// A tag stands beside the frame, and so does the next one when the first is taken away.
function tagOctets(frame: Buffer): number {
  const tag = tagOf(frame);
  if (tag === undefined) return 0;
  return tag.id !== 0 && tagOf(frame.subarray(4))?.id !== undefined ? 8 : 4;
}

/** What is wrong with what the program made of a frame, counters apart; undefined if nothing is. */
export function difference(wanted: Wanted, made: Made): string | undefined {
  if (made.verdict !== wanted.verdict) return `verdict ${made.verdict} instead of ${wanted.verdict}`;
  const { packet, header } = wanted;
  if (header?.subarray(0, 12).equals(made.frame.subarray(0, 12)) === false) return 'Ethernet addresses differ';
  if (packet === undefined || packet.equals(made.frame.subarray(ETHERNET))) return undefined;
  return `octets differ`;
}

/** Adds what a frame has to count to the sums of a batch. */
export function addCounts(sums: Counts, { counted }: Wanted): void {
  for (const [name, count] of counted) if (count > 0) sums.set(name, (sums.get(name) ?? 0n) + BigInt(count));
}

/** How much each counter was raised. */
export function raised(before: Readonly<Counts>, after: Readonly<Counts>): Counts {
  const names = [...after.keys()].filter((name) => after.get(name) !== (before.get(name) ?? 0n));
  return new Map(names.map((name) => [name, (after.get(name) ?? 0n) - (before.get(name) ?? 0n)]));
}

/** Whether two sets of counters say the same. */
export function sameCounts(a: Readonly<Counts>, b: Readonly<Counts>): boolean {
  return a.size === b.size && [...a].every(([name, count]) => b.get(name) === count);
}

/** Counters as one line of text, sorted. */
export function countsText(counts: Readonly<Counts>): string {
  return (
    [...counts]
      .map(([name, count]) => `${name}: ${count}`)
      .sort()
      .join(', ') || 'nothing'
  );
}
