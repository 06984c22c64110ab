// SPDX-License-Identifier: MIT
import { type Structs, structs } from './layout.gen';

/** Where a field starts in its struct, for looking at entries that are not decoded. */
export function offsetOf<N extends keyof Structs>(struct: N, field: keyof Structs[N] & string): number {
  const found = structs[struct].fields[field];
  if (found === undefined) throw new Error(`no field ${struct}.${field}`);
  return found[0];
}
