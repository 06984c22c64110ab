// SPDX-License-Identifier: MIT
import { A, A6, B, B6, octets } from '../bpf/packet';
import { type Endpoint, makeTables, type Prefix, type Session, type Tables } from '../rules/tables';

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
  session(B6, 0x2143658709214366n, { version: 0, port: 3386, hasLink: false }),
  session('192.0.2.4', 0x3001n, { version: 0, port: 9000, antispoof: true, ue: framed(48) }),
];

/** The rules' view of it. */
export function tables(hasTokens: boolean): Tables {
  return hasTokens ? withTokens : withoutTokens;
}

const withTokens = makeTables(endpoints, sessions, true);
const withoutTokens = makeTables(endpoints, sessions, false);

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
