// SPDX-License-Identifier: MIT

/** `flag` if the condition holds, else no bit. */
export function on(condition: boolean, flag: number): number {
  return condition ? flag : 0;
}

/** The value of the first flag that is set, else `otherwise`: how one of several words stands in bits. */
export function pick<const T>(flags: number, values: readonly (readonly [flag: number, value: T])[], otherwise: T): T {
  return values.find(([flag]) => flags & flag)?.[1] ?? otherwise;
}

/** A number, or `inherit` where its flag is set. */
export function inherited(flags: number, flag: number, value: number): number | 'inherit' {
  return flags & flag ? 'inherit' : value;
}
