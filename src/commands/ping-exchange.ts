// SPDX-License-Identifier: MIT
import {
  type EchoResponse,
  echoRequest,
  quotedSequence,
  type Recovery,
  readEchoResponse,
  type Version,
} from '../tunnels/echo';
import type { IcmpError } from '../udp/errors';
import type { Datagram, Sign, Talk } from '../udp/talk';

/** What to do; times in milliseconds. */
export type Plan = {
  readonly version: Version;
  /** How many requests to send, or infinity. */
  readonly count: number;
  readonly interval: number;
  readonly timeout: number;
  /** Whether the tally keeps each reply. */
  readonly keep: boolean;
  /** Whether an answer with the sequence number 0 is one to the oldest request that waits. */
  readonly oldest: boolean;
};

/** An answer; `rtt` in milliseconds. Late: after the timeout. Duplicate: the request was answered before. */
export type Reply = {
  readonly sequence: number;
  /** null: nobody told. */
  readonly bytes: number | null;
  readonly rtt: number;
  readonly recovery: Recovery;
  readonly late: boolean;
  readonly duplicate: boolean;
};

/** What was refused: by the network, or by the kernel when sending (`sending`). */
export type Refusal = Pick<IcmpError, 'errno' | 'from'> & {
  readonly sequence: number | undefined;
  readonly sending: boolean;
};

/** What became of the requests. Late answers and duplicates are not among those received; times in milliseconds. */
export type Tally = {
  transmitted: number;
  received: number;
  late: number;
  duplicates: number;
  errors: number;
  recovery: number | null;
  time: number;
  readonly rtt: { min: number; max: number; sum: number; squares: number };
  readonly replies: Reply[];
};

/** Hears of each answer and refusal when it comes. */
export type Listener = { readonly reply: (reply: Reply) => void; readonly error: (refusal: Refusal) => void };

/** Sends requests and takes answers until all are settled or `stop` is set. */
export async function exchange(talk: Talk, plan: Plan, stop: AbortSignal, listener: Listener): Promise<Tally> {
  const start = performance.now();
  const course: Course = { plan, listener, tally: emptyTally(), sent: new Map(), waiting: new Map(), last: 0 };
  let due = start;
  while (!stop.aborted) {
    if (isMore(course) && performance.now() >= due) {
      sendNext(course, talk);
      due = Math.max(due + plan.interval, performance.now());
    }
    const next = nextEvent(course, due);
    if (next === Number.POSITIVE_INFINITY) break;
    for (const arrival of talk.hear(Math.max(0, Math.min(next - performance.now(), LONGEST_WAIT)))) {
      if ('errno' in arrival) takeError(course, arrival);
      else takeAnswer(course, arrival);
    }
    giveUp(course, performance.now());
    await signals();
  }
  course.tally.time = performance.now() - start;
  return course.tally;
}

// Milliseconds. A signal that comes right before the wait does not end it.
const LONGEST_WAIT = 100;

// One turn of the event loop: handlers of signals run there alone.
function signals(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function isMore({ plan, tally }: Course): boolean {
  return tally.transmitted < plan.count;
}

// When something has to be done even if nothing comes in: infinity if never.
function nextEvent(course: Course, due: number): number {
  const [first = Number.POSITIVE_INFINITY] = course.waiting.values();
  return Math.min(isMore(course) ? due : Number.POSITIVE_INFINITY, first + course.plan.timeout);
}

type Course = {
  readonly plan: Plan;
  readonly listener: Listener;
  readonly tally: Tally;
  /** When each request went out, by sequence number, and whether it was answered. */
  readonly sent: Map<number, { readonly at: number; answered: boolean }>;
  /** Those neither answered nor given up, the oldest first: when they went out. */
  readonly waiting: Map<number, number>;
  /** The latest sequence number. */
  last: number;
};

// Never 0: that is what the kernel's driver answers with.
const SEQUENCES = 65535;

const UNTOLD: EchoResponse = { sequence: 0, recovery: 'untold' };

function emptyTally(): Tally {
  const rtt = { min: Number.POSITIVE_INFINITY, max: 0, sum: 0, squares: 0 };
  const counts = { transmitted: 0, received: 0, late: 0, duplicates: 0, errors: 0 };
  return { ...counts, recovery: null, time: 0, rtt, replies: [] };
}

function sendNext(course: Course, talk: Talk): void {
  const { plan, tally, sent, waiting } = course;
  const sequence = (tally.transmitted % SEQUENCES) + 1;
  const bytes = echoRequest(plan.version, sequence);
  tally.transmitted += 1;
  course.last = sequence;
  waiting.delete(sequence);
  const { at, errno } = talk.send(bytes);
  sent.set(sequence, { at, answered: false });
  waiting.set(sequence, at);
  if (errno !== 0) refuse(course, { errno, from: undefined, sequence, sending: true });
}

function takeError(course: Course, { errno, from, quoted }: IcmpError): void {
  refuse(course, { errno, from, sequence: quotedSequence(course.plan.version, quoted), sending: false });
}

// Nothing will come back for a request that was refused, but if it does it counts.
function refuse(course: Course, refusal: Refusal): void {
  course.tally.errors += 1;
  if (refusal.sequence !== undefined) course.waiting.delete(refusal.sequence);
  course.listener.error(refusal);
}

function takeAnswer(course: Course, arrival: Datagram | Sign): void {
  const { plan, tally, sent, waiting, listener } = course;
  const { at } = arrival;
  const bytes = 'bytes' in arrival ? arrival.bytes : undefined;
  const response = bytes === undefined ? UNTOLD : readEchoResponse(plan.version, bytes);
  if (response === undefined) return;
  const [oldest = course.last] = waiting.keys();
  const sequence = plan.oldest && response.sequence === 0 ? oldest : response.sequence;
  const request = sent.get(sequence);
  if (request === undefined) return;
  const rtt = at - request.at;
  const duplicate = request.answered;
  const late = !duplicate && rtt > plan.timeout;
  request.answered = true;
  waiting.delete(sequence);
  const reply = { sequence, bytes: bytes?.length ?? null, rtt, recovery: response.recovery, late, duplicate };
  count(tally, reply);
  if (plan.keep) tally.replies.push(reply);
  listener.reply(reply);
}

function count(tally: Tally, { rtt, recovery, late, duplicate }: Reply): void {
  if (typeof recovery === 'number') tally.recovery = recovery;
  if (duplicate) tally.duplicates += 1;
  else if (late) tally.late += 1;
  else {
    tally.received += 1;
    tally.rtt.min = Math.min(tally.rtt.min, rtt);
    tally.rtt.max = Math.max(tally.rtt.max, rtt);
    tally.rtt.sum += rtt;
    tally.rtt.squares += rtt * rtt;
  }
}

function giveUp({ plan, waiting }: Course, now: number): void {
  for (const [sequence, at] of waiting) {
    if (now < at + plan.timeout) return;
    waiting.delete(sequence);
  }
}
