// SPDX-License-Identifier: MIT
import test from 'ava';
import { buildOne, packetSocket, type Socket, udpSocket } from '../agent';
import { closeFixture, gtpIn, linkStatsWhen, using } from '../fixture';
import { type GtpFrame, gtpFrame } from '../gtp-frame';
import type { Stats } from '../records';
import { ends, type Family, inner, join, outer, type TwoMachines, twoMachines, user } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);

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

interface Inner {
  readonly version?: Family;
  readonly ttl?: number;
  readonly tos?: number;
  readonly port?: number;
  readonly flags?: string;
  readonly size?: number;
  readonly more?: string;
}

/** A session, and a way to see what one inner datagram looks like on the wire. */
async function linked(m: TwoMachines, family: Family, words = '') {
  const [local, remote] = outer[family];
  const session = `${ends(1, 2, remote)} ${words}`.trim();
  await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${user(0)} ${session}`);
  const [wire, tap] = [await packetSocket(m.m2, 'ul'), await packetSocket(m.ue1, 'eth0')];
  await (await udpSocket(m.m1, local, 0)).send(Buffer.from('neighbour'), [remote, 9]);
  return { sent: (what: Inner) => onWire(wire, tap, what) };
}

async function onWire(wire: Socket, tap: Socket, what: Inner): Promise<GtpFrame> {
  const { version = 4, ttl = 64, tos = 0, port = 7, flags = '', size = 20, more = '' } = what;
  const marker = `mark ${Math.random()}`;
  const ends = `src='${inner[version][0]}',dst='${inner[version][1]}'`;
  const ip =
    version === 4 ? `IP(${ends},ttl=${ttl},tos=${tos},flags='${flags}')` : `IPv6(${ends},hlim=${ttl},tc=${tos})`;
  const payload = `b'${marker}'.ljust(${Math.max(size, marker.length)},b'p')`;
  await tap.send(
    await buildOne(
      `Ether(src='02:00:00:00:00:01',dst='02:00:00:00:00:02')/${ip}/UDP(sport=${port},dport=9${more})/${payload}`,
    ),
  );
  const [got] = await wire.receive({ contains: marker });
  const frame = got === undefined ? undefined : gtpFrame(got.data);
  if (frame === undefined) throw new Error(`nothing came for ${JSON.stringify(what)}`);
  return frame;
}
