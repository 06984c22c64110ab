// SPDX-License-Identifier: MIT
import { type Outcome, outcomeName } from '../rules/outcome';
import { receive } from '../rules/receive';
import type { Counts } from './counters';
import type { Datapath, Made } from './datapath';
import { addCounts, countsText, difference, raised, sameCounts, wantedOf } from './opinion';
import { tables } from './places';

/** A frame on which the rules and the program differ. */
export interface Finding {
  readonly frame: Buffer;
  readonly hasTokens: boolean;
  /** How the two differ, without octets and numbers: findings with the same words have one cause. */
  readonly kind: string;
  /** The outcome by the rules. */
  readonly outcome: string;
  readonly rules: string;
  readonly program: string;
}

/** Runs one frame through both, reading every counter before and after; undefined if they agree or nothing is claimed. */
export function compareOne(datapath: Datapath, frame: Buffer, hasTokens: boolean): Finding | undefined {
  const outcome = receive(frame, tables(hasTokens));
  if (outcome.kind === 'unclaimed') return undefined;
  const wanted = wantedOf(outcome, frame, tables(hasTokens));
  datapath.setTokens(hasTokens);
  const before = datapath.counters();
  const made = datapath.run(frame);
  if (made === undefined) return undefined;
  const counted = raised(before, datapath.counters());
  const sums: Counts = new Map();
  addCounts(sums, wanted);
  const differs = difference(wanted, made) ?? (sameCounts(counted, sums) ? undefined : 'counters differ');
  if (differs === undefined) return undefined;
  const reasons = [...counted.keys()].map((name) => name.split(' ')[0]).join(' ') || 'nothing';
  return {
    frame,
    hasTokens,
    outcome: outcomeName(outcome),
    kind: `${outcomeName(outcome)} | ${differs} | counted ${reasons}`,
    rules: `${outcomeName(outcome)}; counted ${countsText(sums)}${octetsText(wanted.packet)}`,
    program: `${made.verdict}; counted ${countsText(counted)}${octetsText(seenPacket(made))}`,
  };
}

function seenPacket({ verdict, frame }: Made): Buffer | undefined {
  return verdict === 'redirect' || verdict === 'pass' ? frame.subarray(14) : undefined;
}

function octetsText(packet: Buffer | undefined): string {
  return packet === undefined ? '' : `; ${packet.length} octets ${packet.toString('hex')}`;
}

/** A batch of frames: verdicts and octets are compared for each, counters for all together. */
export interface Batch {
  add(frame: Buffer): Outcome;
  /** Frames on which the two differ: some of them, if there are many. */
  finish(): Finding[];
}

const ENOUGH = 4;

/** Starts a batch. When something in it is not as it should be, it is run again in halves until single frames are left. */
export function startBatch(datapath: Datapath, hasTokens: boolean): Batch {
  datapath.setTokens(hasTokens);
  const before = datapath.counters();
  const sums: Counts = new Map();
  const frames: Buffer[] = [];
  let isGood = true;
  return {
    add: (frame) => {
      const outcome = receive(frame, tables(hasTokens));
      if (outcome.kind === 'unclaimed') return outcome;
      if (hasTokens && needsTokens(outcome)) datapath.setTokens(true);
      const wanted = wantedOf(outcome, frame, tables(hasTokens));
      const made = datapath.run(frame);
      if (made === undefined) return outcome;
      frames.push(frame);
      addCounts(sums, wanted);
      if (difference(wanted, made) !== undefined) isGood = false;
      return outcome;
    },
    finish: () => {
      if (isGood && sameCounts(raised(before, datapath.counters()), sums)) return [];
      return findBad(datapath, frames, hasTokens);
    },
  };
}

function findBad(datapath: Datapath, frames: readonly Buffer[], hasTokens: boolean): Finding[] {
  const [first, second] = frames;
  if (first === undefined) return [];
  if (second === undefined) return [compareOne(datapath, first, hasTokens)].filter((found) => found !== undefined);
  const middle = frames.length >> 1;
  const found: Finding[] = [];
  for (const half of [frames.slice(0, middle), frames.slice(middle)]) {
    if (found.length >= ENOUGH) break;
    const batch = startBatch(datapath, hasTokens);
    for (const frame of half) batch.add(frame);
    found.push(...batch.finish());
  }
  return found;
}

function needsTokens(outcome: Outcome): boolean {
  return outcome.kind === 'answer' || (outcome.kind === 'drop' && outcome.sent !== undefined);
}
