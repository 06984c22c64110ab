// SPDX-License-Identifier: MIT
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** A datagram or frame, and who sent it. */
export interface Received {
  readonly data: Buffer;
  readonly from: readonly [string, number];
}

/** A socket in some namespace. `send` gives undefined, or the name of the errno. */
export interface Socket {
  readonly id: number;
  send(data: Buffer | readonly Buffer[], to?: readonly [string, number], repeat?: number): Promise<string | undefined>;
  /** Up to `count` that hold the octets `contains` within `timeout` seconds (default: one, 2 s). */
  receive(options?: { count?: number; timeout?: number; contains?: Buffer | string }): Promise<Received[]>;
  connect(address: string, port: number): Promise<void>;
  setOption(level: number, name: number, value: number): Promise<void>;
  getOption(level: number, name: number): Promise<number>;
  close(): Promise<void>;
}

export interface Transfer {
  readonly from: string;
  readonly to: string;
  readonly address: string;
  readonly size: number;
  /** Octets of one write; default 131072. */
  readonly chunk?: number;
  readonly nodelay?: boolean;
  readonly port?: number;
}

/** Frames from scapy expressions; an expression may give a list (`fragment(...)`). */
export async function build(...expressions: readonly string[]): Promise<Buffer[]> {
  const made = await call<string[]>({ op: 'build', expressions });
  return made.map((hex) => Buffer.from(hex, 'hex'));
}

/** One frame from one scapy expression. */
export async function buildOne(expression: string): Promise<Buffer> {
  const [frame] = await build(expression);
  if (frame === undefined) throw new Error(`no packet: ${expression}`);
  return frame;
}

/** A plain UDP socket. */
export const udpSocket = async (ns: string, address: string, port: number): Promise<Socket> =>
  socket(await call<number>({ op: 'udp', ns, address, port }));

/** A packet socket; with `vnet` it only sends, and each frame starts with a virtio_net_hdr. */
export const packetSocket = async (ns: string, dev: string, vnet = false): Promise<Socket> =>
  socket(await call<number>({ op: 'packet', ns, dev, vnet }));

/** A tun device, which is there until it is closed: what is sent comes in by it, what it sends is received. */
export const tunDevice = async (ns: string, dev: string): Promise<Socket> =>
  socket(await call<number>({ op: 'tun', ns, dev }));

/** Moves `size` octets over TCP and compares digests. */
export const transfer = ({ from, to, address, size, chunk = 131072, nodelay = false, port = 5001 }: Transfer) =>
  call<{ equal: boolean; received: number }>({
    op: 'transfer',
    source: from,
    target: to,
    address,
    port,
    size,
    chunk,
    nodelay,
  });

/** Moves `size` octets over TCP to a server that sends them back, and compares digests. */
export const mirrored = (from: string, address: string, port: number, size: number) =>
  call<{ equal: boolean; received: number }>({ op: 'mirrored', source: from, address, port, size });

/** Numbered UDP datagrams that go on until `end`. */
export async function stream(from: string, bind: string, to: string, address: string, size = 200) {
  const id = await call<number>({ op: 'stream', source: from, bind, target: to, address, port: 5002, size });
  return {
    sent: () => call<number>({ op: 'stream_sent', id }),
    end: () => call<{ sent: number; received: number; twice: number; refused: number }>({ op: 'stream_end', id }),
  };
}

/** A user-space GTP peer that only passes datagrams on between two machines and notes them in a file. */
export async function relay(ns: string, left: string, right: string, peers: readonly [string, string], file: string) {
  const id = await call<number>({ op: 'relay', ns, left, right, left_peer: peers[0], right_peer: peers[1], file });
  return { end: () => call<number>({ op: 'relay_end', id }) };
}

/** A switch in user space until the test's end: frames of `port` leave by `trunk` with a VLAN tag, and the other way. */
export const tagger = (ns: string, port: string, trunk: string, protocol: number, id: number): Promise<number> =>
  call({ op: 'tagger', ns, port, trunk, protocol, id });

/** How a foreign peer answers (see op_echo of agent.py for the notation). */
export interface EchoPeer {
  readonly ns: string;
  readonly address: string;
  readonly port?: number;
  readonly answers: readonly string[];
  /** Other answers to the request of that number, from 1. */
  readonly instead?: Readonly<Record<number, readonly string[]>>;
  /** Seconds before an answer. */
  readonly delay?: number;
  /** The port to answer to, whatever the request came from. */
  readonly to?: number;
}

/** A foreign GTP peer that answers Echo Requests in some way; `end` gives the requests. */
export async function echoPeer({ ns, address, port = 2152, answers, instead = {}, delay = 0, to = 0 }: EchoPeer) {
  const id = await call<number>({ op: 'echo', ns, address, port, answers, instead, delay, to });
  const datagrams = (list: readonly { data: string; from: [string, number] }[]): Received[] =>
    list.map(({ data, from }) => ({ data: Buffer.from(data, 'hex'), from }));
  type Heard = { data: string; from: [string, number] }[];
  return {
    requests: async () => datagrams(await call<Heard>({ op: 'echo_requests', id })),
    end: async () => datagrams(await call<Heard>({ op: 'echo_end', id })),
  };
}

/** Closes every socket; gives how many streams and relays a test forgot to end. */
export const resetAgent = (): Promise<number> =>
  agent === undefined ? Promise.resolve(0) : call<number>({ op: 'reset' });

/** Ends the agent, so that the test process can end. */
export function stopAgent(): void {
  agent?.child.stdin.end();
  agent = undefined;
}

interface Running {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly waiting: ((line: string) => void)[];
}

let agent: Running | undefined;

class AgentError extends Error {
  constructor(
    readonly code: string,
    text: string,
  ) {
    super(`${code}: ${text}`);
  }
}

function call<T>(request: Record<string, unknown>): Promise<T> {
  agent ??= start();
  const { child, waiting } = agent;
  return new Promise((done, failed) => {
    waiting.push((line) => {
      const answer = JSON.parse(line) as { ok: T; error?: string; text?: string };
      if (answer.error === undefined) done(answer.ok);
      else failed(new AgentError(answer.error, `${answer.text} (${JSON.stringify(request).slice(0, 200)})`));
    });
    child.stdin.write(`${JSON.stringify(request)}\n`);
  });
}

function start(): Running {
  // the system's python: python3-scapy installs there
  const child = spawn('/usr/bin/python3', [resolve('test/agent.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting: ((line: string) => void)[] = [];
  createInterface(child.stdout).on('line', (line) => waiting.shift()?.(line));
  child.once('close', () => {
    for (const each of waiting.splice(0)) each('{"error":"ECHILD","text":"the agent ended"}');
  });
  return { child, waiting };
}

function socket(id: number): Socket {
  return {
    id,
    send: async (data, to, repeat = 1) => {
      const frames = (Buffer.isBuffer(data) ? [data] : data).map((each) => each.toString('hex'));
      return call({ op: 'send', id, data: frames, to, repeat }).then(() => undefined, errnoName);
    },
    receive: async ({ count = 1, timeout = 2, contains = '' } = {}) => {
      const marker = Buffer.from(contains as string).toString('hex');
      const got = await call<{ data: string; from: [string, number] }[]>({
        op: 'recv',
        id,
        count,
        timeout,
        contains: marker,
      });
      return got.map(({ data, from }) => ({ data: Buffer.from(data, 'hex'), from }));
    },
    connect: (address, port) => call({ op: 'connect', id, address, port }),
    setOption: (level, name, value) => call({ op: 'setopt', id, level, name, value }),
    getOption: (level, name) => call({ op: 'getopt', id, level, name }),
    close: () => call({ op: 'close', id }),
  };
}

function errnoName(failure: unknown): string {
  if (failure instanceof AgentError) return failure.code;
  throw failure;
}
