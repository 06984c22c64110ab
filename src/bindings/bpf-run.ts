// SPDX-License-Identifier: MIT
import { koffi } from './koffi';
import { call, checked } from './libbpf';

/** What a program is run with; BPF_PROG_TEST_RUN of linux/bpf.h. */
export interface TestRun {
  /** The frame, or undefined for programs that take no packet. */
  readonly data?: Buffer;
  /** struct __sk_buff with the fields that may be set, or what a syscall program is given: changed in place. */
  readonly context?: Buffer;
  /** Octets that the frame may grow to; longer results fail with ENOSPC. */
  readonly room?: number;
  readonly repeat?: number;
}

export interface TestResult {
  /** What the program returned, unsigned. */
  readonly value: number;
  /** Mean nanoseconds of one repetition. */
  readonly duration: number;
  readonly data: Buffer;
}

/** Runs the program behind `fd` in the kernel, in the calling thread's network namespace. */
export function testRun(fd: number, { data, context, room = 0, repeat = 0 }: TestRun): TestResult {
  const out = Buffer.alloc(room);
  const opts = Buffer.alloc(OPTS_SIZE);
  const pointer = (buffer: Buffer | undefined, offset: number): void => {
    if (buffer !== undefined && buffer.length > 0) opts.writeBigUInt64LE(koffi().address(buffer), offset);
  };
  opts.writeBigUInt64LE(BigInt(OPTS_SIZE), 0);
  pointer(data, OPTS.dataIn);
  pointer(out, OPTS.dataOut);
  opts.writeUInt32LE(data?.length ?? 0, OPTS.dataInSize);
  opts.writeUInt32LE(out.length, OPTS.dataOutSize);
  pointer(context, OPTS.contextIn);
  opts.writeUInt32LE(context?.length ?? 0, OPTS.contextInSize);
  // A syscall program writes its result into what it was given; the others need to be told where to.
  if (data !== undefined && context !== undefined) {
    pointer(context, OPTS.contextOut);
    opts.writeUInt32LE(context.length, OPTS.contextOutSize);
  }
  opts.writeInt32LE(repeat, OPTS.repeat);
  checked('run BPF program', call('bpf_prog_test_run_opts', fd, opts));
  const length = opts.readUInt32LE(OPTS.dataOutSize);
  return {
    value: opts.readUInt32LE(OPTS.value),
    duration: opts.readUInt32LE(OPTS.duration),
    data: out.subarray(0, length),
  };
}

// struct bpf_test_run_opts of libbpf 1.0.
const OPTS_SIZE = 80;
const OPTS = {
  dataIn: 8,
  dataOut: 16,
  dataInSize: 24,
  dataOutSize: 28,
  contextIn: 32,
  contextOut: 40,
  contextInSize: 48,
  contextOutSize: 52,
  value: 56,
  repeat: 60,
  duration: 64,
} as const;
