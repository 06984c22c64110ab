// SPDX-License-Identifier: MIT
import {
  address,
  choice,
  ifname,
  interfaceAddress,
  mac,
  mtu,
  onOff,
  port,
  prefixOrDefault,
  restartCount,
  srcport,
  tos,
  ttl,
  vrf,
} from '../values';
import { PORTS, SOURCE_PORTS, TYPES } from './kinds';
import type { Words } from './types';

/** A type of links and sessions. */
export const linkType = choice(TYPES);

const roles = choice(['ggsn', 'sgsn'], { aliases: { pgw: 'ggsn', upf: 'ggsn', gnb: 'sgsn', enb: 'sgsn', ue: 'sgsn' } });

/** Where a link meets the outer network. */
export const linkOuter = {
  local: {
    kind: address,
    source: 'address',
    help: 'outer address of this end; else the source address towards the remote',
  },
  dev: {
    kind: ifname,
    placeholder: 'UNDERLAY',
    repeat: true,
    help: 'device to listen on; else the one that holds local; type vlan needs it, and tags on the first',
  },
} as const satisfies Words;

/** What can be changed of a link. */
export const linkSettings = {
  address: { kind: interfaceAddress, repeat: true, help: 'address of the inner end' },
  route: { kind: prefixOrDefault, repeat: true, help: 'route through the inner end' },
  mtu: { kind: mtu, help: 'MTU of the inner end; else computed from the sessions' },
  role: {
    kind: roles,
    default: 'ggsn',
    help: 'sessions by inner destination (ggsn, pgw, upf) or source (sgsn, gnb, enb, ue)',
  },
  port: {
    of: ['version 1', 'version 0', 'geneve', 'vxlan', 'l2tp'],
    kind: port,
    defaults: PORTS,
    help: 'outer UDP port to receive on',
  },
  srcport: {
    of: ['version 1', 'version 0', 'geneve', 'vxlan'],
    kind: srcport,
    defaults: SOURCE_PORTS,
    help: 'outer UDP source port: that of the kind, by flow, or a number; l2tp has udp_sport',
  },
  ttl: { kind: ttl, default: 64, help: 'outer TTL or hop limit' },
  tos: { kind: tos, default: 0, help: 'outer TOS or traffic class' },
  udpcsum: {
    flag: true,
    no: true,
    help: 'outer UDP checksum; default over IPv6, where noudpcsum also takes packets without one, and for geneve and l2tp',
  },
  df: { kind: choice(['set', 'unset', 'inherit']), default: 'set', help: 'outer DF bit' },
  gso: { kind: choice(['auto', 'split', 'keep']), default: 'auto', help: 'when to cut super-packets' },
  deliver: { kind: choice(['auto', 'bulk', 'small']), default: 'auto', help: 'through GRO (bulk) or straight (small)' },
  hairpin: { kind: onOff, default: 'on', help: 'short cut between two links of this machine' },
  xdp: {
    kind: choice(['auto', 'on', 'off']),
    default: 'auto',
    help: 'receive by native XDP: on real NICs whose drivers can, on every underlay, or on none',
  },
  lladdr: { kind: mac, help: 'MAC of the end that stays here' },
  echo: {
    kind: onOff,
    default: 'on',
    help: 'answer Echo Requests; like errind and extnotify on when any link at this local address says so',
  },
  errind: { kind: onOff, default: 'on', help: 'answer unknown TEIDs with Error Indications' },
  extnotify: { kind: onOff, default: 'on', help: 'answer unknown extension headers with a notification' },
  'errind-action': {
    kind: choice(['none', 'mark', 'del']),
    default: 'mark',
    help: 'what a received Error Indication does to its session: nothing, show it as the state, or end it',
  },
  restart_count: { kind: restartCount, default: 0, help: 'Recovery in Echo Responses of version 0' },
  vrf: {
    kind: vrf,
    source: 'vrf',
    help: 'VRF that the inner end and its routes belong to; or a routing table, by name or number, to which rules lead',
  },
} as const satisfies Words;
