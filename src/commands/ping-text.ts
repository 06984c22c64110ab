// SPDX-License-Identifier: MIT
import type { OutputRecord } from '../cli/command';
import { strerror } from '../errors';
import type { Recovery, Version } from '../tunnels/echo';
import type { UdpSocket } from '../udp/socket';
import { address } from '../values';
import type { Refusal, Reply, Tally } from './ping-exchange';

/** The two ends of a ping. */
export type Ends = Pick<UdpSocket, 'peer' | 'local'>;

/** What is asked, of whom, from where. */
export function headLine({ peer, local }: Ends, version: Version): string {
  const [to, from] = [peer, local].map((end) => `${address.format(end.address)} port ${end.port}`);
  return `PING ${to} from ${from}: GTP-U version ${version}\n`;
}

/** An answer as ping(8) tells it. */
export function replyLine({ peer }: Ends, { sequence, bytes, rtt, recovery, late, duplicate }: Reply): string {
  const words = [
    `${bytes === null ? '' : `${bytes} bytes `}from ${address.format(peer.address)}: seq=${sequence}`,
    ...recoveryText(recovery),
    `time=${milliseconds(rtt)} ms`,
    ...(late ? ['(late)'] : []),
    ...(duplicate ? ['(DUP!)'] : []),
  ];
  return `${words.join(' ')}\n`;
}

function recoveryText(recovery: Recovery): string[] {
  if (recovery === 'untold') return [];
  return [typeof recovery === 'number' ? `restart_count=${recovery}` : `(${recovery} Recovery)`];
}

/** A refusal, in the words of the kernel. */
export function errorLine({ peer, local }: Ends, { errno, from, sequence, sending }: Refusal): string {
  const who = sending ? local.address : (from ?? peer.address);
  const which = sequence === undefined ? '' : ` seq=${sequence}`;
  return `From ${address.format(who)}${which}: ${strerror(errno)}\n`;
}

/** The last lines: two, or one and no times when nothing came back in time. */
export function summary({ peer }: Ends, tally: Tally): string {
  const { transmitted, received, duplicates, late, errors } = tally;
  const more = Object.entries({ duplicates, late, errors }).filter(([, times]) => times > 0);
  const parts = [
    `${transmitted} packets transmitted`,
    `${received} received`,
    ...more.map(([name, times]) => `+${times} ${name}`),
    `${percent(tally)}% packet loss`,
    `time ${Math.round(tally.time)}ms`,
  ];
  const { min, avg, max, mdev } = times(tally);
  const last = [min, avg, max, mdev].map((time) => time.toFixed(3)).join('/');
  return [
    '',
    `--- ${address.format(peer.address)} gtp ping statistics ---`,
    parts.join(', '),
    ...(received === 0 ? [] : [`rtt min/avg/max/mdev = ${last} ms`]),
    '',
  ].join('\n');
}

/** The record of -j; times in milliseconds, loss in percent. */
export function pingRecord({ peer, local }: Ends, version: Version, tally: Tally): OutputRecord {
  const { transmitted, received, late, duplicates, errors, recovery } = tally;
  return {
    peer: address.format(peer.address),
    local: address.format(local.address),
    port: peer.port,
    srcport: local.port,
    version,
    transmitted,
    received,
    late,
    duplicates,
    errors,
    loss: percent(tally),
    restart_count: recovery,
    rtt: received === 0 ? null : rounded(times(tally)),
    time: round(tally.time),
    replies: tally.replies.map(({ sequence, bytes, rtt, ...reply }) => ({
      seq: sequence,
      bytes,
      rtt: round(rtt),
      restart_count: restartCount(reply.recovery),
      late: reply.late,
      duplicate: reply.duplicate,
    })),
  };
}

function restartCount(recovery: Recovery): number | null {
  return typeof recovery === 'number' ? recovery : null;
}

// Six digits, as ping(8) has them.
function percent({ transmitted, received }: Tally): number {
  return transmitted === 0 ? 0 : Number((((transmitted - received) / transmitted) * 100).toPrecision(6));
}

type Times = { readonly min: number; readonly avg: number; readonly max: number; readonly mdev: number };

function times({ received, rtt: { min, max, sum, squares } }: Tally): Times {
  const avg = sum / received;
  return { min, avg, max, mdev: Math.sqrt(Math.max(0, squares / received - avg * avg)) };
}

function rounded({ min, avg, max, mdev }: Times): { readonly [name: string]: number } {
  return { min: round(min), avg: round(avg), max: round(max), mdev: round(mdev) };
}

// Microseconds are as much as is known.
function round(time: number): number {
  return Math.round(time * 1000) / 1000;
}

// Three digits, as ping(8) has them.
function milliseconds(time: number): string {
  return time.toFixed(time < 1 ? 3 : time < 10 ? 2 : time < 100 ? 1 : 0);
}
