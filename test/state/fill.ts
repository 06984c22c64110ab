// SPDX-License-Identifier: MIT
import { zero } from '../../src/datapath/codec';
import { keyOf } from '../../src/datapath/key';
import { link_flag } from '../../src/datapath/layout.gen';
import type { OpenMaps } from '../../src/datapath/maps';
import { placeOf } from '../../src/datapath/places';
import { mappedLength, toMapped } from '../../src/tunnels/address';
import { NO_OWN, rxConfig, txConfig } from '../../src/tunnels/config';
import { loadLink } from '../../src/tunnels/link';
import type { SessionWords } from '../../src/tunnels/words';
import { address } from '../../src/values';

/** Writes `count` sessions into a link's maps as `session add` would, TEIDs from `first` on, each with a `ue` of its own. */
export function fillSessions(maps: OpenMaps, ifindex: number, first: number, count: number, ueLength = 32): void {
  const stored = maps.link_words.get(ifindex);
  const state = maps.links.get(ifindex);
  if (stored === undefined || state === undefined) throw new Error(`no link #${ifindex}`);
  const link = loadLink(stored, state.config);
  const target = { ifindex, dmac: link.dmac, smac: link.smac, here: false };
  const words = Array.from({ length: count }, (_, at) => session(first + at, link.local, ueLength));
  const place = (each: SessionWords) => {
    const [ue] = each.ue;
    if (ue === undefined) throw new Error('no ue');
    return placeOf(ifindex, toMapped(ue.address), mappedLength(ue));
  };
  maps.rx.putAll(
    words.map((each) => {
      const config = rxConfig(link, each, target);
      return [keyOf(txConfig(link, each)), { ...zero('rx_session'), qfi: 255, ppi: 255, config: [config, config] }];
    }),
  );
  const tx = words.map((each) => {
    const config = txConfig(link, each);
    return [place(each), { ...zero('tx_session'), config: [config, config] as const }] as const;
  });
  maps.tx.putAll(tx.flatMap(([at, value]) => (at.in === 'tx' ? [[at.key, value] as const] : [])));
  maps.tx_prefix.putAll(tx.flatMap(([at, value]) => (at.in === 'tx_prefix' ? [[at.key, value] as const] : [])));
  const flags = state.config.flags | link_flag.select | (ueLength < 32 ? link_flag.prefix : 0);
  maps.links.put(ifindex, { ...state, config: { ...state.config, flags } });
}

function session(teid: number, local: SessionWords['local'], ueLength: number): SessionWords {
  const unset = { antispoof: undefined, srcport: undefined, ttl: undefined, tos: undefined, udpcsum: undefined };
  const ue = Uint8Array.of(100 + (teid >> 21), (teid >> 13) & 255, (teid >> 5) & 255, (teid << 3) & 255);
  return {
    id: { type: 'gtp', version: 1, local_teid: teid, remote_teid: teid },
    ...{ remote: address.parse('192.0.2.2'), local, peer: 'any', payload: 'ip' },
    ...{ ...NO_OWN, ...unset, from: undefined, to: undefined, lladdr: undefined },
    ue: [{ address: { family: 4, bytes: ue }, length: ueLength }],
  };
}
