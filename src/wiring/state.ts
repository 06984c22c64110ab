// SPDX-License-Identifier: MIT
import { existsSync, renameSync, statSync } from 'node:fs';
import { bpffs, listCookies, lock, programsPath, removeState, stateDir } from '../datapath/bpffs';
import type { Control } from '../datapath/control';
import { type Structs, sweep_cause } from '../datapath/layout.gen';
import { type OpenMaps, openMaps } from '../datapath/maps';
import { ensureLoaded } from '../datapath/object';
import { told } from '../datapath/pins';
import { upgrade } from '../datapath/upgrade';
import { KernelError, tolerating } from '../errors';
import { type GenericSocket, openRoute, type RouteSocket } from '../netlink/socket';
import { netnsCookie } from '../netns';
import { type Undo, withUndo } from '../undo';
import { filterHooks, type Hooks, hasLiveHooks, hooksOf } from './hooks';
import { openState } from './opened';
import { sweepRules } from './vrf';

/** Tells the user what was done beside what was asked. */
export type Note = (text: string) => void;

/** Everything that the kernel holds for this network namespace, open, as one command has it. */
export type State = Hooks & {
  /** Where it is pinned. */
  readonly dir: string;
  readonly maps: OpenMaps;
  readonly control: Control;
  readonly route: RouteSocket;
  readonly note: Note;
  generic(): GenericSocket;
  /** Says that a command is at work, until it has ended or undone what it did. */
  begin(): void;
  /** Removes maps, programs and their directory. Call it when no link is left. */
  remove(): void;
};

/**
 * Looks at the state of the current network namespace; `look` gets undefined when there is none. Takes no lock: when
 * another command removes the state meanwhile, it looks again.
 */
export function viewState<T>(note: Note, look: (state: State | undefined) => T): T {
  const dir = stateDir(netnsCookie());
  for (;;) {
    const before = isMade(dir) ? inodeOf(dir) : undefined;
    try {
      return look(before === undefined ? undefined : stateIn(dir, note));
    } catch (error) {
      if (!(error instanceof KernelError) || before === undefined) throw error;
      if (isMade(dir) && inodeOf(dir) === before) throw error;
    }
  }
}

/**
 * Runs steps that change the state while no other gtp does; when they throw, what they did is undone. `make`: loads the
 * programs and makes the maps first if they are not there; else `steps` gets undefined.
 */
export function changeState<T>(note: Note, steps: (state: State | undefined, undo: Undo) => T): T;
export function changeState<T>(note: Note, steps: (state: State, undo: Undo) => T, make: 'make'): T;
export function changeState<T>(note: Note, steps: (state: State, undo: Undo) => T, make?: 'make'): T {
  const dir = stateDir(netnsCookie());
  const run = steps as (state: State | undefined, undo: Undo) => T;
  if (make === undefined && !exists(dir)) return withUndo((undo) => run(undefined, undo));
  const held = lock(dir);
  let state: Changing | undefined;
  const settled = (): void => state?.end();
  try {
    return withUndo((undo) => {
      if (!isMade(dir)) {
        // Without programs there is no link: what else is there was left by a command that was killed.
        if (make === undefined) removeState(dir);
        else undo(() => dismantle(dir));
      }
      if (make !== undefined) ensureLoaded(dir);
      const upgraded = isMade(dir) ? upgrade(dir, filterHooks(dir, once(openRoute))) : undefined;
      if (upgraded !== undefined) note(upgraded);
      state = isMade(dir) ? stateIn(dir, note) : undefined;
      return run(state, undo);
    }, settled);
  } finally {
    held.release();
  }
}

/**
 * Removes what network namespaces left under the bpffs that are gone: their links and shims have no device any more. One
 * that another command is at work in is left alone.
 */
export function sweepNamespaces(): void {
  const root = bpffs();
  const own = netnsCookie();
  for (const cookie of listCookies(root).filter((other) => other !== own)) {
    const dir = stateDir(cookie, root);
    tolerating(['EAGAIN'], () => {
      const held = lock(dir, 0);
      try {
        if (!hasHooks(dir)) {
          sweepRules(undefined, wordsIn(dir));
          dismantle(dir);
        }
      } finally {
        held.release();
      }
    });
  }
}

// What its links were told, for the namespaces that their inner ends were in.
function wordsIn(dir: string): Structs['link_words'][] {
  if (!isMade(dir)) return [];
  const maps = openMaps(dir);
  try {
    return [...maps.link_words.entries()].map(([, words]) => words);
  } catch (error) {
    // Of another layout: it goes all the same.
    if (error instanceof KernelError) return [];
    throw error;
  } finally {
    maps.close();
  }
}

function hasHooks(dir: string): boolean {
  const maps = openMaps(dir);
  try {
    return hasLiveHooks(dir, (index) => maps.devices.get(index) !== undefined);
  } finally {
    maps.close();
  }
}

// To somebody who may not look, "nothing there" would be a lie.
function isMade(dir: string): boolean {
  return exists(programsPath(dir));
}

function exists(path: string): boolean {
  return told(`look at ${path}`, () => statSync(path, { throwIfNoEntry: false })) !== undefined;
}

function inodeOf(dir: string): number | undefined {
  return statSync(dir, { throwIfNoEntry: false })?.ino;
}

// First the name that says that everything is there: a command killed amid the rest leaves no state that looks whole.
function dismantle(dir: string): void {
  const path = programsPath(dir);
  if (existsSync(path)) told(`rename ${path}`, () => renameSync(path, `${path}-gone`));
  removeState(dir);
}

// `end` takes back what `begin` said.
type Changing = State & { end(): void };

function stateIn(dir: string, note: Note): Changing {
  const { maps, control, route, generic } = openState(dir);
  let isAtWork = false;
  return {
    dir,
    maps,
    get control(): Control {
      return { fd: control() };
    },
    get route(): RouteSocket {
      return route();
    },
    note,
    generic,
    ...hooksOf(dir, route),
    begin: () => {
      isAtWork = true;
      maps.unswept.put(sweep_cause.command, 1);
    },
    end: () => {
      if (isAtWork) maps.unswept.put(sweep_cause.command, 0);
    },
    remove: () => dismantle(dir),
  };
}

function once<T>(open: () => T): () => T {
  let opened: T | undefined;
  return () => {
    opened ??= open();
    return opened;
  };
}
