// SPDX-License-Identifier: MIT
// The copyright file of the Debian package: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { manifest } from './modules.mjs';

/**
 * Who has written what, and the terms of each, in full.
 * @param {{ inside: string[], beside: string[] }} modules
 * @param {string} home where the package keeps its programs
 */
export function copyright({ inside, beside }, home) {
  const stanzas = [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: gtp\n',
    stanza('*', 'MIT', readFileSync('LICENSE', 'utf8')),
    ...inside.map((folder) => foreign(folder, `${home}/dist/gtp.cjs`, 'bundled into this file')),
    ...beside.map((folder) => foreign(folder, `${home}/${folder}/*`, 'as npm has it')),
  ];
  return stanzas.join('\n');
}

function foreign(folder, files, comment) {
  const { name, version, license } = manifest(folder);
  return stanza(files, license, licenseText(folder), `${name} ${version}, ${comment}`);
}

function stanza(files, license, text, comment) {
  const holders = [...text.matchAll(/^\s*copyright\s*(?:\(c\)|©)?\s*(.*)$/gim)].map(([, who]) => who.trim());
  if (holders.length === 0) throw new Error(`${files}: the licence names nobody`);
  const lines = text.trim().split('\n');
  return [
    `Files: ${files}`,
    `Copyright: ${holders.join('\n           ')}`,
    ...(comment === undefined ? [] : [`Comment: ${comment}`]),
    `License: ${license}`,
    ...lines.map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`)),
    '',
  ].join('\n');
}

/** All licences in a package, with those of what was compiled into it. */
function licenseText(folder) {
  const paths = readdirSync(folder, { recursive: true }).filter((path) => LICENCE.test(path));
  const texts = paths.toSorted().map((path) => readFileSync(join(folder, path), 'utf8'));
  if (texts.length > 0) return texts.join('\n');
  if (folder.startsWith(PREBUILT)) return licenseText('node_modules/koffi');
  throw new Error(`${folder} has no licence`);
}

// Of the package itself: those that it needs have their own.
const LICENCE = /^(?!.*node_modules\/)(?:.*\/)?licen[cs]e[^/]*$/i;
// The parts of koffi that it has for each system, in packages of their own.
const PREBUILT = 'node_modules/@koromix/koffi-';
