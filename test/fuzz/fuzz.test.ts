// SPDX-License-Identifier: MIT
import test from 'ava';
import { openDatapath } from './datapath';
import { findingsText, fuzz, missing, type Result, sweep } from './run';

const FRAMES = 60_000;
const datapath = openDatapath();
test.after.always(() => datapath.close());

const seed = Math.floor(Math.random() * 0xffffffff);

test('the program and the rules are of one mind about random frames, and reach every outcome', (t) => {
  t.log(`seed ${seed}: npm run fuzz -- seed ${seed} count ${FRAMES}`);
  const result = fuzz(datapath, seed, FRAMES);
  agree(result, (text) => t.fail(text));
  t.deepEqual(missing(result), []);
});

test('the program and the rules are of one mind about frames cut at each octet and with each bit turned', (t) => {
  t.log(`seed ${seed}`);
  agree(sweep(datapath, seed), (text) => t.fail(text));
  t.pass();
});

function agree({ findings }: Result, fail: (text: string) => void): void {
  if (findings.length > 0) fail(findingsText(findings, seed));
}
