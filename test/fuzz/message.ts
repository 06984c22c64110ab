// SPDX-License-Identifier: MIT
import type { Endpoint, Session } from '../rules/tables';
import { makeChain } from './chain';
import { makeInner } from './inner';
import { type Lies, lengthLie } from './lies';
import { hex, peers } from './places';
import type { Random } from './random';
import { makeUserFrame } from './tunnels';

/** GTP as UDP carries it, to an endpoint, about a session or about none. */
export function makeMessage(random: Random, lies: Lies, endpoint: Endpoint, session: Session | undefined): Buffer {
  const version = session?.version ?? random.pick(endpoint.versions);
  const kind = random.pick(version === 1 ? KINDS : KINDS0);
  const message = version === 1 ? message1(random, lies, kind, session) : message0(random, lies, kind, session);
  if (lies.has('GTP version')) message[0] = random.chance(50) ? random.below(256) : (message[0] ?? 0) ^ 0x20;
  if (lies.has('flags')) message[0] = (message[0] ?? 0) ^ (1 << random.below(4));
  if (lies.has('GTP type')) message[1] = random.pick([0, 1, 2, 3, 26, 31, 253, 254, 255, random.below(256)]);
  if (lies.has('GTP length')) message.writeUInt16BE(lengthLie(random, message.readUInt16BE(2)), 2);
  return message;
}

type Kind = 'pdu' | 'echo' | 'response' | 'errind' | 'notification' | 'end' | 'other';

const KINDS: readonly Kind[] = [
  ...(['pdu', 'pdu', 'pdu', 'pdu', 'pdu', 'pdu', 'pdu', 'pdu', 'errind', 'errind', 'errind'] as const),
  ...(['echo', 'echo', 'notification', 'notification', 'end', 'end', 'response', 'other'] as const),
];
const KINDS0: readonly Kind[] = ['pdu', 'pdu', 'pdu', 'pdu', 'pdu', 'echo', 'echo', 'response', 'other'];

const TYPES = { pdu: 255, echo: 1, response: 2, errind: 26, notification: 31, end: 254, other: 253 } as const;
const IS_ABOUT_TUNNEL: readonly Kind[] = ['pdu', 'end', 'other'];

function message1(random: Random, lies: Lies, kind: Kind, session: Session | undefined): Buffer {
  const isTunnel = IS_ABOUT_TUNNEL.includes(kind);
  const tunnel = session === undefined || lies.has('TEID') ? strangeId(random) : Number(session.id);
  const teid = isTunnel !== (!isTunnel && lies.has('TEID')) ? tunnel : 0;
  const hasChain = random.chance(isTunnel ? 40 : 20) || lies.has('chain') || lies.has('chain type');
  const flags = (hasChain ? 4 : 0) | (isTunnel ? random.pick([0, 0, 0, 1, 2, 3]) : 2);
  const payload = payload1(random, lies, kind, session);
  const body = Buffer.concat([flags === 0 ? Buffer.alloc(0) : options(random, lies, hasChain), payload]);
  const header = Buffer.alloc(8);
  header[0] = 0x30 | flags | (random.chance(5) ? 8 : 0);
  header[1] = TYPES[kind];
  header.writeUInt16BE(body.length, 2);
  header.writeUInt32BE(teid, 4);
  return Buffer.concat([header, body]);
}

function strangeId(random: Random): number {
  return random.pick([0, 1, 0x1001, 0x1002, 0x3001, 0x21436587, 0xfffffffe, random.below(0xffffffff)]);
}

/** Sequence number, N-PDU number and the chain; without E the octet for the next type says anything. */
function options(random: Random, lies: Lies, hasChain: boolean): Buffer {
  const numbers = random.octets(3);
  const chain = hasChain ? makeChain(random, lies) : Buffer.from([random.chance(80) ? 0 : random.below(256)]);
  return Buffer.concat([numbers, chain]);
}

function payload1(random: Random, lies: Lies, kind: Kind, session: Session | undefined): Buffer {
  switch (kind) {
    case 'pdu':
      return makePayload(random, lies, session);
    case 'errind':
      return elements(random, lies, errorElements(random, lies, session));
    case 'notification':
      return elements(random, lies, [listElement(random, lies)]);
    case 'end':
      return random.chance(80) ? Buffer.alloc(0) : random.octets(random.below(12));
    default:
      return random.chance(60) ? Buffer.from('0e00', 'hex') : random.octets(random.below(12));
  }
}

function makePayload(random: Random, lies: Lies, session: Session | undefined): Buffer {
  return session?.payload === 'ethernet' && !lies.has('no inner')
    ? makeUserFrame(random, lies, session)
    : makeInner(random, lies, session);
}

function errorElements(random: Random, lies: Lies, session: Session | undefined): Buffer[] {
  const teid = Buffer.alloc(5, 0x10);
  teid.writeUInt32BE(((session?.remoteTeid ?? strangeId(random)) ^ (random.chance(4) ? 1 : 0)) >>> 0, 1);
  const address = session?.remote ?? hex(random.pick([...peers[4], ...peers[6]]));
  const octets = Buffer.from(address, 'hex');
  const value = lies.has('element length') && random.chance(50) ? octets.subarray(random.below(octets.length)) : octets;
  const isTrue = value !== octets || !lies.has('element length');
  const length = isTrue ? value.length : lengthLie(random, octets.length);
  return [teid, Buffer.concat([Buffer.from([0x85, length >> 8, length & 255]), value])];
}

function listElement(random: Random, lies: Lies): Buffer {
  const types = random.octets(random.below(12));
  const length = lies.has('element length') ? random.below(256) : types.length;
  return Buffer.concat([Buffer.from([0x8d, length]), types]);
}

/** Elements in their order, with others between them; or out of order, twice, without one. */
function elements(random: Random, lies: Lies, wanted: readonly Buffer[]): Buffer {
  const more = random.chance(30) || lies.has('elements') ? [random.pick(OTHERS)(random)] : [];
  const list = [...wanted, ...more].sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
  if (lies.has('elements')) {
    const at = random.below(list.length);
    const one = list[at] ?? Buffer.alloc(0);
    const change = random.below(4);
    if (change === 0) list.splice(at, 1);
    else if (change === 1) list.splice(at, 0, one);
    else if (change === 2) list.reverse();
    else list[at] = Buffer.concat([Buffer.from([random.below(256)]), one.subarray(1)]);
  }
  return Buffer.concat(list);
}

const OTHERS: readonly ((random: Random) => Buffer)[] = [
  (random) => Buffer.from([14, random.below(256)]),
  (random) => Buffer.concat([Buffer.from([0xff, 0, 6, 0, 1]), random.octets(4)]),
  () => Buffer.from('e70004e1234567', 'hex'),
  () => Buffer.from('e6000101', 'hex'),
  (random) => Buffer.concat([Buffer.from([128 + random.below(128), 0, 3]), random.octets(3)]),
  (random) => Buffer.concat([Buffer.from([random.below(128)]), random.octets(random.below(5))]),
];

function message0(random: Random, lies: Lies, kind: Kind, session: Session | undefined): Buffer {
  const isPath = kind === 'echo' || kind === 'response';
  const isForeign = lies.has('TEID');
  const tid =
    session === undefined || isForeign ? BigInt(strangeId(random)) << BigInt(random.pick([0, 32])) : session.id;
  const payload = isPath ? Buffer.alloc(0) : makePayload(random, lies, session);
  const header = Buffer.alloc(20, 0xff);
  header[0] = random.pick([0x1e, 0x1e, 0x1f, 0x10]);
  header[1] = TYPES[kind];
  header.writeUInt16BE(payload.length, 2);
  header.writeUInt16BE(random.below(65536), 4);
  header.writeUInt16BE(isPath && !lies.has('flags') ? 0 : random.below(65536), 6);
  header.writeBigUInt64BE(isPath && !isForeign ? 0n : tid, 12);
  return Buffer.concat([header, payload]);
}
