// SPDX-License-Identifier: MIT
import { closeSync } from 'node:fs';
import { createArrayOfMaps, createHash, rawMap, update } from '../bindings/bpf-map';

/**
 * Returns when every packet that was inside a BPF program at the time of the call has come out. The kernel says of a map in a map that
 * no program uses the old one any more when its replacement returns (maybe_wait_bpf_programs), and for that waits for all programs.
 */
export function waitForPackets(): void {
  const inner = createHash('grace', 4, 4, 1);
  const outer = createArrayOfMaps('graces', inner);
  try {
    update(rawMap(outer), Buffer.alloc(4), Buffer.from(Uint32Array.of(inner).buffer));
  } finally {
    closeSync(outer);
    closeSync(inner);
  }
}
