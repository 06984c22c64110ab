// SPDX-License-Identifier: MIT
import type { Commands } from '../cli/command';
import { kind } from '../datapath/layout.gen';
import { readSessions, type Stored } from '../datapath/sessions';
import { KernelError, UsageError } from '../errors';
import type { Request } from '../grammar';
import { fromMapped, hex } from '../tunnels/address';
import { checkEnds } from '../tunnels/config';
import { ECHO_PORT, type Version } from '../tunnels/echo';
import { gtpPort } from '../tunnels/gtp';
import { connectUdp } from '../udp/socket';
import { rehearsal, talk } from '../udp/talk';
import { type Address, address, sameAddress } from '../values';
import { findSession } from '../wiring/find';
import { findLink, type LiveLink } from '../wiring/links';
import { type Note, type State, viewState } from '../wiring/state';
import { onEither } from './either';
import { type PingSubject, pingByDriver } from './kernel-ping';
import { exchange, type Listener } from './ping-exchange';
import { errorLine, headLine, pingRecord, replyLine, summary } from './ping-text';

type Words = Request<'ping', 'run'>;

// The first time of a function, more than an answer takes, would count as the peer's.
const REHEARSED = 20;
const SILENT: Listener = { reply: () => undefined, error: () => undefined };

export const commands: Commands<'ping'> = {
  run: (words, { options, note }) => {
    const subject = words.dev === undefined ? pingAddress(words) : pingLink(words.dev, words, note);
    const { ends, version } = subject;
    const plan = {
      version,
      count: words.count ?? Number.POSITIVE_INFINITY,
      interval: (words.interval ?? 1) * 1000,
      timeout: (words.timeout ?? 1) * 1000,
      keep: options.json,
      // The driver of the kernel answers to that port alone, and version 1 with the sequence number 0.
      oldest: subject.isDriver || (version === 1 && ends.local.port === ECHO_PORT[version]),
    };
    return async ({ print, stop }) => {
      const tell = options.brief ? () => undefined : print;
      tell(headLine(ends, version));
      await exchange(rehearsal(), { ...plan, count: REHEARSED, interval: 0 }, stop, SILENT);
      const talking = subject.talk();
      try {
        const tally = await exchange(talking, plan, stop, {
          reply: (reply) => tell(replyLine(ends, reply)),
          error: (error) => tell(errorLine(ends, error)),
        });
        print(summary(ends, tally));
        const isAnswered = tally.received + tally.late > 0;
        return { records: [pingRecord(ends, version, tally)], failed: !isAnswered };
      } finally {
        talking.close();
      }
    };
  },
};

function pingAddress(words: Words): PingSubject {
  return overSocket(targetOf(words, words.version ?? 1));
}

// The driver has the port that a socket of ours would need.
function pingLink(dev: string, words: Words, note: Note): PingSubject {
  return onEither(dev, {
    bpf: () => overSocket(targetOfLink(dev, words, note)),
    kernel: (link) => pingByDriver(link, words),
  });
}

function overSocket({ version, peer, port, local }: Target): PingSubject {
  const socket = connectUdp({ address: peer, port }, local);
  return { version, ends: socket, isDriver: false, talk: () => talk(socket) };
}

type Target = {
  readonly version: Version;
  readonly peer: Address;
  readonly port: number;
  readonly local: Address | undefined;
};

function targetOf({ addr, local, port }: Words, version: Version): Target {
  if (addr === undefined) throw new Error('neither an address nor a link');
  checkEnds(local, addr, 'ADDR');
  return { version, peer: addr, port: port ?? ECHO_PORT[version], local };
}

function targetOfLink(dev: string, words: Words, note: Note): Target {
  return viewState(note, (state) => {
    const live = findLink(state, dev);
    if (state === undefined) throw new Error('a link without state');
    const { txConfig } = chooseSession(state, live, words);
    const version = words.version ?? (txConfig.kind === kind.gtp0 ? 0 : 1);
    const port = words.port ?? gtpPort(live.link, version);
    return { version, peer: fromMapped(txConfig.remote), local: fromMapped(txConfig.local), port };
  });
}

// One session, or several between the same two addresses.
function chooseSession(state: State, live: LiveLink, { local_teid, tid, local }: Words): Stored {
  if (local_teid !== undefined) return findSession(state, live, { type: 'gtp', version: 1, local_teid }, { local });
  if (tid !== undefined) return findSession(state, live, { type: 'gtp', version: 0, tid }, { local });
  const { name, index } = live.device;
  const sessions = readSessions(state.maps, index).filter(
    ({ key, txConfig }) =>
      (key.kind === kind.gtp || key.kind === kind.gtp0) &&
      (local === undefined || sameAddress(fromMapped(txConfig.local), local)),
  );
  const [first] = sessions;
  if (first === undefined) {
    const from = local === undefined ? '' : ` with local ${address.format(local)}`;
    throw new KernelError(`ping from link ${name}`, {
      said: `it has no GTP session${from}`,
      hint: 'gtp ping ADDR needs no session',
    });
  }
  const ends = new Set(sessions.map(({ txConfig }) => `${hex(txConfig.local)} ${hex(txConfig.remote)}`));
  // Both versions between the same two addresses: the newer one is asked.
  if (ends.size === 1) return sessions.find(({ key }) => key.kind === kind.gtp) ?? first;
  throw new UsageError(
    `the sessions of ${name} have several remotes or local addresses: expected "local-teid" or "tid" to name one`,
    {
      hint: `gtp session show dev ${name} lists them`,
    },
  );
}
