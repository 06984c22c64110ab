// SPDX-License-Identifier: MIT
// `gtp ping dev LINK` on a link of the kernel's own gtp driver.
import { KernelError, UsageError } from '../errors';
import type { Request } from '../grammar';
import { driverTalk } from '../kernel/echo';
import type { KernelLink } from '../kernel/links';
import { findKernelSession, type KernelSession, listKernelSessions } from '../kernel/sessions';
import { hex, isNobody } from '../tunnels/address';
import { ECHO_PORT, type Version } from '../tunnels/echo';
import type { Talk } from '../udp/talk';
import { type Address, address, sameAddress } from '../values';
import { sourceTowards } from '../wiring/routes';
import type { Ends } from './ping-text';

type Words = Request<'ping', 'run'>;

/** What is pinged, and how. */
export type PingSubject = {
  readonly version: Version;
  readonly ends: Ends;
  /** The kernel's gtp driver asks, and tells of an answer only that it came. */
  readonly isDriver: boolean;
  talk(): Talk;
};

/** Echo to the remote of a link's sessions by the driver. Throws UsageError for what it cannot do. */
export function pingByDriver(link: KernelLink, words: Words): PingSubject {
  const session = chooseSession(link, words);
  const version = words.version ?? session.id.version;
  const port = ECHO_PORT[version];
  if (words.port !== undefined && words.port !== port) throw cannot(`port ${words.port}`, `it asks at port ${port}`);
  const peer = session.remote;
  if (peer.family === 6) throw cannot(`ping ${address.format(peer)}`, 'it sends Echo Requests over IPv4 alone');
  const local = sourceOf(link, words.local, peer);
  const talking = driverTalk(link, version, local, peer);
  const ends = { peer: { address: peer, port }, local: { address: local, port } };
  return { version, ends, isDriver: true, talk: () => talking };
}

// One session, or several with one peer.
function chooseSession(link: KernelLink, { local_teid, tid }: Words): KernelSession {
  if (local_teid !== undefined) return findKernelSession(link, { type: 'gtp', version: 1, local_teid });
  if (tid !== undefined) return findKernelSession(link, { type: 'gtp', version: 0, tid });
  const sessions = listKernelSessions([link]).get(link) ?? [];
  const [first] = sessions;
  const { name } = link.device;
  if (first === undefined) {
    throw new KernelError(`ping from link ${name}`, {
      said: 'it has no session',
      hint: 'gtp ping ADDR needs no session',
    });
  }
  const peers = new Set(sessions.map(({ remote }) => hex(remote.bytes)));
  if (peers.size === 1) return first;
  throw new UsageError(`the sessions of ${name} have several remotes: expected "local-teid" or "tid" to name one`, {
    hint: `gtp session show dev ${name} lists them`,
  });
}

function sourceOf({ device, local, home, outer }: KernelLink, given: Address | undefined, peer: Address): Address {
  const own = local === undefined || isNobody(local) ? undefined : local;
  if (given !== undefined && own !== undefined && !sameAddress(given, own)) {
    throw cannot(`local ${address.format(given)}`, `its sockets are bound to ${address.format(own)}`);
  }
  if (own === undefined && given === undefined && home === 'elsewhere') {
    throw new UsageError(`"local" is missing: the sockets of ${device.name} are in another network namespace`, {
      hint: 'give local ADDR, an address of this one, or ask from that one with gtp -n NETNS',
    });
  }
  return own ?? given ?? sourceTowards({ route: outer }, peer);
}

function cannot(what: string, why: string): UsageError {
  return new UsageError(`the kernel's gtp driver cannot do "${what}": ${why}`, {
    hint: 'gtp ping ADDR takes more words',
  });
}
