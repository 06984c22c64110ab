// SPDX-License-Identifier: MIT
import { parseArgs } from 'node:util';

/** What can be measured by itself; `kernel` is what needs nothing of ours: bare veth pairs and VXLAN. */
export const PARTS = ['kernel', 'hairpin', 'wire', 'tunnels', 'hooks', 'flood', 'testrun', 'command'] as const;
export type Part = (typeof PARTS)[number];

export interface Options {
  readonly rounds: number;
  /** Length of one TCP or UDP run; whole seconds, as iperf3 wants. */
  readonly seconds: number;
  readonly parts: readonly Part[];
  /** Where the figures go as JSON. */
  readonly json: string | undefined;
  readonly help: boolean;
}

export const usage = `usage: npm run bench -- [PART]... [--rounds N] [--seconds N] [--only PART[,PART]...] [--json FILE]
  PART          as --only, one word each
  --rounds N    how often each variant is measured; medians are shown (7)
  --seconds N   length of one TCP or UDP run (1)
  --only PARTS  of: ${PARTS.join(', ')} (all)
  --json FILE   writes every figure there as well`;

/** Reads the words of the command line; throws an Error that says which one is wrong. */
export function readOptions(words: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '7' },
      seconds: { type: 'string', default: '1' },
      only: { type: 'string', default: PARTS.join(',') },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  return {
    rounds: count('rounds', values.rounds),
    seconds: count('seconds', values.seconds),
    parts: (positionals.length > 0 ? positionals : values.only.split(',')).map(part),
    json: values.json,
    help: values.help,
  };
}

function count(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new Error(`--${option}: expected a number from 1 on, got "${text}"`);
  return number;
}

function part(text: string): Part {
  const found = PARTS.find((each) => each === text);
  if (found === undefined) throw new Error(`--only: expected ${PARTS.join(', ')}, got "${text}"`);
  return found;
}
