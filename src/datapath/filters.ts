// SPDX-License-Identifier: MIT
// Hooks that are tc filters, as far as they stand in the state directory: the filters themselves are of the devices.
import { closeSync, existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import * as bpf from '../bindings/bpf-fd';
import { programsPath } from './bpffs';
import { type Attachment, type FilterSide, openPin, pinnedProgram, programNames } from './object';
import { list, makeDir, removeDir, told, unpin } from './pins';

/** A hook that is a filter: in the place of a link its program is pinned. */
export type FilterPin = Pick<Attachment, 'pin' | 'program'> & { readonly side: FilterSide };

/** Whether hooks of this state are filters. */
export function keepsFilters(dir: string): boolean {
  return existsSync(join(dir, FILTERS));
}

/** Notes that a hook is a filter, before it is one, and gives the fd of its program, pinned at `path`, to `act`. */
export function pinFilter(
  dir: string,
  hook: Pick<FilterPin, 'pin' | 'side'>,
  path: string,
  act: (fd: number) => void,
): void {
  const { pin, side } = hook;
  makeDir(join(dir, FILTERS, side));
  const fd = openPin(path);
  try {
    bpf.objPin(fd, join(dir, FILTERS, side, pin));
    act(fd);
  } finally {
    closeSync(fd);
  }
}

/** Gives the fd of another program, pinned at `path`, to `act`, and notes that it is the hook's from then on. */
export function repinFilter(
  dir: string,
  hook: Pick<FilterPin, 'pin' | 'side'>,
  path: string,
  act: (fd: number) => void,
): void {
  const { pin, side } = hook;
  const beside = join(dir, FILTERS, `${side}-${pin}`);
  const fd = openPin(path);
  try {
    act(fd);
    unpin(beside); // of a command that was killed
    bpf.objPin(fd, beside);
    told(`rename ${beside}`, () => renameSync(beside, join(dir, FILTERS, side, pin)));
  } finally {
    closeSync(fd);
  }
}

/** Forgets one. */
export function unpinFilter(dir: string, { pin, side }: Pick<FilterPin, 'pin' | 'side'>): void {
  unpin(join(dir, FILTERS, side, pin));
}

/** All of them, those of devices that are gone included; `path` is where their programs are pinned. */
export function filterPins(dir: string, path = programsPath(dir)): FilterPin[] {
  if (!keepsFilters(dir)) return [];
  const names = programNames(path);
  return SIDES.flatMap((side) =>
    list(join(dir, FILTERS, side)).map((pin) => {
      const id = pinnedProgram(join(dir, FILTERS, side, pin));
      return { pin, side, program: names.get(id) };
    }),
  );
}

/** The side of the hook that is pinned as `pin`, or undefined if that is no filter. */
export function filterSide(dir: string, pin: string): FilterSide | undefined {
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
