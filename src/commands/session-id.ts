// SPDX-License-Identifier: MIT
import { PORTS, type Request } from '../grammar';
import type { SessionId, TunnelType } from '../tunnels/words';
import type { Address, Teid } from '../values';
import { type LinkSays, withoutUdp } from './session-checks';

/** What a link says about its sessions where their own words do not. */
export type Home = LinkSays & { readonly port: number; readonly local: Address };

type IdWords = Omit<Request<'session', 'add'>, 'dev' | 'local_teid'> & {
  readonly local_teid?: Teid | 'auto' | undefined;
};
type Change = Request<'session', 'change'>;
type IdOf<T extends TunnelType> = Extract<SessionId, { readonly type: T }>;

/** Both halves of the ID of a new session. The parser has seen to it that nothing is missing. */
export function newId(type: TunnelType, words: IdWords, link: Home): SessionId {
  switch (type) {
    case 'gtp':
      return gtpId(words);
    case 'gre':
    case 'gretap':
      return { type, ikey: words.ikey ?? words.key, okey: words.okey ?? words.key };
    case 'geneve':
    case 'vxlan': {
      const port = link.type === type ? link.port : PORTS[type];
      return { type, vni: given(words.vni), port, dstport: words.dstport ?? port };
    }
    case 'l2tp':
      return l2tpId(words, link);
    case 'vlan':
      return { type, id: given(words.id), protocol: words.protocol ?? '802.1Q' };
  }
}

/** An ID whose words that are not given stay as they were. */
export function changedId(was: SessionId, words: Change): SessionId {
  switch (was.type) {
    case 'gtp':
      return was.version === 1
        ? { ...was, remote_teid: words.remote_teid ?? was.remote_teid }
        : { ...was, flow: words.flow ?? was.flow, remote_flow: words.remote_flow ?? was.remote_flow };
    case 'gre':
    case 'gretap':
      return { ...was, okey: words.okey ?? was.okey };
    case 'geneve':
    case 'vxlan':
      return { ...was, dstport: words.dstport ?? was.dstport };
    case 'l2tp':
      return changedL2tp(was, words);
    case 'vlan':
      return { ...was, protocol: words.protocol ?? was.protocol };
  }
}

function gtpId({ local_teid, remote_teid, tid, flow, remote_flow }: IdWords): SessionId {
  if (tid !== undefined) return { type: 'gtp', version: 0, tid, flow: flow ?? 0, remote_flow: remote_flow ?? 0 };
  if (local_teid === 'auto') throw new Error('local-teid auto came without a TEID');
  return { type: 'gtp', version: 1, local_teid: given(local_teid), remote_teid: given(remote_teid) };
}

function l2tpId(words: IdWords, link: Home): SessionId {
  const id = { session_id: given(words.session_id), peer_session_id: given(words.peer_session_id) };
  const own = link.type === 'l2tp' ? link.port : PORTS.l2tp;
  return { type: 'l2tp', ...id, ...l2tpPorts(words.encap ?? 'udp', words, own, PORTS.l2tp) };
}

function changedL2tp(was: IdOf<'l2tp'>, words: Change): SessionId {
  const encap = words.encap ?? was.encap;
  const ports = was.encap === 'udp' ? was : { udp_sport: PORTS.l2tp, udp_dport: PORTS.l2tp };
  return {
    ...was,
    peer_session_id: words.peer_session_id ?? was.peer_session_id,
    ...l2tpPorts(encap, words, ports.udp_sport, ports.udp_dport),
  };
}

function l2tpPorts(
  encap: 'udp' | 'ip',
  { udp_sport, udp_dport }: Pick<IdWords, 'udp_sport' | 'udp_dport'>,
  sport: number,
  dport: number,
): Pick<IdOf<'l2tp'>, 'encap' | 'udp_sport' | 'udp_dport'> {
  if (encap === 'udp') return { encap, udp_sport: udp_sport ?? sport, udp_dport: udp_dport ?? dport };
  if (udp_sport !== undefined) throw withoutUdp('udp_sport');
  if (udp_dport !== undefined) throw withoutUdp('udp_dport');
  return { encap, udp_sport: 0, udp_dport: 0 };
}

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a session without an ID came through the parser');
  return value;
}
