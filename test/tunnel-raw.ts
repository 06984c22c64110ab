// SPDX-License-Identifier: MIT
import { buildOne, packetSocket, type Socket, udpSocket } from './agent';
import { capture } from './capture';
import { gtpIn, machineStats, scratch, sessions } from './fixture';
import { type Packet, packet } from './gtp-frame';
import { dropped, type Stats } from './records';
import { waitFor } from './run';
import { type Family, inner, macOf, outer, type TwoMachines, user } from './topology';
import { carriesFrames, LINK, type TunnelType } from './tunnel-kinds';

/** MAC addresses that no device of a test has. */
export const MAC = { near: '02:00:00:00:00:01', far: '02:00:00:00:00:02', other: '02:00:00:00:00:03' } as const;

/** What a test says about a packet's way to the inner end. */
export interface Sending {
  /** Scapy words for the outer IP header, such as `tos=3`. */
  readonly ip?: string;
  /** Outer source, if it is not the session's remote. */
  readonly from?: string;
}

/** One machine with a link and one session, and octets made by hand at the other end of its wire. */
export interface Raw {
  /** Sends a packet to the link's machine: scapy text of all that follows the outer IP header. */
  send(expression: string, sending?: Sending): Promise<void>;
  /** Whether the inner end got something with these octets. */
  delivered(mark: string | Buffer): Promise<boolean>;
  /** Sends an inner packet (scapy text; a frame on links of frames) into the tunnel; gives it as it is on the wire. */
  out(expression: string, mark: string): Promise<Packet>;
  /** The packet socket at the inner end. */
  readonly tap: Socket;
  readonly wire: Socket;
}

/** Adds the link at m1 alone. */
export async function rawPeer(m: TwoMachines, type: TunnelType, family: Family, words: string): Promise<Raw> {
  const [local, remote] = outer[family];
  const way = type === 'vlan' ? 'dev ul' : `local ${local} remote ${remote}`;
  await gtpIn(m.m1, `link add ${LINK} type ${type} ${way} netns ${m.ue1} ${user(0)} ${words}`.trim());
  return rawPeerOf(m, family);
}

/** The same beside links that are there already. */
export async function rawPeerOf(m: TwoMachines, family: Family): Promise<Raw> {
  const [local, remote] = outer[family];
  const [wire, tap] = [await packetSocket(m.m2, 'ul'), await packetSocket(m.ue1, 'eth0')];
  const ether = `Ether(src='${await macOf(m.m2, 'ul')}',dst='${await macOf(m.m1, 'ul')}')`;
  await (await udpSocket(m.m1, local, 0)).send(Buffer.from('neighbour'), [remote, 9]);
  return {
    tap,
    wire,
    send: async (expression, { ip = '', from = remote } = {}) => {
      const header = `${family === 4 ? 'IP' : 'IPv6'}(src='${from}',dst='${local}'${ip && `,${ip}`})`;
      await wire.send(await buildOne(`${ether}/${header}/${expression}`));
    },
    delivered: async (mark) => (await tap.receive({ contains: mark, timeout: 0.3 })).length === 1,
    out: async (expression, mark) => {
      await tap.send(await buildOne(expression));
      const [got] = await wire.receive({ contains: mark });
      if (got === undefined) throw new Error(`nothing came on the wire for ${expression}`);
      return packet(got.data.subarray(14));
    },
  };
}

/** A marked datagram from user 1 to user 0 (`back`), or the other way. */
export function datagram(mark: string, { back = true, version = 4, ip = '', port = 5 }: Inside = {}): string {
  const [own, other] = inner[version];
  const [source, destination] = back ? [other, own] : [own, other];
  const header = `${version === 4 ? 'IP' : 'IPv6'}(src='${source}',dst='${destination}'${ip && `,${ip}`})`;
  return `${header}/UDP(sport=${port},dport=6)/b'${mark}'`;
}

export interface Inside {
  readonly back?: boolean;
  readonly version?: Family;
  readonly ip?: string;
  /** Source port. */
  readonly port?: number;
}

/** A frame of user 0 to user 1, as a device of Ethernet has it whatever the link carries. */
export const frameOut = (mark: string, inside: Inside = {}): string =>
  `Ether(src='${MAC.near}',dst='${MAC.far}')/${datagram(mark, { ...inside, back: false })}`;

/** What a tunnel has inside from user 1: a datagram, with an Ethernet header where the link carries frames. */
export function payloadOf(type: TunnelType, mark: string, inside: Inside = {}): string {
  const ether = `Ether(src='${MAC.far}',dst='${MAC.near}')/`;
  return `${carriesFrames(type) ? ether : ''}${datagram(mark, inside)}`;
}

/** A packet that a peer sends, and what has to become of it. */
export interface Deviation extends Sending {
  readonly name: string;
  /** Scapy text behind the outer IP header; `inner` is that of the payload. */
  readonly packet: (inner: string) => string;
  /** It is delivered, dropped for a reason, or not ours: left to the stack. */
  readonly becomes: 'delivered' | 'left' | { readonly drop: string };
}

/** The same with the protocol of IP in words, which scapy does not know for octets by hand. */
export function named(each: Deviation, family: Family, protocol: number): Deviation {
  const word = `${family === 4 ? 'proto' : 'nh'}=${protocol}`;
  return { ...each, ip: [each.ip, word].filter(Boolean).join(',') };
}

/** What became of packets, counted: nothing else may have happened. */
export interface Outcome {
  readonly delivered: readonly string[];
  readonly decap: number;
  readonly drops: Readonly<Record<string, number>>;
}

/** What must have become of them. */
export function wanted(list: readonly Deviation[]): Outcome {
  const drops: Record<string, number> = {};
  for (const { becomes } of list) if (typeof becomes === 'object') drops[becomes.drop] = (drops[becomes.drop] ?? 0) + 1;
  const delivered = list.filter(({ becomes }) => becomes === 'delivered').map(({ name }) => name);
  return { delivered, decap: delivered.length, drops };
}

/** Sends each, marked by its name, and tells what came of them. */
export async function tried(
  ns: string,
  raw: Raw,
  type: TunnelType,
  list: readonly Deviation[],
  inside: Inside = {},
): Promise<Outcome> {
  const delivered = [];
  for (const each of list) {
    await raw.send(each.packet(payloadOf(type, `<${each.name}>`, inside)), each);
    if (await raw.delivered(`<${each.name}>`)) delivered.push(each.name);
  }
  const drops = Object.values(wanted(list).drops).reduce((a, b) => a + b, 0);
  const sum = (stats: Stats): number => Object.values(dropped(stats)).reduce((a, b) => a + b, 0);
  const stats = await waitFor(
    () => machineStats(ns),
    (all) => sum(all) >= drops,
    1000,
  );
  return { delivered, decap: stats.decap.packets, drops: dropped(stats) };
}

/** What the only session of a machine dropped, by reason. */
export async function sessionDrops(ns: string): Promise<Record<string, number>> {
  const [session, ...more] = await sessions(ns);
  if (session === undefined || more.length > 0) throw new Error(`${more.length + 1} sessions in ${ns}`);
  return dropped(session.stats);
}

/** All frames that a device gets or sends while something is done, with their VLAN tags in place. */
export async function during(ns: string, dev: string, what: () => Promise<void>, filter = ''): Promise<Buffer[]> {
  const seen = await capture(ns, dev, `${scratch}/during-${ns}-${dev}.pcap`, filter, 4000);
  await what();
  return seen.stop();
}
