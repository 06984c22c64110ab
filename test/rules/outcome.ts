// SPDX-License-Identifier: MIT
import type { Endpoint, Session, TunnelEndpoint, TunnelSession } from './tables';

/** What becomes of a frame; `rule` says in a few words which rule decided. */
export type Outcome = Pass | Other | Unclaimed | Deliver | Answer | Consume | Drop;

/** Left to the stack, uncounted. */
export interface Pass {
  readonly kind: 'pass';
  readonly rule: string;
}

/** Left to the stack, and counted at the endpoint it came to. */
export interface Other {
  readonly kind: 'other';
  readonly rule: string;
  readonly endpoint: TunnelEndpoint;
}

/** Nothing is said about it: fragments, ICMP, checksums that look like an open one. */
export interface Unclaimed {
  readonly kind: 'unclaimed';
  readonly rule: string;
}

/** Goes to the inner end, counted at the session. */
export interface Deliver {
  readonly kind: 'deliver';
  readonly rule: string;
  readonly session: Session | TunnelSession;
  /** What stands behind the Ethernet header. */
  readonly inner: Buffer;
  /** The Ethernet header of a frame that comes out as it is. */
  readonly header: Buffer | undefined;
  /** What is counted: without octets that fill a short frame up. */
  readonly octets: number;
}

/** An Echo Request that is answered: `packet` from the IP header on. */
export interface Answer {
  readonly kind: 'answer';
  readonly rule: string;
  readonly endpoint: Endpoint;
  readonly packet: Buffer;
}

/** A message that is understood and ends here, counted at the session, a Notification at the endpoint's peer. */
export interface Consume {
  readonly kind: 'consume';
  readonly rule: string;
  readonly counter: 'errinds' | 'end_markers' | 'notifications';
  readonly session: Session | undefined;
}

export interface Drop {
  readonly kind: 'drop';
  readonly rule: string;
  readonly reason: string;
  readonly session: Session | TunnelSession | undefined;
  readonly endpoint: Endpoint | TunnelEndpoint;
  readonly sent: Sent | undefined;
}

/** What goes back though the frame is dropped, from the IP header on. */
export interface Sent {
  readonly what: 'errind' | 'extnotify';
  readonly packet: Buffer;
}

/** A reason to drop, before it is known where it counts. */
export interface Fault {
  readonly reason: string;
  readonly rule: string;
}

export function fault(reason: string, rule: string): Fault {
  return { reason, rule };
}

export function isFault(value: object): value is Fault {
  return 'reason' in value;
}

/** The name of an outcome in a table of how often each was reached. */
export function outcomeName(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'drop': {
      const { reason, rule, session, sent } = outcome;
      return `drop ${reason} ${session === undefined ? 'endpoint' : 'session'}: ${rule}${sent ? `, ${sent.what}` : ''}`;
    }
    case 'consume':
      return `consume ${outcome.counter}: ${outcome.rule}`;
    default:
      return `${outcome.kind}: ${outcome.rule}`;
  }
}
