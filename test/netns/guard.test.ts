// SPDX-License-Identifier: MIT
import test from 'ava';
import { buildOne, udpSocket } from '../agent';
import { closeFixture, gtpIn, gtpTry, linkStats, linkStatsWhen, sessions, using } from '../fixture';
import { gpdu } from '../gtp-frame';
import { dropped } from '../records';
import { must } from '../run';
import { ends, type TwoMachines, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);

test.serial(
  'peer any (the default) takes a session from any outer source, peer strict only from its remote',
  inMachines(async (t, m) => {
    await must(['ip', '-n', m.m2, 'addr', 'add', '192.0.2.22/24', 'dev', 'ul']);
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1} address 10.45.0.1/24 ${ends(1, 2, '192.0.2.2')}`);
    t.is((await sessions(m.m1))[0]?.peer, 'any');
    const user = await udpSocket(m.ue1, '10.45.0.1', 7000);
    const [right, stranger] = [await udpSocket(m.m2, '192.0.2.2', 2152), await udpSocket(m.m2, '192.0.2.22', 2152)];
    const message = gpdu(1, await inner4('10.9.9.9', '10.45.0.1'));
    await stranger.send(message, ['192.0.2.1', 2152]);
    t.is((await user.receive()).length, 1);
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 peer strict');
    t.is((await sessions(m.m1))[0]?.peer, 'strict');
    await stranger.send(message, ['192.0.2.1', 2152]);
    t.deepEqual(dropped(await linkStatsWhen(m.m1, ({ drops }) => drops['wrong_peer'] === 1)), { wrong_peer: 1 });
    await right.send(message, ['192.0.2.1', 2152]);
    t.is((await user.receive({ count: 2, timeout: 1 })).length, 1);
    t.is((await linkStats(m.m1)).decap.packets, 2);
  }),
);

test.serial(
  'antispoof is on as soon as ue is given: role ggsn checks the source',
  inMachines(async (t, m) => {
    const { user, send } = await spoofing(m, 'role ggsn', 'ue 10.45.1.7 ue 10.46.0.0/16 ue fd45:0:0:7::/64');
    for (const good of ['10.45.1.7', '10.46.200.3', 'fd45:0:0:7:1:2:3:4'])
      t.is(await send(good, user.of(good)), 1, good);
    for (const bad of ['10.45.1.8', '10.47.0.1', 'fd45:0:0:8::1', 'fe80::1'])
      t.is(await send(bad, user.of(bad)), 0, bad);
    t.deepEqual(dropped(await linkStats(m.m1)), { antispoof: 4 });
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 noantispoof');
    t.is(await send('10.45.1.8', user.of('10.45.1.8')), 1);
  }),
);

test.serial(
  'role sgsn checks the destination',
  inMachines(async (t, m) => {
    const { send } = await spoofing(m, 'role sgsn', 'ue 10.45.0.1');
    await must(['ip', '-n', m.ue1, 'addr', 'add', '10.45.0.99/32', 'dev', 'eth0']);
    t.is(await send('8.8.8.8', '10.45.0.1'), 1);
    t.is(await send('8.8.8.8', '10.45.0.99'), 0);
    t.deepEqual(dropped(await linkStats(m.m1)), { antispoof: 1 });
  }),
);

test.serial(
  'without ue nothing is checked unless antispoof is asked for',
  inMachines(async (t, m) => {
    const { send } = await spoofing(m, 'role ggsn', '');
    t.is(await send('203.0.113.77', '10.45.0.1'), 1);
    const { status, stderr } = await gtpTry(m.m1, 'session change dev gtp0 local-teid 1 antispoof');
    t.is(status, 0);
    t.regex(stderr, /has antispoof and no ue: .* all that comes out of it is dropped/);
    t.is(await send('203.0.113.77', '10.45.0.1'), 0);
    t.is((await gtpTry(m.m1, 'session change dev gtp0 local-teid 1 ue 203.0.113.0/24')).stderr, '');
    t.is(await send('203.0.113.77', '10.45.0.1'), 1);
  }),
);

/** A link for gateways or radios, and a way to send one datagram into it from a given inner source. */
async function spoofing(m: TwoMachines, role: string, ue: string) {
  const words = `${ends(1, 2, '192.0.2.2')} ${ue}`.trim();
  await gtpIn(
    m.m1,
    `link add gtp0 ${role} local 192.0.2.1 netns ${m.ue1} address 10.45.0.1/24 address fd01::1/64 ${words}`,
  );
  const peer = await udpSocket(m.m2, '192.0.2.2', 2152);
  const [user4, user6] = [await udpSocket(m.ue1, '0.0.0.0', 7000), await udpSocket(m.ue1, '::', 7001)];
  const of = (source: string): string => (source.includes(':') ? 'fd01::1' : '10.45.0.1');
  const send = async (source: string, destination: string): Promise<number> => {
    const v6 = source.includes(':');
    const before = handledBy(await linkStats(m.m1));
    await peer.send(gpdu(1, v6 ? await inner6(source, destination) : await inner4(source, destination)), [
      '192.0.2.1',
      2152,
    ]);
    await linkStatsWhen(m.m1, (stats) => handledBy(stats) > before);
    return (await (v6 ? user6 : user4).receive({ timeout: 0.2 })).length;
  };
  return { user: { of }, send };
}

const handledBy = ({ decap, drops }: { decap: { packets: number }; drops: Readonly<Record<string, number>> }): number =>
  decap.packets + Object.values(drops).reduce((a, b) => a + b, 0);

const inner4 = (source: string, destination: string): Promise<Buffer> =>
  buildOne(`IP(src='${source}',dst='${destination}')/UDP(sport=53,dport=7000)/b'x'`);

const inner6 = (source: string, destination: string): Promise<Buffer> =>
  buildOne(`IPv6(src='${source}',dst='${destination}')/UDP(sport=53,dport=7001)/b'x'`);
