// SPDX-License-Identifier: MIT
import { lookup, rawMap, update } from '../../src/bindings/bpf-map';
import { koffi } from '../../src/bindings/koffi';
import { call, checked } from '../../src/bindings/libbpf';
import { encode } from '../../src/datapath/codec';
import { offsetOf } from '../../src/datapath/offset';
import { loadPrograms, type Programs } from '../bpf/harness';
import { type Counts, counterReader } from './counters';
import { fill } from './fill';

/** What the program made of a frame. */
export interface Made {
  readonly verdict: 'pass' | 'drop' | 'redirect' | number;
  /** Valid until the next frame. */
  readonly frame: Buffer;
}

/** The program `underlay` with the endpoints and sessions of places.ts. */
export interface Datapath {
  /** Runs a frame; undefined when the kernel does not run a program with so short a one. */
  run(frame: Buffer): Made | undefined;
  /** Whether `underlay_xdp` sees frames first, and only what it passes gets to `underlay`. */
  setXdp(isFirst: boolean): void;
  counters(): Counts;
  /** Fills the token buckets or takes everything out of them. */
  setTokens(areThere: boolean): void;
  close(): void;
}

/** Loads the programs privately and fills the maps. */
export function openDatapath(): Datapath {
  const programs = loadPrograms();
  fill(programs);
  const stack = runner('underlay', programs.fd('stack underlay'), TC_VERDICTS);
  const xdp = runner('underlay_xdp', programs.fd('underlay_xdp'), XDP_VERDICTS);
  let hasXdp = false;
  return {
    run: (frame) => {
      const first = hasXdp ? xdp(frame) : undefined;
      if (first?.verdict === 'redirect') return first;
      if (first !== undefined && (first.verdict !== 'pass' || !first.frame.equals(frame)))
        throw new Error(
          `underlay_xdp: verdict ${first.verdict}, ${frame.toString('hex')} -> ${first.frame.toString('hex')}`,
        );
      return stack(frame);
    },
    setXdp: (isFirst) => {
      hasXdp = isFirst;
    },
    counters: counterReader(programs.maps),
    setTokens: tokenSetter(programs),
    close: () => programs.close(),
  };
}

const LIMITS = [0, 1, 2];
// So late that no clock of this boot gets there.
const NEVER = 1n << 62n;

const ECHO_BUCKET = offsetOf('peer', 'echo_bucket');

/** Gives a function for setTokens without decoding: it is called very often. */
function tokenSetter({ maps }: Programs): Datapath['setTokens'] {
  const [limits, peers] = [rawMap(maps.limits.fd), rawMap(maps.peers.fd)];
  const keys = [...maps.peers.entries()].map(([key]) => encode('peer_key', key));
  const limitKeys = LIMITS.map((limit) => Buffer.from([limit, 0, 0, 0]));
  return (areThere) => {
    const next = areThere ? 0n : NEVER;
    for (const key of limitKeys) update(limits, key, encode('bucket', { next }));
    for (const key of keys) {
      const peer = lookup(peers, key);
      peer?.writeBigUInt64LE(next, ECHO_BUCKET);
      if (peer !== undefined) update(peers, key, peer);
    }
  };
}

const EINVAL = -22;
type Verdicts = Readonly<Record<number, Made['verdict']>>;
const TC_VERDICTS: Verdicts = { 4294967295: 'pass', 2: 'drop', 7: 'redirect' };
const XDP_VERDICTS: Verdicts = { 2: 'pass', 1: 'drop', 4: 'redirect' };
const LONGEST = 65536;

// struct bpf_test_run_opts of libbpf 1.0.
const OPTS_SIZE = 80;
const OPTS = { size: 0, dataIn: 8, dataOut: 16, dataInSize: 24, dataOutSize: 28, value: 56, repeat: 60 } as const;

/** As testRun of src/bindings, but with the same buffers every time: several times as fast. */
function runner(name: string, fd: number, verdicts: Verdicts): Datapath['run'] {
  const [into, out, opts] = [Buffer.alloc(LONGEST), Buffer.alloc(LONGEST), Buffer.alloc(OPTS_SIZE)];
  opts.writeBigUInt64LE(BigInt(OPTS_SIZE), OPTS.size);
  opts.writeBigUInt64LE(koffi().address(into), OPTS.dataIn);
  opts.writeBigUInt64LE(koffi().address(out), OPTS.dataOut);
  opts.writeInt32LE(1, OPTS.repeat);
  return (frame) => {
    frame.copy(into);
    opts.writeUInt32LE(frame.length, OPTS.dataInSize);
    opts.writeUInt32LE(out.length, OPTS.dataOutSize);
    const result = call('bpf_prog_test_run_opts', fd, opts);
    if (result === EINVAL) return undefined;
    checked(`run program ${name}`, result);
    const value = opts.readUInt32LE(OPTS.value);
    return { verdict: verdicts[value] ?? value, frame: out.subarray(0, opts.readUInt32LE(OPTS.dataOutSize)) };
  };
}
