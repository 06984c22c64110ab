// SPDX-License-Identifier: MIT
import test from 'ava';
import fc from 'fast-check';
import { type BatchLine, batchLines, batchWords } from '../../src/cli/batch';
import { parse } from '../../src/cli/parse';
import { UsageError } from '../../src/errors';

const linesOf = async (...chunks: readonly string[]): Promise<BatchLine[]> => {
  const found: BatchLine[] = [];
  for await (const line of batchLines(chunks)) found.push(line);
  return found;
};

const read = async (text: string): Promise<[number, string[]][]> =>
  (await linesOf(text)).map((line) => [line.number, batchWords(line.text)]);

test('blank lines and comments are no commands; lines keep their numbers', async (t) => {
  const text = '# what this is\n\n  link show\t gtp0 # why\n \t\r\nsession show#dev gtp0\n   # end';
  t.deepEqual(await read(text), [
    [3, ['link', 'show', 'gtp0']],
    [5, ['session', 'show']],
  ]);
});

test('quotes stand around a word, as in ip -batch; within them # is no comment', async (t) => {
  t.deepEqual(await read(`a 'b c' "d 'e' # f" '' g"h 'i'j`), [[1, ['a', 'b c', "d 'e' # f", '', 'g"h', 'i', 'j']]]);
});

test('a backslash continues a line, also within quotes and before CR LF, but not in a comment', async (t) => {
  const text = 'link \\\nshow gt\\\r\np0\r\nname "a\\\n b" # no \\\nnext \\ word\n';
  t.deepEqual(await read(text), [
    [3, ['link', 'show', 'gtp0']],
    [5, ['name', 'a b']],
    [6, ['next', '\\', 'word']],
  ]);
});

test('what does not end, or is no text, is an error of its line', async (t) => {
  const text = `link "show\nlink 'show # x\nlink sh\0ow\nlink show \\`;
  const said = (await linesOf(text)).map(({ number, text: line }) => {
    const error = t.throws(() => batchWords(line), { instanceOf: UsageError });
    return `${number}: ${error?.message}`;
  });
  t.deepEqual(said, [
    '1: " is not closed: expected another one',
    "2: ' is not closed: expected another one",
    '3: an octet of zero: expected text',
    '4: the last line ends in a backslash: expected another line',
  ]);
  await t.throwsAsync(linesOf('x\n', ...Array.from({ length: 300 }, () => 'y'.repeat(4096))), {
    instanceOf: UsageError,
    message: /^line 2 has more than/,
  });
});

test('any text, in any chunks, is read the same, and refused by UsageError at most', async (t) => {
  const piece = fc.constantFrom(
    '\n',
    '\\',
    '\\\n',
    '\r\n',
    '#',
    '"',
    "'",
    ' ',
    'link',
    'show',
    '-j',
    '-n',
    '\t',
    '\0',
    'é',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 40 }), async (pieces) => {
      const whole = await linesOf(pieces.join(''));
      t.deepEqual(await linesOf(...pieces), whole);
      for (const { text } of whole) {
        try {
          parse(batchWords(text));
        } catch (error) {
          if (!(error instanceof UsageError)) throw error;
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('words without quotes and comments come back as they were', async (t) => {
  const word = fc.stringMatching(/^[^\s#'"\\\0][^\s#\\\0]*$/);
  await fc.assert(
    fc.asyncProperty(fc.array(word, { minLength: 1, maxLength: 6 }), async (words) => {
      t.deepEqual(await read(words.join(' ')), [[1, words]]);
    }),
    { numRuns: 200 },
  );
});
