// SPDX-License-Identifier: MIT
import { form, kind, type Structs, tx_flag } from './layout.gen';

type RxKey = Structs['rx_key'];
type TxConfig = Structs['tx_config'];

/** The receive key of the session that a send half belongs to (tx_own_key of bpf/session.h). */
export function keyOf(tx: TxConfig): RxKey {
  const rule = RULES.get(tx.kind);
  if (rule === undefined) throw new Error(`a session of kind ${tx.kind}`);
  const own = { id: BigInt(tx.local_teid), port: 0, form: 0, scope: 0, ...rule(tx) };
  const key = { local: tx.local, kind: tx.kind, ...own };
  return tx.flags & tx_flag.remote_key ? addRemote(key, tx.remote) : key;
}

/** A receive key as text, equal where keys are; `local` as 16 characters of latin1. */
export function keyText({ local, ...rest }: RxKey): string {
  return partsText(Buffer.from(local).toString('latin1'), rest);
}

/** The same from an address that is text already. */
export function partsText(local: string, { id, port, kind: of, form: shape, scope }: Omit<RxKey, 'local'>): string {
  return `${local}${id} ${port} ${of} ${shape} ${scope}`;
}

/** What stands as local_teid in the send half of a receive key's session: of a TID the lower half. */
export function ownNumber({ id, kind: of, scope }: RxKey): number {
  return of === kind.vlan ? scope : Number(id & 0xffffffffn);
}

/** An endpoint without its address, as a number (ENDPOINT_ID of bpf/maps.h). */
export function endpointId({ port, kind: of }: Pick<Structs['endpoint_key'], 'port' | 'kind'>): number {
  return (port | (of << 16) | (1 << 31)) >>> 0;
}

/** The port that two octets of a send half's `ext` hold. */
export function portIn([high = 0, low = 0]: Uint8Array): number {
  return (high << 8) | low;
}

type Own = Partial<Pick<RxKey, 'id' | 'port' | 'form' | 'scope'>>;

const RULES = new Map<number, (tx: TxConfig) => Own>([
  [kind.gtp, ({ dport }) => ({ port: dport })],
  [kind.gtp0, ({ teid, local_teid, dport }) => ({ id: (BigInt(teid) << 32n) | BigInt(local_teid), port: dport })],
  [
    kind.gre,
    ({ flags }) => ({ form: (flags & tx_flag.key ? form.key : 0) | (flags & tx_flag.ether ? form.ether : 0) }),
  ],
  [kind.geneve, ({ ext }) => ({ port: portIn(ext) })],
  [kind.vxlan, ({ ext }) => ({ port: portIn(ext) })],
  [kind.l2tp, ({ sport }) => ({ port: sport })],
  [kind.l2tp_ip, () => ({})],
  [kind.vlan, ({ teid, local_teid, dport }) => ({ id: BigInt(teid), port: dport, scope: local_teid })],
]);

const UPPER = 0xffffffff00000000n;

// remote_mark of bpf/session.h
function addRemote(key: RxKey, remote: Uint8Array): RxKey {
  const octets = Buffer.from(remote.buffer, remote.byteOffset, remote.byteLength);
  const mark = octets.readBigUInt64LE(8) ^ BigInt.asUintN(64, octets.readBigUInt64LE(0) * 0x9e3779b97f4a7c15n);
  return { ...key, id: key.id | (mark & UPPER), scope: Number(mark & 0xffffffffn) };
}
