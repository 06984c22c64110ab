// SPDX-License-Identifier: MIT
import { kind, tx_flag } from '../datapath/layout.gen';
import { PORTS } from '../grammar';
import type { Sent, Tunnel } from './tunnel';
import { formatVni, loadVni, storeVni } from './vni';
import type { LinkWords, SessionWords, VniId } from './words';

/** Geneve (RFC 8926); its payload says itself what it is. */
export const geneve: Tunnel<VniId> = {
  protocols: { [kind.geneve]: 17 },
  endpoint: kind.geneve,
  remoteKey: true,
  payload: undefined,
  fixedPort: () => PORTS.geneve,
  plain: { kind: kind.geneve, flags: tx_flag.ether, ext_len: 0 },
  send,
  receive: () => ({}),
  idOf: (tx) => loadVni('geneve', tx),
  load: ({ detail }) => ({ opt: detail === undefined ? [] : options(detail) }),
  header: (_, head) => (head === 0 ? ['Geneve', 8] : ['Geneve with options', 8 + head]),
  format: formatVni,
};

// Octets of the header of each (RFC 8926, 3.5).
const OPTION_HEADER = 4;

function send(_: LinkWords, { id, opt }: SessionWords & { readonly id: VniId }): Sent {
  const head = Uint8Array.from(opt.flatMap((each) => [...each]));
  return { kind: kind.geneve, ...storeVni(id, PORTS.geneve), head };
}

// Each says its length behind the header in units of four octets.
function options({ head, head_len }: { readonly head: Uint8Array; readonly head_len: number }): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at < head_len; ) {
    const end = at + OPTION_HEADER + 4 * ((head[at + 3] ?? 0) & 0x1f);
    found.push(head.slice(at, Math.min(end, head_len)));
    at = end;
  }
  return found;
}
