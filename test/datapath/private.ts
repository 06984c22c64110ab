// SPDX-License-Identifier: MIT
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { type BpfObject, openObject } from '../../src/bindings/bpf-object';
import { check, MNT_DETACH, mount, umount2 } from '../../src/bindings/libc';

/** A bpffs of this test file's own, which GTP_BPFFS points to; `close` takes it away with every pin in it. */
export function privateBpffs(): { root: string; close(): void } {
  const root = `/run/gtp-test-${process.pid}`;
  mkdirSync(root);
  check(`mount ${root}`, mount('bpf', root, 'bpf'));
  process.env['GTP_BPFFS'] = root;
  const close = (): void => {
    check(`unmount ${root}`, umount2(root, MNT_DETACH));
    rmdirSync(root);
  };
  return { root, close };
}

/** The object of a test's BPF source in this directory. */
export function testObject(name: string): BpfObject {
  return openObject(readFileSync(resolve('dist/test/datapath', `${name}.bpf.o`)));
}
