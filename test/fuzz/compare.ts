// SPDX-License-Identifier: MIT
import { type Outcome, outcomeName } from '../rules/outcome';
import { receive } from '../rules/receive';
import type { Counts } from './counters';
import type { Datapath, Made } from './datapath';
import { addCounts, countsText, difference, raised, sameCounts, type Wanted, wantedOf } from './opinion';
import { tables } from './places';

/** A frame on which the rules and the program differ. */
export interface Finding {
  readonly frame: Buffer;
  readonly hasTokens: boolean;
  /** How the two differ, without octets and numbers: findings with the same words have one cause. */
  readonly kind: string;
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
  readonly hasTokens: boolean;
  add(frame: Buffer): Outcome;
  /** Frames on which the two differ. */
  finish(): Finding[];
}

/** Starts a batch. When its counters are not what they should be, its frames are run again one by one. */
export function startBatch(datapath: Datapath, hasTokens: boolean): Batch {
  datapath.setTokens(hasTokens);
  const before = datapath.counters();
  const sums: Counts = new Map();
  const frames: Buffer[] = [];
  const suspects: Buffer[] = [];
  const runOne = (frame: Buffer, wanted: Wanted): void => {
    const made = datapath.run(frame);
    if (made === undefined) return;
    frames.push(frame);
    addCounts(sums, wanted);
    if (difference(wanted, made) !== undefined) suspects.push(frame);
  };
  return {
    hasTokens,
    add: (frame) => {
      const outcome = receive(frame, tables(hasTokens));
      if (outcome.kind === 'unclaimed') return outcome;
      if (hasTokens && needsTokens(outcome)) datapath.setTokens(true);
      runOne(frame, wantedOf(outcome, frame, tables(hasTokens)));
      return outcome;
    },
    finish: () => {
      const isCounted = sameCounts(raised(before, datapath.counters()), sums);
      const again = isCounted ? suspects : frames;
      return again.map((frame) => compareOne(datapath, frame, hasTokens)).filter((found) => found !== undefined);
    },
  };
}

function needsTokens(outcome: Outcome): boolean {
  return outcome.kind === 'answer' || (outcome.kind === 'drop' && outcome.sent !== undefined);
}
