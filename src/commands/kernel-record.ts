// SPDX-License-Identifier: MIT
// Links and sessions of the kernel's own gtp driver as `show` answers them: the same keys as for ours; null is what it does not tell.
import { statSync } from 'node:fs';
import type { Context, OutputRecord } from '../cli/command';
import type { Request } from '../grammar';
import { type KernelLink, listKernelLinks } from '../kernel/links';
import { type KernelSession, listKernelSessions } from '../kernel/sessions';
import { deviceStats, SESSION_STATS } from '../kernel/stats';
import { IFF_UP } from '../netlink/link';
import { resolveNetns } from '../netns';
import { isNobody, NOBODY } from '../tunnels/address';
import type { SessionWords } from '../tunnels/words';
import { address, containsAddress, sameAddress } from '../values';
import { standing } from '../wiring/routes';
import { LINK_ALWAYS, SESSION_ALWAYS } from './kernel-words';
import type { Extent } from './session-record';
import { wordsRecord } from './words-record';

type LinkFilter = Pick<Request<'link', 'show'>, 'netns' | 'type'>;
type SessionFilter = Request<'session', 'show'>;

/** The links that a filter wants. */
export function chooseKernelLinks({ netns, type }: LinkFilter): KernelLink[] {
  if (type !== undefined && type !== LINK_ALWAYS.type) return [];
  const wanted = netns === undefined ? undefined : statSync(resolveNetns(netns.text).path).ino;
  const isThere = ({ place }: KernelLink): boolean =>
    place.netns !== undefined && statSync(place.netns.path).ino === wanted;
  return listKernelLinks().filter((link) => wanted === undefined || isThere(link));
}

/** The sessions that a filter wants, by link. */
export function chooseKernelSessions(
  { remote, ue, type }: SessionFilter,
  links: readonly KernelLink[],
): [KernelLink, KernelSession[]][] {
  if (type !== undefined && type !== SESSION_ALWAYS.type) return [];
  const isWanted = (session: KernelSession): boolean =>
    (remote === undefined || sameAddress(session.remote, remote)) &&
    (ue === undefined || session.ue.some((each) => containsAddress(each, ue)));
  return [...listKernelSessions(links)].map(([link, sessions]) => [link, sessions.filter(isWanted)]);
}

/** Links as `link show` answers them. */
export function kernelLinkRecords(links: readonly KernelLink[], extent: Extent): OutputRecord[] {
  return [...listKernelSessions(links)].map(([link, sessions]) => linkRecord(link, sessions.length, extent));
}

/** Sessions as `session show` answers them; without `links`, of all that there are. */
export function showKernelSessions(
  filter: SessionFilter,
  { options }: Pick<Context, 'options'>,
  links: readonly KernelLink[] = listKernelLinks(),
): OutputRecord[] {
  return chooseKernelSessions(filter, links).flatMap(([link, sessions]) =>
    sessions.map((session) => kernelSessionRecord(link, session, options)),
  );
}

/** A session as `session show` answers it. */
export function kernelSessionRecord(link: KernelLink, session: KernelSession, extent: Extent): OutputRecord {
  const { device, local } = link;
  return {
    dev: device.name,
    ...wordsRecord(wordsOfKernel(link, session)),
    local: local === undefined ? null : address.format(local),
    name: null,
    state: stateOf(link, session),
    ...(extent.details ? { details: NO_DETAILS } : {}),
    ...(extent.statistics > 0 ? { stats: SESSION_STATS } : {}),
  };
}

/** What a command that made or changed a session answers. */
export function kernelRecordOf(link: KernelLink, session: KernelSession, { options }: Context): OutputRecord {
  if (options.json) return kernelSessionRecord(link, session, options);
  // Text output says at most a TEID that was chosen.
  return session.id.version === 1 ? { local_teid: session.id.local_teid } : {};
}

/** A session of the driver in the words of ours. */
export function wordsOfKernel({ local }: KernelLink, { id, remote, ue }: KernelSession): SessionWords {
  const { peer, antispoof, payload, psc, seq } = SESSION_ALWAYS;
  return { ...UNSET, id, remote, local: local ?? NOBODY, ue, peer, antispoof, payload, psc, seq };
}

function linkRecord({ device, local, home, place }: KernelLink, sessions: number, extent: Extent): OutputRecord {
  const { type, payload, port, srcport, tos, udpcsum, df, errind, extnotify, errind_action } = LINK_ALWAYS;
  return {
    ifname: device.name,
    ifindex: device.index,
    ...{ type, payload },
    local: local === undefined ? null : address.format(local),
    dev: [],
    netns: place.netns === undefined ? null : (place.netns.name ?? place.netns.path),
    inner: device.name,
    mtu: device.mtu,
    role: device.role,
    xdp: null,
    hook: [],
    sessions,
    datapath: 'kernel',
    ...{ port, srcport, ttl: null, tos, udpcsum, df, gso: null, deliver: null, hairpin: null, lladdr: null },
    // With sockets of another program, that one answers.
    echo: home === undefined ? null : 'on',
    ...{ errind, extnotify, errind_action },
    restart_count: device.restartCount,
    hsize: device.hsize,
    vrf: null,
    state: device.flags & IFF_UP ? 'up' : 'down',
    ...(extent.details ? { details: { ...NO_LINK_DETAILS, alias: device.alias === '' ? null : device.alias } } : {}),
    ...(extent.statistics > 0 ? { stats: deviceStats(device) } : {}),
  };
}

const NO_MTU = { mtu: null, path_mtu: null, headers: null };
const NO_LINK_DETAILS = { ...NO_MTU, offloads_off: [], hooks: null, programs: [], maps: {}, pins: null };
const NO_WAY = { oif: null, gateway: null, neighbour: null };
const NO_DETAILS = { ...NO_MTU, ...NO_WAY, seen_qfi: null, seen_rqi: null, seen_ppi: null, last_seen: null };

/** What -d tells of the way to a peer; of those of the driver nothing. */
export const NO_PATH_DETAILS = { path_mtu: null, ...NO_WAY };

/** How a session stands. From the namespace of the device alone nobody can tell how its sockets reach a peer: null. */
export function stateOf({ device, home, local, outer }: KernelLink, { remote }: KernelSession): string | null {
  if (!(device.flags & IFF_UP)) return 'down';
  if (home === 'elsewhere') return null;
  return standing(outer, remote, local === undefined || isNobody(local) ? undefined : local);
}

const UNSET: Omit<SessionWords, 'id' | 'remote' | 'local' | 'ue' | keyof typeof SESSION_ALWAYS> = {
  ...{ from: undefined, to: undefined, lladdr: undefined, srcport: undefined, ttl: undefined, tos: undefined },
  ...{ udpcsum: undefined, qfi: undefined, rqi: undefined, ppi: undefined, csum: false, iseq: false, oseq: false },
  ...{ opt: [], cookie: new Uint8Array(0), peer_cookie: new Uint8Array(0) },
  l2spec_type: 'default',
  l2tp_seq: 'none',
};
