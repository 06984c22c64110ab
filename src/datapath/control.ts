// SPDX-License-Identifier: MIT
import { testRun } from '../bindings/bpf-run';
import { KernelError } from '../errors';
import { encode, zero } from './codec';
import { control_what, type Structs } from './layout.gen';

/** The pinned program `control`. */
export type Control = { readonly fd: number };

type Change = Partial<Omit<Structs['control'], 'what'>> & { readonly what: keyof typeof control_what };

/**
 * Has the kernel change one live entry (bpf/control.h), so that its counters go on beside the change. Throws KernelError,
 * ENOENT when the entry is gone.
 */
export function control(run: Control, { what, ...change }: Change): void {
  const data = encode('control', { ...zero('control'), ...change, what: control_what[what] });
  const { value } = testRun(run.fd, { data, room: data.length });
  if (value !== 0) throw new KernelError(`change ${NAMES[what]} in place`, { errno: value });
}

const NAMES = {
  tx: 'a session',
  prefix: 'a session',
  pair: 'a session',
  fallback: 'a session',
  rx: 'a session',
  link: 'a link',
  epoch: 'the paths',
  peer: 'a peer',
} as const;
