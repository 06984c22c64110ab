// SPDX-License-Identifier: MIT
import { closeSync, existsSync, renameSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import * as bpf from '../bindings/bpf-fd';
import { createHash, type RawMap, rawMap } from '../bindings/bpf-map';
import type { BpfObject, ObjectMap } from '../bindings/bpf-object';
import { KernelError, tolerating } from '../errors';
import { withUndo } from '../undo';
import { mapPath, programsPath } from './bpffs';
import { type Btf, parseBtf } from './btf';
import { Unfit, unfit } from './convert';
import type { AttachedFilter, FilterPin } from './filters';
import { advice, isNewer, isOurs, makerOf, makerText, moveSignature, ourselves, sign } from './generation';
import { waitForPackets } from './grace';
import { refuseControl } from './layout';
import { sweep_cause } from './layout.gen';
import { openMaps } from './maps';
import { baseSize, copyEntries, countersOf, growCounters, type Migration, migration } from './migrate';
import { type Attachment, attached, isKept, openOurs, openPin, pinPrograms, replace, withPin } from './object';
import { list, makeDir, removeDir, told, unpin } from './pins';
import { isOfPrograms, isSameShape, type Shape, shapeIn, shapeOf } from './shape';

/** Hooks that are no links, and how one gets the program that is pinned at a path. */
export interface OtherHooks {
  /** `path` is where their programs are pinned. */
  attached(path: string): readonly AttachedFilter[];
  replace(hook: FilterPin, path: string): void;
}

/**
 * Puts the programs of this version in the place of those that an older one has pinned in the state directory `dir`, without a packet
 * passing by. Maps of the same layout are kept; entries of the others go into new maps, counters with all they count meanwhile. Needs
 * the lock. All or nothing, and after a kill the next call completes it. Returns what was done, in words, or undefined: nothing.
 *
 * Programs of a newer version are left alone. Throws KernelError when these cannot be used, or when entries cannot be converted.
 */
export function upgrade(dir: string, others: OtherHooks): string | undefined {
  if (isOurs(dir) && !isPending(dir)) return undefined;
  complete(dir, others);
  if (isOurs(dir)) {
    mendLater(dir);
    return `programs of gtp ${ourselves.version} are in place now: their replacement had been interrupted`;
  }
  const maker = makerOf(dir);
  if (isNewer(maker)) {
    withPin(join(programsPath(dir), 'control'), (fd) => refuseControl(fd, () => advice(dir)));
    return undefined;
  }
  const object = openOurs();
  try {
    const { changed, hasNew } = prepare(dir, object, others);
    finish(dir, object, others);
    if (hasNew) mendLater(dir);
    const maps = changed.length === 0 ? '' : `, and maps brought into its layout: ${changed.join(', ')}`;
    return `programs of ${makerText(maker)} were replaced by those of ${ourselves.version}${maps}`;
  } finally {
    object.close();
  }
}

// What is made for an upgrade, in the state directory: beside the old while it is being made (`WORK`), whole (`NEXT`), and when nothing
// is left to do but to move the pins to their places (`MOVING`).
const WORK = 'next-work';
const NEXT = 'next';
const MOVING = 'moving';
/** In NEXT: empty directories called like pins that go. */
const GONE = 'gone';
const BASE = 'base';
const PARTS = ['maps', 'programs'] as const;

// Outer fragments that wait: a lock and octets that belong together, and worth nothing after seconds.
const TOGETHER = ['datagrams', 'pieces'];

function isPending(dir: string): boolean {
  return list(dir).some((name) => name === NEXT || name === MOVING);
}

// Brings to an end what a killed command began. If that was another version, its programs are taken back; and if no hook has a new program
// yet, other commands may have been at work since in what was copied.
function complete(dir: string, others: OtherHooks): void {
  const names = list(dir);
  const next = join(dir, NEXT);
  if (names.includes(MOVING)) move(dir);
  if (!names.includes(NEXT)) return;
  const isBegun = hooksAt(dir, join(next, 'programs'), others).some(({ program }) => program !== undefined);
  if (!isBegun || !isOurs(next)) {
    takeBack(dir, others);
    return;
  }
  const object = openOurs();
  try {
    finish(dir, object, others);
  } finally {
    object.close();
  }
}

// What stands in maps that were not there before follows from the sessions; the command that comes by now works it out.
function mendLater(dir: string): void {
  openMaps(dir).unswept.put(sweep_cause.command, 1);
}

interface Prepared {
  /** Names of maps that got another layout. */
  readonly changed: readonly string[];
  /** Whether there are maps that were not there at all. */
  readonly hasNew: boolean;
}

// Loads what is to be, beside what is.
function prepare(dir: string, object: BpfObject, others: OtherHooks): Prepared {
  const work = join(dir, WORK);
  removeDir(work);
  return withUndo((undo) => {
    undo(() => removeDir(work));
    refuseMissing(dir, object, others);
    const btf = parseBtf(object.btf());
    const maps = object.maps.filter(isKept);
    const plans = planMaps(dir, maps, btf);
    loadBeside(object, plans);
    for (const part of [...PARTS, BASE]) makeDir(join(work, part));
    for (const { map, use } of plans) if (use !== 'keep') bpf.objPin(map.fd(), mapPath(work, map.name));
    pinPrograms(object, join(work, 'programs'));
    noteGone(dir, work, 'maps', maps);
    noteGone(dir, work, 'programs', object.programs);
    sign(work, ourselves);
    const changed = plans.filter(({ use }) => use === 'copy').map(({ map }) => map);
    for (const map of changed) makeBase(work, map, shapeIn(map, btf));
    // From here to the last hook, what programs count in the old maps has to be added to the new ones.
    withMigrations(dir, work, changed, btf, copyEntries);
    rename(work, join(dir, NEXT));
    const hasNew = plans.some(({ map, was }) => was === undefined && !isOfPrograms(map));
    return { changed: changed.map(({ name }) => name), hasNew };
  });
}

function loadBeside(object: BpfObject, plans: readonly MapPlan[]): void {
  for (const { map, was, use } of plans) if (was !== undefined && use === 'keep') map.reuse(was.fd);
  object.load();
  for (const { was } of plans) if (was !== undefined) closeSync(was.fd);
}

interface MapPlan {
  readonly map: ObjectMap;
  /** What is pinned under that name. */
  readonly was: RawMap | undefined;
  /** The pinned one, one that gets its entries, or one without any. */
  readonly use: 'keep' | 'copy' | 'anew';
}

function planMaps(dir: string, maps: readonly ObjectMap[], btf: Btf): MapPlan[] {
  const plans = maps.map((map): MapPlan => {
    const fd = bpf.objGet(mapPath(dir, map.name));
    if (fd === undefined) return { map, was: undefined, use: 'anew' };
    const was = rawMap(fd);
    if (isOfPrograms(map)) return { map, was, use: 'anew' };
    return { map, was, use: isSameShape(shapeOf(was), shapeIn(map, btf)) ? 'keep' : 'copy' };
  });
  const isTogether = ({ map }: MapPlan): boolean => TOGETHER.includes(map.name);
  if (plans.filter(isTogether).every(({ use }) => use === 'keep')) return plans;
  return plans.map((plan) => (isTogether(plan) ? { ...plan, use: 'anew' } : plan));
}

function makeBase(work: string, { name }: ObjectMap, shape: Shape): void {
  if (countersOf(shape).length === 0) return;
  const fd = createHash('base', shape.keySize, baseSize(shape), shape.maxEntries);
  bpf.objPin(fd, join(work, BASE, name));
  closeSync(fd);
}

function finish(dir: string, object: BpfObject, others: OtherHooks): void {
  const next = join(dir, NEXT);
  const btf = parseBtf(object.btf());
  withUndo((undo) => {
    undo(() => takeBack(dir, others));
    swap(dir, programsPath(dir), join(next, 'programs'), others);
    waitForPackets();
    const counting = object.maps.filter(({ name }) => list(join(next, BASE)).includes(name));
    withPin(join(next, 'programs', 'grow'), (grow) =>
      withMigrations(dir, next, counting, btf, (each) => growCounters(each, grow)),
    );
    rename(next, join(dir, MOVING));
  });
  move(dir);
}

function takeBack(dir: string, others: OtherHooks): void {
  swap(dir, join(dir, NEXT, 'programs'), programsPath(dir), others);
  waitForPackets();
  removeDir(join(dir, NEXT));
}

// All that takes time comes before the first entry, and maps whose numbers run ahead come last: the shorter, the better.
function withMigrations(
  dir: string,
  next: string,
  maps: readonly ObjectMap[],
  btf: Btf,
  act: (migration: Migration) => void,
): void {
  const fds: number[] = [];
  const openMap = (path: string): RawMap => {
    const fd = openPin(path);
    fds.push(fd);
    return rawMap(fd);
  };
  try {
    const all = maps.map((map) => {
      const { name } = map;
      const was = openMap(mapPath(dir, name));
      const base = existsSync(join(next, BASE, name)) ? openMap(join(next, BASE, name)) : undefined;
      const shapes = { was: shapeOf(was), is: shapeIn(map, btf) };
      return named(dir, name, () => migration({ name, was, is: openMap(mapPath(next, name)), shapes, base }));
    });
    all.sort((a, b) => a.given.length - b.given.length);
    for (const each of all) named(dir, each.name, () => act(each));
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

function named<T>(dir: string, map: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof Unfit) throw unfit(map, error, refusal(dir));
    throw error;
  }
}

function refusal(dir: string): string {
  return `nothing was changed; go on with ${makerText(makerOf(dir))}, or delete the links with it`;
}

// Each packet is seen by the old program or by the new one, each with maps of its own where one hands something to the next.
function swap(dir: string, from: string, to: string, others: OtherHooks): void {
  for (const { pin, ifindex, program } of attached(dir, from)) {
    if (program === undefined || ifindex === 0) continue;
    put(dir, pin, join(to, program));
  }
  // Those too that a killed command gave the program already: it may not have noted that.
  for (const hook of [...others.attached(from), ...others.attached(to)])
    if (hook.program !== undefined) others.replace(hook, join(to, hook.program));
}

function hooksAt(dir: string, path: string, others: OtherHooks): Pick<Attachment, 'pin' | 'program'>[] {
  return [...attached(dir, path), ...others.attached(path)];
}

function put(dir: string, pin: string, program: string): void {
  // ENOLINK: its device has gone meanwhile.
  tolerating(['ENOLINK'], () => withPin(program, (fd) => replace(dir, pin, fd)));
}

function refuseMissing(dir: string, object: BpfObject, others: OtherHooks): void {
  const known = new Set(object.programs.map(({ name }) => name));
  const missing = hooksAt(dir, programsPath(dir), others).find(
    ({ program }) => program !== undefined && !known.has(program),
  );
  if (missing === undefined) return;
  const said = `this version has no program ${missing.program}, which ${missing.pin} runs`;
  throw new KernelError(`replace programs of ${makerText(makerOf(dir))}`, { said, hint: refusal(dir) });
}

// The old ones are not in the object that made the new ones, so somebody has to remember what goes.
function noteGone(dir: string, work: string, part: (typeof PARTS)[number], kept: readonly { name: string }[]): void {
  const names = new Set(kept.map(({ name }) => name));
  for (const name of list(join(dir, part))) if (!names.has(name)) makeDir(join(work, GONE, part, name));
}

// Nothing here can be refused for what it is; and what is done already is not there any more.
function move(dir: string): void {
  const moving = join(dir, MOVING);
  for (const part of PARTS) {
    for (const name of list(join(moving, part))) rename(join(moving, part, name), join(dir, part, name));
    for (const name of list(join(moving, GONE, part))) {
      unpin(join(dir, part, name));
      told(`remove ${name}`, () => rmdirSync(join(moving, GONE, part, name)));
    }
  }
  moveSignature(moving, dir);
  removeDir(moving);
}

function rename(from: string, to: string): void {
  told(`rename ${from}`, () => renameSync(from, to));
}
