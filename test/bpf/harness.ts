// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ExecutionContext } from 'ava';
import { rawMap, update } from '../../src/bindings/bpf-map';
import { type BpfObject, openObject } from '../../src/bindings/bpf-object';
import { testRun } from '../../src/bindings/bpf-run';
import { mapsBy, type OpenMaps } from '../../src/datapath/maps';
import { objectPath } from '../../src/datapath/object';
import { difference } from './dissect';
import { DEVICE_MAC, MAC_B, type Packet, readdressed } from './packet';

/** Fields of struct __sk_buff that a test run may set. Devices have to exist; without one it is lo. */
export interface Skb {
  ifindex?: number;
  ingress_ifindex?: number;
  mark?: number;
  priority?: number;
  gso_size?: number;
  gso_segs?: number;
  wire_len?: number;
  /** skb->cb as five words. */
  cb?: readonly number[];
}

/** What a program made of a frame. */
export interface Run {
  /** TC_ACT_*: unspec, ok, shot, redirect ...; a number if it has no name. */
  readonly verdict: string;
  readonly value: number;
  readonly frame: Buffer;
  /** Nanoseconds, the mean of all repetitions. */
  readonly duration: number;
  /** What the kernel gives back of it. */
  readonly skb: Required<Omit<Skb, 'gso_size'>>;
}

/** An object that was loaded for one test: no pins, its own maps, gone with `close`. */
export interface Programs {
  readonly maps: OpenMaps;
  /**
   * Sends one frame through a program. `repeat` runs it again on what came out, so verdicts may change. `stack underlay` is the
   * program as the stack calls it: the outermost VLAN tag of the frame stands beside it.
   */
  run(program: string, frame: Buffer | Packet, skb?: Skb, repeat?: number): Run;
  /** Sends one frame through `underlay_xdp`, as the driver of lo would. */
  runXdp(frame: Buffer | Packet): Pick<Run, 'verdict' | 'frame' | 'duration'>;
  fd(program: string): number;
  close(): void;
}

/** Loads an object file privately. Hash maps are cut to `entries`, as empty ones of millions cost memory and time. */
export function loadPrograms(path = objectPath(), { entries = 1024 }: { entries?: number } = {}): Programs {
  const object = openObject(readFileSync(path));
  for (const map of object.maps) if (map.maxEntries > entries) map.setMaxEntries(entries);
  object.load();
  const fds = new Map(object.programs.map((program) => [program.name, program.fd()]));
  const stacks = new Map<string, BpfObject>();
  const own = (name: string): number => fds.get(name) ?? absent('program', name);
  const fd = (name: string): number => {
    if (!name.startsWith(STACK)) return own(name);
    const stack = stacks.get(name) ?? stackBefore(own(name.slice(STACK.length)));
    stacks.set(name, stack);
    return stack.programs[0]?.fd() ?? absent('program', name);
  };
  return {
    maps: mapsBy((name) => object.maps.find((map) => map.name === name)?.fd() ?? absent('map', name)),
    run: (program, frame, skb, repeat) => run(fd(program), frame, skb, repeat),
    runXdp: (frame) => runXdp(fd('underlay_xdp'), frame),
    fd,
    close: () => {
      for (const each of [object, ...stacks.values()]) each.close();
    },
  };
}

const STACK = 'stack ';

// The program of stack.bpf.c, which goes on to the one behind `fd`.
function stackBefore(fd: number): BpfObject {
  const object = openObject(readFileSync(resolve('dist/test/bpf/stack.bpf.o')));
  object.load();
  const next = rawMap(object.maps[0]?.fd() ?? absent('map', 'next'));
  update(next, Buffer.alloc(4), Buffer.from(Uint32Array.of(fd).buffer));
  return object;
}

/** Asserts that a frame is the wanted one; when it is not, says so field by field. */
export function sameFrame(t: ExecutionContext, got: Buffer, wanted: Buffer | Packet): void {
  const found = difference(got, bytesOf(wanted));
  if (found === undefined) t.pass();
  else t.fail(found);
}

const VERDICTS = ['ok', 'reclassify', 'shot', 'pipe', 'stolen', 'queued', 'repeat', 'redirect', 'trap'];
const XDP_VERDICTS = ['aborted', 'drop', 'pass', 'tx', 'redirect'];
const UNSPEC = 0xffffffff;
const LO = 1;
// What a program may add: headers, or what other frames have brought.
const ROOM = 16 << 10;

// Offsets in struct __sk_buff.
const SKB_SIZE = 192;
const SKB = {
  mark: 8,
  priority: 32,
  ingress_ifindex: 36,
  ifindex: 40,
  wire_len: 160,
  gso_segs: 164,
  gso_size: 176,
} as const;
const CB = 48;

// A frame that is for the machine, is for the device that it comes by.
function run(fd: number, frame: Buffer | Packet, skb: Skb = {}, repeat = 1): Run {
  const address = (skb.ifindex ?? LO) === LO ? MAC_B : DEVICE_MAC;
  const data = readdressed(bytesOf(frame), MAC_B, address);
  const context = Buffer.alloc(SKB_SIZE);
  const words = Object.entries(SKB).map(([name, offset]) => [name as keyof typeof SKB, offset] as const);
  for (const [name, offset] of words) context.writeUInt32LE(skb[name] ?? 0, offset);
  skb.cb?.forEach((word, i) => {
    context.writeUInt32LE(word, CB + i * 4);
  });
  const result = testRun(fd, { data, context, room: data.length + ROOM, repeat });
  const after = Object.fromEntries(words.map(([name, offset]) => [name, context.readUInt32LE(offset)])) as Record<
    keyof typeof SKB,
    number
  >;
  return {
    verdict: result.value === UNSPEC ? 'unspec' : (VERDICTS[result.value] ?? String(result.value)),
    value: result.value,
    frame: readdressed(result.data, address, MAC_B),
    duration: result.duration,
    skb: { ...after, cb: [0, 1, 2, 3, 4].map((i) => context.readUInt32LE(CB + i * 4)) },
  };
}

function runXdp(fd: number, frame: Buffer | Packet): ReturnType<Programs['runXdp']> {
  const data = bytesOf(frame);
  const result = testRun(fd, { data, room: data.length + ROOM, repeat: 1 });
  const verdict = XDP_VERDICTS[result.value] ?? String(result.value);
  return { verdict, frame: Buffer.from(result.data), duration: result.duration };
}

function bytesOf(frame: Buffer | Packet): Buffer {
  return Buffer.isBuffer(frame) ? frame : frame.bytes();
}

function absent(what: string, name: string): never {
  throw new Error(`the BPF object has no ${what} ${name}`);
}
