// SPDX-License-Identifier: MIT
// Hooks that are tc filters, as far as they stand in the state directory: the filters themselves are of the devices.
import { closeSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import * as bpf from '../bindings/bpf-fd';
import { type Attachment, openProgram, pinnedProgram, programNames, type Side } from './object';
import { list, makeDir, removeDir, unpin } from './pins';

/** A hook that is a filter: in the place of a link its program is pinned. */
export type FilterPin = Pick<Attachment, 'pin' | 'side' | 'program'>;

/** Whether hooks of this state are filters. */
export function keepsFilters(dir: string): boolean {
  return existsSync(join(dir, FILTERS));
}

/** Notes that a hook is a filter, before it is one, and gives the fd of its program to `act`. */
export function pinFilter(
  dir: string,
  { pin, side, program }: FilterPin & { program: string },
  act: (fd: number) => void,
): void {
  makeDir(join(dir, FILTERS, side));
  const fd = openProgram(dir, program);
  try {
    bpf.objPin(fd, join(dir, FILTERS, side, pin));
    act(fd);
  } finally {
    closeSync(fd);
  }
}

/** Forgets one. */
export function unpinFilter(dir: string, { pin, side }: Pick<FilterPin, 'pin' | 'side'>): void {
  unpin(join(dir, FILTERS, side, pin));
}

/** All of them, those of devices that are gone included. */
export function filterPins(dir: string): FilterPin[] {
  if (!keepsFilters(dir)) return [];
  const names = programNames(dir);
  return SIDES.flatMap((side) =>
    list(join(dir, FILTERS, side)).map((pin) => {
      const id = pinnedProgram(join(dir, FILTERS, side, pin));
      return { pin, side, program: names.get(id) };
    }),
  );
}

/** The side of the hook that is pinned as `pin`, or undefined if that is no filter. */
export function filterSide(dir: string, pin: string): Side | undefined {
  return SIDES.find((side) => existsSync(join(dir, FILTERS, side, pin)));
}

/** Notes that the clsact qdisc of a device is of our making. */
export function noteQdisc(dir: string, index: number): void {
  makeDir(qdiscPath(dir, index));
}

/** Is it? */
export function isOurQdisc(dir: string, index: number): boolean {
  return existsSync(qdiscPath(dir, index));
}

/** Forgets that it is. */
export function forgetQdisc(dir: string, index: number): void {
  removeDir(qdiscPath(dir, index));
}

const FILTERS = 'filters';
const QDISCS = 'qdiscs';
const SIDES = ['ingress', 'egress'] as const;

// A bpffs holds nothing but pins and directories.
function qdiscPath(dir: string, index: number): string {
  return join(dir, QDISCS, String(index));
}
