// SPDX-License-Identifier: MIT
import { closeSync, existsSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as bpf from '../bindings/bpf-fd';
import { type RawMap, rawMap } from '../bindings/bpf-map';
import { type BpfObject, type ObjectMap, openObject } from '../bindings/bpf-object';
import { KernelError } from '../errors';
import { type Undo, withUndo } from '../undo';
import { mapPath, programsPath } from './bpffs';
import { differences, wrongLayout } from './layout';
import { maps as definitions } from './layout.gen';
import { list, makeDir, removeDir, told, unpin } from './pins';

export type Side = 'ingress' | 'egress';

/** A hook: a pinned link between a program and a device. */
export interface Attachment {
  readonly pin: string;
  /** 0 when the device is gone. */
  readonly ifindex: number;
  readonly side: Side;
  /** The name of the program, or undefined if it is none of those that are pinned. */
  readonly program: string | undefined;
}

/** The compiled BPF object: beside the command's own file, or in dist/ of the source tree. */
export function objectPath(): string {
  for (let dir = __dirname; ; dir = dirname(dir)) {
    const found = [join(dir, NAME), join(dir, 'dist', NAME)].find((path) => existsSync(path));
    if (found !== undefined) return found;
    if (dir === dirname(dir)) throw new Error(`${NAME} is not in ${__dirname} nor above: npm run build`);
  }
}

/**
 * Makes sure that maps and programs are in the kernel and pinned in the state directory `dir`. Maps that are pinned are
 * kept, if their layout is ours. Needs the lock. All or nothing, but for what an earlier, killed command left.
 */
export function ensureLoaded(dir: string): void {
  if (existsSync(programsPath(dir))) return;
  withUndo((undo) => {
    pinNew(dir, programsPath(dir), undo);
  });
}

/**
 * Puts the programs of this version in the place of those that are pinned, in every hook, without a packet passing by.
 * Needs the lock. `tails` is one for the old and the new ones: what a program hands to another must be the same in both.
 */
export function updatePrograms(dir: string): void {
  withUndo((undo) => {
    const hooks = attached(dir);
    const next = pinNew(dir, join(dir, NEXT), undo);
    for (const { pin, program } of hooks) {
      if (program === undefined) continue;
      const old = openProgram(dir, program);
      replace(dir, pin, openPin(join(next, program)));
      undo(() => replace(dir, pin, old));
    }
    removeDir(programsPath(dir));
    rename(next, programsPath(dir));
  });
}

/** The fd of a pinned program; close it with fs.closeSync, or leave that to the end of the process. */
export function openProgram(dir: string, name: string): number {
  return openPin(join(programsPath(dir), name));
}

/** Attaches a pinned program to a device of this network namespace, by a link pinned as `pin`; false where the kernel has no tcx. */
export function attach(dir: string, program: string, ifindex: number, side: Side, pin: string): boolean {
  const programFd = openProgram(dir, program);
  try {
    const linkFd = bpf.linkCreate(programFd, ifindex, SIDES[side]);
    if (linkFd === undefined) return false;
    try {
      makeDir(join(dir, HOOKS));
      bpf.objPin(linkFd, join(dir, HOOKS, pin));
      return true;
    } finally {
      closeSync(linkFd);
    }
  } finally {
    closeSync(programFd);
  }
}

/** Detaches what is pinned as `pin`; false if there is nothing. */
export function detach(dir: string, pin: string): boolean {
  const path = join(dir, HOOKS, pin);
  const fd = bpf.objGet(path);
  if (fd === undefined) return false;
  try {
    bpf.linkDetach(fd);
  } finally {
    closeSync(fd);
  }
  return unpin(path);
}

/** The names of the pinned programs, by their ids in the kernel. */
export function programNames(dir: string): Map<number, string> {
  return new Map(list(programsPath(dir)).map((name) => [pinnedProgram(join(programsPath(dir), name)), name]));
}

/** The id of a program that is pinned. */
export function pinnedProgram(path: string): number {
  return withPin(path, (fd) => bpf.programInfo(fd).id);
}

/** All links of a state directory, those of devices that are gone included. */
export function attached(dir: string): Attachment[] {
  const programs = programNames(dir);
  return list(join(dir, HOOKS)).map((pin) => {
    const info = withPin(join(dir, HOOKS, pin), bpf.linkInfo);
    const side = info.attachType === SIDES.egress ? 'egress' : 'ingress';
    return { pin, ifindex: info.ifindex, side, program: programs.get(info.programId) };
  });
}

/** Whether a hook is pinned as `pin` and its device is there. */
export function isAttached(dir: string, pin: string): boolean {
  const fd = bpf.objGet(join(dir, HOOKS, pin));
  if (fd === undefined) return false;
  try {
    return bpf.linkInfo(fd).ifindex !== 0;
  } finally {
    closeSync(fd);
  }
}

const NAME = 'gtp.bpf.o';
const HOOKS = 'hooks';
const NEXT = 'programs-next';
const SIDES = { ingress: bpf.BPF_TCX_INGRESS, egress: bpf.BPF_TCX_EGRESS } as const;

// Pins maps and programs of our object. The programs' directory gets its name last, so that it is there only when whole.
function pinNew(dir: string, path: string, undo: Undo): string {
  const object = openObject(readFileSync(objectPath()));
  const work = `${path}-work`;
  try {
    makeDir(dirname(mapPath(dir, 'any')));
    const fresh = object.maps.filter((map) => isKept(map) && !reusePinned(dir, map));
    object.load();
    for (const map of fresh) {
      bpf.objPin(map.fd(), mapPath(dir, map.name));
      undo(() => void unpin(mapPath(dir, map.name)));
    }
    pinPrograms(object, work, undo);
  } finally {
    object.close();
  }
  removeDir(path);
  rename(work, path);
  undo(() => removeDir(path));
  return path;
}

function pinPrograms(object: BpfObject, work: string, undo: Undo): void {
  removeDir(work);
  makeDir(work);
  undo(() => removeDir(work));
  for (const program of object.programs) bpf.objPin(program.fd(), join(work, program.name));
}

function rename(from: string, to: string): void {
  told(`rename ${from}`, () => renameSync(from, to));
}

// Constants belong to the programs that were compiled with them.
function isKept(map: ObjectMap): boolean {
  return !map.name.startsWith('rodata');
}

function reusePinned(dir: string, map: ObjectMap): boolean {
  const fd = bpf.objGet(mapPath(dir, map.name));
  if (fd === undefined) return false;
  try {
    const found = foreign(rawMap(fd), map);
    if (found.length > 0) throw wrongLayout(map.name, found);
    map.reuse(fd);
    return true;
  } finally {
    closeSync(fd);
  }
}

function foreign(pinned: RawMap, map: ObjectMap): string[] {
  const { info } = pinned;
  const definition = map.name in definitions ? definitions[map.name as keyof typeof definitions] : undefined;
  if (definition !== undefined) return differences(pinned, definition);
  const isSame = info.type === map.type && info.keySize === map.keySize && info.valueSize === map.valueSize;
  return isSame ? [] : ['type or size'];
}

function replace(dir: string, pin: string, programFd: number): void {
  withPin(join(dir, HOOKS, pin), (linkFd) => bpf.linkUpdate(linkFd, programFd));
}

function withPin<T>(path: string, act: (fd: number) => T): T {
  const fd = openPin(path);
  try {
    return act(fd);
  } finally {
    closeSync(fd);
  }
}

function openPin(path: string): number {
  const fd = bpf.objGet(path);
  if (fd !== undefined) return fd;
  throw new KernelError(`open ${path}`, { said: 'it does not exist', hint: 'gtp check repair' });
}
