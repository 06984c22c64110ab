// SPDX-License-Identifier: MIT
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bpffs, listCookies, lock, removeState, stateDir } from '../datapath/bpffs';
import type { Control } from '../datapath/control';
import { type OpenMaps, openMaps } from '../datapath/maps';
import { type Attachment, attach, attached, detach, ensureLoaded, openProgram, type Side } from '../datapath/object';
import { isErrno } from '../errors';
import { type GenericSocket, openGeneric, openRoute, type RouteSocket } from '../netlink/socket';
import { netnsCookie } from '../netns';
import { type Undo, withUndo } from '../undo';

/** Tells the user what was done beside what was asked. */
export type Note = (text: string) => void;

/** Everything that the kernel holds for this network namespace, open. Ends with the process. */
export type State = {
  /** Where it is pinned. */
  readonly dir: string;
  readonly maps: OpenMaps;
  readonly control: Control;
  readonly route: RouteSocket;
  readonly note: Note;
  generic(): GenericSocket;
  attach(program: string, ifindex: number, side: Side, pin: string): void;
  detach(pin: string): void;
  isAttached(pin: string): boolean;
  attached(): readonly Attachment[];
  /** Removes maps, programs and their directory. Call it when no link is left. */
  remove(): void;
};

/** The state of the current network namespace to look at, or undefined when there is none. */
export function openState(note: Note): State | undefined {
  const dir = stateDir(netnsCookie());
  return existsSync(dir) ? stateIn(dir, note) : undefined;
}

/**
 * Runs steps that change the state while no other gtp does; when they throw, what they did is undone. `make`: loads the
 * programs and makes the maps first if they are not there; else `steps` gets undefined.
 */
export function changeState<T>(note: Note, steps: (state: State | undefined, undo: Undo) => T): T;
export function changeState<T>(note: Note, steps: (state: State, undo: Undo) => T, make: 'make'): T;
export function changeState<T>(note: Note, steps: (state: State, undo: Undo) => T, make?: 'make'): T {
  const dir = stateDir(netnsCookie());
  if (make === undefined && !existsSync(dir)) {
    return withUndo((undo) => (steps as (state: State | undefined, undo: Undo) => T)(undefined, undo));
  }
  const held = lock(dir);
  try {
    return withUndo((undo) => {
      if (!existsSync(join(dir, 'programs'))) undo(() => removeState(dir));
      ensureLoaded(dir);
      return steps(stateIn(dir, note), undo);
    });
  } finally {
    held.release();
  }
}

/**
 * Removes what network namespaces left under the bpffs that are gone: none of their hooks has a device any more. One that
 * another command is at work in is left alone.
 */
export function sweepNamespaces(): void {
  const root = bpffs();
  const own = netnsCookie();
  for (const cookie of listCookies(root).filter((other) => other !== own)) {
    const dir = stateDir(cookie, root);
    if (attached(dir).some(({ ifindex }) => ifindex !== 0)) continue;
    try {
      const held = lock(dir, 0);
      try {
        if (attached(dir).every(({ ifindex }) => ifindex === 0)) removeState(dir);
      } finally {
        held.release();
      }
    } catch (error) {
      if (!isErrno(error, 'EAGAIN')) throw error;
    }
  }
}

function stateIn(dir: string, note: Note): State {
  let generic: GenericSocket | undefined;
  let route: RouteSocket | undefined;
  let control: number | undefined;
  return {
    dir,
    maps: openMaps(dir),
    get control(): Control {
      control ??= openProgram(dir, 'control');
      return { fd: control };
    },
    get route(): RouteSocket {
      route ??= openRoute();
      return route;
    },
    note,
    generic: () => {
      generic ??= openGeneric();
      return generic;
    },
    attach: (program, ifindex, side, pin) => attach(dir, program, ifindex, side, pin),
    detach: (pin) => void detach(dir, pin),
    isAttached: (pin) => attached(dir).some((hook) => hook.pin === pin && hook.ifindex !== 0),
    attached: () => attached(dir),
    remove: () => removeState(dir),
  };
}
