// SPDX-License-Identifier: MIT
import { kind, type Structs } from '../datapath/layout.gen';
import { readSession, readSessions, type Stored } from '../datapath/sessions';
import { errno, KernelError, UsageError } from '../errors';
import { fromMapped, toMapped } from '../tunnels/address';
import { gtpPort } from '../tunnels/gtp';
import { formatId, typeOf } from '../tunnels/tunnels';
import type { GtpId, LinkWords, ReceiveId, VlanId } from '../tunnels/words';
import { type Address, sameAddress } from '../values';
import type { LiveLink } from './links';
import { idOf } from './standing';
import type { State } from './state';

/** What tells sessions of one ID apart, as far as it is given. */
export type Ends = {
  readonly local?: Address | undefined;
  readonly remote?: Address | undefined;
  readonly protocol?: VlanId['protocol'] | undefined;
};

/**
 * The session of a link by its receive half. Throws KernelError ENOENT, or UsageError where several sessions fit. A
 * `remote` or `protocol` that is only a preference (`change`) chooses among several.
 */
export function findSession(
  state: State,
  live: LiveLink,
  id: ReceiveId,
  { local, remote, protocol }: Ends = {},
  preference?: 'preference',
): Stored {
  const isAt = ({ txConfig }: Stored): boolean =>
    id.type === 'vlan'
      ? protocol === undefined || (idOf(txConfig) as VlanId).protocol === protocol
      : remote === undefined || sameAddress(fromMapped(txConfig.remote), remote);
  const all = id.type === 'gtp' ? findGtp(state, live, id, local) : findOther(state, live, id, local);
  const near = all.filter(isAt);
  const found = preference !== undefined && (all.length === 1 || near.length === 0) ? all : near;
  const [first] = found;
  const { name } = live.device;
  if (found.length > 1) {
    const missing =
      id.type === 'vlan' ? 'protocol' : remote === undefined || preference !== undefined ? 'remote' : 'local';
    throw new UsageError(`several sessions of ${name} have ${formatId(id)}: expected "${missing}" to name one`, {
      hint: `gtp session show dev ${name} lists them`,
    });
  }
  if (first !== undefined) return first;
  throw new KernelError(`find session ${formatId(id)} of ${name}`, {
    errno: errno('ENOENT'),
    said: 'No such session',
    hint: `gtp session show dev ${name} lists them`,
  });
}

/** The receive key of a session of GTP, whose remote is no part of it. */
export function gtpKey(link: Pick<LinkWords, 'type' | 'port'>, local: Address, id: GtpReceiveId): Structs['rx_key'] {
  const shared = { local: toMapped(local), port: gtpPort(link, id.version), form: 0, scope: 0 };
  return id.version === 0
    ? { ...shared, id: id.tid, kind: kind.gtp0 }
    : { ...shared, id: BigInt(id.local_teid), kind: kind.gtp };
}

/** A free TEID that nobody can guess (G21): random, never 0. */
export function freeTeid(state: State, { link }: LiveLink, local: Address): number {
  const keyOf = (local_teid: number) => gtpKey(link, local, { type: 'gtp', version: 1, local_teid });
  return randomTeid((teid) => state.maps.rx.get(keyOf(teid)) !== undefined);
}

/** The same where something else tells which are taken. */
export function randomTeid(isTaken: (teid: number) => boolean): number {
  for (let tries = 0; tries < 100; tries++) {
    const teid = randomInt(1, 2 ** 32 - 1);
    if (!isTaken(teid)) return teid;
  }
  throw new KernelError('find a free TEID', { said: 'a hundred random ones were all in use' });
}

type GtpReceiveId = Extract<ReceiveId, { readonly type: 'gtp' }> | GtpId;

// The fast way: a link may have very many of them.
function findGtp(state: State, live: LiveLink, id: GtpReceiveId, local?: Address): Stored[] {
  const stored = readSession(state.maps, gtpKey(live.link, local ?? live.link.local, id));
  return stored !== undefined && stored.rxConfig.ifindex === live.device.index ? [stored] : [];
}

// Their keys may have the remote and ports of their own in them.
function findOther(state: State, live: LiveLink, id: ReceiveId, local?: Address): Stored[] {
  return readSessions(state.maps, live.device.index).filter(
    ({ txConfig }) =>
      typeOf(txConfig) === id.type &&
      formatId(idOf(txConfig)) === formatId(id) &&
      (local === undefined || sameAddress(fromMapped(txConfig.local), local)),
  );
}

// node:crypto costs more to load than the rest of a command, so only who asks for a random number loads it.
function randomInt(least: number, most: number): number {
  return process.getBuiltinModule('node:crypto').randomInt(least, most + 1);
}
