// SPDX-License-Identifier: MIT
import { zero } from '../../src/datapath/codec';
import { type detail, form, kind, link_flag, rx_flag, tx_flag } from '../../src/datapath/layout.gen';
import { internetSum } from './checksum';
import { type Around, type Family, ours, theirs } from './gtp';
import { A, A6, B, B6, eth, mapped } from './packet';
import { type Path, portBits, type RxAt, type RxWords, rxKey, type TxWords } from './session';
import type { World } from './world';

/** Numbers of the session under test in packets to us and to the peer; VNIs are the same both ways. */
export const OWN = 0x1001;
export const PEER = 0xa0b0c0d0;
export const VNI = 0xabcdef;
export const VID = 0x5a5;

export type TunnelKind = 'gtp' | 'gre' | 'geneve' | 'vxlan' | 'l2tp' | 'l2tp_ip';

/** One way to wrap a payload, as a user configures it. */
export interface Tunnel {
  readonly name: string;
  readonly kind: TunnelKind;
  /** `ip` packets or `ethernet` frames. */
  readonly payload: 'ip' | 'ethernet';
  readonly tx: number;
  readonly rx: number;
  /** Octets of `details` that are sent, and those that are expected. */
  readonly head?: Buffer;
  readonly critical?: boolean;
  readonly cookie?: Buffer;
  readonly ext?: Buffer;
  /** The octets in front of the payload, in a packet to the peer or to us. */
  header(direction: 'out' | 'in', payload: Buffer, seq: number): Buffer;
}

const none = Buffer.alloc(0);

export function hexOctets(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

/** So many octets of a number, big-endian. */
export function number(value: number, octets: 2 | 3 | 4): Buffer {
  return hexOctets((value >>> 0).toString(16).padStart(octets * 2, '0'));
}

/** What GRE and Geneve call a payload. */
export function protocolOf(payload: Buffer, of: Tunnel['payload']): Buffer {
  if (of === 'ethernet') return number(0x6558, 2);
  return number((payload[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800, 2);
}

export interface GreWords {
  readonly payload?: Tunnel['payload'];
  readonly csum?: boolean;
  readonly key?: boolean;
  readonly seq?: boolean;
}

export function gre(words: GreWords = {}): Tunnel {
  const { payload: of = 'ip', csum = false, key = false, seq = false } = words;
  const options = [csum ? ' csum' : '', key ? ' key' : '', seq ? ' seq' : ''].join('');
  const on = (is: boolean, flag: number): number => (is ? flag : 0);
  return {
    name: `${of === 'ip' ? 'gre' : 'gretap'}${options}`,
    kind: 'gre',
    payload: of,
    tx: on(csum, tx_flag.gre_csum) | on(key, tx_flag.key) | on(seq, tx_flag.seq) | on(of === 'ethernet', tx_flag.ether),
    rx: on(seq, rx_flag.seq),
    header: (direction, payload, sequence) => {
      const parts = [
        number(on(csum, 0x8000) | on(key, 0x2000) | on(seq, 0x1000), 2),
        protocolOf(payload, of),
        csum ? Buffer.alloc(4) : none,
        key ? number(direction === 'out' ? PEER : OWN, 4) : none,
        seq ? number(sequence, 4) : none,
      ];
      const header = Buffer.concat(parts);
      if (csum) header.writeUInt16BE(internetSum(header, payload), 4);
      return header;
    },
  };
}

/** With octets of options; `payload ip` is a choice of geneve alone. */
export function geneve(options: Buffer = none, of: Tunnel['payload'] = 'ethernet', critical = false): Tunnel {
  const text = options.length === 0 ? '' : ` with ${options.length} octets of ${critical ? 'critical ' : ''}options`;
  return {
    name: `geneve${of === 'ip' ? ' payload ip' : ''}${text}`,
    kind: 'geneve',
    payload: of,
    tx: (of === 'ethernet' ? tx_flag.ether : 0) | (options.length === 0 ? 0 : tx_flag.detail),
    rx: 0,
    head: options,
    critical,
    header: (direction, payload) =>
      Buffer.concat([
        Buffer.from([options.length / 4, critical && direction === 'out' ? 0x40 : 0]),
        protocolOf(payload, of),
        number(VNI, 3),
        Buffer.from([0]),
        options,
      ]),
  };
}

export const vxlan: Tunnel = {
  name: 'vxlan',
  kind: 'vxlan',
  payload: 'ethernet',
  tx: tx_flag.ether,
  rx: 0,
  header: () => Buffer.concat([hexOctets('08000000'), number(VNI, 3), Buffer.from([0])]),
};

/** Cookies of 0, 4 or 8 octets, unlike in each direction; the default sublayer, and numbers in it. */
export function l2tp(
  encap: 'udp' | 'ip',
  cookie: 0 | 4 | 8 = 0,
  sublayer: 'none' | 'default' | 'seq' = 'none',
): Tunnel {
  const sent = hexOctets('c1c2c3c4c5c6c7c8').subarray(0, cookie);
  const expected = hexOctets('e1e2e3e4e5e6e7e8').subarray(0, cookie);
  const on = (is: boolean, flag: number): number => (is ? flag : 0);
  const isSeq = sublayer === 'seq';
  const text = sublayer === 'none' ? '' : isSeq ? ', seq' : ', sublayer';
  return {
    name: `l2tp ${encap}${cookie === 0 ? '' : `, cookie of ${cookie}`}${text}`,
    kind: encap === 'udp' ? 'l2tp' : 'l2tp_ip',
    payload: 'ethernet',
    tx:
      tx_flag.ether | on(cookie > 0, tx_flag.detail) | on(sublayer !== 'none', tx_flag.l2spec) | on(isSeq, tx_flag.seq),
    rx: on(cookie > 0, rx_flag.cookie) | on(sublayer !== 'none', rx_flag.l2spec) | on(isSeq, rx_flag.seq),
    head: sent,
    cookie: expected,
    header: (direction, _, seq) =>
      Buffer.concat([
        encap === 'udp' ? hexOctets('00030000') : none,
        number(direction === 'out' ? PEER : OWN, 4),
        direction === 'out' ? sent : expected,
        sublayer === 'none' ? none : isSeq ? number(0x40000000 | (seq & 0xffffff), 4) : Buffer.alloc(4),
      ]),
  };
}

/** GTP with `payload ethernet`; with a PDU Session Container if asked. */
export function gtpEthernet(psc = false): Tunnel {
  const ext = psc ? hexOctets('01100900') : none;
  return {
    name: `gtp payload ethernet${psc ? ' with a container' : ''}`,
    kind: 'gtp',
    payload: 'ethernet',
    tx: tx_flag.ether,
    rx: rx_flag.ether,
    ext,
    header: (direction, payload) =>
      Buffer.concat([
        hexOctets(psc ? '34ff' : '30ff'),
        number(payload.length + (psc ? 8 : 0), 2),
        number(direction === 'out' ? PEER : OWN, 4),
        psc ? hexOctets('00000085 01100900') : none,
      ]),
  };
}

const OPTION = hexOctets('0104 05 01 deadbeef');
const LONG = Buffer.concat([
  hexOctets('ffff 7f 1f'),
  Buffer.alloc(124, 0x77),
  hexOctets('0102 03 1e'),
  Buffer.alloc(120, 0x88),
]);
export const CRITICAL = hexOctets('0104 85 00');

/** Every kind with every option of its header. */
export const all: readonly Tunnel[] = [
  ...(['ip', 'ethernet'] as const).flatMap((payload) =>
    [false, true].flatMap((csum) =>
      [false, true].flatMap((key) => [false, true].map((seq) => gre({ payload, csum, key, seq }))),
    ),
  ),
  geneve(),
  geneve(OPTION),
  geneve(LONG),
  geneve(CRITICAL, 'ethernet', true),
  geneve(none, 'ip'),
  geneve(OPTION, 'ip'),
  vxlan,
  ...(['udp', 'ip'] as const).flatMap((encap) =>
    ([0, 4, 8] as const).flatMap((cookie) =>
      (['none', 'default', 'seq'] as const).map((sublayer) => l2tp(encap, cookie, sublayer)),
    ),
  ),
  gtpEthernet(),
  gtpEthernet(true),
];

export const PORT_OF = { gtp: 2152, gre: 0, geneve: 6081, vxlan: 4789, l2tp: 1701, l2tp_ip: 0 } as const;
const PROTOCOL_OF = { gre: 47, l2tp_ip: 115 } as const;

export function overUdp(of: TunnelKind): boolean {
  return PORT_OF[of] !== 0;
}

/** Everything that follows the Ethernet header of an outer packet from the peer (`in`) or to it. */
export function wrapped(
  { kind: of, header }: Pick<Tunnel, 'kind' | 'header'>,
  family: Family,
  payload: Buffer,
  { direction = 'in', seq = 0, ...around }: Around & { direction?: 'in' | 'out'; seq?: number } = {},
): Buffer {
  return carrying(of, family, Buffer.concat([header(direction, payload, seq), payload]), around);
}

/** An outer packet from the peer that carries these octets behind UDP, or behind IP. */
export function carrying(of: TunnelKind, family: Family, content: Buffer, around: Around = {}): Buffer {
  const [source, destination] = [around.source ?? theirs[family], around.destination ?? ours[family]];
  const protocol = of === 'gre' || of === 'l2tp_ip' ? PROTOCOL_OF[of] : 17;
  const start = eth({ type: family === 4 ? 0x0800 : 0x86dd });
  const ip =
    family === 4
      ? start.ip4(source, destination, { protocol, ...around.ip4 })
      : start.ip6(source, destination, { next: protocol, ...around.ip6 });
  if (!overUdp(of)) return ip.payload(content).bytes();
  const port = PORT_OF[of];
  return ip
    .udp(around.sport ?? port, around.dport ?? port, around.udp)
    .payload(content)
    .bytes();
}

/** The endpoints of all kinds at our addresses, and the ports that belong to them. */
export function openEndpoints(world: World): void {
  const kinds = (1 << kind.gre) | (1 << kind.l2tp_ip) | (1 << kind.vlan);
  const config = world.maps.config.get(0) ?? zero('config');
  world.maps.config.put(0, { ...config, tunnel_ports: portBits(6081, 4789, 1701), kinds });
  for (const local of [B, B6])
    for (const of of ['gtp', 'gre', 'geneve', 'vxlan', 'l2tp', 'l2tp_ip'] as const)
      world.endpoint(local, PORT_OF[of], { kind: kind[of] });
}

function ownId({ kind: of, tx }: Tunnel): number {
  if (of === 'geneve' || of === 'vxlan') return VNI;
  return of === 'gre' && (tx & tx_flag.key) === 0 ? 0 : OWN;
}

/** The key of the session's receive half, at whichever end. */
export function keyAt(tunnel: Tunnel, local: string): RxAt {
  const { kind: of, tx } = tunnel;
  const isGre = of === 'gre';
  const shape = (tx & tx_flag.key ? form.key : 0) | (tx & tx_flag.ether ? form.ether : 0);
  return { local, kind: kind[of], id: BigInt(ownId(tunnel)), port: PORT_OF[of], form: isGre ? shape : 0 };
}

/** How the session sends. */
export function txWords(tunnel: Tunnel, family: Family, more: number): TxWords {
  const { kind: of } = tunnel;
  const isVni = of === 'geneve' || of === 'vxlan';
  const port = PORT_OF[of];
  return {
    ...(family === 4 ? {} : { local: A6, remote: B6 }),
    kind: kind[of],
    teid: isVni ? VNI * 256 : PEER,
    local_teid: ownId(tunnel),
    sport: port,
    dport: port,
    flags: tunnel.tx | more,
    // Of geneve and vxlan these are the port that we receive at.
    ...(isVni ? { ext: number(port, 2), ext_len: 0 } : { ext: tunnel.ext ?? none }),
  };
}

/** A session of the link alone, that sends from A to B; its receive half counts from `seq`. */
export function sender(
  world: World,
  tunnel: Tunnel,
  family: Family,
  more = 0,
  { seq = 0, macs = none, path = {} }: SenderWords = {},
): void {
  world.fallback(txWords(tunnel, family, more | (macs.length > 0 ? tx_flag.detail : 0)), path);
  const at = keyAt(tunnel, family === 4 ? A : A6);
  world.rx({}, at, { tx_seq: seq });
  const head = tunnel.head ?? none;
  if (head.length > 0 || macs.length > 0) putDetail(world, at, { head, macs, critical: tunnel.critical ? 1 : 0 });
}

interface SenderWords {
  readonly seq?: number;
  readonly macs?: Buffer;
  readonly path?: Path;
}

/** A session that receives at B from A, on a link of frames unless `flags` say otherwise. */
export function taker(world: World, tunnel: Tunnel, family: Family, words: RxWords = {}, at: RxAt = {}): void {
  const key = { ...keyAt(tunnel, ours[family]), ...at };
  const { flags = rx_flag.frames } = words;
  world.rx({ remote: theirs[family], ...words, flags: flags | tunnel.rx }, key);
  const cookie = tunnel.cookie ?? none;
  if (cookie.length > 0) putDetail(world, key, { cookie, cookie_len: cookie.length });
}

type DetailWords = Partial<Omit<detail, 'head' | 'cookie' | 'macs'>> & {
  head?: Buffer;
  cookie?: Buffer;
  macs?: Buffer;
};

export function putDetail(
  world: World,
  at: RxAt,
  { head = none, cookie = none, macs = none, ...words }: DetailWords,
): void {
  world.maps.details.put(rxKey(at), {
    ...zero('detail'),
    ...words,
    head: padded(head, 252),
    head_len: head.length,
    cookie: padded(cookie, 8),
    macs: padded(macs, 12),
  });
}

function padded(octets: Buffer, length: number): Buffer {
  return Buffer.concat([octets, Buffer.alloc(length - octets.length)]);
}

/** Makes the link one of frames, or of packets, whose sessions are of any kind. */
export function linkOf(world: World, carries: 'frames' | 'packets'): void {
  world.link(link_flag.any | (carries === 'frames' ? link_flag.frames : 0));
}

/** What stands for a remote in the key of a session that is named by it, too. */
export function remoteMark(remote: string): { id: bigint; scope: number } {
  return markOf(mapped(remote));
}

/** The same of 16 octets. */
export function markOf(octets: Buffer): { id: bigint; scope: number } {
  const [hi, lo] = [octets.readBigUInt64LE(0), octets.readBigUInt64LE(8)];
  const mark = lo ^ BigInt.asUintN(64, hi * 0x9e3779b97f4a7c15n);
  return { id: mark & 0xffffffff00000000n, scope: Number(mark & 0xffffffffn) };
}
