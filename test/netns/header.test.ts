// SPDX-License-Identifier: MIT
import test from 'ava';
import { udpSocket } from '../agent';
import { closeFixture, gtpIn, linkStatsWhen, sharing } from '../fixture';
import { linked } from '../on-wire';
import type { Stats } from '../records';
import { ends, inner, join, keptMachines, outer, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = sharing(twoMachines, keptMachines);

for (const family of [4, 6] as const) {
  test.serial(
    `IPv${family} outer: the documented defaults`,
    inMachines(async (t, m) => {
      const { sent } = await linked(m, family);
      const { outer: ip, sourcePort, destinationPort, gtp } = await sent({});
      t.deepEqual([sourcePort, destinationPort, gtp.flags, gtp.type, gtp.teid], [2152, 2152, 0x30, 255, 2]);
      t.deepEqual([ip.source, ip.destination], outer[family].slice());
      t.deepEqual([ip.ttl, ip.tos, ip.dontFragment], [64, 0, true]);
      t.is(ip.payloadSum, family === 4 ? 'absent' : 'right');
    }),
  );

  test.serial(
    `IPv${family} outer: ttl N and inherit`,
    inMachines(async (t, m) => {
      const { sent } = await linked(m, family, 'ttl 7');
      t.is((await sent({ ttl: 33 })).outer.ttl, 7);
      await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 ttl inherit');
      t.is((await sent({ ttl: 33 })).outer.ttl, 33);
      t.is((await sent({ ttl: 99, version: 6 })).outer.ttl, 99);
    }),
  );

  test.serial(
    `IPv${family} outer: tos N and inherit; ECN of the inner packet is always copied`,
    inMachines(async (t, m) => {
      const { sent } = await linked(m, family);
      t.is((await sent({ tos: 0xb8 | 2 })).outer.tos, 2);
      await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 tos 0x28');
      t.is((await sent({ tos: 0xb8 })).outer.tos, 0x28);
      t.is((await sent({ tos: 0xb8 | 3 })).outer.tos, 0x2b);
      t.is((await sent({ tos: 0xb8 | 1, version: 6 })).outer.tos, 0x29);
      await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 tos inherit');
      t.is((await sent({ tos: 0xb8 | 2 })).outer.tos, 0xba);
      t.is((await sent({ tos: 0x48, version: 6 })).outer.tos, 0x48);
    }),
  );

  test.serial(
    `IPv${family} outer: srcport fixed, a number, and a hash that keeps to its flow`,
    inMachines(async (t, m) => {
      const { sent } = await linked(m, family, 'srcport 4444');
      t.is((await sent({})).sourcePort, 4444);
      await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 srcport hash');
      const ports = [];
      for (let port = 1; port <= 8; port++) {
        const [first, again] = [await sent({ port }), await sent({ port })];
        t.is(first.sourcePort, again.sourcePort, 'one flow, one port');
        t.is(first.destinationPort, 2152);
        ports.push(first.sourcePort);
      }
      t.true(new Set(ports).size > 4, `spread: ${ports}`);
      t.true(
        ports.every((port) => port >= 1024),
        `not a port of the system: ${ports}`,
      );
      await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 srcport fixed');
      t.is((await sent({})).sourcePort, 2152);
    }),
  );
}

test.serial(
  'udpcsum over IPv4 fills in the right checksum, also for inner packets without one and for fragments',
  inMachines(async (t, m) => {
    const { sent } = await linked(m, 4, 'udpcsum');
    for (const version of [4, 6] as const) t.is((await sent({ version })).outer.payloadSum, 'right');
    t.is((await sent({ more: ',chksum=0' })).outer.payloadSum, 'right');
    t.is((await sent({ flags: 'MF' })).outer.payloadSum, 'right');
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 noudpcsum');
    t.is((await sent({})).outer.payloadSum, 'absent');
  }),
);

test.serial(
  'over IPv6 the checksum is right for every kind of inner packet, unless noudpcsum leaves it out',
  inMachines(async (t, m) => {
    const { sent } = await linked(m, 6);
    t.is((await sent({ more: ',chksum=0' })).outer.payloadSum, 'right');
    t.is((await sent({ flags: 'MF' })).outer.payloadSum, 'right');
    t.is((await sent({ size: 1001 })).outer.payloadSum, 'right');
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 noudpcsum');
    t.is((await sent({})).outer.payloadSum, 'absent');
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 udpcsum');
    t.is((await sent({})).outer.payloadSum, 'right');
  }),
);

test.serial(
  'over IPv6 a packet without checksum is dropped by name, unless the session or its link has noudpcsum (X10)',
  inMachines(async (t, m) => {
    await join(m, 6, { m1: 'noudpcsum' });
    const bob = await udpSocket(m.ue2, inner[4][1], 7000);
    const alice = await udpSocket(m.ue1, inner[4][0], 0);
    const arrives = async (text: string) => {
      await alice.send(Buffer.from(text), [inner[4][1], 7000]);
      return (await bob.receive({ contains: text })).length === 1;
    };
    const drops = (count: number) => (stats: Stats) => stats.drops['zero_checksum'] === count;
    const refused = async (text: string, count: number) => {
      await alice.send(Buffer.from(text), [inner[4][1], 7000]);
      t.true(drops(count)(await linkStatsWhen(m.m2, drops(count))), text);
      t.deepEqual(await bob.receive({ timeout: 0 }), [], text);
    };
    await refused('by default', 1);
    await gtpIn(m.m2, 'session change dev gtp0 local-teid 0x202 noudpcsum');
    t.true(await arrives('the session takes it'));
    await gtpIn(m.m2, 'session change dev gtp0 local-teid 0x202 udpcsum');
    await refused('given back', 2);
    await gtpIn(m.m2, `session replace dev gtp0 ${ends(0x202, 0x101, outer[6][0])}`);
    await gtpIn(m.m2, 'link set gtp0 noudpcsum');
    t.true(await arrives('the link takes it'));
    await gtpIn(m.m2, 'link set gtp0 udpcsum');
    await refused('given back to the link', 3);
  }),
);

test.serial(
  'df set, unset and inherit',
  inMachines(async (t, m) => {
    const { sent } = await linked(m, 4, 'df unset');
    t.false((await sent({ flags: 'DF' })).outer.dontFragment);
    await gtpIn(m.m1, 'link set gtp0 df set');
    t.true((await sent({})).outer.dontFragment);
    await gtpIn(m.m1, 'link set gtp0 df inherit');
    t.true((await sent({ flags: 'DF' })).outer.dontFragment);
    t.false((await sent({})).outer.dontFragment);
  }),
);
