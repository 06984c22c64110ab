// SPDX-License-Identifier: MIT
// Hooks: tcx links where the kernel has them, filters of clsact qdiscs (which every kernel has) where it does not.
import { join } from 'node:path';
import { programsPath } from '../datapath/bpffs';
import {
  attachedFilters,
  type FilterPin,
  filterPins,
  filterSide,
  forgetQdisc,
  isOurQdisc,
  keepsFilters,
  noteQdisc,
  pinFilter,
  repinFilter,
  SIDES,
  unpinFilter,
} from '../datapath/filters';
import {
  type Attachment,
  attach,
  attached,
  detach,
  type FilterSide,
  type HookIds,
  hookIds,
  isAttached,
  programNames,
  programsAt,
  type Side,
} from '../datapath/object';
import type { OtherHooks } from '../datapath/upgrade';
import { errno, isErrno, KernelError, tolerating, UsageError } from '../errors';
import { deleteFilter, type Filter, listFilters, putFilter } from '../netlink/filter';
import { getLink } from '../netlink/link';
import { addClsact, deleteClsact, filterQdisc } from '../netlink/qdisc';
import type { RouteSocket } from '../netlink/socket';
import { type Undo, withUndo } from '../undo';
import { type HookKind, readPin } from './pin-names';

/** The hooks of the network namespace that the current one is, and whose state is pinned in one directory. */
export type Hooks = {
  /** In the place of what is pinned as `pin`, which an earlier device with this index may have left. */
  attach(program: string, ifindex: number, side: Side, pin: string): void;
  detach(pin: string): void;
  isAttached(pin: string): boolean;
  attached(): readonly Attachment[];
  /** What the kernel has at a hook that is there. */
  idsOf(pin: string): HookIds;
  /** Whether programs of others stand at the ingress of a device where they may see packets before ours do. */
  hasOthers(ifindex: number): boolean;
  /** What they are where there are some; else what would be tried first. */
  hookKind(): 'tcx' | 'clsact';
};

/** `route` gives the socket, which is not asked for where all hooks are links. */
export function hooksOf(dir: string, route: () => RouteSocket): Hooks {
  const at: Place = { dir, route };
  const detachPin = (pin: string): void => {
    const side = filterSide(dir, pin);
    if (side === undefined) detach(dir, pin);
    else detachFilter(at, { pin, side });
  };
  return {
    attach: (program, ifindex, side, pin) => {
      detachPin(pin);
      if (side === 'xdp') {
        attach(dir, program, ifindex, side, pin);
        return;
      }
      const wanted = wantedKind();
      const tryTcx = wanted === undefined ? !keepsFilters(dir) : wanted === 'tcx';
      if (tryTcx && attach(dir, program, ifindex, side, pin)) return;
      if (wanted === 'tcx') throw noTcx(ifindex);
      attachFilter(at, join(programsPath(dir), program), ifindex, { side, pin });
    },
    detach: detachPin,
    isAttached: (pin) => {
      const side = filterSide(dir, pin);
      return side === undefined ? isAttached(dir, pin) : filterOf(at, { pin, side }) !== undefined;
    },
    attached: () => [
      ...attached(dir),
      ...attachedFilters(dir).map((hook) => ({ ...hook, ifindex: deviceOf(at, hook) })),
    ],
    idsOf: (pin) => {
      const side = filterSide(dir, pin);
      if (side === undefined) return hookIds(dir, pin);
      return { linkId: undefined, programId: filterOf(at, { pin, side })?.programId };
    },
    hasOthers: (ifindex) =>
      keepsFilters(dir) ? listFilters(route(), ifindex, 'ingress').some(isBeforeOurs) : programsAt(ifindex) > 1,
    hookKind: () => (keepsFilters(dir) ? 'clsact' : 'tcx'),
  };
}

/** The hooks that are filters, for them to get other programs. */
export function filterHooks(dir: string, route: () => RouteSocket): OtherHooks {
  const at: Place = { dir, route };
  return {
    // What the filter runs, not what is pinned: a command may have been killed between the two.
    attached: (path) => {
      const hooks = filterPins(dir);
      if (hooks.length === 0) return [];
      const names = programNames(path);
      return hooks.map((hook) => ({ ...hook, program: names.get(filterOf(at, hook)?.programId ?? 0) }));
    },
    replace: (hook, path) => {
      repinFilter(dir, hook, path, (programFd) => {
        const was = filterOf(at, hook);
        if (was === undefined) return; // somebody took it off, or its device has gone
        const filter = { name: nameOf(hook.pin), preference: was.preference, programFd, handle: was.handle };
        putFilter(route(), readPin(hook.pin).index, hook.side, filter);
      });
    },
  };
}

/**
 * Whether a link or shim of a state is there, in whatever network namespace; `isThere` tells of a device that the kernel was asked to
 * watch. A device under an underlay's hook may have outlived its namespace: a real NIC goes back to where it came from.
 */
export function hasLiveHooks(dir: string, isThere: (ifindex: number) => boolean): boolean {
  return (
    attached(dir).some(({ pin, ifindex }) => ifindex !== 0 && isOfOwnDevice(pin)) ||
    filterPins(dir).some(({ pin }) => isOfOwnDevice(pin) && isThere(readPin(pin).index))
  );
}

type Place = { readonly dir: string; readonly route: () => RouteSocket };

/** Hooks at devices of our making. */
const OWN: readonly string[] = ['link', 'shim'] satisfies HookKind[];
/** Where ours stand among the filters of a device: behind those whose user gave a lower number, before those that the kernel numbers. */
const PREFERENCE = 2152;
const NAME = 'gtp/';

// GTP_HOOKS, for those who want our programs among their filters, and for tests of old kernels' way on new ones.
function wantedKind(): 'tcx' | 'clsact' | undefined {
  const given = process.env['GTP_HOOKS'] ?? '';
  if (given === '' || given === 'tcx' || given === 'clsact') return given === '' ? undefined : given;
  throw new UsageError(`GTP_HOOKS: expected tcx or clsact, got "${given}"`, { hint: 'leave it out: gtp chooses' });
}

function noTcx(ifindex: number): KernelError {
  return new KernelError(`attach program to device ${ifindex}`, {
    errno: errno('EINVAL'),
    said: 'this kernel has no tcx',
    hint: 'tcx needs Linux 6.6 or later with CONFIG_NET_XGRESS: leave GTP_HOOKS out, or say clsact',
  });
}

function isBeforeOurs({ name, preference }: Filter): boolean {
  return !name?.startsWith(NAME) && preference <= PREFERENCE;
}

function isOfOwnDevice(pin: string): boolean {
  return OWN.includes(readPin(pin).kind);
}

function nameOf(pin: string): string {
  return `${NAME}${pin}`;
}

function filterOf({ route }: Place, { pin, side }: FilterPin): Filter | undefined {
  return listFilters(route(), readPin(pin).index, side).find(({ name }) => name === nameOf(pin));
}

// A filter that is missing says of a device of ours that it has gone. Of another's it may have been taken off by hand: then what we
// changed on that device is to be given back all the same.
function deviceOf(at: Place, hook: FilterPin): number {
  const index = readPin(hook.pin).index;
  const isThere = isOfOwnDevice(hook.pin)
    ? filterOf(at, hook) !== undefined
    : getLink(at.route(), { index }) !== undefined;
  return isThere ? index : 0;
}

// What stands in the directory comes first and goes last: a filter that nobody knows of would stay for ever.
function attachFilter(at: Place, path: string, ifindex: number, hook: FilterPin): void {
  const { dir, route } = at;
  withUndo((undo) => {
    undo(() => unpinFilter(dir, hook));
    pinFilter(dir, hook, path, (programFd) => {
      ensureClsact(at, ifindex, hook.side, undo);
      const handle = filterOf(at, hook)?.handle; // of one that a killed command forgot
      const filter = { name: nameOf(hook.pin), preference: PREFERENCE, programFd, handle };
      explained('cls_bpf', () => putFilter(route(), ifindex, hook.side, filter));
    });
  });
}

function ensureClsact(at: Place, index: number, side: FilterSide, undo: Undo): void {
  const { dir, route } = at;
  const kind = filterQdisc(route(), index);
  if (kind === undefined) {
    undo(() => leave(at, index));
    noteQdisc(dir, index);
    explained('sch_ingress', () => addClsact(route(), index));
  } else if (kind !== 'clsact' && side === 'egress') {
    const name = getLink(route(), { index })?.name ?? index;
    throw new KernelError(`attach program to egress of device ${name}`, {
      errno: errno('EEXIST'),
      said: `it has a qdisc ${kind}, which takes filters on receipt only`,
      hint: 'put a qdisc clsact in its place, which does the same and more: tc qdisc',
    });
  }
}

// A qdisc of our making goes with its last filter, in one step; one with filters of others is theirs from then on.
function detachFilter(at: Place, hook: FilterPin): void {
  leave(at, readPin(hook.pin).index, hook);
  unpinFilter(at.dir, hook);
}

function leave(at: Place, index: number, hook?: FilterPin): void {
  const { dir, route } = at;
  const all = SIDES.flatMap((side) => listFilters(route(), index, side).map((filter) => ({ ...filter, side })));
  const own = all.find(({ name, side }) => hook !== undefined && side === hook.side && name === nameOf(hook.pin));
  const others = all.filter((filter) => filter !== own);
  const isOurs = isOurQdisc(dir, index);
  if (isOurs && others.length === 0) ignoringGone(() => deleteClsact(route(), index));
  else if (own !== undefined) ignoringGone(() => deleteFilter(route(), index, own.side, own));
  if (isOurs && !others.some(({ name }) => name?.startsWith(NAME))) forgetQdisc(dir, index);
}

// The device, or what somebody took off it, may go at this moment.
function ignoringGone(act: () => void): void {
  tolerating(['ENODEV', 'ENOENT', 'EINVAL'], act);
}

// Without tcx there is no other way than this.
function explained(module: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    const hint = `programs are attached by tcx (Linux 6.6 or later) or by clsact filters, for which this kernel lacks ${module}`;
    throw new KernelError(error.tried, { errno: errno('ENOENT'), said: error.said, hint, cause: error });
  }
}
