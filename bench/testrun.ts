// SPDX-License-Identifier: MIT
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type BpfObject, openObject } from '../src/bindings/bpf-object';
import { loadPrograms, type Programs } from '../test/bpf/harness';
import { A, B, eth } from '../test/bpf/packet';
import { sum16 } from '../test/gtp-frame';
import { FIRST_ADDRESS, FIRST_TEID, fillBare, fillOurs, SERVER } from './sessions';
import { median } from './statistics';
import { bareObject, toolPath } from './tools';

/** Nanoseconds above a program that does nothing, and with what that takes. */
export interface Cost {
  readonly title: string;
  readonly ours: number;
  readonly bare: number;
  /** The yardstick that also looks its one session up. */
  readonly withLookup: number | undefined;
  readonly floor: number;
}

/** Runs the programs that are in hooks, and the yardsticks, one packet per call, taking turns. */
export async function measureTestRun(rounds: number, step: (what: string) => void): Promise<Cost[]> {
  step('test-run: load the programs');
  const bare = openObject(readFileSync(bareObject));
  bare.load();
  const one = loadPrograms(undefined, { entries: 1 << 21 });
  const only = loadPrograms(undefined, { entries: 1 << 21 });
  const many = loadPrograms(undefined, { entries: 1 << 21 });
  try {
    fillOurs(one, 1);
    fillOurs(only, 0);
    fillOurs(many, MANY);
    fillBare(named(bare.maps, 'sessions'), MANY);
    const cases = listCases(bare, { one, only, many });
    const times: number[][] = cases.map(() => []);
    for (let round = 1; round <= rounds; round++) {
      step(`test-run: round ${round} of ${rounds}`);
      for (const [i, ns] of (await run(cases)).entries()) times[i]!.push(ns);
    }
    const floor = median(times[0]!);
    const above = (name: string): number => median(times[cases.findIndex((each) => each.name === name)]!) - floor;
    return PAIRS.map(([title, ours, yardstick, lookup]) => ({
      title,
      ours: above(ours),
      bare: above(yardstick),
      withLookup: lookup === undefined ? undefined : above(lookup),
      floor,
    }));
  } finally {
    for (const programs of [bare, one, only, many]) programs.close();
  }
}

const MANY = 100_000;
const BLOCKS = 40;
const CALLS = 500;
const OK = 0;
const REDIRECT = 7;
const XDP_REDIRECT = 4;
// Frame octets in front of the inner destination, and of the TEID.
const INNER_DESTINATION = 14 + 16;
const TEID = 14 + 20 + 8 + 4;

const PAIRS: readonly (readonly [title: string, ours: string, bare: string, withLookup?: string])[] = [
  ['encapsulation, only session', 'encap only', 'bare encap', 'session encap'],
  ['encapsulation, by ue', 'encap one', 'bare encap', 'session encap'],
  ['decapsulation', 'decap one', 'bare decap', 'session decap'],
  ['decapsulation by XDP', 'decap xdp', 'bare decap', 'session decap'],
  ['encapsulation, 100,000 sessions', 'encap many', 'sessions encap'],
  ['decapsulation, 100,000 sessions', 'decap many', 'sessions decap'],
];

interface Case {
  readonly name: string;
  readonly fd: number;
  readonly frame: Buffer;
  readonly offset: number;
  readonly first: number;
  readonly count: number;
  readonly verdict: number;
}

function listCases(bare: BpfObject, ours: Record<'one' | 'only' | 'many', Programs>): Case[] {
  // 128 octets with the Ethernet header
  const inner = eth().ip4(SERVER, '10.0.0.1').udp(40000, 5300).payload(86).bytes();
  const outer = eth().ip4(A, B).udp(2152, 2152, { checksum: 0 }).gtpu({ teid: 0 });
  const frame = Buffer.concat([outer.bytes(), inner.subarray(14)]);
  const length = frame.length - 14;
  frame.writeUInt16BE(length, 14 + 2);
  frame.writeUInt16BE(0, 14 + 10);
  frame.writeUInt16BE(0xffff - sum16(frame.subarray(14, 14 + 20)), 14 + 10);
  frame.writeUInt16BE(length - 20, 14 + 20 + 4);
  frame.writeUInt16BE(length - 36, 14 + 28 + 2);
  const encap = (name: string, fd: number, count = 1): Case => ({
    name,
    fd,
    frame: inner,
    offset: INNER_DESTINATION,
    first: FIRST_ADDRESS,
    count,
    verdict: REDIRECT,
  });
  const decap = (name: string, fd: number, count = 1): Case => ({
    name,
    fd,
    frame,
    offset: TEID,
    first: FIRST_TEID,
    count,
    verdict: REDIRECT,
  });
  return [
    { ...encap('floor', named(bare.programs, 'pass')), verdict: OK },
    encap('bare encap', named(bare.programs, 'bare_encap')),
    encap('encap only', ours.only.fd('link')),
    encap('encap one', ours.one.fd('link')),
    decap('bare decap', named(bare.programs, 'bare_decap')),
    decap('decap one', ours.one.fd('underlay')),
    { ...decap('decap xdp', ours.one.fd('underlay_xdp')), verdict: XDP_REDIRECT },
    encap('session encap', named(bare.programs, 'session_encap')),
    decap('session decap', named(bare.programs, 'session_decap')),
    encap('sessions encap', named(bare.programs, 'session_encap'), MANY),
    encap('encap many', ours.many.fd('link'), MANY),
    decap('sessions decap', named(bare.programs, 'session_decap'), MANY),
    decap('decap many', ours.many.fd('underlay'), MANY),
  ];
}

function named(parts: readonly { readonly name: string; fd(): number }[], name: string): number {
  const found = parts.find((part) => part.name === name);
  if (found === undefined) throw new Error(`${bareObject} has no ${name}`);
  return found.fd();
}

/** The median of each case. The measuring program calls the kernel itself: between two calls of ours there would be too much. */
async function run(cases: readonly Case[]): Promise<number[]> {
  const words = cases.map((each, i) =>
    [3 + i, each.frame.toString('hex'), each.offset, each.first, each.count, each.verdict].join(','),
  );
  const child = spawn(toolPath('testrun'), [`${BLOCKS}`, `${CALLS}`, ...words], {
    stdio: ['ignore', 'pipe', 'inherit', ...cases.map(({ fd }) => fd)],
  });
  let text = '';
  child.stdout!.on('data', (part: Buffer) => {
    text += part.toString();
  });
  const status = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (status !== 0) throw new Error(`testrun: status ${status}`);
  const results = JSON.parse(text) as { median: number; wrong: number }[];
  for (const [i, { wrong }] of results.entries()) {
    if (wrong > 0) throw new Error(`test-run of ${cases[i]?.name}: ${wrong} packets had another verdict`);
  }
  return results.map((result) => result.median);
}
