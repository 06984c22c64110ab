// SPDX-License-Identifier: MIT
import { UsageError } from '../errors';
import type { Request } from '../grammar';
import type { SessionWords } from '../tunnels/gtp';
import type { ReceiveId, SessionId } from '../tunnels/id';
import { type Address, type Prefix, prefix } from '../values';

/** The session words of `link add`, which come all or not at all. */
export type NewSession = Omit<Request<'session', 'add'>, 'dev' | 'type'>;

type IdWords = Partial<Pick<NewSession, 'local_teid' | 'remote_teid' | 'tid' | 'flow' | 'remote_flow'>>;

/** What a session is known by on receipt. The parser has seen to it that there is something. */
export function receiveId({ local_teid, tid }: IdWords): ReceiveId {
  if (tid !== undefined) return { version: 0, tid };
  if (typeof local_teid === 'number') return { version: 1, local_teid };
  throw new Error('a session without an ID came through the parser');
}

/** Both halves of an ID; what is not given stays as it was. */
export function sessionId(words: IdWords, was?: SessionId): SessionId {
  const id = receiveId(words);
  if (id.version === 1) {
    const remote_teid = words.remote_teid ?? (was?.version === 1 ? was.remote_teid : undefined);
    if (remote_teid === undefined) throw new Error('a session without remote-teid came through the parser');
    return { ...id, remote_teid };
  }
  const old = was?.version === 0 ? was : { flow: 0, remote_flow: 0 };
  return { ...id, flow: words.flow ?? old.flow, remote_flow: words.remote_flow ?? old.remote_flow };
}

/** A session as its words make it. */
export function fresh(words: NewSession, id: SessionId, local: Address): SessionWords {
  return {
    id,
    remote: words.remote,
    local,
    ue: distinct(words.ue ?? []),
    peer: words.peer ?? 'any',
    antispoof: words.antispoof,
    srcport: words.srcport,
    ttl: words.ttl,
    tos: words.tos,
    udpcsum: words.udpcsum,
    qfi: words.qfi,
    rqi: words.rqi,
    ppi: words.ppi,
    psc: words.psc ?? 'auto',
    seq: words.seq ?? false,
  };
}

/** A session with some words changed. */
export function merged(was: SessionWords, words: Request<'session', 'change'>): SessionWords {
  return {
    ...was,
    id: sessionId(words, was.id),
    remote: words.remote ?? was.remote,
    ue: words.ue === undefined ? was.ue : distinct(words.ue),
    peer: words.peer ?? was.peer,
    antispoof: words.antispoof ?? was.antispoof,
    srcport: words.srcport ?? was.srcport,
    ttl: words.ttl ?? was.ttl,
    tos: words.tos ?? was.tos,
    udpcsum: words.udpcsum ?? was.udpcsum,
    qfi: words.qfi ?? was.qfi,
    rqi: words.rqi ?? was.rqi,
    ppi: words.ppi ?? was.ppi,
    psc: words.psc ?? was.psc,
    seq: words.seq ?? was.seq,
  };
}

function distinct(ue: readonly Prefix[]): readonly Prefix[] {
  const seen = new Set<string>();
  for (const each of ue) {
    const text = prefix.format(each);
    if (seen.has(text)) throw new UsageError(`ue ${text} is given twice`);
    seen.add(text);
  }
  return ue;
}
