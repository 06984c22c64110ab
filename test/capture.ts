// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { type Gtp, gtpFrame, type Packet, packet, type Sum } from './gtp-frame';
import { type Background, background, waitFor, within } from './run';

/** What is wrong with many captured G-PDUs: numbers of datagrams unless said otherwise. */
export interface Report {
  readonly gpdus: number;
  /** GTP Length is not what the datagram holds. */
  readonly gtpLength: number;
  /** The inner header announces another length than the T-PDU has. */
  readonly innerLength: number;
  readonly innerHeaderSum: number;
  readonly innerPayloadSum: number;
  readonly outerHeaderSum: number;
  readonly outerUdpSum: number;
  readonly outerUdpLength: number;
  readonly outerUdpAbsent: number;
  /** Inner IPv4 identifications that a flow used twice, and those it left out. */
  readonly idTwice: number;
  readonly idMissing: number;
  /** TCP octets sent, each once, over all flows; and the octets between them that were not. */
  readonly octets: number;
  readonly holes: number;
  /** How many TCP segments had each payload length. */
  readonly lengths: ReadonlyMap<number, number>;
}

/** What is right about a capture in which nothing is wrong. */
export const faultless = {
  gtpLength: 0,
  innerLength: 0,
  innerHeaderSum: 0,
  innerPayloadSum: 0,
  outerHeaderSum: 0,
  outerUdpSum: 0,
  outerUdpLength: 0,
  idTwice: 0,
  idMissing: 0,
  holes: 0,
};

/** The fields of a report that have to be 0. */
export const faults = (report: Report): typeof faultless =>
  Object.fromEntries(
    Object.keys(faultless).map((key) => [key, report[key as keyof typeof faultless]]),
  ) as typeof faultless;

/** A tcpdump that listens already. */
export interface Capture {
  readonly file: string;
  /** Ends it when it has written all that passed by; gives the frames, and fails if one was lost or cut. */
  stop(): Promise<Buffer[]>;
  /** Ends it; gives how many frames there were. */
  count(): Promise<number>;
}

/** Starts tcpdump and waits until it listens; frames longer than `snaplen` are cut. */
export async function capture(
  ns: string,
  dev: string,
  file: string,
  filter = 'udp port 2152',
  snaplen = 2000,
): Promise<Capture> {
  const options = ['-Z', 'root', '-B', '131072', '-s', `${snaplen}`, '--immediate-mode', '-nni', dev, '-w', file];
  const tcpdump = await background(within(ns, 'tcpdump', ...options, filter), /listening on/);
  const count = async (): Promise<number> => {
    const passed = await waitFor(
      () => progress(tcpdump),
      ({ written, lost, received }) => written + lost === received,
    );
    await tcpdump.stop();
    if (passed.lost > 0) throw new Error(`tcpdump lost ${passed.lost} of ${passed.received} frames`);
    return passed.written;
  };
  return { file, count, stop: () => count().then(() => frames(file)) };
}

/** The frames of a little-endian pcap file of Ethernet frames, all of them whole. */
export function frames(file: string): Buffer[] {
  const octets = readFileSync(file);
  const magic = octets.readUInt32LE(0);
  if (magic !== 0xa1b2c3d4 && magic !== 0xa1b23c4d) throw new Error(`${file}: not a little-endian pcap file`);
  const found = [];
  for (let at = 24; at + 16 <= octets.length; ) {
    const [kept, whole] = [octets.readUInt32LE(at + 8), octets.readUInt32LE(at + 12)];
    if (kept !== whole) throw new Error(`${file}: a frame of ${whole} octets was cut to ${kept}`);
    found.push(octets.subarray(at + 16, at + 16 + kept));
    at += 16 + kept;
  }
  return found;
}

/** Judges every G-PDU among Ethernet frames: outer, GTP and inner. */
export function judgeFrames(list: readonly Buffer[]): Report {
  const seen = list.map(gtpFrame).filter((frame) => frame !== undefined && frame.gtp.type === 255);
  const outer = { outerHeaderSum: 0, outerUdpSum: 0, outerUdpLength: 0, outerUdpAbsent: 0 };
  for (const frame of seen) {
    if (frame === undefined) continue;
    outer.outerHeaderSum += wrong(frame.outer.headerSum);
    outer.outerUdpSum += wrong(frame.outer.payloadSum);
    outer.outerUdpAbsent += Number(frame.outer.payloadSum === 'absent');
    outer.outerUdpLength += Number(frame.udpLength !== frame.outer.payload.length);
  }
  return { ...judge(seen.flatMap((frame) => (frame === undefined ? [] : [frame.gtp]))), ...outer };
}

/** Judges messages as a UDP socket gave them: GTP and inner. */
export function judge(messages: readonly Gtp[]): Report {
  return {
    ...judgeInner(messages.map(({ inner }) => inner)),
    gtpLength: messages.filter(({ length, size }) => length !== size - 8).length,
  };
}

/** Judges IP packets that were in some tunnel. */
export function judgeInner(packets: readonly Buffer[]): Report {
  const inner = packets.map(packet);
  const flows = byFlow(inner);
  return {
    gpdus: packets.length,
    gtpLength: 0,
    innerLength: packets.filter((octets, i) => inner[i]?.length !== octets.length).length,
    innerHeaderSum: inner.filter(({ headerSum }) => headerSum === 'wrong').length,
    innerPayloadSum: inner.filter(({ payloadSum }) => payloadSum === 'wrong').length,
    outerHeaderSum: 0,
    outerUdpSum: 0,
    outerUdpLength: 0,
    outerUdpAbsent: 0,
    ...total({ idTwice: 0, idMissing: 0 }, flows.map(identifications)),
    ...total({ octets: 0, holes: 0 }, flows.map(coverage)),
    lengths: count(inner.filter(isTcp).map((each) => tcpOctets(each.payload))),
  };
}

async function progress(tcpdump: Background): Promise<{ written: number; received: number; lost: number }> {
  const line = /(\d+) packets? captured, (\d+) packets? received by filter, (\d+) packets? dropped by kernel/;
  const [, written, received, lost] = (await tcpdump.ask('SIGUSR1', line)).map(Number);
  return { written: written ?? 0, received: received ?? 0, lost: lost ?? 0 };
}

const wrong = (sum: Sum): number => Number(sum === 'wrong');

const tcpOctets = (segment: Buffer): number => segment.length - 4 * ((segment[12] ?? 0) >> 4);

const isTcp = ({ protocol, fragment }: Packet): boolean => protocol === 6 && !fragment;

function byFlow(list: readonly Packet[]): Packet[][] {
  const flows = new Map<string, Packet[]>();
  for (const each of list.filter(isTcp)) {
    const key = `${each.source} ${each.destination} ${each.payload.readUInt32BE(0)}`;
    const flow = flows.get(key);
    if (flow === undefined) flows.set(key, [each]);
    else flow.push(each);
  }
  return [...flows.values()];
}

// A connected TCP socket counts its identifications up by one a segment. A SYN-ACK has none of its own, and what answers
// for a connection in TIME_WAIT sends 0.
function identifications(flow: readonly Packet[]): { idTwice: number; idMissing: number } {
  const counted = flow.filter(({ family, id, payload }) => {
    const flags = payload[13] ?? 0;
    return family === 4 && (flags & 0x12) !== 0x12 && (id !== 0 || tcpOctets(payload) > 0);
  });
  const used = counted.map(({ id }) => id);
  if (used.length === 0) return { idTwice: 0, idMissing: 0 };
  const line = unwrap(used, 0x10000);
  const once = new Set(line);
  return { idTwice: line.length - once.size, idMissing: span(line) - once.size };
}

function coverage(flow: readonly Packet[]): { octets: number; holes: number } {
  const starts = unwrap(
    flow.map(({ payload }) => payload.readUInt32BE(4)),
    0x100000000,
  );
  const parts = flow
    .map(({ payload }, i) => [starts[i] ?? 0, tcpOctets(payload)] as const)
    .filter((part) => part[1] > 0)
    .sort((a, b) => a[0] - b[0]);
  let [octets, holes, end] = [0, 0, parts[0]?.[0] ?? 0];
  for (const [start, length] of parts) {
    holes += Math.max(0, start - end);
    octets += Math.max(0, start + length - Math.max(start, end));
    end = Math.max(end, start + length);
  }
  return { octets, holes };
}

// Numbers modulo `size` as they would be without it; neighbours are less than half of it apart.
function unwrap(values: readonly number[], size: number): number[] {
  let last = (values[0] ?? 0) + size;
  return values.map((value) => {
    const step = (((value - last) % size) + size) % size;
    last += step < size / 2 ? step : step - size;
    return last;
  });
}

const span = (line: readonly number[]): number =>
  line.reduce((a, b) => Math.max(a, b)) - line.reduce((a, b) => Math.min(a, b)) + 1;

function total<T extends Record<string, number>>(none: T, list: readonly T[]): T {
  const sum: Record<string, number> = { ...none };
  for (const each of list) for (const [key, value] of Object.entries(each)) sum[key] = (sum[key] ?? 0) + value;
  return sum as T;
}

function count(values: readonly number[]): Map<number, number> {
  const table = new Map<number, number>();
  for (const value of values) table.set(value, (table.get(value) ?? 0) + 1);
  return table;
}
