// SPDX-License-Identifier: MIT
import type * as Koffi from 'koffi';

export type Library = Koffi.LibraryHandle;
export type KoffiModule = typeof Koffi;

/**
 * Koffi, loaded on first use. Its public entry costs 5.2 ms of CPU on Node 20, nearly all of it for finding
 * out which prebuilt addon fits; the addon of a common Linux asked for by name costs 1.9 ms, which matters
 * to a command that runs for 5 ms. Where that addon is absent, does not load (musl) or is of
 * another version than the package, the public entry is used.
 */
export function koffi(): KoffiModule {
  loaded ??= loadAddon() ?? (require('koffi') as KoffiModule);
  return loaded;
}

/** A NUL-terminated copy of `text`. Buffers are passed to C as they are; koffi's own string arguments may be cut short. */
export function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

// The version that package.json pins and that was tried without koffi's own start-up code.
const VERSION = '3.3.4';

let loaded: KoffiModule | undefined;

function loadAddon(): KoffiModule | undefined {
  const target = `linux-${process.arch}`;
  try {
    const addon = require(`@koromix/koffi-${target}/${target.replace('-', '_')}/koffi.node`) as KoffiModule;
    return addon.version === VERSION ? addon : undefined;
  } catch {
    // Any reason is good enough to try the public entry, which reports its own failure.
    return undefined;
  }
}
