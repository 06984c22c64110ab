// SPDX-License-Identifier: MIT
import { addWords } from '../rules/sum';
import { protocolOf, type Receiving, type TunnelKind, type TunnelSession } from '../rules/tables';
import { wrap } from './frames';
import { makeInner } from './inner';
import type { Lies } from './lies';
import { change } from './octets';
import { tunnelSessions } from './places';
import type { Random } from './random';

/** A frame of another kind than GTP that is nearly right. */
export function makeTunnelFrame(random: Random, lies: Lies): Buffer {
  const session = random.pick(tunnelSessions);
  const { kind } = session;
  if (kind === 'vlan') return change(random, lies, taggedFrame(random, lies, session));
  return wrap(random, lies, session, session, protocolOf({ kind }), MAKERS[kind](random, lies, session));
}

type Maker = (random: Random, lies: Lies, session: TunnelSession) => Buffer;

const MAKERS: Readonly<Record<TunnelKind, Maker>> = {
  gre: makeGre,
  geneve: makeGeneve,
  vxlan: makeVxlan,
  l2tp: makeL2tpUdp,
  l2tp_ip: makeL2tpIp,
};

const PROTOCOLS = [0x0800, 0x86dd, 0x6558, 0x0806, 0x88be, 0, 0x880b];

function word(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value >>> 0);
  return octets;
}

function idOf(random: Random, lies: Lies, { id }: TunnelSession): number {
  if (!lies.has('TEID')) return Number(id);
  return random.pick([0, Number(id) ^ (1 << random.below(24)), random.below(0x100000000)]) >>> 0;
}

/** What the session carries, and how GRE and Geneve call it. */
function payloadOf(random: Random, lies: Lies, session: TunnelSession, isFrame: boolean): [Buffer, number] {
  const payload = isFrame ? makeUserFrame(random, lies, session) : makeInner(random, lies, session);
  const right = isFrame ? 0x6558 : (payload[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800;
  return [payload, lies.has('protocol') ? random.pick(PROTOCOLS) : right];
}

function makeGre(random: Random, lies: Lies, session: TunnelSession): Buffer {
  const [payload, protocol] = payloadOf(random, lies, session, session.form.frames);
  const isSummed = random.chance(30) || lies.has('tunnel checksum');
  const hasKey = session.form.key !== lies.has('tunnel key');
  const isNumbered = random.chance(session.wantsOrder ? 20 : 30);
  let flags = (isSummed ? 0x8000 : 0) | (hasKey ? 0x2000 : 0) | (isNumbered ? 0x1000 : 0);
  if (lies.has('tunnel flags')) flags ^= 1 << random.below(16);
  if (lies.has('tunnel version')) flags |= 1 + random.below(7);
  const header = Buffer.concat([
    word(flags * 0x10000 + protocol),
    isSummed ? word(random.chance(20) ? random.below(65536) : 0) : Buffer.alloc(0),
    hasKey ? word(idOf(random, lies, session)) : Buffer.alloc(0),
    isNumbered ? random.octets(4) : Buffer.alloc(0),
  ]);
  const message = Buffer.concat([header, payload]);
  if (isSummed) message.writeUInt16BE(~addWords(message) & 0xffff, 4);
  if (lies.has('tunnel checksum')) message[4] = (message[4] ?? 0) ^ (1 << random.below(8));
  return message;
}

function makeGeneve(random: Random, lies: Lies, session: TunnelSession): Buffer {
  const [payload, protocol] = payloadOf(random, lies, session, random.chance(70));
  const options = makeOptions(random, lies);
  const length = options.length / 4 + (lies.has('option length') && random.chance(30) ? random.pick([1, -1, 5]) : 0);
  const version = lies.has('tunnel version') ? random.below(4) << 6 : 0;
  const critical = random.chance(20) || lies.has('tunnel option') || lies.has('option length') ? 0x40 : 0;
  const control = lies.has('tunnel control') ? 0x80 : 0;
  const reserved = random.chance(20) || lies.has('tunnel flags') ? random.below(64) : 0;
  const start = Buffer.from([version | (length & 63), critical | control | reserved, protocol >> 8, protocol & 255]);
  const vni = word(idOf(random, lies, session) * 256 + (random.chance(10) ? random.below(256) : 0));
  return Buffer.concat([start, vni, options, payload]);
}

function makeOptions(random: Random, lies: Lies): Buffer {
  const count = random.pick([0, 0, 1, 1, 2, 3]) + (lies.has('tunnel option') || lies.has('option length') ? 1 : 0);
  const wrong = lies.has('option length') ? random.below(count) : -1;
  const critical = lies.has('tunnel option') ? random.below(count) : -1;
  const options = Array.from({ length: count }, (_, i) => {
    const units = random.below(4);
    const told = i === wrong ? random.below(32) : units;
    const type = random.below(128) | (i === critical ? 0x80 : 0);
    return Buffer.concat([random.octets(2), Buffer.from([type, told]), random.octets(units * 4)]);
  });
  return Buffer.concat(options);
}

function makeVxlan(random: Random, lies: Lies, session: TunnelSession): Buffer {
  const first = random.chance(20) || lies.has('tunnel flags') ? random.octets(4) : Buffer.from([8, 0, 0, 0]);
  if (!lies.has('tunnel flags')) first[0] = (first[0] ?? 0) | 8;
  const vni = word(idOf(random, lies, session) * 256 + (random.chance(10) ? random.below(256) : 0));
  return Buffer.concat([first, vni, makeUserFrame(random, lies, session)]);
}

function makeL2tpUdp(random: Random, lies: Lies, session: TunnelSession): Buffer {
  const first = Buffer.from([0, 3, 0, 0]);
  if (random.chance(15)) random.octets(4).copy(first);
  first[0] = (first[0] ?? 0) & 0x7f;
  first[1] = ((first[1] ?? 0) & 0xf0) | 3;
  if (lies.has('tunnel control')) first[0] |= 0x80;
  if (lies.has('tunnel version')) first[1] = (first[1] & 0xf0) | random.below(16);
  return Buffer.concat([first, makeL2tpIp(random, lies, session)]);
}

function makeL2tpIp(random: Random, lies: Lies, session: TunnelSession): Buffer {
  const cookie = Buffer.from(session.cookie, 'hex');
  if (lies.has('cookie') && cookie.length > 0) {
    const at = random.below(cookie.length);
    cookie[at] = (cookie[at] ?? 0) ^ (1 << random.below(8));
  }
  const sent = lies.has('tunnel key') ? cookie.subarray(0, random.pick([0, 4])) : cookie;
  const sublayer = session.sublayer ? random.octets(4) : Buffer.alloc(0);
  if (session.wantsOrder && random.chance(80)) sublayer[0] = (sublayer[0] ?? 0) & 0xbf;
  const payload = makeUserFrame(random, lies, session);
  const all = Buffer.concat([word(idOf(random, lies, session)), sent, sublayer, payload]);
  return lies.has('frame cut') && random.chance(30) ? all.subarray(0, random.below(20)) : all;
}

const MACS = ['02000000002e', 'ffffffffffff', '333300000001', '000000000000', '02000000001e'];

/** A frame of a user: a packet, ARP, something else, with tags or without; sometimes with something wrong. */
export function makeUserFrame(random: Random, lies: Lies, session: Receiving): Buffer {
  const macs = Buffer.from(random.pick(MACS) + random.pick(MACS), 'hex');
  const [type, content] = contentOf(random, lies, session);
  const told = lies.has('frame type')
    ? random.pick([0x0800, 0x86dd, 0x0806, 0x8100, 0x05dc, random.below(65536)])
    : type;
  const tags = lies.has('tag') ? tagsOf(random) : Buffer.alloc(0);
  const frame = Buffer.concat([macs, tags, Buffer.from([told >> 8, told & 255]), content]);
  return lies.has('frame cut') ? frame.subarray(0, random.pick([random.below(15), random.below(frame.length)])) : frame;
}

function tagsOf(random: Random): Buffer {
  const tag = (): Buffer => Buffer.concat([Buffer.from(random.pick(['8100', '88a8']), 'hex'), random.octets(2)]);
  return random.chance(30) ? Buffer.concat([tag(), tag()]) : tag();
}

function contentOf(random: Random, lies: Lies, session: Receiving): [type: number, content: Buffer] {
  if (random.chance(12)) return [0x0806, arp(random, session)];
  if (random.chance(8)) return [random.pick([0x88b5, 0x0026, 0x8847]), random.octets(random.below(60))];
  const inner = makeInner(random, lies, session);
  return [(inner[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800, inner];
}

function arp(random: Random, { ue, role }: Receiving): Buffer {
  const [own] = ue.filter(({ address }) => address.length === 8);
  const user = own !== undefined && random.chance(60) ? Buffer.from(own.address, 'hex') : random.octets(4);
  const ends = role === 'ggsn' ? [user, random.octets(4)] : [random.octets(4), user];
  const protocol = random.chance(90) ? '0800' : '86dd';
  const start = Buffer.from(`0001${protocol}06040001`, 'hex');
  const message = Buffer.concat([start, random.octets(6), ends[0] ?? user, random.octets(6), ends[1] ?? user]);
  return random.chance(10)
    ? message.subarray(0, random.below(28))
    : Buffer.concat([message, Buffer.alloc(random.below(19))]);
}

function taggedFrame(random: Random, lies: Lies, session: TunnelSession): Buffer {
  const frame = makeUserFrame(random, lies, session);
  const tag = Buffer.alloc(4);
  tag.writeUInt16BE(lies.has('protocol') ? random.pick([0x8100, 0x88a8]) : session.port, 0);
  tag.writeUInt16BE((random.below(16) << 12) | (lies.has('TEID') ? random.below(4096) : Number(session.id)), 2);
  return Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]);
}
