// SPDX-License-Identifier: MIT
import { outcomeName } from '../rules/outcome';
import { type Batch, type Finding, startBatch } from './compare';
import type { Datapath } from './datapath';
import { makeFrame } from './frames';
import { OUTCOMES } from './outcomes';
import { randomOf } from './random';
import { shrink } from './shrink';
import { usedFrames, variants } from './sweep';

/** What a run found, and how often it came to each outcome of the rules. */
export interface Result {
  readonly findings: readonly Finding[];
  readonly reached: ReadonlyMap<string, number>;
  readonly frames: number;
  readonly seconds: number;
}

const BATCH = 512;
// Every eighth batch has no tokens.
const DRY = 8;
const ENOUGH_FINDINGS = 20;
// The frames of a bad batch are run again one by one, which takes a while.
const ENOUGH_BAD_BATCHES = 20;
// One cause may show in many ways.
const ENOUGH_OF_AN_OUTCOME = 2;

/** Throws so many frames at both. The same seed makes the same frames. */
export function fuzz(datapath: Datapath, seed: number, count: number): Result {
  return throwAll(datapath, randomFrames(seed, count), seed);
}

/** Throws frames of every kind, cut at each octet and with each bit turned. */
export function sweep(datapath: Datapath, seed: number): Result {
  return throwAll(datapath, allVariants(seed), seed);
}

function* randomFrames(seed: number, count: number): Generator<Buffer> {
  for (let index = 0; index < count; index++) yield makeFrame(randomOf(seed, index));
}

function* allVariants(seed: number): Generator<Buffer> {
  for (const frame of usedFrames(seed)) yield* variants(frame);
}

/** Every second batch comes by XDP. Findings of one kind are reported once, shrunk; a run with very many kinds ends early. */
function throwAll(datapath: Datapath, source: Generator<Buffer>, seed: number): Result {
  const start = performance.now();
  const reached = new Map<string, number>();
  const findings = new Map<string, Finding>();
  let [frames, bad] = [0, 0];
  for (let isMore = true; isMore && findings.size < ENOUGH_FINDINGS && bad < ENOUGH_BAD_BATCHES; ) {
    const number = Math.floor(frames / BATCH) + seed;
    datapath.setXdp(number % 2 === 1);
    const batch = startBatch(datapath, number % DRY !== DRY - 1);
    const count = fillBatch(batch, source, reached);
    isMore = count === BATCH;
    frames += count;
    const found = batch.finish();
    if (found.length > 0) bad++;
    for (const finding of found) if (isNews(finding, findings)) findings.set(finding.kind, shrink(datapath, finding));
  }
  return { findings: [...findings.values()], reached, frames, seconds: (performance.now() - start) / 1000 };
}

function isNews({ kind, outcome }: Finding, known: ReadonlyMap<string, Finding>): boolean {
  if (known.has(kind) || known.size >= ENOUGH_FINDINGS) return false;
  return [...known.values()].filter((other) => other.outcome === outcome).length < ENOUGH_OF_AN_OUTCOME;
}

function fillBatch(batch: Batch, source: Generator<Buffer>, reached: Map<string, number>): number {
  for (let count = 0; count < BATCH; count++) {
    const { value, done } = source.next();
    if (done) return count;
    const name = outcomeName(batch.add(value));
    reached.set(name, (reached.get(name) ?? 0) + 1);
  }
  return BATCH;
}

/** Findings as text, with everything that is needed to look into them. */
export function findingsText(findings: Result['findings'], seed: number): string {
  return findings
    .map(({ kind, frame, hasTokens, rules, program }) =>
      [
        `${kind}`,
        `  seed     ${seed}${hasTokens ? '' : ', no tokens'}`,
        `  frame    ${frame.toString('hex')}`,
        `  rules    ${rules}`,
        `  program  ${program}`,
      ].join('\n'),
    )
    .join('\n');
}

/** How often each outcome was reached, as a table. */
export function reachedText({ reached }: Result): string {
  return [...reached]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${String(count).padStart(9)}  ${name}`)
    .join('\n');
}

/** Outcomes that have to be reached and were not. */
export function missing({ reached }: Result): string[] {
  return OUTCOMES.filter((name) => !reached.has(name));
}
