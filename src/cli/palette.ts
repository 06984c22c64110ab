// SPDX-License-Identifier: MIT
import type { GlobalOptions } from './command';

/** What may be coloured; each takes and gives a text. The colours are those of `ip -c`. */
export type Palette = {
  readonly name: (text: string) => string;
  readonly v4: (text: string) => string;
  readonly v6: (text: string) => string;
  readonly mac: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
};

/** No colour at all. */
export const plain: Palette = { name: same, v4: same, v6: same, mac: same, good: same, bad: same };

/**
 * The palette for an answer: plain unless -c asks for colour. NO_COLOR (no-color.org) beats -c, since nothing is ever
 * coloured without being asked. Only colour loads chalk.
 */
export async function choosePalette(options: GlobalOptions): Promise<Palette> {
  const wanted = options.color === 'always' || (options.color === 'auto' && (await isTerminal()));
  if (!wanted || options.json || process.env['NO_COLOR']) return plain;
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  return { name: chalk.cyan, v4: chalk.magenta, v6: chalk.blue, mac: chalk.yellow, good: chalk.green, bad: chalk.red };
}

async function isTerminal(): Promise<boolean> {
  return (await import('node:tty')).isatty(1);
}

function same(text: string): string {
  return text;
}
