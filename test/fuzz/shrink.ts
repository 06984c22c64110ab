// SPDX-License-Identifier: MIT
import { compareOne, type Finding } from './compare';
import type { Datapath } from './datapath';
import { mend } from './octets';

const ETHERNET = 14;
const TRIES = 800;

/** A smaller or plainer frame with the same difference. */
export function shrink(datapath: Datapath, finding: Finding): Finding {
  let best = finding;
  let tries = TRIES;
  const isBetter = (frame: Buffer): boolean => {
    if (tries-- <= 0) return false;
    const found = compareOne(datapath, frame, finding.hasTokens);
    if (found?.kind !== finding.kind) return false;
    best = found;
    return true;
  };
  for (let size = best.frame.length >> 1; size > 0; size >>= 1)
    for (let at = best.frame.length - size; at >= ETHERNET; at -= size) {
      const shorter = Buffer.concat([best.frame.subarray(0, at), best.frame.subarray(at + size)]);
      void (isBetter(shorter) || isBetter(mend(shorter, true)) || isBetter(mend(shorter, false)));
    }
  for (const size of [64, 16, 4, 1])
    for (let at = ETHERNET; at < best.frame.length; at += size) {
      if (best.frame.subarray(at, at + size).every((octet) => octet === 0)) continue;
      const plainer = Buffer.from(best.frame).fill(0, at, Math.min(at + size, best.frame.length));
      void (isBetter(plainer) || isBetter(mend(plainer, false)));
    }
  return best;
}
