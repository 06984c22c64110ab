// SPDX-License-Identifier: MIT
import { must } from '../run';
import type { Family } from '../topology';
import type { Beside } from './topology';

/** What one subject has of its own beside one guest, so that several do not meet: addresses, and names of devices. */
export interface Site {
  readonly number: number;
  /** Outer addresses, our own first. */
  readonly ends: Readonly<Record<Family, readonly [string, string]>>;
}

/** Site 0 has the address that is there. Theirs is the same for all: some of its devices cannot be told which to send from. */
export const siteOf = (number: number): Site => ({
  number,
  ends: { 4: [`192.0.2.${10 * number + 1}`, '192.0.2.2'], 6: [`2001:db8:2::${10 * number + 1}`, '2001:db8:2::2'] },
});

/** Gives a site its outer addresses. */
export async function openSite({ m1 }: Beside, { ends }: Site): Promise<void> {
  const lines = [`addr add ${ends[4][0]}/24 dev ul`, `addr add ${ends[6][0]}/64 dev ul nodad`];
  await must(['ip', '-n', m1, '-b', '-'], { input: `${lines.join('\n')}\n` });
}

/** The inner addresses of host number `host` in network n of a site. */
export const userOf = ({ number }: Site, n: number, host: number): Readonly<Record<Family, string>> => ({
  4: `10.${number}.${n}.${host}`,
  6: `fd0${number}:${n}::${host}`,
});

/** With the lengths that their networks have. */
export const prefixesOf = (user: Readonly<Record<Family, string>>): readonly [string, string] => [
  `${user[4]}/24`,
  `${user[6]}/64`,
];

/** The words that give an inner end its addresses. */
export const addressWords = (user: Readonly<Record<Family, string>>): string =>
  prefixesOf(user)
    .map((prefix) => `address ${prefix}`)
    .join(' ');

/** The lines that give a device its addresses. */
export const addressLines = (user: Readonly<Record<Family, string>>, device: string): string[] =>
  prefixesOf(user).map((prefix) => `addr add ${prefix} dev ${device}`);
