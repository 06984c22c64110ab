// SPDX-License-Identifier: MIT
import { kind, tx_flag } from '../datapath/layout.gen';
import { UsageError } from '../errors';
import type { Sent, Tunnel } from './tunnel';
import { formatVni, loadVni, storeVni } from './vni';
import type { LinkWords, SessionWords, VniId } from './words';

/** Geneve's own port (RFC 8926, 3.3). */
export const GENEVE_PORT = 6081;

/** Geneve (RFC 8926); its payload says itself what it is. */
export const geneve: Tunnel<VniId> = {
  protocols: { [kind.geneve]: 17 },
  endpoint: { kind: kind.geneve, port: GENEVE_PORT },
  peer: 'strict',
  remoteKey: true,
  payload: undefined,
  usual: 'ethernet',
  csum4: true,
  srcport: 'hash',
  fixedPort: () => GENEVE_PORT,
  plain: { kind: kind.geneve, flags: tx_flag.ether, ext_len: 0 },
  send,
  receive: () => ({}),
  idOf: (tx) => loadVni('geneve', tx),
  load: ({ detail }) => ({ opt: detail === undefined ? [] : options(detail) }),
  header: (_, head) => (head === 0 ? ['Geneve', 8] : ['Geneve with options', 8 + head]),
  format: formatVni,
};

// Length of all options together (RFC 8926, 3.4), and of the header of each.
const OPTIONS_MAX = 252;
const OPTION_HEADER = 4;

function send(_: LinkWords, { id, opt }: SessionWords & { readonly id: VniId }): Sent {
  const head = Uint8Array.from(opt.flatMap((each) => [...each]));
  if (head.length > OPTIONS_MAX) {
    throw new UsageError(`opt: the options have ${head.length} octets, headers included, and at most ${OPTIONS_MAX} fit`);
  }
  return { kind: kind.geneve, ...storeVni(id, GENEVE_PORT), head };
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
