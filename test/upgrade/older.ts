// SPDX-License-Identifier: MIT
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { scratch } from '../fixture';
import { must } from '../run';
import { type Release, releaseIn } from './release';

/** What somebody may have had before: text of a source, and what stood there instead. */
type Edit = readonly [file: string, is: RegExp, was: string];

/**
 * How a version before this one may have looked: fields in another order, of another size, called otherwise for padding (so that its
 * command knows nothing of them), fields and names that are gone, numbers of names that are others, smaller maps.
 */
export const OTHER_LAYOUT: readonly Edit[] = [
  // the key of five maps, and a part of that of a sixth
  [
    'bpf/session_maps.h',
    /(struct rx_key \{\n.*\n)(\t__u64 id;.*\n)(\t__u16 port;.*\n)(\t__u8 kind;.*\n)(\t__u8 form;.*\n)(\t__u32 scope;.*\n)/,
    '$1$6$3$4$5$2',
  ],
  [
    'bpf/session_maps.h',
    /\t__u64 packets COUNTS;\n\t__u64 bytes COUNTS;\n(\tstruct tx_config config\[2\])/,
    '\t__u32 pad7[3];\n\t__u64 bytes COUNTS;\n\t__u64 packets COUNTS;\n$1',
  ],
  ['bpf/session_maps.h', /\bchar name\[64\]/, 'char name[40]'],
  [
    'bpf/session_maps.h',
    /HASH\(labels, struct rx_key, struct label, 1048576\)/,
    'HASH(labels, struct rx_key, struct label, 3000)',
  ],
  ['bpf/session_maps.h', /TX_CSUM = 1 << 0/, 'TX_CSUM = 1 << 27'],
  ['bpf/session_maps.h', /TX_UNKNOWN = 1 << 27/, 'TX_UNKNOWN = 1 << 0'],
  ['bpf/maps.h', /LINK_NO_ECHO = 1 << 14/, 'LINK_NO_ECHO = 1 << 30'],
  [
    'bpf/maps.h',
    /\t__u8 ttl;\n\t__u8 tos;\n\t__u16 underlays;(.*)\n/,
    '\t__u16 underlays;$1\n\t__u16 ttl;\n\t__u16 tos;\n',
  ],
  ['bpf/maps.h', /(DROP_NO_SESSION,.*\n)/, 'DROP_NO_LONGER,\n\t$1'],
  ['bpf/maps.h', /(\t__u32 restart_count;.*\n)(\t__u64 answered COUNTS;\n)/, '$2$1\t__u32 pad7;\n'],
  ...['decap', 'gpdu', 'gtpu', 'hairpin', 'session_maps', 'underlay', 'underlay_xdp'].map(
    (each): Edit => [`bpf/${each}.h`, /\bppi\b/g, 'pad9'],
  ),
];

/** This version with other sources in some places, under another number, built in a folder of its own. */
export async function olderRelease(version: string, edits: readonly Edit[]): Promise<Release> {
  const folder = `${scratch}/${version}`;
  mkdirSync(folder, { recursive: true });
  for (const name of ['bpf', 'src', 'tools', 'package.json', 'package-lock.json'])
    cpSync(name, `${folder}/${name}`, { recursive: true });
  symlinkSync(resolve('node_modules'), `${folder}/node_modules`);
  for (const [file, is, was] of edits) edit(`${folder}/${file}`, is, was);
  edit(`${folder}/package.json`, /"version": "[^"]*"/, `"version": "${version}"`);
  for (const step of [
    ['build.mjs', 'object'],
    ['run.mjs', 'tools/gen-layout.ts'],
    ['build.mjs', 'command'],
  ])
    await must(['sh', '-c', `cd ${folder} && exec ${process.execPath} tools/${step.join(' ')}`]);
  return releaseIn(`${folder}/dist`);
}

function edit(path: string, is: RegExp, was: string): void {
  const text = readFileSync(path, 'utf8');
  const changed = text.replace(is, was);
  if (changed === text) throw new Error(`${path} has nothing like ${is}`);
  writeFileSync(path, changed);
}
