// SPDX-License-Identifier: MIT
// What the verifier of the running kernel says of each program: node verify.guest.cjs OBJECT prints a JSON object a line.
import { readFileSync } from 'node:fs';
import { openObject } from '../../src/bindings/bpf-object';

/** Processed instructions, and octets of stack as that kernel tells them: 512 at most in a chain of calls. */
export interface Verified {
  readonly program: string;
  readonly instructions: number;
  readonly stack: string;
}

const [, , path = ''] = process.argv;
const object = openObject(readFileSync(path));
const programs = object.programs.map(({ name, statistics }) => ({ name, text: statistics() }));
try {
  object.load();
} catch (cause) {
  throw new Error(programs.map(({ text }) => text()).findLast(Boolean), { cause });
}
for (const { name: program, text } of programs) {
  const instructions = Number(/^processed (\d+) insns/m.exec(text())?.[1] ?? 0);
  const stack = /^stack depth (.*)/m.exec(text())?.[1] ?? '';
  process.stdout.write(`${JSON.stringify({ program, instructions, stack } satisfies Verified)}\n`);
}
