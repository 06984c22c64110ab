// SPDX-License-Identifier: MIT

/** Something that holds a descriptor. */
type Closable = { close(): void };

const opened = new Set<Closable>();

/**
 * Notes what the command at work has opened and need not close itself: the end of the process does, or, where it goes on with
 * another command, `closeOpened`. Who closes a thing before forgets it.
 */
export function note<T extends Closable>(thing: T): T {
  opened.add(thing);
  return thing;
}

/** Takes a thing out of that: it is closed, or is to outlive the command. */
export function forget<T extends Closable>(thing: T): T {
  opened.delete(thing);
  return thing;
}

/** Closes what a command that has ended has left open. */
export function closeOpened(): void {
  for (const thing of opened) thing.close();
}
