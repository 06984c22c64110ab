// SPDX-License-Identifier: MIT
import type { OutputRecord } from '../cli/command';
import { link_flag } from '../datapath/layout.gen';
import { countSessions, type Tally, tallyLinks } from '../datapath/tally';
import { checksumOf, PORTS, SOURCE_PORTS } from '../grammar';
import { getLink, IFF_UP } from '../netlink/link';
import type { Link } from '../tunnels/link';
import { innerMtu, mtuArithmetic } from '../tunnels/mtu';
import { address, mac } from '../values';
import type { LiveLink } from '../wiring/links';
import { offloadsOff } from '../wiring/offloads';
import { readPeer } from '../wiring/pair';
import { pinOf } from '../wiring/pin-names';
import { leastParts } from '../wiring/refresh';
import { SHIM_IN } from '../wiring/shim';
import type { State } from '../wiring/state';
import { linkStats } from '../wiring/stats';
import { vrfName } from '../wiring/vrf';
import { isXdpWanted, xdpWordOf } from '../wiring/xdp';
import type { Extent } from './session-record';

/** Links as `link show` answers them. */
export function linkRecords(state: State, links: readonly LiveLink[], extent: Extent): OutputRecord[] {
  const counts = countSessions(state.maps);
  const tallies = extent.statistics > 0 ? tallyLinks(state.maps) : undefined;
  return links.map((live) => ({
    ...linkRecord(state, live, counts.get(live.device.index) ?? 0, extent),
    ...(tallies === undefined ? {} : { stats: statsOf(state, live, tallies) }),
  }));
}

function linkRecord(state: State, live: LiveLink, sessions: number, extent: Extent): OutputRecord {
  const { device, link } = live;
  const peer = readPeer(state, device);
  const alive = link.dev.filter((index) => state.isAttached(pinOf('underlay', index)));
  const names = alive.map((index) => nameOf(state, index));
  const mtu = peer?.mtu ?? state.maps.links.get(device.index)?.config.mtu ?? 0;
  return {
    ifname: device.name,
    ifindex: device.index,
    type: link.type,
    payload: link.frames ? 'ethernet' : 'ip',
    local: link.type === 'vlan' ? null : address.format(link.local),
    dev: names,
    netns: link.netns === '' ? null : link.netns,
    inner: peer?.name ?? null,
    mtu,
    role: link.role,
    xdp: link.xdp,
    hook: hooksOf(state, live),
    sessions,
    datapath: 'bpf',
    port: Object.hasOwn(PORTS, link.type) ? link.port : null,
    srcport: Object.hasOwn(SOURCE_PORTS, link.type) ? link.srcport : null,
    ttl: link.ttl,
    tos: link.tos,
    udpcsum: link.udpcsum ?? checksumOf(link.type, link.local.family),
    df: link.df,
    gso: link.gso,
    deliver: link.deliver,
    hairpin: link.hairpin ? 'on' : 'off',
    lladdr: mac.format(device.address),
    echo: link.echo ? 'on' : 'off',
    errind: link.errind ? 'on' : 'off',
    extnotify: link.extnotify ? 'on' : 'off',
    errind_action: link.errind_action,
    restart_count: link.restart_count,
    hsize: null,
    vrf: peer === undefined ? null : vrfName(state, live, peer),
    state: device.flags & IFF_UP ? 'up' : 'down',
    ...(extent.details ? { details: details(state, live, alive) } : {}),
  };
}

function nameOf(state: State, index: number): string {
  return getLink(state.route, { index })?.name ?? `#${index}`;
}

// Where our programs stand on the way of this link's packets, as HOOK@DEVICE.
function hooksOf(state: State, { device, link }: LiveLink): string[] {
  const shim = state.maps.config.get(0)?.shim_in ?? 0;
  const wanted = new Map([
    [pinOf('link', device.index), `link@${device.name}`],
    [pinOf('shim', shim), `shim@${SHIM_IN}`],
    ...link.dev.flatMap((index) => [
      [pinOf('underlay', index), `underlay@${nameOf(state, index)}`] as const,
      ...(isServedByXdp(state, index, link)
        ? [[pinOf('xdp', index), `underlay_xdp@${nameOf(state, index)}`] as const]
        : []),
    ]),
  ]);
  return [...wanted].filter(([pin]) => state.isAttached(pin)).map(([, told]) => told);
}

// The hook may be there for another link.
function isServedByXdp(state: State, index: number, link: Link): boolean {
  const device = getLink(state.route, { index });
  return device !== undefined && isXdpWanted(device, xdpWordOf(link));
}

function details(state: State, live: LiveLink, alive: readonly number[]): OutputRecord {
  const { link } = live;
  const off = alive.flatMap((index) => offloadsOff(state, index).map((name) => `${nameOf(state, index)}:${name}`));
  return {
    mtu: link.mtu === undefined ? mtuText(state, live) : 'as given',
    offloads_off: off,
    hooks: state.hookKind(),
    pins: state.dir,
    programs: state
      .attached()
      .filter(({ ifindex }) => ifindex !== 0)
      .map(({ pin, program }) => `${pin}=${program ?? '?'}`),
  };
}

function mtuText(state: State, live: LiveLink): string {
  const parts = leastParts(state, live);
  const { flags, mtu } = state.maps.links.get(live.device.index)?.config ?? live.config;
  const isRaised = flags & link_flag.ipv6 && innerMtu(...parts) < mtu;
  return `${mtuArithmetic(...parts)}${isRaised ? `, raised to ${mtu} for IPv6` : ''}`;
}

function statsOf(state: State, { device }: LiveLink, tallies: ReadonlyMap<number, Tally>): OutputRecord {
  const link = state.maps.links.get(device.index);
  return link === undefined ? {} : { ...linkStats(tallies.get(device.index), link.icmp_sent) };
}
