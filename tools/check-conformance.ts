// SPDX-License-Identifier: MIT
// Checks docs/conformance.md: a row for each rule, and for each row tests that are there by file and title.
//   node tools/run.mjs tools/check-conformance.ts
import { existsSync, readFileSync } from 'node:fs';
import ts from 'typescript';

const TABLE = 'docs/conformance.md';
const RULES = { G: 30, Z: 7, N: 10, L: 10, R: 9, X: 13 } as const;
/** Stands in a title of the table for what a template literal fills in. */
const FILLED = '…';

interface Row {
  readonly rule: string;
  readonly tests: readonly (readonly [file: string, title: string])[];
}

const rows = readFileSync(TABLE, 'utf8').split('\n').flatMap(rowOf);
const wanted = Object.entries(RULES).flatMap(([kind, count]) =>
  Array.from({ length: count }, (_, i) => `${kind}${i + 1}`),
);
const titles = new Map<string, ReadonlySet<string>>();
const wrong = [
  ...wanted.flatMap((rule) => countFault(rule, rows.filter((row) => row.rule === rule).length)),
  ...rows.flatMap(({ rule }) => (wanted.includes(rule) ? [] : [`${rule}: no such rule`])),
  ...rows.flatMap(({ rule, tests }) => (tests.length === 0 ? [`${rule}: no test`] : tests.flatMap(testFault(rule)))),
];
for (const line of wrong) console.error(`${TABLE}: ${line}`);
if (wrong.length > 0) process.exitCode = 1;

/** A line of the table: | rule | what it says | what we do | where | `file` title<br>`file` title |. */
function rowOf(line: string): Row[] {
  const cells = line.split('|').map((cell) => cell.trim());
  const [, rule = ''] = cells;
  if (!/^[A-Z]\d+$/.test(rule)) return [];
  const proof = cells.length === 7 ? (cells[5] ?? '') : '';
  return [{ rule, tests: proof.split('<br>').flatMap(testOf) }];
}

function testOf(text: string): (readonly [string, string])[] {
  const [, file, title] = /^`([^`]+)` (.+)$/.exec(text.trim()) ?? [];
  return file === undefined || title === undefined ? [] : [[`test/${file}.test.ts`, title]];
}

function countFault(rule: string, count: number): string[] {
  return count === 1 ? [] : [count === 0 ? `${rule}: no row` : `${rule}: ${count} rows`];
}

function testFault(rule: string) {
  return ([file, title]: readonly [string, string]): string[] => {
    if (!existsSync(file)) return [`${rule}: no file ${file}`];
    if (title.replaceAll(FILLED, '').trim().length < 10) return [`${rule}: "${title}" could be any test`];
    const known = titles.get(file) ?? titlesOf(file);
    titles.set(file, known);
    return known.has(title) ? [] : [`${rule}: no test "${title}" in ${file}`];
  };
}

/** The titles of a file's calls of `test` and `test.serial`, as far as they are written there. Skipped tests prove nothing. */
function titlesOf(file: string): Set<string> {
  const found = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ['test', 'test.serial'].includes(node.expression.getText(source))) {
      const [first] = node.arguments;
      const title = first === undefined ? undefined : textOf(first);
      if (title !== undefined) found.add(title);
    }
    ts.forEachChild(node, visit);
  };
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  visit(source);
  return found;
}

function textOf(node: ts.Expression): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return undefined;
  return node.head.text + node.templateSpans.map((span) => FILLED + span.literal.text).join('');
}
