// SPDX-License-Identifier: MIT
import { zero } from '../../src/datapath/codec';
import { endpointId } from '../../src/datapath/key';
import type { endpoint_key, rx_key, tx_session } from '../../src/datapath/layout.gen';
import { endpoint_flag, form, kind, link_flag, rx_flag, tx_flag } from '../../src/datapath/layout.gen';
import type { Programs } from '../bpf/harness';
import { LINK, portBits } from '../bpf/session';
import { markOf } from '../bpf/tunnel';
import type { Endpoint, Prefix, Receiving, Session, TunnelEndpoint, TunnelSession } from '../rules/tables';
import { endpoints, sessions, tunnelEndpoints, tunnelSessions } from './places';

/** Writes the endpoints and sessions of places.ts into the maps of programs that were just loaded. */
export function fill({ maps }: Programs): void {
  maps.config.put(0, {
    ...zero('config'),
    shim_out: LINK,
    shim_in: LINK,
    ports: portBits(2152, 3386, 9000),
    tunnel_ports: portBits(...tunnelEndpoints.map(({ port }) => port).filter((port) => port > 0)),
    kinds: (1 << kind.gre) | (1 << kind.l2tp_ip) | (1 << kind.vlan),
  });
  maps.devices.put(LINK, LINK);
  // The driver that frames come by in a test run is that of lo.
  maps.underlays.put(LINK, zero('underlay'));
  maps.links.put(LINK, {
    ...zero('link_state'),
    config: { flags: link_flag.select | link_flag.prefix, mtu: 1500, slots: 0n },
  });
  for (const endpoint of endpoints) putEndpoint(maps, endpoint);
  for (const session of sessions) putSession(maps, session);
  for (const endpoint of tunnelEndpoints) maps.endpoints.put(tunnelEndpointKey(endpoint), zero('endpoint'));
  for (const session of tunnelSessions) putTunnelSession(maps, session);
}

type Maps = Programs['maps'];

function putEndpoint(maps: Maps, endpoint: Endpoint): void {
  const flags =
    (endpoint.echo ? endpoint_flag.echo : 0) |
    (endpoint.errind ? endpoint_flag.errind : 0) |
    (endpoint.extnotify ? endpoint_flag.extnotify : 0) |
    (endpoint.zeroChecksum ? endpoint_flag.zero_csum : 0);
  for (const version of endpoint.versions)
    maps.endpoints.put(endpointKey(endpoint, version), {
      ...zero('endpoint'),
      flags,
      restart_count: endpoint.restart,
    });
  maps.locals.put({ octets: mappedHex(endpoint.local) }, endpointId({ port: endpoint.port, kind: kind.gtp }));
}

/** The key of an endpoint for one version. */
export function endpointKey({ local, port }: Endpoint, version: 0 | 1): endpoint_key {
  return { local: mappedHex(local), port, kind: kindOf(version) };
}

const NOBODY = 0xffff;
const NO_PREFIX = 255;

function putSession(maps: Maps, session: Session): void {
  const { version, local, port, id, remote, remoteTeid } = session;
  const isMany = session.ue.some((prefix) => prefix.length !== prefix.address.length * 4);
  const flags = (isMany ? rx_flag.many : 0) | (session.payload === 'ethernet' ? rx_flag.ether : 0);
  putReceiving(maps, rxKey(session), session, flags, isMany ? [] : session.ue);
  const peersId = version === 0 ? id : BigInt(remoteTeid);
  const ends = { local: mappedHex(local), remote: mappedHex(remote) };
  maps.remotes.put({ ...ends, id: peersId, port, kind: kindOf(version) }, { id, others: 0 });
  maps.peers.put(ends, { ...zero('peer'), sessions: 1 });
  if (isMany) for (const prefix of session.ue) putPrefix(maps, prefix, session);
}

function putReceiving(maps: Maps, key: rx_key, session: Receiving, more: number, ue: readonly Prefix[]): void {
  const flags =
    more |
    (session.strict ? rx_flag.strict : 0) |
    (session.antispoof ? rx_flag.antispoof : 0) |
    (session.zeroChecksum ? rx_flag.zero_csum : 0) |
    (session.role === 'sgsn' ? rx_flag.sgsn : 0) |
    (session.carries === 'frames' ? rx_flag.frames : 0);
  const config = {
    ...zero('rx_config'),
    ifindex: session.hasLink ? LINK : NOBODY,
    flags,
    ue4_len: NO_PREFIX,
    ue6_len: NO_PREFIX,
    remote: mappedHex(session.remote),
    ...ownPrefixes(ue),
  };
  maps.rx.put(key, { ...zero('rx_session'), qfi: 255, ppi: 255, config: [config, zero('rx_config')] });
}

/** The key of an endpoint of another kind than GTP. */
export function tunnelEndpointKey({ kind: of, local, port }: TunnelEndpoint): endpoint_key {
  return { local: mappedHex(local), port, kind: kind[of] };
}

/** The key of the receive half of a session of another kind than GTP. */
export function tunnelKey(session: TunnelSession): rx_key {
  const { kind: of, local, port, id, form: is, namesRemote, remote } = session;
  const mark = namesRemote ? markOf(mappedHex(remote)) : { id: 0n, scope: of === 'vlan' ? LINK : 0 };
  const shape = (is.key ? form.key : 0) | (is.frames ? form.ether : 0);
  return { local: mappedHex(local), id: id | mark.id, port, kind: kind[of], form: shape, scope: mark.scope };
}

function putTunnelSession(maps: Maps, session: TunnelSession): void {
  const key = tunnelKey(session);
  const cookie = Buffer.from(session.cookie, 'hex');
  const flags =
    (cookie.length > 0 ? rx_flag.cookie : 0) |
    (session.sublayer ? rx_flag.l2spec : 0) |
    (session.wantsOrder ? rx_flag.seq : 0);
  putReceiving(maps, key, session, flags, session.ue);
  if (cookie.length === 0) return;
  const padded = Buffer.concat([cookie, Buffer.alloc(8 - cookie.length)]);
  maps.details.put(key, { ...zero('detail'), cookie: padded, cookie_len: cookie.length });
}

/** The key of a session's receive half. */
export function rxKey({ version, local, port, id }: Session): rx_key {
  return { local: mappedHex(local), id, port, kind: kindOf(version), form: 0, scope: 0 };
}

function ownPrefixes(ue: readonly Prefix[]): object {
  return Object.assign(
    {},
    ...ue.map(({ address, length }) => {
      const name = address.length === 8 ? 'ue4' : 'ue6';
      return { [name]: Buffer.from(address, 'hex'), [`${name}_len`]: length };
    }),
  );
}

// What the link sends to: with `many` that is what antispoof asks.
function putPrefix(maps: Maps, { address, length }: Prefix, session: Session): void {
  const isV4 = address.length === 8;
  const config = {
    ...zero('tx_config'),
    local_teid: Number(session.id & 0xffffffffn),
    teid: session.version === 0 ? Number(session.id >> 32n) : session.remoteTeid,
    flags: session.version === 0 ? tx_flag.v0 : 0,
    kind: kindOf(session.version),
    dport: session.port,
    local: mappedHex(session.local),
    remote: mappedHex(session.remote),
  };
  const value: tx_session = { ...zero('tx_session'), config: [config, zero('tx_config')] };
  const addr = mappedHex(address);
  if (length === address.length * 4) maps.tx.put({ ifindex: LINK, addr }, value);
  else {
    const prefixlen = 64 + length + (isV4 ? 96 : 0);
    maps.tx_prefix.put({ prefixlen, ifindex: LINK, version: isV4 ? 4 : 6, addr }, value);
  }
}

/** An address in hex as a key of the datapath has it. */
export function mappedHex(address: string): Buffer {
  return Buffer.from(address.length === 8 ? `00000000000000000000ffff${address}` : address, 'hex');
}

function kindOf(version: 0 | 1): number {
  return version === 0 ? kind.gtp0 : kind.gtp;
}
