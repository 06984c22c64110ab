// SPDX-License-Identifier: MIT
import { existsSync, renameSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { version } from '../../package.json';
import { list, makeDir, told } from './pins';

/** Put in by tools/bundle.mjs: the first digits of the hash of the BPF object that the command was built with. */
declare const OBJECT_HASH: string;

/** Who loaded programs: the version of gtp, and which build of the object. */
export interface Maker {
  readonly version: string;
  readonly object: string;
}

/** This command. */
export const ourselves: Maker = { version, object: OBJECT_HASH };

/** Whether the programs that are pinned in `dir` are those of this command; costs one stat. */
export function isOurs(dir: string): boolean {
  return existsSync(join(dir, signature(ourselves)));
}

/** A number of what this very command's build has pinned in `dir`, which no other that takes its place has; undefined where it is another's. */
export function generationOf(dir: string): number | undefined {
  return statSync(join(dir, signature(ourselves)), { throwIfNoEntry: false })?.ino;
}

/** Says in `dir` who loaded its programs: an empty directory with a name that tells. A bpffs has no files. */
export function sign(dir: string, maker: Maker): void {
  makeDir(join(dir, signature(maker)));
}

/** Moves what `sign` left in `from` to `to`, in the place of what is there. */
export function moveSignature(from: string, to: string): void {
  const [name] = signatures(from);
  if (name === undefined) return;
  for (const old of signatures(to)) told(`remove ${old}`, () => rmdirSync(join(to, old)));
  told(`rename ${name}`, () => renameSync(join(from, name), join(to, name)));
}

/** Who loaded the programs that are pinned in `dir`; undefined: a version of gtp that did not say. */
export function makerOf(dir: string): Maker | undefined {
  const [, made, object] = FORM.exec(signatures(dir)[0] ?? '') ?? [];
  return made === undefined || object === undefined ? undefined : { version: made.replaceAll('_', '.'), object };
}

/** Whether that version of gtp is later than this one; versions are numbers with dots. */
export function isNewer(maker: Maker | undefined): boolean {
  const [theirs, ours] = [maker?.version ?? '0', version].map((text) => text.split('.').map(Number));
  for (let i = 0; i < 3; i++) {
    const by = (theirs?.[i] ?? 0) - (ours?.[i] ?? 0);
    if (by !== 0) return by > 0;
  }
  return false;
}

/** How a maker is called in messages. */
export function makerText(maker: Maker | undefined): string {
  if (maker === undefined) return 'an earlier gtp';
  return maker.version === version ? `another build of gtp ${version}` : `gtp ${maker.version}`;
}

/** What to do where pins below `dir` are not as this version has left them. */
export function startAnew(dir: string): string {
  return `another program has changed what gtp pinned: rm -r ${dirname(dir)}, delete the links and gtpshim0 with ip link, and make the links anew`;
}

/** What to do about pins in `dir` that this command cannot use as they are. */
export function advice(dir: string): string {
  if (isOurs(dir)) return startAnew(dir);
  const maker = makerOf(dir);
  if (isNewer(maker)) return `made by ${makerText(maker)}, this is ${version}: use that`;
  return `made by ${makerText(maker)}: a command that changes something takes it over, such as gtp link set NAME up`;
}

const FORM = /^made-by-(.+)-([^-]+)$/;

function signature({ version: by, object }: Maker): string {
  return `made-by-${by.replaceAll('.', '_')}-${object}`; // a name in a bpffs has no dots
}

function signatures(dir: string): string[] {
  return list(dir).filter((name) => FORM.test(name));
}
