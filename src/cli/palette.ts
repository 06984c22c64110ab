// SPDX-License-Identifier: MIT
import type { GlobalOptions } from './command';

/** What may be coloured; each takes and gives a text. The colours are those of `ip -c`, and orange for IDs of tunnels. */
export type Palette = {
  readonly name: (text: string) => string;
  readonly v4: (text: string) => string;
  readonly v6: (text: string) => string;
  readonly mac: (text: string) => string;
  /** TEIDs, and what the other kinds have in their place. */
  readonly id: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
};

/** No colour at all. */
export const plain: Palette = { name: same, v4: same, v6: same, mac: same, id: same, good: same, bad: same };

/**
 * The palette for an answer: plain unless -c asks for colour. NO_COLOR (no-color.org) beats -c, since nothing is ever
 * coloured without being asked. Only colour loads chalk.
 */
export async function choosePalette(options: GlobalOptions): Promise<Palette> {
  const wanted = options.color === 'always' || (options.color === 'auto' && (await isTerminal()));
  if (!wanted || options.json || process.env['NO_COLOR']) return plain;
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 2 });
  const isDark = isDarkGround(process.env['COLORFGBG']);
  const on = isDark ? chalk.bold : chalk;
  return {
    ...{ name: on.cyan, v4: on.magenta, v6: on.blue, mac: on.yellow, good: on.green, bad: on.red },
    id: on.ansi256(isDark ? ORANGE : DARK_ORANGE),
  };
}

// Of the 216 colours of xterm.
const ORANGE = 214;
const DARK_ORANGE = 166;

/** Whether a terminal says in COLORFGBG ("foreground;background", of 16 colours) that its ground is dark, as `ip -c` reads it. */
export function isDarkGround(colours: string | undefined): boolean {
  return /;([0-6]|8)$/.test(colours ?? '');
}

async function isTerminal(): Promise<boolean> {
  return (await import('node:tty')).isatty(1);
}

function same(text: string): string {
  return text;
}
