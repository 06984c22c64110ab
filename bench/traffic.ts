// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { background, must, waitFor, within } from '../test/run';
import { tool } from './tools';
import type { Ends } from './variants';

/** One run: how much in a second, and how much in a second of CPU time, both ends and the kernel's threads together. */
export interface Sample {
  readonly rate: number;
  readonly perCpu: number;
}

/** Waits for the first answer, so that no run pays for neighbours and routes. */
export async function reach({ client, address }: Ends): Promise<void> {
  await must(within(client, 'ping', '-n', '-q', '-c', '3', '-i', '0.1', '-W', '2', address));
}

/** Starts the server that `tcp` talks to; it runs until stopAll. */
export async function listen({ server, address }: Ends): Promise<void> {
  const iperf = `exec iperf3 --server --bind ${address} --forceflush >&2`;
  await background(within(server, 'sh', '-c', iperf), /listening/);
}

/** TCP goodput in bits, at the receiver. */
export async function tcp({ client, address }: Ends, streams: number, seconds: number): Promise<Sample> {
  const before = await softirqSeconds();
  const words = ['--json', '--client', address, '--time', `${seconds}`, '--parallel', `${streams}`];
  const { end } = JSON.parse(await must(within(client, 'iperf3', ...words))) as Iperf;
  const { host_total, remote_total } = end.cpu_utilization_percent;
  const { bits_per_second, seconds: took } = end.sum_received;
  const cpu = ((host_total + remote_total) / 100) * took + (await softirqSeconds()) - before;
  return { rate: bits_per_second, perCpu: (bits_per_second * took) / cpu };
}

/** UDP datagrams of 64 octets that get through while the sender does its utmost. */
export async function udp({ client, server, address }: Ends, seconds: number): Promise<Sample> {
  const before = await softirqSeconds();
  const run = await tool<Flood>('flood', client, server, address, `${seconds}`, '64');
  const cpu = run.cpu + (await softirqSeconds()) - before;
  return { rate: run.received / run.seconds, perCpu: run.received / cpu };
}

/** Round-trip time in nanoseconds: the best of three medians. */
export async function rtt({ client, address }: Ends): Promise<number> {
  const medians: number[] = [];
  for (let i = 0; i < 3; i++) medians.push((await tool<Echo>('echo', client, address, '2000')).median);
  return Math.min(...medians);
}

/** Waits until the machine has little else to do, at most a while: on a busy one the interleaving has to serve. */
export async function calm(): Promise<void> {
  let before = busySeconds();
  const load = async (): Promise<number> => {
    await new Promise((done) => setTimeout(done, CALM_WINDOW * 1000));
    const now = busySeconds();
    const cores = (now - before) / CALM_WINDOW;
    before = now;
    return cores;
  };
  await waitFor(load, (cores) => cores < 0.35, 2000);
}

const CALM_WINDOW = 0.12;
// Clock ticks of /proc are hundredths of a second to user space, whatever HZ is.
const TICKS = 100;

interface Iperf {
  readonly end: {
    readonly sum_received: { readonly bits_per_second: number; readonly seconds: number };
    readonly cpu_utilization_percent: { readonly host_total: number; readonly remote_total: number };
  };
}

interface Flood {
  readonly received: number;
  readonly seconds: number;
  readonly cpu: number;
}

interface Echo {
  readonly median: number;
}

function busySeconds(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = readFileSync('/proc/stat', 'latin1')
    .split('\n', 1)[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq) / TICKS;
}

let threads: readonly string[] | undefined;

/** What the kernel's threads for deferred packet work have used; the rest runs on the account of iperf3 and flood. */
async function softirqSeconds(): Promise<number> {
  threads ??= (await must(['pgrep', '^ksoftirqd/'])).trim().split('\n');
  const ticks = threads.map((pid) => {
    const afterName = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1] ?? '';
    const [utime = 0, stime = 0] = afterName.split(' ').slice(11, 13).map(Number);
    return utime + stime;
  });
  return ticks.reduce((a, b) => a + b, 0) / TICKS;
}
