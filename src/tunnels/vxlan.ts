// SPDX-License-Identifier: MIT
import { kind, tx_flag } from '../datapath/layout.gen';
import type { Tunnel } from './tunnel';
import { formatVni, loadVni, storeVni } from './vni';
import type { VniId } from './words';

/** VXLAN's own port (RFC 7348, 5). */
export const VXLAN_PORT = 4789;

/** VXLAN (RFC 7348). */
export const vxlan: Tunnel<VniId> = {
  protocols: { [kind.vxlan]: 17 },
  endpoint: { kind: kind.vxlan, port: VXLAN_PORT },
  peer: 'strict',
  remoteKey: true,
  payload: 'ethernet',
  usual: 'ethernet',
  csum4: false,
  srcport: 'hash',
  fixedPort: () => VXLAN_PORT,
  plain: { kind: kind.vxlan, flags: tx_flag.ether, ext_len: 0 },
  send: (_, { id }) => ({ kind: kind.vxlan, ...storeVni(id, VXLAN_PORT) }),
  receive: () => ({}),
  idOf: (tx) => loadVni('vxlan', tx),
  load: () => ({}),
  header: () => ['VXLAN', 8],
  format: formatVni,
};
