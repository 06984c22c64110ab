// SPDX-License-Identifier: MIT
import { type Outcome, outcomeName } from '../rules/outcome';
import { receive } from '../rules/receive';
import { makeFrame } from './frames';
import { mend } from './octets';
import { tables } from './places';
import { randomOf } from './random';

const LOOK_AT = 20_000;
const LONGEST = 200;

/** One short frame for each outcome in which a frame is used: delivered, answered, consumed, or dropped with a message sent. */
export function usedFrames(seed: number): Buffer[] {
  const frames = new Map<string, Buffer>();
  for (let index = 0; index < LOOK_AT; index++) {
    const frame = makeFrame(randomOf(seed, index));
    const outcome = receive(frame, tables(true));
    if (frame.length <= LONGEST && isUse(outcome)) frames.set(outcomeName(outcome), frame);
  }
  return [...frames.values()];
}

function isUse(outcome: Outcome): boolean {
  return ['deliver', 'answer', 'consume'].includes(outcome.kind) || (outcome.kind === 'drop' && !!outcome.sent);
}

/** A frame cut at each octet and with each bit turned, as it then is and with lengths or checksums made right again. */
export function* variants(frame: Buffer): Generator<Buffer> {
  for (let length = IP; length < frame.length; length++) {
    const cut = frame.subarray(0, length);
    yield* [cut, mend(cut, true), mend(cut, false)];
  }
  for (let bit = IP * 8; bit < frame.length * 8; bit++) {
    const turned = Buffer.from(frame);
    turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    yield* [turned, mend(turned, false)];
  }
}

const IP = 14;
