// SPDX-License-Identifier: MIT
import { A, A6, B, B6, octets } from '../bpf/packet';
import {
  type Endpoint,
  makeTables,
  type Prefix,
  type Session,
  type Tables,
  type TunnelEndpoint,
  type TunnelSession,
} from '../rules/tables';

/** The endpoints and sessions that frames come to. Every switch is on somewhere and off somewhere. */
export const endpoints: readonly Endpoint[] = [
  endpoint(B, 2152, [1]),
  endpoint(B6, 2152, [1]),
  endpoint(B, 3386, [0]),
  endpoint(B6, 3386, [0], { zeroChecksum: true, restart: 255 }),
  endpoint('192.0.2.4', 9000, [0, 1], { restart: 77 }),
  endpoint('2001:db8::c', 2152, [1], { zeroChecksum: true }),
  endpoint('192.0.2.3', 2152, [1], { echo: false, errind: false, extnotify: false }),
  endpoint('192.0.2.3', 3386, [0], { echo: false }),
  endpoint('2001:db8::d', 9000, [1], { echo: false, errind: false, extnotify: false }),
];

/** Where the other ends of sessions are; the last of each family has no session. */
export const peers = { 4: [A, '198.51.100.77', '203.0.113.9'], 6: [A6, '2001:db8:77::1', '2001:db8:99::9'] } as const;

const UE4 = prefix('10.45.0.2', 32);
const UE6 = prefix('2001:db8:45::2', 128);

export const sessions: readonly Session[] = [
  session(B, 0x1001n),
  session(B, 0x1002n, { strict: true, remote: hex(peers[4][1]) }),
  session(B, 0x1003n, { antispoof: true, ue: [UE4, UE6] }),
  session(B, 0x1004n, { antispoof: true, role: 'sgsn', ue: [UE4] }),
  session(B, 0x1005n, { antispoof: true, ue: framed(46), strict: true }),
  session(B, 0x1006n, { hasLink: false, antispoof: true, ue: [UE4] }),
  session(B, 0xffffffffn),
  session(B, 0x1007n, { payload: 'ethernet', carries: 'frames' }),
  session(B6, 0x1007n, { payload: 'ethernet', strict: true, antispoof: true, ue: [UE4, UE6], carries: 'frames' }),
  session(B, 0x1008n, { payload: 'ethernet', strict: true }),
  session(B6, 0x1001n, { zeroChecksum: true }),
  session(B6, 0x1002n, { strict: true, antispoof: true, ue: [UE6] }),
  session(B6, 0x1003n, { antispoof: true, role: 'sgsn', ue: framed(47) }),
  session(B6, 0x1004n, { hasLink: false }),
  session('192.0.2.3', 0x2001n, { strict: true }),
  session('2001:db8::c', 0x2001n, { zeroChecksum: true, strict: true }),
  session('2001:db8::c', 0x2002n),
  session('2001:db8::d', 0x2003n, { port: 9000, remote: hex(peers[6][1]) }),
  session('192.0.2.4', 0x3001n, { port: 9000 }),
  session(B, 0x2143658709214365n, { version: 0, port: 3386 }),
  session(B, 0x1001n, { version: 0, port: 3386, strict: true, antispoof: true, ue: [UE4, UE6] }),
  session(B6, 0x2143658709214365n, { version: 0, port: 3386, zeroChecksum: true }),
  session(B6, 0x2143658709214367n, { version: 0, port: 3386, payload: 'ethernet', carries: 'frames' }),
  session(B6, 0x2143658709214366n, { version: 0, port: 3386, hasLink: false }),
  session('192.0.2.4', 0x3001n, { version: 0, port: 9000, antispoof: true, ue: framed(48) }),
];

const TUNNEL_PORTS = { gre: 0, geneve: 6081, vxlan: 4789, l2tp: 1701, l2tp_ip: 0 } as const;
const KINDS = ['gre', 'geneve', 'vxlan', 'l2tp', 'l2tp_ip'] as const;

export const tunnelEndpoints: readonly TunnelEndpoint[] = [B, B6].flatMap((local) =>
  KINDS.map((kind) => ({ kind, local: hex(local), port: TUNNEL_PORTS[kind] })),
);

const KEYED = { key: true, frames: false };
const FRAMES = { key: false, frames: true };
const KEYED_FRAMES = { key: true, frames: true };
const ON_FRAMES = { carries: 'frames' } as const;

export const tunnelSessions: readonly TunnelSession[] = [
  tunnel('gre', B, 0n),
  tunnel('gre', B, 0n, { form: FRAMES, ...ON_FRAMES }),
  tunnel('gre', B, 0n, { form: KEYED, antispoof: true, ue: [UE4, UE6] }),
  tunnel('gre', B, 77n, { form: KEYED, wantsOrder: true }),
  tunnel('gre', B6, 77n, { form: KEYED, namesRemote: true, remote: hex(peers[6][1]), ...ON_FRAMES }),
  tunnel('gre', B6, 77n, { form: KEYED, strict: true, antispoof: true, role: 'sgsn', ue: [UE4] }),
  tunnel('gre', B6, 78n, { form: KEYED_FRAMES, antispoof: true, ue: [UE4], ...ON_FRAMES }),
  tunnel('gre', B6, 0n, { form: FRAMES }),
  tunnel('gre', B6, 79n, { form: KEYED_FRAMES, hasLink: false, ...ON_FRAMES }),
  tunnel('geneve', B, 0xabcdefn, ON_FRAMES),
  tunnel('geneve', B, 1n, { namesRemote: true, ...ON_FRAMES }),
  tunnel('geneve', B, 1n, { namesRemote: true, remote: hex(peers[4][1]), strict: true }),
  tunnel('geneve', B6, 0xabcdefn, { antispoof: true, ue: [UE4, UE6], ...ON_FRAMES }),
  tunnel('geneve', B6, 0n, { zeroChecksum: true }),
  tunnel('vxlan', B, 0xabcdefn, { antispoof: true, role: 'sgsn', ue: [UE4, UE6], ...ON_FRAMES }),
  tunnel('vxlan', B, 2n, { hasLink: false }),
  tunnel('vxlan', B6, 0xabcdefn, { zeroChecksum: true, ...ON_FRAMES }),
  tunnel('vxlan', B6, 2n),
  tunnel('l2tp', B, 1n, ON_FRAMES),
  tunnel('l2tp', B, 2n, { cookie: 'e1e2e3e4', sublayer: true, strict: true, ...ON_FRAMES }),
  tunnel('l2tp', B6, 3n, { cookie: 'e1e2e3e4e5e6e7e8', antispoof: true, ue: [UE4], ...ON_FRAMES }),
  tunnel('l2tp', B6, 4n, { sublayer: true, wantsOrder: true }),
  tunnel('l2tp', B6, 5n, { zeroChecksum: true, sublayer: true }),
  tunnel('l2tp_ip', B, 1n, ON_FRAMES),
  tunnel('l2tp_ip', B, 2n, { cookie: 'e1e2e3e4', sublayer: true, wantsOrder: true, ...ON_FRAMES }),
  tunnel('l2tp_ip', B6, 3n, { cookie: 'e1e2e3e4e5e6e7e8', sublayer: true, ...ON_FRAMES }),
  tunnel('l2tp_ip', B6, 0xffffffffn, { cookie: 'e1e2e3e4', strict: true, hasLink: false, ...ON_FRAMES }),
  tunnel('vlan', '::', 5n, { port: 0x8100, ...ON_FRAMES }),
  tunnel('vlan', '::', 5n, { port: 0x88a8 }),
  tunnel('vlan', '::', 4094n, { port: 0x8100, antispoof: true, ue: [UE4, UE6], ...ON_FRAMES }),
  tunnel('vlan', '::', 6n, { port: 0x88a8, hasLink: false, ...ON_FRAMES }),
];

/** The rules' view of it. */
export function tables(hasTokens: boolean): Tables {
  return hasTokens ? withTokens : withoutTokens;
}

const tunnels = { endpoints: tunnelEndpoints, sessions: tunnelSessions };
const withTokens = makeTables(endpoints, sessions, true, tunnels);
const withoutTokens = makeTables(endpoints, sessions, false, tunnels);

/** 4 or 16 octets in hex. */
export function hex(address: string): string {
  return octets(address).toString('hex');
}

function endpoint(local: string, port: number, versions: readonly (0 | 1)[], more: Partial<Endpoint> = {}): Endpoint {
  const on = { echo: true, errind: true, extnotify: true, zeroChecksum: false, restart: 3 };
  return { ...on, local: hex(local), port, versions, ...more };
}

function session(local: string, id: bigint, more: Partial<Session> = {}): Session {
  return {
    version: 1,
    local: hex(local),
    port: 2152,
    id,
    remote: hex(peers[local.includes(':') ? 6 : 4][0]),
    remoteTeid: 0xa0000000 + Number(id & 0xffffn),
    strict: false,
    zeroChecksum: false,
    antispoof: false,
    role: 'ggsn',
    ue: [],
    hasLink: true,
    carries: 'packets',
    payload: 'ip',
    ...more,
  };
}

function tunnel(
  kind: TunnelSession['kind'],
  local: string,
  id: bigint,
  more: Partial<TunnelSession> = {},
): TunnelSession {
  return {
    kind,
    local: hex(local),
    port: kind === 'vlan' ? 0x8100 : TUNNEL_PORTS[kind],
    id,
    form: { key: false, frames: false },
    remote: hex(peers[local.includes(':') ? 6 : 4][0]),
    namesRemote: false,
    strict: false,
    zeroChecksum: false,
    antispoof: false,
    role: 'ggsn',
    ue: [],
    hasLink: true,
    carries: 'packets',
    cookie: '',
    sublayer: false,
    wantsOrder: false,
    ...more,
  };
}

// A prefix belongs to one session of a link, and all sessions are of one link.
function framed(n: number): Prefix[] {
  const wide = [prefix(`10.${n}.0.0`, 16), prefix(`2001:db8:${n}::`, 64)];
  return [...wide, prefix(`10.1${n}.1.128`, 25), prefix(`10.9.${n}.9`, 32), prefix(`2001:db8:1${n}::9`, 128)];
}

function prefix(address: string, length: number): Prefix {
  return { address: hex(address), length };
}
