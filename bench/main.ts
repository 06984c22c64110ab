// SPDX-License-Identifier: MIT
// How fast it is, beside what the kernel does by itself: npm run bench -- --help
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { measureCommand } from './command';
import { measureFlood } from './flood';
import { measure } from './measure';
import { type Options, type Part, readOptions, usage } from './options';
import { formatFlood, formatRows, formatVariants, type Results, rows } from './report';
import { measureTestRun } from './testrun';
import { buildTools } from './tools';
import type { VariantName } from './variants';
import { takeDown } from './world';

void main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<void> {
  try {
    const options = readOptions(words);
    if (options.help) console.log(usage);
    else await bench(options);
  } catch (error) {
    console.error(stopped ?? `bench: ${(error as Error).message}`);
    process.exitCode = stopped === undefined ? 1 : 130;
  }
}

// The programs in use end by the same signal or soon; what was made is taken down before this one ends.
let stopped: string | undefined;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    stopped = `bench: stopped by ${signal}`;
  });
}

function step(what: string): void {
  if (stopped !== undefined) throw new Error(stopped);
  console.error(`bench: ${what}`);
}

async function bench(options: Options): Promise<void> {
  const load = loadavg()[0]!;
  await buildTools();
  try {
    const results = await measureParts(options);
    if (stopped === undefined) print(results, options, load);
  } finally {
    const left = await takeDown();
    for (const each of left) console.error(`bench: left behind: ${each}`);
    if (left.length > 0) process.exitCode = 1;
  }
}

async function measureParts({ parts, rounds, seconds }: Options): Promise<Results> {
  const names = [...new Set(parts.flatMap((part) => NEEDS[part]))];
  const wanted = (part: Part): boolean => parts.includes(part);
  return {
    figures: (await attempt(names.length > 0, () => measure({ variants: names, rounds, seconds, step }))) ?? {},
    flood: await attempt(wanted('flood'), () => measureFlood(rounds, seconds, step)),
    testrun: await attempt(wanted('testrun'), () => measureTestRun(rounds, step)),
    command: await attempt(wanted('command'), () => measureCommand(rounds, step)),
  };
}

// A part that fails leaves the others worth having.
async function attempt<T>(isWanted: boolean, act: () => Promise<T>): Promise<T | undefined> {
  if (!isWanted || stopped !== undefined) return undefined;
  try {
    return await act();
  } catch (error) {
    console.error(stopped ?? `bench: ${(error as Error).message}`);
    process.exitCode = stopped === undefined ? 1 : 130;
    return undefined;
  }
}

const NEEDS: Readonly<Record<Part, readonly VariantName[]>> = {
  kernel: ['raw', 'rawCut', 'vxlan', 'vxlanWire'],
  hairpin: ['raw', 'hairpin'],
  wire: ['raw', 'vxlanWire', 'wire'],
  tunnels: [
    ...([
      'raw',
      'vxlanWire',
      'vxlanSummed',
      'greWire',
      'gretapWire',
      'geneveWire',
      'vxlanOurs',
      'l2tpWire',
      'wire',
    ] as const),
    ...(['vxlan', 'greKept', 'gretapKept', 'geneveKept', 'vxlanKept', 'l2tpKept'] as const),
    ...(['hairpin', 'greHairpin', 'gretapHairpin', 'geneveHairpin', 'vxlanHairpin', 'l2tpHairpin'] as const),
  ],
  hooks: ['raw', 'rawSeen', 'vxlanWire', 'wire', 'wireXdp'],
  flood: [],
  testrun: [],
  command: [],
};

function print(results: Results, { rounds, seconds, json }: Options, load: number): void {
  const machine = { kernel: release(), cpus: cpus().length, model: cpus()[0]?.model, node: process.version, load };
  const list = rows(results);
  console.log(
    `Linux ${machine.kernel}, ${machine.cpus} CPUs, Node ${machine.node}, load ${load.toFixed(2)}; medians of ${rounds}\n`,
  );
  if (Object.keys(results.figures).length > 0) console.log(`${formatVariants(results.figures)}\n`);
  if (results.flood !== undefined) console.log(`${formatFlood(results.flood)}\n`);
  if (list.length > 0) console.log(formatRows(list));
  if (json !== undefined) {
    writeFileSync(json, `${JSON.stringify({ machine, rounds, seconds, rows: list, ...results }, null, 2)}\n`);
  }
}
