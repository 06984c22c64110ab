// SPDX-License-Identifier: MIT
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { bpffs, scratch } from '../fixture';
import { type Result, run } from '../run';

/** A gtp of another version: a folder with its command and its object. */
export interface Release {
  readonly folder: string;
  /** Runs `gtp -n NS WORDS` of that version. */
  try(ns: string, words: string): Promise<Result>;
  /** The same, and wants status 0; gives what it printed. */
  in(ns: string, words: string): Promise<string>;
}

/** What stands in a folder as gtp.cjs and gtp.bpf.o. */
export function releaseIn(folder: string): Release {
  const attempt = (ns: string, words: string): Promise<Result> =>
    run([process.execPath, `${folder}/gtp.cjs`, '-n', ns, ...words.split(/\s+/)], {
      env: { ...process.env, GTP_BPFFS: bpffs, NODE_PATH: resolve('node_modules') },
    });
  return {
    folder,
    try: attempt,
    in: async (ns, words) => {
      const { status, stdout, stderr } = await attempt(ns, words);
      if (status !== 0) throw new Error(`${folder}/gtp.cjs -n ${ns} ${words}: status ${status}\n${stderr}`);
      return stdout;
    },
  };
}

/** The release that is kept in test/upgrade/VERSION, unpacked. */
export function keptRelease(version: string): Release {
  const folder = `${scratch}/${version}`;
  mkdirSync(folder, { recursive: true });
  for (const file of ['gtp.cjs', 'gtp.bpf.o'])
    writeFileSync(`${folder}/${file}`, brotliDecompressSync(readFileSync(`test/upgrade/${version}/${file}.br`)));
  return releaseIn(folder);
}
