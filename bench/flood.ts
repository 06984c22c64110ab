// SPDX-License-Identifier: MIT
import type { PathRecord } from '../test/records';
import { background } from '../test/run';
import { type Summary, summary } from './statistics';
import { toolPath } from './tools';
import { calm, listen, reach, rtt, tcp } from './traffic';
import { type Ends, type FloodedEnds, floodedWire } from './variants';
import { gtp } from './world';

/** What goes on beside the session that is measured. */
export const FLOODS = {
  none: { title: 'nothing beside', port: undefined },
  deaf: { title: 'to a socket that is not read', port: 2153 },
  teids: { title: 'unknown TEIDs, to our endpoint', port: 2152 },
} as const;
export type FloodName = keyof typeof FLOODS;

/**
 * Of one kind of flood: frames a second, the session's goodput (bits a second) and round trip (ns), answers and how many may be;
 * `cost` is the CPU time of one flooded frame in nanoseconds, sent and received.
 */
export interface FloodFigure {
  readonly frames: Summary;
  readonly cost: Summary;
  readonly tcp: Summary;
  readonly rtt: Summary;
  readonly answers: Summary;
  readonly allowed: Summary;
}
export type FloodFigures = Readonly<Record<FloodName, FloodFigure>>;

/** Measures a session over a wire beside each flood in turn. Throws if a flooded frame or an answer is not counted. */
export async function measureFlood(
  rounds: number,
  seconds: number,
  step: (what: string) => void,
): Promise<FloodFigures> {
  step('flood: build the machines');
  const world = await floodedWire();
  await reach(world);
  await listen(world);
  const names = Object.keys(FLOODS) as FloodName[];
  const samples: Record<FloodName, Sample[]> = { none: [], deaf: [], teids: [] };
  for (let round = 1; round <= rounds; round++) {
    for (const name of names) {
      step(`flood: round ${round} of ${rounds}: ${FLOODS[name].title}`);
      await calm();
      samples[name].push(await beside(world, name, seconds));
    }
  }
  return { none: figure(samples.none), deaf: figure(samples.deaf), teids: figure(samples.teids) };
}

/** Frames a second that are sent, as long as the machine keeps up. */
const RATE = 100_000;
// A bucket that is full at the beginning, and what comes back meanwhile.
const ANSWERS_AT_ONCE = 100;
const ANSWERS_A_SECOND = 100;

type Sample = { readonly [Key in keyof FloodFigure]: number };

interface Flooded {
  readonly sent: number;
  readonly seconds: number;
  readonly cpu: number;
  readonly answers: number;
}

async function beside(world: FloodedEnds, name: FloodName, seconds: number): Promise<Sample> {
  const { port } = FLOODS[name];
  if (port === undefined) return { frames: 0, cost: 0, answers: 0, allowed: 0, ...(await session(world, seconds)) };
  const before = await counted(world);
  const words = [world.flooder, world.machine, world.local, `${port}`, `${RATE}`];
  const flood = await background([toolPath('teids'), ...words], /ready/);
  const own = await session(world, seconds);
  const { status, stdout, stderr } = await flood.stop();
  if (status !== 0) throw new Error(`teids: ${stderr}`);
  const flooded = JSON.parse(stdout) as Flooded;
  if (name === 'teids') judge(flooded, before, await counted(world));
  const { sent, cpu, answers, seconds: took } = flooded;
  const limit = name === 'teids' ? allowed(took) : 0;
  return { frames: sent / took, cost: (cpu * 1e9) / sent, answers, allowed: limit, ...own };
}

function figure(list: readonly Sample[]): FloodFigure {
  const of = (key: keyof FloodFigure): Summary => summary(list.map((each) => each[key]));
  return {
    frames: of('frames'),
    cost: of('cost'),
    tcp: of('tcp'),
    rtt: of('rtt'),
    answers: of('answers'),
    allowed: of('allowed'),
  };
}

async function session(world: Ends, seconds: number): Promise<Pick<Sample, 'tcp' | 'rtt'>> {
  return { tcp: (await tcp(world, 1, seconds)).rate, rtt: await rtt(world) };
}

const allowed = (seconds: number): number => Math.ceil(ANSWERS_AT_ONCE + ANSWERS_A_SECOND * seconds);

interface Counted {
  readonly unknown: number;
  readonly sent: number;
}

async function counted({ machine, local }: FloodedEnds): Promise<Counted> {
  const records = JSON.parse(await gtp(machine, '-j -s path show')) as PathRecord[];
  const own = records.find((each) => each.local === local && each.remote === null);
  if (own === undefined) throw new Error(`no path record of ${local}`);
  return { unknown: own.stats.drops.unknown_teid ?? 0, sent: own.stats.sent.errind };
}

function judge({ sent, seconds, answers }: Flooded, before: Counted, after: Counted): void {
  const [unknown, errinds] = [after.unknown - before.unknown, after.sent - before.sent];
  if (unknown > sent || unknown < 0.99 * sent) throw new Error(`${sent} unknown TEIDs were sent, ${unknown} counted`);
  if (errinds !== answers) throw new Error(`${errinds} Error Indications were counted, ${answers} came`);
  if (errinds > allowed(seconds)) throw new Error(`${errinds} Error Indications in ${seconds} s are too many`);
}
