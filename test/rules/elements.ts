// SPDX-License-Identifier: MIT
import { type Fault, fault } from './outcome';

/** The value of an information element. */
export type Element = Buffer;

// Octets of the elements with type and value alone: Recovery, TEID Data I.
const FIXED: Readonly<Record<number, number>> = { 14: 1, 16: 4 };
const EXTENSION_TYPES = 141;

/** Reads elements in any order; of repeated ones the first counts (G26). */
export function readElements(octets: Buffer, name: string): ReadonlyMap<number, Element> | Fault {
  const elements = new Map<number, Element>();
  for (let at = 0; at < octets.length; ) {
    const type = octets[at] ?? 0;
    const value = valueAt(octets, at, type);
    if (value === undefined) return fault('bad_message', `unknown TV, ${name}`);
    const [from, size] = value;
    if (from + size > octets.length) return fault('bad_message', `IE crosses the length, ${name}`);
    if (!elements.has(type)) elements.set(type, octets.subarray(from, from + size));
    at = from + size;
  }
  return elements;
}

/** Where a value starts and how long it is; undefined when nobody can know. */
function valueAt(octets: Buffer, at: number, type: number): readonly [from: number, size: number] | undefined {
  if (type < 128) {
    const size = FIXED[type];
    return size === undefined ? undefined : [at + 1, size];
  }
  if (type === EXTENSION_TYPES) return at + 2 > octets.length ? [at + 2, 0] : [at + 2, octets[at + 1] ?? 0];
  return at + 3 > octets.length ? [at + 3, 0] : [at + 3, octets.readUInt16BE(at + 1)];
}
