// SPDX-License-Identifier: MIT
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readNumber } from '../values';

/** The number of a routing table as the user named it: a number, or a name that iproute2 knows; undefined if it is neither. */
export function tableNumber(text: string): number | undefined {
  return readNumber(text, 1, 0xffffffff) ?? namedTables().find(([, name]) => name === text)?.[0];
}

/** A routing table as `ip route` writes it: by its name, if it has one. */
export function tableName(number: number): string {
  return namedTables().find(([known]) => known === number)?.[1] ?? String(number);
}

// rt_tables(5): the administrator's own file takes the place of the one that came with iproute2.
const FILES = ['/etc/iproute2/rt_tables', '/usr/share/iproute2/rt_tables', '/usr/lib/iproute2/rt_tables'];
const FOLDERS = ['/etc/iproute2/rt_tables.d', '/usr/share/iproute2/rt_tables.d'];

function namedTables(): [number: number, name: string][] {
  const more = FOLDERS.filter((folder) => existsSync(folder)).flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.conf'))
      .map((file) => `${folder}/${file}`),
  );
  return [...FILES.filter((file) => existsSync(file)).slice(0, 1), ...more].flatMap(readTables);
}

function readTables(file: string): [number: number, name: string][] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, number = '', name = ''] = /^\s*(\w+)\s+([^\s#]+)/.exec(line) ?? [];
      const value = readNumber(number, 0, 0xffffffff);
      return value === undefined ? [] : [[value, name]];
    });
}
