// SPDX-License-Identifier: MIT
import { resolve } from 'node:path';
import { command } from '../fixture';

/** A path of this machine, as a guest sees it. */
export const host = (path: string): string => `/run/host${resolve(path)}`;

/** The words that run a bundle of ours in a guest. */
export const nodeIn = (file: string, words: string): string =>
  `'/run/host${process.execPath}' '${host(file)}' ${words}`;

/** The words that run `gtp` there. */
export const commandIn = (words: string): string => nodeIn(command, words);
