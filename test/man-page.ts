// SPDX-License-Identifier: MIT
// The examples of a man page as a reader types them.
import { readFileSync } from 'node:fs';

/** One example, between .EX and .EE. */
export type Example = {
  readonly script: string;
  /** What it prints; nothing where it is undefined. */
  readonly shows: RegExp | undefined;
  /** What a kernel has to have for it. */
  readonly needs: string | undefined;
};

/** The examples of a page. Comments in front of .EX say what one `shows` and what it `needs`. */
export function examplesOf(file: string): readonly Example[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/((?:^\.\\" .*\n)*)^\.EX\n((?:.*\n)*?)\.EE$/gm)].map(([, comments = '', lines = '']) => ({
    script: typed(lines),
    shows: comment(comments, 'shows') === undefined ? undefined : new RegExp(comment(comments, 'shows') ?? '', 'm'),
    needs: comment(comments, 'needs'),
  }));
}

/** The names of the sections of a page, in their order. */
export function sectionsOf(file: string): readonly string[] {
  return [...readFileSync(file, 'utf8').matchAll(/^\.SH (.*)$/gm)].map(([, name = '']) => name);
}

function comment(comments: string, name: string): string | undefined {
  return new RegExp(`^\\.\\\\" ${name} (.*)$`, 'm').exec(comments)?.[1];
}

const ESCAPES: Readonly<Record<string, string>> = { '\\-': '-', '\\e': '\\', '\\(aq': "'", '\\(dq': '"' };

function typed(lines: string): string {
  return lines.replaceAll(/\\(\(..|.)/g, (sequence) => {
    const character = ESCAPES[sequence];
    if (character === undefined) throw new Error(`an example has ${sequence}, which no reader types: ${lines}`);
    return character;
  });
}
