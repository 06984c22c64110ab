// SPDX-License-Identifier: MIT
import { kind, tx_flag } from '../datapath/layout.gen';
import { PORTS } from '../grammar';
import type { Tunnel } from './tunnel';
import { formatVni, loadVni, storeVni } from './vni';
import type { VniId } from './words';

/** VXLAN (RFC 7348). */
export const vxlan: Tunnel<VniId> = {
  protocols: { [kind.vxlan]: 17 },
  endpoint: kind.vxlan,
  remoteKey: true,
  payload: 'ethernet',
  fixedPort: () => PORTS.vxlan,
  plain: { kind: kind.vxlan, flags: tx_flag.ether, ext_len: 0 },
  send: (_, { id }) => ({ kind: kind.vxlan, ...storeVni(id, PORTS.vxlan) }),
  receive: () => ({}),
  idOf: (tx) => loadVni('vxlan', tx),
  load: () => ({}),
  header: () => ['VXLAN', 8],
  format: formatVni,
};
