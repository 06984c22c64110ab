// SPDX-License-Identifier: MIT
import { closeSync } from 'node:fs';
import { generationOf } from '../datapath/generation';
import { type OpenMaps, openMaps } from '../datapath/maps';
import { openProgram } from '../datapath/object';
import { type GenericSocket, openGeneric, openRoute, type RouteSocket } from '../netlink/socket';
import { forget } from '../scope';

/** What is open of the state in one directory, and sockets in its network namespace. Each is opened when first used. */
export type Opened = {
  readonly maps: OpenMaps;
  control(): number;
  route(): RouteSocket;
  generic(): GenericSocket;
};

/**
 * Opens the state in `dir`, that of the current network namespace. Of consecutive commands of a batch the later ones get what the first
 * has opened, as long as the same is pinned there; what another command has put in its place meanwhile is opened anew.
 */
export function openState(dir: string): Opened {
  const generation = generationOf(dir);
  if (kept !== undefined && kept.dir === dir && kept.generation === generation && generation !== undefined) return kept;
  kept?.close();
  kept = { dir, generation, ...open(dir) };
  return kept;
}

type Kept = ReturnType<typeof open> & { readonly dir: string; readonly generation: number | undefined };

let kept: Kept | undefined;

function open(dir: string): Opened & { close(): void } {
  const maps = openMaps(dir);
  let control: number | undefined;
  let route: RouteSocket | undefined;
  let generic: GenericSocket | undefined;
  return {
    maps,
    control: () => {
      control ??= openProgram(dir, 'control');
      return control;
    },
    route: () => {
      route ??= forget(openRoute());
      return route;
    },
    generic: () => {
      generic ??= forget(openGeneric());
      return generic;
    },
    close: () => {
      maps.close();
      if (control !== undefined) closeSync(control);
      route?.close();
      generic?.close();
    },
  };
}
