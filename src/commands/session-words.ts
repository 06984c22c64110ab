// SPDX-License-Identifier: MIT
import { settleType } from '../cli/complete';
import { UsageError } from '../errors';
import { grammar, isLater, keyOf, PAYLOADS, PEERS, type Request } from '../grammar';
import type { ReceiveId, SessionWords, TunnelType } from '../tunnels/words';
import { type Address, type Prefix, prefix, type Teid } from '../values';
import { checkSession } from './session-checks';
import { changedId, type Home, newId } from './session-id';

export type { Home } from './session-id';

/** The words of a session but for its link. */
export type NewSession = Omit<Request<'session', 'add'>, 'dev'>;

/** The session words of `link add`, where there are any: the session has the type of the link. */
export function sessionOf(words: Request<'link', 'add'>): NewSession | undefined {
  const given = SESSION_KEYS.filter((key) => words[key] !== undefined);
  if (given.length === 0) return undefined;
  return { type: words.type ?? 'gtp', ...Object.fromEntries(given.map((key) => [key, words[key]])) };
}

/**
 * What a session is known by on receipt, as the words of `command` have it; the link tells the type where they do not.
 * Throws UsageError where neither does.
 */
export function receiveId(words: ReceiveWords, link: Home, command: NamingCommand): ReceiveId {
  const type = settleType(command, words, link) as TunnelType;
  const { local_teid, tid, vni, session_id, id } = words;
  const ikey = words.ikey ?? words.key;
  if (type === 'gre' || type === 'gretap') return { type, ikey };
  if (type === 'gtp' && tid !== undefined) return { type, version: 0, tid };
  if (type === 'gtp' && local_teid !== undefined) return { type, version: 1, local_teid };
  if ((type === 'geneve' || type === 'vxlan') && vni !== undefined) return { type, vni };
  if (type === 'l2tp' && session_id !== undefined) return { type, session_id };
  if (type === 'vlan' && id !== undefined) return { type, id };
  throw new Error(`a session of type ${type} without an ID came through the parser`);
}

/** A session as its words make it; `teid` stands for `local-teid auto`. Throws UsageError where the link does not fit them. */
export function fresh(words: NewSession, link: Home, teid?: Teid, command: 'add' | 'replace' = 'add'): SessionWords {
  const type = settleType(command, words, link) as TunnelType;
  const isVlan = type === 'vlan';
  const session: SessionWords = {
    id: newId(type, { ...words, ...(teid === undefined ? {} : { local_teid: teid }) }, link),
    remote: words.remote ?? NOBODY,
    local: isVlan ? NOBODY : (words.local ?? link.local),
    ue: distinct(words.ue ?? []),
    from: words.from?.address,
    to: words.to?.address,
    lladdr: words.lladdr,
    peer: words.peer ?? (isVlan ? 'any' : PEERS[type]),
    antispoof: words.antispoof,
    srcport: words.srcport,
    ttl: words.ttl,
    tos: words.tos,
    udpcsum: words.udpcsum,
    payload: words.payload ?? payloadOf(type, link),
    ...gtpWords(words),
    ...otherWords(words),
  };
  checkSession(session, link);
  return session;
}

/** A session with some words changed. Throws UsageError where they do not fit the others, or the link. */
export function merged(was: SessionWords, words: Request<'session', 'change'>, link: Home): SessionWords {
  const given = CHANGEABLE.filter((key) => words[key] !== undefined);
  const session: SessionWords = {
    ...was,
    ...Object.fromEntries(given.map((key) => [key, words[key]])),
    id: changedId(was.id, words),
    ue: words.ue === undefined ? was.ue : distinct(words.ue),
    from: words.from?.address ?? was.from,
    to: words.to?.address ?? was.to,
  };
  checkSession(session, link);
  return session;
}

// What the link's own type may carry either way is as the link is.
function payloadOf(type: TunnelType, link: Home): SessionWords['payload'] {
  if (type !== link.type || (type !== 'gtp' && type !== 'geneve')) return PAYLOADS[type];
  return link.frames ? 'ethernet' : 'ip';
}

type ReceiveWords = Request<'session', 'get'> | Request<'session', 'change'>;
type NamingCommand = 'get' | 'del' | 'change' | 'endmarker';

const NOBODY: Address = { family: 4, bytes: new Uint8Array(4) };
const NO_OCTETS = new Uint8Array(0);

const SESSION_KEYS = Object.entries(grammar.link.commands.add.words)
  .filter(([, row]) => !isLater(row) && 'group' in row)
  .map(([word]) => keyOf(word) as keyof NewSession & keyof Request<'link', 'add'>);

const OTHERS = ['csum', 'iseq', 'oseq', 'opt', 'cookie', 'peer_cookie', 'l2spec_type', 'l2tp_seq'] as const;

// Words that stand in a session as they are typed; they have the same names there.
const CHANGEABLE = [
  'remote',
  'lladdr',
  'peer',
  'antispoof',
  'srcport',
  'ttl',
  'tos',
  'udpcsum',
  'payload',
  'qfi',
  'rqi',
  'ppi',
  'psc',
  'seq',
  ...OTHERS,
] as const satisfies readonly (keyof SessionWords & keyof Request<'session', 'change'>)[];

function distinct(ue: readonly Prefix[]): readonly Prefix[] {
  const seen = new Set<string>();
  for (const each of ue) {
    const text = prefix.format(each);
    if (seen.has(text)) throw new UsageError(`"ue ${text}" is given twice: expected each prefix once`);
    seen.add(text);
  }
  return ue;
}

function gtpWords(words: NewSession): Pick<SessionWords, 'qfi' | 'rqi' | 'ppi' | 'psc' | 'seq'> {
  return {
    qfi: words.qfi,
    rqi: words.rqi,
    ppi: words.ppi,
    psc: words.psc ?? 'auto',
    seq: words.seq ?? false,
  };
}

function otherWords(words: NewSession): Pick<SessionWords, (typeof OTHERS)[number]> {
  return {
    csum: words.csum ?? false,
    iseq: words.iseq ?? false,
    oseq: words.oseq ?? false,
    opt: words.opt ?? [],
    cookie: words.cookie ?? NO_OCTETS,
    peer_cookie: words.peer_cookie ?? NO_OCTETS,
    l2spec_type: words.l2spec_type ?? 'default',
    l2tp_seq: words.l2tp_seq ?? 'none',
  };
}
