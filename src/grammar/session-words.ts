// SPDX-License-Identifier: MIT
import {
  address,
  choice,
  cookie,
  flow,
  geneveOption,
  greKey,
  hostPrefix,
  l2tpId,
  label,
  linkName,
  mac,
  ownTeid,
  ownTeidOrAuto,
  port,
  ppi,
  prefix,
  qfi,
  srcport,
  teid,
  tid,
  tos,
  ttl,
  version,
  vlanId,
  vni,
} from '../values';
import { PAYLOADS, PEERS } from './kinds';
import { linkType } from './link-words';
import { optional, type Row, type Words } from './types';

const v1 = { of: ['version 1'] } as const;
const v0 = { of: ['version 0'] } as const;
const gtp = { of: ['version 1', 'version 0'] } as const;
const gre = { of: ['gre', 'gretap'] } as const;
const vnis = { of: ['geneve', 'vxlan'] } as const;
const geneve = { of: ['geneve'] } as const;
const l2tp = { of: ['l2tp'] } as const;
const vlan = { of: ['vlan'] } as const;
const tagProtocol = choice(['802.1Q', '802.1ad']);
/** What has a peer with an address, that is, all but vlan. */
const overIp = { of: ['version 1', 'version 0', 'gre', 'gretap', 'geneve', 'vxlan', 'l2tp'] } as const;
/** What may choose its outer UDP source port. */
const anyPort = { of: ['version 1', 'version 0', 'geneve', 'vxlan'] } as const;
const overUdp = { of: [...anyPort.of, 'l2tp'] } as const;

const type = {
  kind: linkType,
  placeholder: 'TYPE',
  help: 'kind of the session; else as the words tell, or that of the link',
} as const;

const ids = {
  version: { ...gtp, kind: version, default: 1, help: 'of GTP: 1 with a TEID for each direction, 0 with one TID' },
  'local-teid': { ...v1, kind: ownTeidOrAuto, required: true, help: 'TEID that the peer puts into packets to us' },
  'remote-teid': { ...v1, kind: teid, required: true, help: 'TEID that we put into packets to the peer' },
  tid: { ...v0, kind: tid, required: true, help: 'TID of packets in both directions' },
  flow: { ...v0, kind: flow, default: 0, help: 'flow label that the peer puts into packets to us' },
  'remote-flow': { ...v0, kind: flow, default: 0, help: 'flow label that we put into packets to the peer' },
  key: { ...gre, kind: greKey, not: ['ikey', 'okey'], help: 'key in both directions; else none' },
  ikey: { ...gre, kind: greKey, not: ['key'], with: 'okey', help: 'key that the peer puts into packets to us' },
  okey: { ...gre, kind: greKey, not: ['key'], with: 'ikey', help: 'key that we put into packets to the peer' },
  vni: { ...vnis, kind: vni, required: true, help: 'virtual network identifier, in both directions' },
  session_id: { ...l2tp, kind: l2tpId, required: true, help: 'session ID that the peer puts into packets to us' },
  peer_session_id: { ...l2tp, kind: l2tpId, required: true, help: 'session ID that we put into packets to the peer' },
  id: { ...vlan, kind: vlanId, required: true, help: 'VLAN ID, in both directions' },
} as const satisfies Words;

const settings = {
  remote: { ...overIp, kind: address, required: true, help: 'outer address of the peer' },
  local: { ...overIp, kind: address, source: 'address', help: 'outer address of this end; else that of the link' },
  ue: {
    kind: prefix,
    repeat: true,
    help: 'who lives behind the far (ggsn) or near (sgsn) end; 10.45.0.4/16 is all of 10.45.0.0/16',
  },
  from: { kind: hostPrefix, with: 'to', help: 'packets with this inner source and the destination of to' },
  to: { kind: hostPrefix, with: 'from', help: 'packets with this inner destination and the source of from' },
  name: { kind: label, help: 'a label' },
  lladdr: {
    kind: mac,
    help: 'MAC at the far end: chooses the session on a link of frames; goes into frames on a link of packets',
  },
  peer: {
    ...overIp,
    kind: choice(['any', 'strict']),
    defaults: PEERS,
    help: 'take packets from any outer source, or from remote alone',
  },
  antispoof: {
    flag: true,
    no: true,
    help: 'drop packets from the tunnel that are not of ue; default where ue is given',
  },
  srcport: { ...anyPort, kind: srcport, help: 'as in link add, for this session' },
  ttl: { ...overIp, kind: ttl, help: 'as in link add, for this session' },
  tos: { ...overIp, kind: tos, help: 'as in link add, for this session' },
  udpcsum: { ...overUdp, flag: true, no: true, help: 'as in link add, for this session' },
} as const satisfies Words;

const ofType = {
  qfi: { ...v1, kind: qfi, help: 'send a PDU Session Container with this QoS Flow Identifier' },
  rqi: { ...v1, flag: true, help: 'Reflective QoS Indication in the container' },
  ppi: { ...v1, kind: ppi, help: 'Paging Policy Indicator in the container' },
  psc: {
    ...v1,
    kind: choice(['auto', 'none', 'dl', 'ul']),
    default: 'auto',
    help: 'PDU Session Container: by role, never, or of that type',
  },
  seq: { ...v1, flag: true, no: true, help: 'number the packets that we send; default noseq' },
  payload: {
    of: [...v1.of, ...geneve.of],
    kind: choice(['ip', 'ethernet']),
    defaults: { gtp: PAYLOADS.gtp, geneve: PAYLOADS.geneve },
    help: 'IP packets, or whole Ethernet frames',
  },
  csum: { ...gre, flag: true, no: true, help: 'checksum in the packets that we send; default nocsum' },
  iseq: { ...gre, flag: true, no: true, help: 'drop packets that come late or twice by their number; default noiseq' },
  oseq: { ...gre, flag: true, no: true, help: 'number the packets that we send; default nooseq' },
  opt: { ...geneve, kind: geneveOption, repeat: true, help: 'an option in the packets that we send, in hexadecimal' },
  dstport: { ...vnis, kind: port, help: 'UDP port of the peer; else our own' },
  cookie: { ...l2tp, kind: cookie, help: 'cookie of 4 or 8 octets that we send; else none' },
  peer_cookie: { ...l2tp, kind: cookie, help: 'cookie that the peer must send; else none' },
  l2spec_type: {
    ...l2tp,
    kind: choice(['none', 'default']),
    default: 'default',
    help: 'L2-specific sublayer, which numbers stand in',
  },
  l2tp_seq: {
    ...l2tp,
    as: 'seq',
    kind: choice(['none', 'send', 'recv', 'both']),
    default: 'none',
    help: 'number packets that we send, drop received ones that come late or twice, or both',
  },
  encap: { ...l2tp, kind: choice(['udp', 'ip']), default: 'udp', help: 'over UDP, or straight over IP' },
  udp_sport: { ...l2tp, kind: port, help: 'our UDP port; else that of a link of type l2tp, or 1701' },
  udp_dport: { ...l2tp, kind: port, help: 'UDP port of the peer; else 1701' },
  protocol: {
    ...vlan,
    kind: tagProtocol,
    default: '802.1Q',
    help: 'EtherType of the tag: 0x8100 or 0x88a8',
  },
} as const satisfies Words;

/** The words that make a session. */
export const sessionWords = { type, ...ids, ...settings, ...ofType } as const;

/** The link of a session. */
export const onLink = {
  dev: { kind: linkName, required: true, help: 'the link of the session' },
} as const satisfies Words;

/** Its values are those that sessions have. */
const stored = { source: 'session' } as const;

/** The words that name a session: the receive half of its ID is enough. */
export const sessionId = {
  type,
  version: { ...gtp, kind: version, help: 'of GTP; else as the ID tells' },
  'local-teid': { ...v1, kind: ownTeid, ...stored, required: true, help: 'the TEID of the session' },
  tid: { ...v0, kind: tid, ...stored, required: true, help: 'the TID of the session' },
  key: {
    ...gre,
    kind: greKey,
    ...stored,
    not: ['ikey'],
    help: 'the key of packets to us; nothing: the session without one',
  },
  ikey: { ...gre, kind: greKey, ...stored, not: ['key'], help: 'the same' },
  vni: { ...vnis, kind: vni, ...stored, required: true, help: 'the VNI of the session' },
  session_id: { ...l2tp, kind: l2tpId, ...stored, required: true, help: 'the session ID of packets to us' },
  id: { ...vlan, kind: vlanId, ...stored, required: true, help: 'the VLAN ID of the session' },
  protocol: { ...vlan, kind: tagProtocol, help: 'its tag, where there is a session for both' },
  local: { ...overIp, kind: address, ...stored, help: 'its local address, where the link has several' },
  remote: {
    of: [...gre.of, ...vnis.of],
    kind: address,
    ...stored,
    help: 'its peer, where several have this key or VNI',
  },
} as const satisfies Words;

const { version: anyVersion, 'local-teid': localTeid, tid: anyTid, vni: anyVni, session_id, id } = sessionId;

/** The words that change a session: those that name it, and any others. */
export const sessionChange = {
  ...optional(sessionWords),
  version: anyVersion,
  name: { ...sessionWords.name, ...stored },
  'local-teid': localTeid,
  tid: anyTid,
  key: { ...sessionId.key, not: ['ikey', 'okey'], names: true },
  ikey: { ...sessionId.ikey, names: true },
  okey: { ...gre, kind: greKey, not: ['key'], help: sessionWords.okey.help },
  vni: anyVni,
  session_id,
  id,
} as const satisfies Words;

/** The words that choose some of all sessions. */
export const sessionFilter = {
  dev: { kind: linkName, help: 'sessions of this link' },
  remote: { kind: address, ...stored, help: 'sessions with this peer' },
  ue: { kind: address, ...stored, help: 'sessions that carry this inner address' },
  type: { kind: linkType, placeholder: 'TYPE', help: 'sessions of this kind' },
} as const satisfies Words;

/** The words whose values completion finds in the sessions that are there. */
export const storedWords: readonly string[] = [
  ...new Set(
    [sessionFilter, sessionId, sessionChange].flatMap((words) =>
      Object.entries<Row>(words).flatMap(([word, { source }]) => (source === 'session' ? [word] : [])),
    ),
  ),
];
