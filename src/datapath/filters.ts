// SPDX-License-Identifier: MIT
// Hooks that are tc filters, as far as they stand in the state directory: the filters themselves are of the devices.
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import * as bpf from '../bindings/bpf-fd';
import { programsPath } from './bpffs';
import { type Attachment, type FilterSide, pinnedProgram, programNames, withPin } from './object';
import { list, makeDir, removeDir, told, unpin } from './pins';

/** A hook that is a filter: in the place of a link its program is pinned. */
export type FilterPin = { readonly pin: string; readonly side: FilterSide };

/** One with the name of its program, or undefined if that is none of those that are pinned. */
export type AttachedFilter = FilterPin & Pick<Attachment, 'program'>;

/** The sides of a device that have filters. */
export const SIDES: readonly FilterSide[] = ['ingress', 'egress'];

/** Whether hooks of this state are filters. */
export function keepsFilters(dir: string): boolean {
  return existsSync(join(dir, FILTERS));
}

/** Notes that a hook is a filter, before it is one, and gives the fd of its program, pinned at `path`, to `act`. */
export function pinFilter(dir: string, hook: FilterPin, path: string, act: (fd: number) => void): void {
  makeDir(join(dir, FILTERS, hook.side));
  withPin(path, (fd) => {
    bpf.objPin(fd, pathOf(dir, hook));
    act(fd);
  });
}

/** Gives the fd of another program, pinned at `path`, to `act`, and notes that it is the hook's from then on. */
export function repinFilter(dir: string, hook: FilterPin, path: string, act: (fd: number) => void): void {
  const beside = join(dir, FILTERS, `${hook.side}-${hook.pin}`);
  withPin(path, (fd) => {
    act(fd);
    unpin(beside); // of a command that was killed
    bpf.objPin(fd, beside);
    told(`rename ${beside}`, () => renameSync(beside, pathOf(dir, hook)));
  });
}

/** Forgets one. */
export function unpinFilter(dir: string, hook: FilterPin): void {
  unpin(pathOf(dir, hook));
}

/** All of them, those of devices that are gone included. */
export function filterPins(dir: string): FilterPin[] {
  return SIDES.flatMap((side) => list(join(dir, FILTERS, side)).map((pin) => ({ pin, side })));
}

/** The same, each with the program that it was last given. */
export function attachedFilters(dir: string): AttachedFilter[] {
  const hooks = filterPins(dir);
  if (hooks.length === 0) return [];
  const names = programNames(programsPath(dir));
  return hooks.map((hook) => ({ ...hook, program: names.get(pinnedProgram(pathOf(dir, hook))) }));
}

/** The side of the hook that is pinned as `pin`, or undefined if that is no filter. */
export function filterSide(dir: string, pin: string): FilterSide | undefined {
  return SIDES.find((side) => existsSync(pathOf(dir, { pin, side })));
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

function pathOf(dir: string, { pin, side }: FilterPin): string {
  return join(dir, FILTERS, side, pin);
}

// A bpffs holds nothing but pins and directories.
function qdiscPath(dir: string, index: number): string {
  return join(dir, QDISCS, String(index));
}
