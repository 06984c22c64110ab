// SPDX-License-Identifier: MIT
import test from 'ava';
import { type Socket, udpSocket } from '../agent';
import { closeFixture, gtpIn, links, sessions, using } from '../fixture';
import type { SessionRecord } from '../records';
import { must, waitFor } from '../run';
import { ends, type TwoMachines, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);

/** Messages of version 1 from m2, about the session with TEIDs 1 (m1) and 2 (m2). */
const messages = {
  echo: '3201000400000000' + '00070000',
  errorIndication: '321a001000000000' + '00010000' + '1000000002' + '850004c0000202',
  endMarker: '30fe000000000001',
  notification: '321f000700000000' + '00010000' + '8d0185',
  packet: (seq: number) =>
    `32ff${(44).toString(16).padStart(4, '0')}00000001${seq.toString(16).padStart(4, '0')}0000${inside}`,
} as const;

// IPv4 and UDP from 10.45.0.1 to 10.45.9.9 port 9, 40 octets; the session has no antispoof.
const inside = `450000280000000040115d620a2d00010a2d09090009000900140000${'00'.repeat(12)}`;

async function gateway(m: TwoMachines, words = ''): Promise<Socket> {
  await gtpIn(
    m.m1,
    `link add gtp0 local 192.0.2.1 netns ${m.ue1} ${words} ${ends(1, 2, '192.0.2.2')}`.replace(/ +/g, ' '),
  );
  return udpSocket(m.m2, '192.0.2.2', 2152);
}

const send = async (socket: Socket, hex: string): Promise<void> => {
  await socket.send(Buffer.from(hex, 'hex'), ['192.0.2.1', 2152]);
};

const sessionWhen = async (
  m: TwoMachines,
  wanted: (record: SessionRecord) => boolean,
): Promise<SessionRecord | undefined> =>
  (
    await waitFor(
      () => sessions(m.m1),
      ([record]) => record !== undefined && wanted(record),
    )
  )[0];

type PathRecord = {
  readonly local: string;
  readonly remote: string | null;
  readonly port: number | null;
  readonly version: number | null;
  readonly sessions: number;
  readonly echo: { readonly requests: number; readonly responses: number } | null;
  readonly errinds: number | null;
  readonly extnotifies: number | null;
  readonly last_seen: number | null;
  readonly mtu: number | null;
  readonly state: string | null;
  readonly stats: { readonly answered: number; readonly sent: object; readonly drops: object };
};

const paths = async (m: TwoMachines): Promise<PathRecord[]> => JSON.parse(await gtpIn(m.m1, '-j -s path show'));

test.serial(
  'an Error Indication and an End Marker are the state of the session until it is changed, and down comes first',
  inMachines(async (t, m) => {
    const peer = await gateway(m);
    await send(peer, messages.errorIndication);
    const marked = await sessionWhen(m, ({ state }) => state !== 'up');
    t.is(marked?.state, 'error_indicated');
    t.like(marked?.stats, { answered: 1, passed: 0, received: { end_marker: 0, errind: 1, reordered: 0 } });
    await must(['ip', '-n', m.m1, 'link', 'set', 'ul', 'down']);
    t.is((await sessions(m.m1))[0]?.state, 'error_indicated', 'before the route');
    await must(['ip', '-n', m.m1, 'link', 'set', 'ul', 'up']);
    await gtpIn(m.m1, 'link set gtp0 down');
    t.is((await sessions(m.m1))[0]?.state, 'down');
    await gtpIn(m.m1, 'link set gtp0 up');
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 remote-teid 9');
    t.is((await sessions(m.m1))[0]?.state, 'up');
    await send(peer, messages.endMarker);
    const ended = await sessionWhen(m, ({ state }) => state !== 'up');
    t.is(ended?.state, 'ended');
    const signalling = { answered: 2, received: { end_marker: 1, errind: 1, reordered: 0 } };
    t.like(ended?.stats, signalling);
    t.like((await links(m.m1))[0]?.stats, signalling, 'a link adds up its sessions');
    t.regex(
      await gtpIn(m.m1, '-s session show'),
      /\n {4}state ended\n(?:.*\n)*? {4}answered 2\n {4}received end_marker 1 errind 1\n/,
    );
  }),
);

test.serial(
  'errind-action none leaves the session alone, and del ends it',
  inMachines(async (t, m) => {
    const peer = await gateway(m, 'errind-action none');
    await send(peer, messages.errorIndication);
    const left = await sessionWhen(m, ({ stats }) => stats.received?.errind === 1);
    t.is(left?.state, 'up');
    await gtpIn(m.m1, 'link set gtp0 errind-action del');
    await send(peer, messages.errorIndication);
    t.deepEqual(
      await waitFor(
        () => sessions(m.m1),
        (list) => list.length === 0,
      ),
      [],
    );
    await gtpIn(m.m1, `session add dev gtp0 ${ends(1, 2, '192.0.2.2')}`);
    t.is((await sessions(m.m1))[0]?.stats.received?.errind, 0);
  }),
);

test.serial(
  'late numbers are counted, and -d tells when the peer was seen last',
  inMachines(async (t, m) => {
    const peer = await gateway(m);
    t.notRegex(await gtpIn(m.m1, '-d session show'), /last_seen|seen_|gateway/);
    const [quiet] = JSON.parse(await gtpIn(m.m1, '-j -d session show')) as { details: object }[];
    t.deepEqual(
      { ...quiet?.details, mtu: undefined, headers: undefined, neighbour: undefined },
      {
        ...{ mtu: undefined, path_mtu: 1500, headers: undefined, oif: 'ul', gateway: null, neighbour: undefined },
        ...{ seen_qfi: null, seen_rqi: null, seen_ppi: null, last_seen: null },
      },
    );
    const [link] = JSON.parse(await gtpIn(m.m1, '-j -d link show')) as { details: object }[];
    t.true('offloads_off' in (link?.details ?? {}));
    for (const seq of [1, 3, 2, 4]) await send(peer, messages.packet(seq));
    const record = await sessionWhen(m, ({ stats }) => stats.decap.packets === 4);
    t.is(record?.stats.received?.reordered, 1);
    t.is(record?.stats.answered, 0);
    const seen = /\n {4}last_seen (\d+)\n/.exec(await gtpIn(m.m1, '-d session show'))?.[1];
    t.true(Number(seen) < 60, seen);
  }),
);

test.serial(
  'path show tells of each local address, and what its peers did',
  inMachines(async (t, m) => {
    const peer = await gateway(m);
    const quiet = await paths(m);
    t.deepEqual(
      quiet.map(({ stats: _, ...record }) => record),
      [
        {
          ...{
            local: '192.0.2.1',
            remote: null,
            type: 'gtp',
            port: 2152,
            version: 1,
            sessions: 1,
            echo: null,
            errinds: null,
          },
          ...{ extnotifies: null, last_seen: null, mtu: null, state: null },
        },
        {
          ...{ local: '192.0.2.1', remote: '192.0.2.2', type: null, port: null, version: null, sessions: 1 },
          ...{
            echo: { requests: 0, responses: 0 },
            errinds: 0,
            extnotifies: 0,
            last_seen: null,
            mtu: null,
            state: 'up',
          },
        },
      ],
    );
    for (const message of ['echo', 'echo', 'errorIndication', 'notification'] as const)
      await send(peer, messages[message]);
    const [local, far] = await waitFor(
      () => paths(m),
      ([, each]) => each?.extnotifies === 1,
    );
    t.like(local, { stats: { answered: 2, sent: { echo: 2, errind: 0, extnotify: 0, icmp: 0 } } });
    t.like(far, { echo: { requests: 2, responses: 0 }, errinds: 1, extnotifies: 1, stats: { answered: 1 } });
    t.true((far?.last_seen ?? Number.NaN) < 60);
    const text = await gtpIn(m.m1, 'path show');
    t.regex(
      text,
      /^local 192\.0\.2\.1 port 2152 sessions 1\nlocal 192\.0\.2\.1 remote 192\.0\.2\.2 sessions 1\n {4}echo requests 2 errinds 1 extnotifies 1 last_seen \d+\n$/,
    );
    t.notRegex(await gtpIn(m.m1, '-s -s path show'), /encap|decap/, 'sessions count for themselves');
    await gtpIn(m.m1, 'session del dev gtp0 local-teid 1');
    t.deepEqual(
      (await paths(m)).map(({ remote, sessions }) => [remote, sessions]),
      [[null, 0]],
    );
  }),
);
