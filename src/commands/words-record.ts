// SPDX-License-Identifier: MIT
import type { OutputRecord, OutputValue } from '../cli/command';
import { grammar, isLater, keyOf, type Later, type Row, type Type, typeOfForm } from '../grammar';
import type { SessionId, SessionWords } from '../tunnels/words';
import { type Address, address, cookie, geneveOption, hostPrefix, mac, prefix } from '../values';

/** The words of a session as records have them: every word of its type, null where it is not set. */
export function wordsRecord(words: SessionWords): OutputRecord {
  const own = ownWords(words);
  return Object.fromEntries(keysOf(words.id.type).map(([key]) => [key, own[key] ?? null]));
}

/** The keys that words have in the records of a type, with their rows. */
export function keysOf(type: Type): [key: string, row: Row][] {
  return ALL.filter(([key, row]) => ALWAYS.includes(key) || isOf(row, type));
}

/** Keys that the records of all types have. */
const ALWAYS: readonly string[] = ['type', 'remote', 'local', 'ue', 'peer'];

// The name of a session stands elsewhere, and its link comes first.
const ALL = Object.entries<Row | Later>(grammar.session.commands.add.words).flatMap(([word, row]): [string, Row][] => {
  if (isLater(row) || word === 'dev' || word === 'name') return [];
  return [[keyOf(row.as ?? word), row]];
});

function isOf({ of }: Row, type: string): boolean {
  return of === undefined || of.some((form) => typeOfForm(form) === type);
}

function ownWords(words: SessionWords): { readonly [key: string]: OutputValue | undefined } {
  const { id, ue, from, to, lladdr, antispoof, opt, cookie: sent, peer_cookie, l2tp_seq, qfi, rqi, ppi, psc } = words;
  const { peer, srcport, ttl, tos, udpcsum, payload, csum, iseq, oseq, l2spec_type, seq } = words;
  const isV0 = id.type === 'gtp' && id.version === 0;
  return {
    type: id.type,
    ...idRecord(id),
    ...(id.type === 'vlan' ? {} : { remote: address.format(words.remote), local: address.format(words.local), peer }),
    ue: ue.map(prefix.format),
    from: hostText(from),
    to: hostText(to),
    lladdr: lladdr === undefined ? null : mac.format(lladdr),
    antispoof: antispoof ?? ue.length > 0,
    ...{ qfi, rqi, ppi, srcport, ttl, tos, udpcsum, payload, csum, iseq, oseq, l2spec_type },
    psc: isV0 ? null : psc,
    seq: id.type === 'l2tp' ? l2tp_seq : isV0 ? null : seq,
    opt: opt.map(geneveOption.format),
    cookie: octetsText(sent),
    peer_cookie: octetsText(peer_cookie),
  };
}

// `key` is the same key in both directions; a session over IP has no ports.
function idRecord(id: SessionId): OutputRecord {
  switch (id.type) {
    case 'gtp': {
      const { type: _, ...gtp } = id;
      return gtp;
    }
    case 'gre':
    case 'gretap': {
      const { ikey, okey } = id;
      return { key: ikey !== okey ? null : (ikey ?? null), ikey: ikey ?? null, okey: okey ?? null };
    }
    case 'geneve':
    case 'vxlan':
      return { vni: id.vni, dstport: id.dstport };
    case 'l2tp': {
      const { type: _, udp_sport, udp_dport, ...l2tp } = id;
      return { ...l2tp, udp_sport: udp_sport || null, udp_dport: udp_dport || null };
    }
    case 'vlan':
      return { id: id.id, protocol: id.protocol };
  }
}

function hostText(host: Address | undefined): string | null {
  return host === undefined ? null : hostPrefix.format({ address: host, length: host.bytes.length * 8 });
}

function octetsText(octets: Uint8Array): string | null {
  return octets.length === 0 ? null : cookie.format(octets);
}
