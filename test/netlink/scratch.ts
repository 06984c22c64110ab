// SPDX-License-Identifier: MIT
import { execFileSync } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import { type GenericSocket, openGeneric, openRoute, type RouteSocket } from '../../src/netlink/socket';
import { inNetns, openNetns } from '../../src/netns';

/** A network namespace of one test, with sockets in it. */
export type Scratch = {
  readonly name: string;
  readonly path: string;
  readonly fd: number;
  readonly route: RouteSocket;
  readonly generic: GenericSocket;
};

/** A test body that gets two fresh network namespaces; both are deleted afterwards. */
export function inScratch(body: (t: ExecutionContext, left: Scratch, right: Scratch) => void) {
  return (t: ExecutionContext): void => {
    const left = make('left');
    try {
      const right = make('right');
      try {
        body(t, left, right);
      } finally {
        remove(right);
      }
    } finally {
      remove(left);
    }
  };
}

/** Runs ip(8), or ethtool(8) and others by their name, inside a namespace: the view from outside. */
export function look(scratch: Scratch, ...words: string[]): string {
  return execFileSync('ip', ['netns', 'exec', scratch.name, ...words], { encoding: 'utf8' });
}

/** The answer of `ip -d -j WORDS` in a namespace. */
export function ipJson(scratch: Scratch, ...words: string[]): Record<string, unknown>[] {
  const text = execFileSync('ip', ['-n', scratch.name, '-d', '-j', ...words], { encoding: 'utf8' });
  // Keeps the shape of the answer where ip prints nothing at all.
  return text.trim() === '' ? [] : (JSON.parse(text) as Record<string, unknown>[]);
}

function make(side: string): Scratch {
  const name = `gtpt-${process.pid}-${side}`;
  execFileSync('ip', ['netns', 'add', name]);
  const path = `/run/netns/${name}`;
  return { name, path, fd: openNetns(path), route: inNetns(path, openRoute), generic: inNetns(path, openGeneric) };
}

function remove({ name, fd, route, generic }: Scratch): void {
  route.close();
  generic.close();
  closeSync(fd);
  execFileSync('ip', ['netns', 'del', name]);
}
