// SPDX-License-Identifier: MIT
// Every kind of session with every word, between two links over a wire.
import test, { type ExecutionContext } from 'ava';
import { transfer, udpSocket } from '../agent';
import { closeFixture, gtpIn, linkStats, linkStatsWhen, links, sessions, sharing } from '../fixture';
import { dropped } from '../records';
import { must } from '../run';
import { type Family, inner, mtuOf, outer, ping, type TwoMachines, twoMachines } from '../topology';
import {
  familiesOf,
  faultsOf,
  joinKind,
  kinds,
  LINK,
  mtuOver,
  plainKinds,
  titleOf,
  unequalCookies,
} from '../tunnel-kinds';

test.after.always(closeFixture);

const inMachines = sharing(twoMachines, ({ m1, m2 }) => ({ [m1]: outer[4][0], [m2]: outer[4][1] }));
const doNotFragment = { 4: [0, 10, 2], 6: [41, 23, 2] } as const;
const size = 700_001;

const chosen = kinds.filter(
  (kind) => plainKinds.includes(kind) || /everything|options|8 octets|by IP/.test(kind.title),
);

for (const kind of chosen)
  for (const family of familiesOf(kind, 'all'))
    test.serial(
      `${titleOf(kind, family)}: ping, TCP and datagrams up to the MTU, both ways`,
      inMachines(async (t, m) => {
        await joinKind(m, kind, family);
        const mtu = mtuOver(kind, family);
        t.deepEqual([await mtuOf(m.ue1), await mtuOf(m.ue2)], [mtu, mtu]);
        t.is((await links(m.m1))[0]?.mtu, mtu);
        await pings(t, m);
        await tcp(t, m);
        await exactMtu(t, m, mtu);
        for (const ns of [m.m1, m.m2]) t.deepEqual(faultsOf(kind, await linkStats(ns, LINK)), {}, ns);
      }),
    );

for (const kind of unequalCookies)
  for (const family of familiesOf(kind))
    test.serial(
      `${titleOf(kind, family)}: ping and TCP, both ways`,
      inMachines(async (t, m) => {
        await joinKind(m, kind, family);
        t.is(await mtuOf(m.ue1), mtuOver(kind, family), 'by the cookie that is sent');
        t.true((await mtuOf(m.ue2)) > (await mtuOf(m.ue1)));
        await pings(t, m);
        await tcp(t, m);
        for (const ns of [m.m1, m.m2]) t.deepEqual(dropped(await linkStats(ns, LINK)), {}, ns);
      }),
    );

for (const kind of plainKinds)
  for (const family of familiesOf(kind))
    test.serial(
      `${titleOf(kind, family)}: one octet more than the path takes is dropped and counted, each packet once`,
      inMachines(async (t, m) => {
        await joinKind(m, kind, family);
        t.is(await ping(m.ue1, inner[4][1], 1), 1);
        await must(['ip', '-n', m.ue1, 'link', 'set', 'eth0', 'mtu', '2000']);
        const receiver = await udpSocket(m.ue2, inner[4][1], 7000);
        const sender = await udpSocket(m.ue1, inner[4][0], 7001);
        await sender.setOption(0, 10, 3); // IP_PMTUDISC_PROBE: DF, and nobody is believed
        const payload = mtuOver(kind, family) - 28;
        t.is(await sender.send(Buffer.alloc(payload, 'x'), [inner[4][1], 7000]), undefined);
        t.is((await receiver.receive())[0]?.data.length, payload);
        for (let i = 1; i <= 3; i++) await sender.send(Buffer.alloc(payload + i, 'x'), [inner[4][1], 7000]);
        const stats = await linkStatsWhen(m.m1, ({ drops }) => drops['too_big'] === 3, LINK);
        t.deepEqual(dropped(stats), { too_big: 3 });
        t.deepEqual(await receiver.receive({ timeout: 0 }), []);
      }),
    );

for (const kind of plainKinds)
  test.serial(
    `${titleOf(kind)}: the octets of inner packets are counted, those of frames with their Ethernet header`,
    inMachines(async (t, m) => {
      await joinKind(m, kind, 4);
      t.is(await ping(m.ue1, inner[4][1], 1), 1);
      const before = await sessions(m.m1);
      const sender = await udpSocket(m.ue1, inner[4][0], 7001);
      const receiver = await udpSocket(m.ue2, inner[4][1], 7000);
      const [there] = before;
      for (let i = 0; i < 10; i++) await sender.send(Buffer.alloc(1000), [inner[4][1], 7000]);
      t.is((await receiver.receive({ count: 10 })).length, 10);
      const [after] = await sessions(m.m1);
      const packets = (after?.stats.encap.packets ?? 0) - (there?.stats.encap.packets ?? 0);
      const bytes = (after?.stats.encap.bytes ?? 0) - (there?.stats.encap.bytes ?? 0);
      const header = kind.type === 'gre' ? 0 : 14;
      // A neighbour may be asked for meanwhile.
      t.true(packets >= 10 && packets < 14 && bytes >= 10 * (1028 + header), `${packets} packets, ${bytes} octets`);
      t.true(bytes <= 10 * (1028 + header) + 4 * 86);
      t.is(after?.type, kind.type);
    }),
  );

async function pings(t: ExecutionContext, { ue1, ue2 }: TwoMachines): Promise<void> {
  for (const version of [4, 6] as const) {
    t.is(await ping(ue1, inner[version][1]), 3, `IPv${version} there`);
    t.is(await ping(ue2, inner[version][0]), 3, `IPv${version} back`);
  }
}

async function tcp(t: ExecutionContext, { ue1, ue2 }: TwoMachines): Promise<void> {
  const whole = { equal: true, received: size };
  for (const version of [4, 6] as const) {
    t.deepEqual(await transfer({ from: ue1, to: ue2, address: inner[version][1], size }), whole, `IPv${version} there`);
    t.deepEqual(await transfer({ from: ue2, to: ue1, address: inner[version][0], size }), whole, `IPv${version} back`);
  }
}

async function exactMtu(t: ExecutionContext, { ue1, ue2 }: TwoMachines, mtu: number): Promise<void> {
  for (const version of [4, 6] as const) await exactly(t, [ue1, ue2], version, mtu);
}

async function exactly(
  t: ExecutionContext,
  users: readonly [string, string],
  version: Family,
  mtu: number,
): Promise<void> {
  const payload = mtu - (version === 4 ? 28 : 48);
  for (const [from, to] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const receiver = await udpSocket(users[to] ?? '', inner[version][to], 7000);
    const sender = await udpSocket(users[from] ?? '', inner[version][from], 7001);
    const [level, name, value] = doNotFragment[version];
    await sender.setOption(level, name, value);
    const there = [inner[version][to], 7000] as const;
    t.is(await sender.send(Buffer.alloc(payload, 'x'), there), undefined);
    t.deepEqual(
      (await receiver.receive()).map(({ data }) => data.length),
      [payload],
    );
    t.is(await sender.send(Buffer.alloc(payload + 1, 'x'), there), 'EMSGSIZE');
    await sender.close();
    await receiver.close();
  }
}

test.serial(
  'the peer of every kind but gtp is the remote alone, as records say',
  inMachines(async (t, m) => {
    for (const kind of plainKinds.filter(({ type }) => type !== 'vlan')) {
      await joinKind(m, kind, 4);
      const [record] = await sessions(m.m1);
      t.like(record, { dev: LINK, type: kind.type, peer: 'strict', local: outer[4][0], remote: outer[4][1] });
      await Promise.all([m.m1, m.m2].map((ns) => gtpIn(ns, `link del ${LINK}`)));
    }
  }),
);
