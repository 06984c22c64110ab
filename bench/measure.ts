// SPDX-License-Identifier: MIT
import { type Summary, summary } from './statistics';
import { calm, listen, reach, rtt, type Sample, tcp, udp } from './traffic';
import { type Ends, type VariantName, variants } from './variants';

/** What is measured of every variant. Rates are a second; `rtt` is in nanoseconds and has no figure per CPU-second. */
export const WORKS = {
  tcp1: 'TCP, 1 stream',
  tcp4: 'TCP, 4 streams',
  udp: 'UDP, 64 octets',
  rtt: 'round trip',
} as const;
export type Work = keyof typeof WORKS;

export interface Figure {
  readonly wall: Summary;
  readonly perCpu: Summary | undefined;
}

export type Figures = { readonly [V in VariantName]?: Readonly<Record<Work, Figure>> };

export interface Plan {
  readonly variants: readonly VariantName[];
  readonly rounds: number;
  readonly seconds: number;
  /** Called before each run with what comes; throws to stop. */
  readonly step: (what: string) => void;
}

/** Builds the variants and measures them in turn, round after round, so that a busy minute hits all alike. */
export async function measure({ variants: names, rounds, seconds, step }: Plan): Promise<Figures> {
  const runs: Run[] = [];
  for (const name of names) {
    step(`build ${variants[name].title}`);
    const ends = await variants[name].make();
    await reach(ends);
    await listen(ends);
    runs.push({ name, ends, wall: series(), perCpu: series() });
  }
  for (let round = 1; round <= rounds; round++) {
    for (const run of runs) {
      step(`round ${round} of ${rounds}: ${variants[run.name].title}`);
      await once(run, seconds);
    }
  }
  return Object.fromEntries(runs.map((run) => [run.name, figures(run)]));
}

interface Run {
  readonly name: VariantName;
  readonly ends: Ends;
  readonly wall: Series;
  readonly perCpu: Series;
}

type Series = Readonly<Record<Work, number[]>>;

const series = (): Series => ({ tcp1: [], tcp4: [], udp: [], rtt: [] });

async function once({ ends, wall, perCpu }: Run, seconds: number): Promise<void> {
  const note = (work: Work, sample: Sample): void => {
    wall[work].push(sample.rate);
    perCpu[work].push(sample.perCpu);
  };
  await calm();
  note('tcp1', await tcp(ends, 1, seconds));
  note('tcp4', await tcp(ends, 4, seconds));
  await calm();
  note('udp', await udp(ends, seconds));
  wall.rtt.push(await rtt(ends));
}

function figures({ wall, perCpu }: Run): Record<Work, Figure> {
  const figure = (work: Work): Figure => ({
    wall: summary(wall[work]),
    perCpu: perCpu[work].length > 0 ? summary(perCpu[work]) : undefined,
  });
  return { tcp1: figure('tcp1'), tcp4: figure('tcp4'), udp: figure('udp'), rtt: figure('rtt') };
}
