// SPDX-License-Identifier: MIT
import { closeSync, existsSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as bpf from '../bindings/bpf-fd';
import { type BpfObject, type ObjectMap, openObject } from '../bindings/bpf-object';
import { KernelError } from '../errors';
import { type Undo, withUndo } from '../undo';
import { mapPath, programsPath } from './bpffs';
import { ourselves, sign, startAnew } from './generation';
import { list, makeDir, removeDir, told, unpin } from './pins';

/** Where in a device: tcx, or native XDP. */
export type Side = FilterSide | 'xdp';

/** Where a filter can be. */
export type FilterSide = 'ingress' | 'egress';

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

/** Our object, opened: nothing of it is in the kernel yet. */
export function openOurs(): BpfObject {
  return openObject(readFileSync(objectPath()));
}

/**
 * Makes sure that maps and programs are in the kernel and pinned in the state directory `dir`; those that are there are kept (see
 * upgrade.ts). Needs the lock. All or nothing, and nothing of what an earlier, killed command left.
 */
export function ensureLoaded(dir: string): void {
  if (existsSync(programsPath(dir))) return;
  // Without programs there is no link, and the rest is a ruin, perhaps of another version.
  clear(dir);
  withUndo((undo) => pinNew(dir, undo));
}

/** The fd of a pinned program; close it with fs.closeSync, or leave that to the end of the process. */
export function openProgram(dir: string, name: string): number {
  return openPin(join(programsPath(dir), name));
}

/** Attaches a pinned program to a device of this network namespace, by a link pinned as `pin`; false where the kernel has no tcx. */
export function attach(dir: string, program: string, ifindex: number, side: Side, pin: string): boolean {
  return withPin(join(programsPath(dir), program), (programFd) => {
    const linkFd = bpf.linkCreate(programFd, ifindex, SIDES[side]);
    if (linkFd === undefined) return false;
    return withFd(linkFd, () => {
      makeDir(join(dir, HOOKS));
      bpf.objPin(linkFd, join(dir, HOOKS, pin));
      return true;
    });
  });
}

/** Detaches what is pinned as `pin`; false if there is nothing. */
export function detach(dir: string, pin: string): boolean {
  const path = join(dir, HOOKS, pin);
  const fd = bpf.objGet(path);
  if (fd === undefined) return false;
  withFd(fd, bpf.linkDetach);
  return unpin(path);
}

/** The names of the programs that are pinned in the directory `path`, by their ids in the kernel. */
export function programNames(path: string): Map<number, string> {
  return new Map(list(path).map((name) => [pinnedProgram(join(path, name)), name]));
}

/** The id of a program that is pinned. */
export function pinnedProgram(path: string): number {
  return withPin(path, (fd) => bpf.programInfo(fd).id);
}

/** All links of a state directory, those of devices that are gone included; `path` is where their programs are pinned. */
export function attached(dir: string, path = programsPath(dir)): Attachment[] {
  const programs = programNames(path);
  return list(join(dir, HOOKS)).map((pin) => {
    const info = withPin(join(dir, HOOKS, pin), bpf.linkInfo);
    return { pin, ifindex: info.ifindex, side: sideOf(info), program: programs.get(info.programId) };
  });
}

/** The numbers by which the kernel knows the link that is pinned as `pin`, and the program behind it. */
export function hookIds(dir: string, pin: string): HookIds {
  const { id, programId } = withPin(hookPath(dir, pin), bpf.linkInfo);
  return { linkId: id, programId };
}

/** The numbers of a hook; a filter is no link of its own. */
export type HookIds = { readonly linkId: number | undefined; readonly programId: number | undefined };

/** The maps that are pinned in a state directory, and their numbers in the kernel. */
export function mapIds(dir: string): { readonly [name: string]: number } {
  const maps = dirname(mapPath(dir, 'any'));
  return Object.fromEntries(list(maps).map((name) => [name, withPin(join(maps, name), (fd) => bpf.mapInfo(fd).id)]));
}

/** Where a hook is pinned. */
export function hookPath(dir: string, pin: string): string {
  return join(dir, HOOKS, pin);
}

/** Whether a hook is pinned as `pin` and its device is there. */
export function isAttached(dir: string, pin: string): boolean {
  const fd = bpf.objGet(join(dir, HOOKS, pin));
  return fd !== undefined && withFd(fd, bpf.linkInfo).ifindex !== 0;
}

/** How many programs are attached to a device's tcx ingress; 0 where the kernel has no tcx. */
export function programsAt(ifindex: number): number {
  return bpf.programsAt(ifindex, SIDES.ingress);
}

/** Whether a map of an object is pinned: constants belong to the programs that were compiled with them. */
export function isKept(map: ObjectMap): boolean {
  return !map.name.startsWith('rodata');
}

/** Pins the programs of a loaded object in the directory `path`, which is made. */
export function pinPrograms(object: BpfObject, path: string): void {
  makeDir(path);
  for (const program of object.programs) bpf.objPin(program.fd(), join(path, program.name));
}

/** Puts another program behind the hook that is pinned as `pin`: a packet is seen by the one or by the other. */
export function replace(dir: string, pin: string, programFd: number): void {
  withPin(join(dir, HOOKS, pin), (linkFd) => bpf.linkUpdate(linkFd, programFd));
}

/** The fd of what is pinned at `path`. */
export function openPin(path: string): number {
  const fd = bpf.objGet(path);
  if (fd !== undefined) return fd;
  throw new KernelError(`open ${path}`, {
    said: 'it does not exist',
    hint: startAnew(dirname(dirname(path))),
  });
}

/** Gives the fd of what is pinned at `path` to `act`, for as long as that takes. */
export function withPin<T>(path: string, act: (fd: number) => T): T {
  return withFd(openPin(path), act);
}

const NAME = 'gtp.bpf.o';
const HOOKS = 'hooks';
const SIDES = { ingress: bpf.BPF_TCX_INGRESS, egress: bpf.BPF_TCX_EGRESS, xdp: bpf.BPF_XDP } as const;

function sideOf({ type, attachType }: bpf.LinkInfo): Side {
  if (type === bpf.BPF_LINK_TYPE_XDP) return 'xdp';
  return attachType === SIDES.egress ? 'egress' : 'ingress';
}

// The programs' directory gets its name last, so that it is there only when everything is.
function pinNew(dir: string, undo: Undo): void {
  const object = openOurs();
  const work = `${programsPath(dir)}-work`;
  undo(() => clear(dir));
  try {
    object.load();
    makeDir(dirname(mapPath(dir, 'any')));
    for (const map of object.maps.filter(isKept)) bpf.objPin(map.fd(), mapPath(dir, map.name));
    pinPrograms(object, work);
  } finally {
    object.close();
  }
  sign(dir, ourselves);
  told(`rename ${work}`, () => renameSync(work, programsPath(dir)));
}

function clear(dir: string): void {
  for (const name of list(dir)) removeDir(join(dir, name));
}

function withFd<T>(fd: number, act: (fd: number) => T): T {
  try {
    return act(fd);
  } finally {
    closeSync(fd);
  }
}
