// SPDX-License-Identifier: MIT
import type { Family } from '../topology';
import type { Site } from './sites';

/** A device of the guest's kernel, and the session of ours at its other end. */
export interface Case {
  readonly title: string;
  /** The words of `gtp link add` for the link, and for its session if one command makes both. */
  readonly link: string;
  /** The words of `gtp session add` where that makes the session. */
  readonly session?: string;
  /** Lines of iproute2 that make the device DEV. */
  readonly theirs: readonly string[];
}

/** One that `ip link` makes: type and words of our session, then of their device. */
export function made(site: Site, family: Family, words: string, theirWords: string): Case {
  const [ours, theirs] = site.ends[family];
  const local = theirWords.startsWith('geneve') ? '' : `local ${theirs}`;
  return {
    title: `IPv${family}: ${words} / ${theirWords}`,
    link: `type ${words} local ${ours} remote ${theirs}`,
    theirs: [`link add DEV type ${theirWords} ${local} remote ${ours}`],
  };
}

/** A tunnel of `ip l2tp`: its number at both ends, and the ports of our end and theirs. */
export interface Tunnel {
  readonly id: number;
  readonly family: Family;
  readonly encap: 'udp' | 'ip';
  readonly ports?: readonly [number, number];
  readonly words?: string;
}

/** A session in such a tunnel: its number there, and the words of both ends. That with a number ending in 1 makes the tunnel. */
export function l2tp(site: Site, tunnel: Tunnel, theirId: number, words: string, theirWords: string): Case {
  const { family, encap, ports: [ourPort, theirPort] = [1701, 1701] } = tunnel;
  const [ours, theirs] = site.ends[family];
  const ourId = theirId + 0x80000000;
  const ends = encap === 'udp' ? `encap udp udp_sport ${ourPort} udp_dport ${theirPort}` : 'encap ip';
  const session = `session_id ${theirId} peer_session_id ${ourId}`;
  return {
    title: `IPv${family}: l2tp ${encap} ${words} / ${theirWords}`,
    link: `type l2tp local ${ours} remote ${theirs} session_id ${ourId} peer_session_id ${theirId} ${ends} ${words}`,
    theirs: [
      ...(theirId % 10 === 1 ? [tunnelLine(site, tunnel)] : []),
      `l2tp add session name DEV tunnel_id ${tunnel.id} ${session} ${theirWords}`,
    ],
  };
}

function tunnelLine({ ends }: Site, { id, family, encap, ports: [ours, theirs] = [1701, 1701], words = '' }: Tunnel) {
  const addresses = `local ${ends[family][1]} remote ${ends[family][0]}`;
  const transport = encap === 'udp' ? `encap udp udp_sport ${theirs} udp_dport ${ours}` : 'encap ip';
  return `l2tp add tunnel tunnel_id ${id} peer_tunnel_id ${id} ${addresses} ${transport} ${words}`;
}
