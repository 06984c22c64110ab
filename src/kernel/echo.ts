// SPDX-License-Identifier: MIT
import { KernelError } from '../errors';
import { openEchoAnswers, readEchoAnswer, requestEcho } from '../netlink/gtp';
import { hex } from '../tunnels/address';
import type { Version } from '../tunnels/echo';
import type { Talk } from '../udp/talk';
import type { Address } from '../values';
import type { KernelLink } from './links';

/**
 * Echo by the driver, which has the port: it sends a request of its own for each that is to be sent, always with the sequence number
 * 0, and tells of the answer no more than that it came.
 */
export function driverTalk({ device, place }: KernelLink, version: Version, local: Address, peer: Address): Talk {
  const generic = place.generic();
  const events = place.inside(() => openEchoAnswers(generic));
  const isOurs = (answer: ReturnType<typeof readEchoAnswer>): boolean =>
    answer?.version === version && hex(answer.peer) === hex(peer.bytes) && hex(answer.local) === hex(local.bytes);
  return {
    send: () => {
      const at = performance.now();
      return { at, errno: refusal(() => requestEcho(generic, device, version, local, peer)) };
    },
    hear: (milliseconds) =>
      events.hear(milliseconds).flatMap((message) => (isOurs(readEchoAnswer(message)) ? [{ at: message.at }] : [])),
    close: () => events.close(),
  };
}

// What the user is told of as of a refusal to send.
function refusal(act: () => void): number {
  try {
    act();
    return 0;
  } catch (error) {
    if (error instanceof KernelError && error.errno !== undefined) return error.errno;
    throw error;
  }
}
