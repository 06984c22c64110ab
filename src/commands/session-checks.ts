// SPDX-License-Identifier: MIT
// What the words of one session may not be together. Each is the user's mistake, and said in the user's words.
import { UsageError } from '../errors';
import type { SessionWords, TunnelType } from '../tunnels/words';
import { GENEVE_OPTIONS_MAX } from '../values';

/** What a session takes from its link where its own words do not say. */
export type LinkSays = { readonly name: string; readonly type: TunnelType; readonly frames: boolean };

/** Throws UsageError where the words of a session contradict each other or the kind of its link. */
export function checkSession(words: SessionWords, link: LinkSays): void {
  checkLocal(words, link);
  checkKeys(words);
  checkOptions(words);
  checkL2tp(words);
  checkSelectors(words);
  checkMac(words, link);
}

// A link of type vlan has no address that its sessions could take.
function checkLocal({ id, local }: SessionWords, { name, type }: LinkSays): void {
  if (id.type === 'vlan' || type !== 'vlan' || local.bytes.some((octet) => octet !== 0)) return;
  throw new UsageError(`"local" is missing: link ${name} is of type vlan and has no outer address`, {
    hint: 'give the outer address of this end with local ADDR',
  });
}

function checkKeys({ id }: SessionWords): void {
  if ((id.type !== 'gre' && id.type !== 'gretap') || (id.ikey === undefined) === (id.okey === undefined)) return;
  const [given, missing] = id.ikey === undefined ? ['okey', 'ikey'] : ['ikey', 'okey'];
  throw new UsageError(`"${given}" needs "${missing}": expected a key in both directions or in none`, {
    hint: 'key N is both',
  });
}

function checkOptions({ opt }: SessionWords): void {
  const length = opt.reduce((sum, each) => sum + each.length, 0);
  if (length <= GENEVE_OPTIONS_MAX) return;
  throw new UsageError(
    `"opt": expected options of at most ${GENEVE_OPTIONS_MAX} octets in all, with 4 for the header of each, got ${length}`,
  );
}

function checkL2tp({ id, l2spec_type, l2tp_seq, udpcsum }: SessionWords): void {
  if (id.type !== 'l2tp') return;
  if (l2tp_seq !== 'none' && l2spec_type === 'none') {
    throw new UsageError(`"seq ${l2tp_seq}" needs "l2spec_type default": the numbers stand in that sublayer`);
  }
  if (id.encap === 'ip' && udpcsum !== undefined) throw withoutUdp(udpcsum ? 'udpcsum' : 'noudpcsum');
}

/** The error of a word that wants UDP on a session straight over IP. */
export function withoutUdp(word: string): UsageError {
  return new UsageError(`"${word}" is a word of "encap udp", not of "encap ip"`, {
    hint: `leave out ${word}, or give encap udp`,
  });
}

function checkSelectors({ from, to }: SessionWords): void {
  if (from?.family === to?.family) return;
  if (from === undefined || to === undefined) {
    const [given, missing] = from === undefined ? ['to', 'from'] : ['from', 'to'];
    throw new UsageError(`"${given}" needs "${missing}": expected from PREFIX to PREFIX`);
  }
  throw new UsageError(`"from" is an IPv${from.family} address and "to" an IPv${to.family} one: expected one family`);
}

// The frames of a link of packets get their Ethernet header here, and packets on such a link have none.
function checkMac({ id, payload, lladdr }: SessionWords, link: LinkSays): void {
  if (link.frames) return;
  const on = `link ${link.name} is of type ${link.type} and carries IP packets`;
  if (payload === 'ip' && lladdr !== undefined) {
    const mayBeFrames = id.type === 'geneve' || (id.type === 'gtp' && id.version === 1);
    throw new UsageError(`"lladdr" has no meaning: ${on}, and so does the session of type ${id.type}`, {
      hint: mayBeFrames ? 'give payload ethernet, too' : 'leave out lladdr',
    });
  }
  if (payload === 'ethernet' && lladdr === undefined) {
    throw new UsageError(`"lladdr" is missing: ${on}, the session of type ${id.type} Ethernet frames`, {
      hint: 'lladdr MAC is the destination of these frames: the MAC of the far end',
    });
  }
}
