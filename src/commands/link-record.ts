// SPDX-License-Identifier: MIT
import type { OutputRecord } from '../cli/command';
import { link_flag } from '../datapath/layout.gen';
import { hookPath, mapIds } from '../datapath/object';
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
import { leastParts, type MtuParts } from '../wiring/refresh';
import { SHIM_IN } from '../wiring/shim';
import type { State } from '../wiring/state';
import { linkStats } from '../wiring/stats';
import { vrfName } from '../wiring/vrf';
import { isXdpWanted, xdpWordOf } from '../wiring/xdp';
import { type Extent, mtuDetails, nameOf } from './session-record';

/** Links as `link show` answers them. */
export function linkRecords(state: State, links: readonly LiveLink[], extent: Extent): OutputRecord[] {
  const counts = countSessions(state.maps);
  const tallies = extent.statistics > 0 ? tallyLinks(state.maps) : undefined;
  const maps = extent.details ? mapIds(state.dir) : undefined;
  return links.map((live) => ({
    ...linkRecord(state, live, counts.get(live.device.index) ?? 0, maps),
    ...(tallies === undefined ? {} : { stats: statsOf(state, live, tallies) }),
  }));
}

/** The maps that all links of a network namespace share. */
type Maps = ReturnType<typeof mapIds>;

function linkRecord(state: State, live: LiveLink, sessions: number, maps: Maps | undefined): OutputRecord {
  const { device, link } = live;
  const peer = readPeer(state, device);
  const alive = link.dev.filter((index) => state.isAttached(pinOf('underlay', index)));
  const names = alive.map((index) => nameOf(state, index));
  const hooks = hooksOf(state, live);
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
    hook: hooks.map(({ program, dev }) => `${program}@${dev}`),
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
    ...(maps === undefined ? {} : { details: details(state, { live, hooks, alive }, maps) }),
  };
}

/** A hook of a link: HOOK@DEVICE in words, and where it is pinned. */
type Hook = { readonly pin: string; readonly program: string; readonly dev: string };

// Where our programs stand on the way of this link's packets.
function hooksOf(state: State, { device, link }: LiveLink): Hook[] {
  const shim = state.maps.config.get(0)?.shim_in ?? 0;
  const wanted: Hook[] = [
    { pin: pinOf('link', device.index), program: 'link', dev: device.name },
    { pin: pinOf('shim', shim), program: 'shim', dev: SHIM_IN },
    ...link.dev.flatMap((index) => {
      const dev = nameOf(state, index);
      const xdp = isServedByXdp(state, index, link) ? [{ pin: pinOf('xdp', index), program: 'underlay_xdp', dev }] : [];
      return [{ pin: pinOf('underlay', index), program: 'underlay', dev }, ...xdp];
    }),
  ];
  return wanted.filter(({ pin }) => state.isAttached(pin));
}

// The hook may be there for another link.
function isServedByXdp(state: State, index: number, link: Link): boolean {
  const device = getLink(state.route, { index });
  return device !== undefined && isXdpWanted(device, xdpWordOf(link));
}

type Details = { readonly live: LiveLink; readonly hooks: readonly Hook[]; readonly alive: readonly number[] };

function details(state: State, { live, hooks, alive }: Details, maps: Maps): OutputRecord {
  const off = alive.flatMap((index) => offloadsOff(state, index).map((name) => `${nameOf(state, index)}:${name}`));
  const parts = leastParts(state, live);
  return {
    mtu: mtuText(state, live, parts),
    ...mtuDetails(parts),
    offloads_off: off,
    hooks: state.hookKind(),
    programs: hooks.map((hook) => programRecord(state, hook)),
    maps,
    pins: state.dir,
    alias: null,
  };
}

// `attach` as `bpftool net` has it.
function programRecord(state: State, { pin, program, dev }: Hook): OutputRecord {
  const { linkId, programId } = state.idsOf(pin);
  const attach = program === 'underlay_xdp' ? 'xdp' : `${state.hookKind()}/ingress`;
  const ids = { prog_id: programId ?? null, link_id: linkId ?? null };
  return { program, dev, attach, ...ids, pin: hookPath(state.dir, pin) };
}

function mtuText(state: State, live: LiveLink, parts: MtuParts): string {
  const { flags, mtu } = state.maps.links.get(live.device.index)?.config ?? live.config;
  const isRaised = flags & link_flag.ipv6 && innerMtu(...parts) < mtu;
  const given = live.link.mtu === undefined ? undefined : `, ${live.link.mtu} as given`;
  return `${mtuArithmetic(...parts)}${given ?? (isRaised ? `, raised to ${mtu} for IPv6` : '')}`;
}

function statsOf(state: State, { device }: LiveLink, tallies: ReadonlyMap<number, Tally>): OutputRecord {
  const link = state.maps.links.get(device.index);
  return link === undefined ? {} : { ...linkStats(tallies.get(device.index), link.icmp_sent) };
}
