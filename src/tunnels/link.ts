// SPDX-License-Identifier: MIT

import { kind, link_flag, link_word, type Structs } from '../datapath/layout.gen';
import { UsageError } from '../errors';
import { fromMapped, toMapped } from './address';
import { inherited, on, pick } from './flags';
import { tunnels } from './tunnels';
import type { LinkWords, Role, SourcePort, TunnelType } from './words';

/** What a link remembers of its words besides those its sessions need. */
export type LinkExtras = {
  /** undefined: computed from the sessions. */
  readonly mtu: number | undefined;
  readonly echo: boolean;
  readonly errind: boolean;
  readonly extnotify: boolean;
  /** Rules may lead to the table of the inner end's routes (vrf without a VRF). */
  readonly rules: boolean;
  /** Recovery in Echo Responses of version 0 (Z4). */
  readonly restart_count: number;
  /** As the user named the namespace: its name, else a path; empty where the inner end stayed here. */
  readonly netns: string;
  readonly dmac: Uint8Array;
  readonly smac: Uint8Array;
};

export type Link = LinkWords & LinkExtras;

/** How many underlays a link can listen on. */
const MAX_UNDERLAYS = 8;

/** Throws UsageError for more devices than a link can listen on. */
export function checkUnderlays(dev: readonly number[]): void {
  if (dev.length <= MAX_UNDERLAYS) return;
  throw new UsageError(`dev: expected at most ${MAX_UNDERLAYS} devices, lo included, got ${dev.length}`, {
    hint: 'make another link for the rest',
  });
}

/** A link as the map link_words holds it. */
export function storeLink(link: Link): Structs['link_words'] {
  return {
    local: toMapped(link.local),
    words:
      on(link.ttl === 'inherit', link_word.ttl_inherit) |
      on(link.tos === 'inherit', link_word.tos_inherit) |
      on(link.udpcsum === true, link_word.csum) |
      on(link.udpcsum !== undefined, link_word.csum_given) |
      on(link.df === 'set', link_word.df_set) |
      on(link.df === 'inherit', link_word.df_inherit) |
      on(link.srcport === 'hash', link_word.sport_hash) |
      on(link.mtu !== undefined, link_word.mtu_given) |
      on(!link.hairpin, link_word.no_hairpin) |
      on(link.gso === 'split', link_word.gso_split) |
      on(link.gso === 'keep', link_word.gso_keep) |
      on(link.deliver === 'bulk', link_word.deliver_bulk) |
      on(link.deliver === 'small', link_word.deliver_small) |
      on(link.xdp === 'off', link_word.xdp_off) |
      on(link.xdp === 'on', link_word.xdp_on) |
      on(!link.echo, link_word.no_echo) |
      on(!link.errind, link_word.no_errind) |
      on(!link.extnotify, link_word.no_extnotify) |
      on(link.errind_action === 'none', link_word.errind_none) |
      on(link.errind_action === 'del', link_word.errind_del) |
      on(link.rules, link_word.rules),
    kind: kindOf(link.type),
    port: link.port,
    sport: typeof link.srcport === 'number' ? link.srcport : fixedPort(link.type),
    ttl: link.ttl === 'inherit' ? 0 : link.ttl,
    tos: link.tos === 'inherit' ? 0 : link.tos,
    underlays: link.dev.length,
    dmac: link.dmac,
    smac: link.smac,
    dev: Array.from({ length: MAX_UNDERLAYS }, (_, at) => link.dev[at] ?? 0),
    netns: link.netns,
    restart_count: link.restart_count,
  };
}

/** The inverse of storeLink; role and MTU stand in the state that the packet path reads. */
export function loadLink(stored: Structs['link_words'], config: Structs['link_config']): Link {
  const { words } = stored;
  const has = (flag: number): boolean => (words & flag) !== 0;
  const type = linkType(stored.kind, config.flags);
  return {
    type,
    frames: (config.flags & link_flag.frames) !== 0,
    local: fromMapped(stored.local),
    port: stored.port,
    role: pick<Role>(config.flags, [[link_flag.sgsn, 'sgsn']], 'ggsn'),
    srcport: pick<SourcePort>(
      words,
      [[link_word.sport_hash, 'hash']],
      stored.sport === fixedPort(type) ? 'fixed' : stored.sport,
    ),
    ttl: inherited(words, link_word.ttl_inherit, stored.ttl),
    tos: inherited(words, link_word.tos_inherit, stored.tos),
    udpcsum: has(link_word.csum_given) ? has(link_word.csum) : undefined,
    hairpin: !has(link_word.no_hairpin),
    mtu: has(link_word.mtu_given) ? config.mtu : undefined,
    echo: !has(link_word.no_echo),
    errind: !has(link_word.no_errind),
    extnotify: !has(link_word.no_extnotify),
    rules: has(link_word.rules),
    restart_count: stored.restart_count,
    ...choices(words),
    dev: stored.dev.slice(0, stored.underlays),
    netns: stored.netns,
    dmac: stored.dmac,
    smac: stored.smac,
  };
}

// GRE stands for two types.
function linkType(stored: number, flags: number): TunnelType {
  if (stored === kind.gre) return flags & link_flag.frames ? 'gretap' : 'gre';
  return TYPES.find((type) => kindOf(type) === stored) ?? 'gtp';
}

function kindOf(type: TunnelType): number {
  return tunnels[type].plain.kind;
}

function fixedPort(type: TunnelType): number {
  return tunnels[type].fixedPort(kindOf(type));
}

const TYPES = Object.keys(tunnels) as TunnelType[];

// What each bit of the words stands for; without one it is the last.
function choices(words: number): Pick<Link, 'df' | 'gso' | 'deliver' | 'xdp' | 'errind_action'> {
  const { df_set, df_inherit, gso_split, gso_keep, deliver_bulk, deliver_small } = link_word;
  const { xdp_off, xdp_on, errind_none, errind_del } = link_word;
  const choose = <T>(one: Bit<T>, other: Bit<T>, rest: T): T => pick<T>(words, [one, other], rest);
  return {
    df: choose<Link['df']>([df_set, 'set'], [df_inherit, 'inherit'], 'unset'),
    gso: choose<Link['gso']>([gso_split, 'split'], [gso_keep, 'keep'], 'auto'),
    deliver: choose<Link['deliver']>([deliver_bulk, 'bulk'], [deliver_small, 'small'], 'auto'),
    xdp: choose<Link['xdp']>([xdp_off, 'off'], [xdp_on, 'on'], 'auto'),
    errind_action: choose<Link['errind_action']>([errind_none, 'none'], [errind_del, 'del'], 'mark'),
  };
}

type Bit<T> = readonly [bit: number, means: T];
