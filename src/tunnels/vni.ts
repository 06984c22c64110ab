// SPDX-License-Identifier: MIT
import type { Sent } from './tunnel';
import type { ReceiveId, TxConfig, VniId } from './words';

/** How the ID of a tunnel with VNIs stands in the send half: the VNI as it goes on the wire, and our port in `ext`. */
export function storeVni({ vni, port, dstport }: VniId, sport: number): Omit<Sent, 'kind'> {
  const ext = [port >> 8, port & 0xff];
  return { teid: (vni << 8) >>> 0, local_teid: vni, sport, dport: dstport, ext };
}

/** The inverse of storeVni. */
export function loadVni(type: VniId['type'], { local_teid, dport, ext }: TxConfig): VniId {
  const [high = 0, low = 0] = ext;
  return { type, vni: local_teid, port: (high << 8) | low, dstport: dport };
}

/** As it is typed. */
export function formatVni(id: ReceiveId): string {
  return 'vni' in id ? `vni ${id.vni}` : '';
}
