// SPDX-License-Identifier: MIT
import { UsageError } from '../errors';

/** One command of a batch: its text, with continued lines joined, and the number of its last line, as `ip -batch` counts. */
export type BatchLine = { readonly number: number; readonly text: string };

/**
 * Splits a batch into its commands, as their lines arrive; blank ones and comments are left out. A backslash at the end of a line
 * continues it, but in a comment. Throws UsageError when a command gets too long to be one.
 */
export async function* batchLines(chunks: AsyncIterable<string> | Iterable<string>): AsyncGenerator<BatchLine> {
  let number = 0;
  let begun = '';
  for await (const line of physicalLines(chunks)) {
    number += 1;
    const text = begun.slice(0, -1) + line;
    begun = isContinued(text) ? text : '';
    if (begun === '' && !BLANK.test(text)) yield { number, text };
    if (begun.length > LONGEST) throw tooLong(number);
  }
  if (begun !== '') yield { number, text: begun };
}

/**
 * The words of a command as `ip -batch` finds them: a word that begins with a quote goes to the next such quote, and "#" begins a
 * comment. But a "#" between quotes is one of the word's. Throws UsageError on a quote or a line that does not end.
 */
export function batchWords(text: string): string[] {
  const { words, open, isComment } = scan(text);
  if (open !== undefined) throw new UsageError(`${open} is not closed: expected another one`);
  if (!isComment && text.endsWith('\\'))
    throw new UsageError('the last line ends in a backslash: expected another line');
  if (text.includes('\0')) throw new UsageError('an octet of zero: expected text');
  return words;
}

const LONGEST = 1 << 20;
const BLANK = /^[ \t\r]*(#|$)/;

type Scan = { readonly words: string[]; readonly isComment: boolean; readonly open: string | undefined };

// One of: a comment, a word between quotes, one whose quote is not closed, any other word.
const WORD = /[ \t\r]*(?:(#)|'([^']*)'|"([^"]*)"|(['"])|([^ \t\r#]+))/y;

function scan(text: string): Scan {
  const words: string[] = [];
  WORD.lastIndex = 0;
  for (let found = WORD.exec(text); found !== null; found = WORD.exec(text)) {
    const [, comment, single, double, open, bare] = found;
    if (comment !== undefined || open !== undefined) return { words, isComment: comment !== undefined, open };
    words.push(single ?? double ?? bare ?? '');
  }
  return { words, isComment: false, open: undefined };
}

function isContinued(text: string): boolean {
  return text.endsWith('\\') && !scan(text).isComment;
}

async function* physicalLines(chunks: AsyncIterable<string> | Iterable<string>): AsyncGenerator<string> {
  let rest = '';
  let number = 0;
  for await (const chunk of chunks) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    number += lines.length;
    for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line;
    if (rest.length > LONGEST) throw tooLong(number + 1);
  }
  if (rest !== '') yield rest;
}

function tooLong(number: number): UsageError {
  return new UsageError(`line ${number} has more than ${LONGEST} characters: expected one command a line`);
}
