// SPDX-License-Identifier: MIT

/** The keys that `gtp -j link show` promises to its users. */
export const linkKeys = [
  'ifname',
  'ifindex',
  'type',
  'local',
  'dev',
  'netns',
  'inner',
  'mtu',
  'role',
  'xdp',
  'hook',
  'sessions',
  'datapath',
] as const;

/** The keys that `gtp -j session show` promises. */
export const sessionKeys = [
  'dev',
  'type',
  'version',
  'local_teid',
  'remote_teid',
  'tid',
  'flow',
  'remote_flow',
  'remote',
  'local',
  'ue',
  'qfi',
  'psc',
  'seq',
  'peer',
  'name',
  'state',
] as const;

export interface Count {
  readonly packets: number;
  readonly bytes: number;
}

/** Answers that went out, by kind. */
export interface Sent {
  readonly echo: number;
  readonly errind: number;
  readonly extnotify: number;
  readonly icmp: number;
}

export interface Stats {
  readonly encap: Count;
  readonly decap: Count;
  readonly drops: Readonly<Record<string, number>>;
  readonly answered: number | Count;
  readonly passed: number | Count;
  readonly sent: Sent;
}

export interface LinkRecord {
  readonly ifname: string;
  readonly ifindex: number;
  readonly type: string;
  readonly local: string | null;
  readonly dev: readonly string[];
  readonly netns: string | null;
  readonly inner: string;
  readonly mtu: number;
  readonly role: string;
  readonly xdp: unknown;
  readonly hook: readonly string[];
  readonly sessions: number;
  readonly datapath: string;
  readonly stats: Stats;
}

export interface SessionRecord {
  readonly dev: string;
  readonly type: string;
  readonly version: number;
  readonly local_teid: number;
  readonly remote_teid: number;
  readonly remote: string;
  readonly local: string;
  readonly ue: readonly string[];
  readonly qfi: number | null;
  readonly psc: string | null;
  readonly peer: string;
  readonly name: string | null;
  readonly state: string;
  readonly stats: Stats;
}

/** A local address (`remote` null) or a peer of it. */
export interface PathRecord {
  readonly local: string;
  readonly remote: string | null;
  readonly port: number;
  readonly stats: Stats;
}

/** A count of no fixed shape. */
export const packets = (count: number | Count): number => (typeof count === 'number' ? count : count.packets);

/** Everything that a record says happened, each frame once. */
export function handled(stats: Stats): number {
  const drops = Object.values(stats.drops).reduce((a, b) => a + b, 0);
  return stats.encap.packets + stats.decap.packets + packets(stats.answered) + packets(stats.passed) + drops;
}

/** The drop reasons that are not 0. */
export const dropped = (stats: Stats): Record<string, number> =>
  Object.fromEntries(Object.entries(stats.drops).filter(([, n]) => n !== 0));

/** The sum of several counters. */
export function addUp(list: readonly Stats[]): Stats {
  const drops: Record<string, number> = {};
  for (const [reason, n] of list.flatMap((each) => Object.entries(each.drops)))
    drops[reason] = (drops[reason] ?? 0) + n;
  const sum = (pick: (stats: Stats) => number): number => list.reduce((total, each) => total + pick(each), 0);
  const both = (way: 'encap' | 'decap'): Count => ({
    packets: sum((s) => s[way].packets),
    bytes: sum((s) => s[way].bytes),
  });
  return {
    encap: both('encap'),
    decap: both('decap'),
    answered: sum((stats) => packets(stats.answered)),
    passed: sum((stats) => packets(stats.passed)),
    sent: {
      echo: sum(({ sent }) => sent.echo),
      errind: sum(({ sent }) => sent.errind),
      extnotify: sum(({ sent }) => sent.extnotify),
      icmp: sum(({ sent }) => sent.icmp),
    },
    drops,
  };
}
