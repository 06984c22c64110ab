// SPDX-License-Identifier: MIT
import test from 'ava';
import { type Received, type Socket, udpSocket } from '../agent';
import { closeFixture, gtpIn, gtpTry, linkStats, linkStatsWhen, links, namespace, sessions, using } from '../fixture';
import { gpdu, gtp, packet } from '../gtp-frame';
import { dropped } from '../records';
import { must } from '../run';
import { ends, join, oneMachine, ping, twoMachines } from '../topology';

test.after.always(closeFixture);

const here = '192.0.2.1';
const there = '192.0.2.2';
const inMachines = using(twoMachines);

test.serial(
  'ten sessions on one link: role ggsn chooses by destination, role sgsn by source',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add core role ggsn local ${here} netns ${m.ue1} address 10.45.0.1/16 address fd45::1/64`);
    await gtpIn(m.m2, `link add radio role sgsn local ${there} netns ${m.ue2} route 10.45.0.1 route fd45::1`);
    for (let i = 1; i <= 10; i++) {
      const ue = `ue 10.45.1.${i} ue fd45::1:${i}`;
      await gtpIn(m.m1, `session add dev core ${ends(0x100 + i, 0x200 + i, there)} ${ue}`);
      await gtpIn(m.m2, `session add dev radio ${ends(0x200 + i, 0x100 + i, here)} ${ue}`);
      await must(['ip', '-n', m.ue2, 'addr', 'add', `10.45.1.${i}/32`, 'dev', 'eth0']);
      await must(['ip', '-n', m.ue2, 'addr', 'add', `fd45::1:${i}/128`, 'dev', 'eth0']);
    }
    for (let i = 1; i <= 10; i++) {
      t.is(await ping(m.ue1, `10.45.1.${i}`, i), i);
      t.is(await ping(m.ue2, '10.45.0.1', 1, '-I', `10.45.1.${i}`), 1);
      t.is(await ping(m.ue2, 'fd45::1', 1, '-I', `fd45::1:${i}`), 1);
    }
    for (const [ns, dev] of [
      [m.m1, 'core'],
      [m.m2, 'radio'],
    ] as const) {
      const list = await sessions(ns, `dev ${dev}`);
      t.is(list.length, 10);
      for (const { local_teid, stats } of list) {
        const packets = (local_teid & 0xff) + 2;
        t.deepEqual([stats.encap.packets, stats.decap.packets], [packets, packets], `session ${local_teid}`);
      }
    }
    t.is((await links(m.m1, 'core'))[0]?.sessions, 10);
  }),
);

test.serial(
  'the longest prefix wins, for IPv4 and IPv6, and an address that nobody has is a drop with a name',
  inMachines(async (t, m) => {
    const peer = await udpSocket(m.m2, there, 2152);
    await gtpIn(
      m.m1,
      `link add gtp0 local ${here} netns ${m.ue1} address 10.1.0.1/24 address fd01::1/64 route default`,
    );
    await gtpIn(m.m1, `session add dev gtp0 ${ends(1, 0x16, there)} ue 10.60.0.0/16 ue fd60::/32`);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(2, 0x24, there)} ue 10.60.5.0/24 ue fd60:0:0:5::/64`);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 0x32, there)} ue 10.60.5.5 ue fd60:0:0:5::5`);
    const cases = [
      ['10.1.0.1', '10.60.200.9', 0x16],
      ['10.1.0.1', '10.60.5.9', 0x24],
      ['10.1.0.1', '10.60.5.5', 0x32],
      ['fd01::1', 'fd60:0:0:6::5', 0x16],
      ['fd01::1', 'fd60:0:0:5::6', 0x24],
      ['fd01::1', 'fd60:0:0:5::5', 0x32],
    ] as const;
    for (const [source, destination, teid] of cases) {
      t.deepEqual(await teidsTo(m.ue1, peer, source, destination), [teid], destination);
    }
    const sender = await udpSocket(m.ue1, '10.1.0.1', 0);
    await sender.send(Buffer.from('nobody'), ['10.61.0.1', 9]);
    const stats = await linkStatsWhen(m.m1, ({ drops }) => drops['no_session'] === 1);
    t.deepEqual(dropped(stats).no_session, 1);
    t.deepEqual(await peer.receive({ timeout: 0 }), []);
  }),
);

test.serial(
  'from and to choose by both inner addresses, behind ue and before its prefixes; shorter prefixes are refused by name',
  inMachines(async (t, m) => {
    const peer = await udpSocket(m.m2, there, 2152);
    const inner = 'address 10.1.0.1/16 address 10.1.0.2/16 address fd01::1/64 address fd01::2/64';
    await gtpIn(m.m1, `link add gtp0 local ${here} netns ${m.ue1} ${inner} route default`);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(1, 0x11, there)} ue 10.60.0.0/16 ue fd60::/32`);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(2, 0x22, there)} from 10.1.0.2 to 10.60.0.9`);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 0x33, there)} from fd01::2 to fd60::9/128`);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(4, 0x44, there)} ue 10.60.0.8 ue fd60::8`);
    const cases = [
      ['10.1.0.1', '10.60.0.9', 0x11],
      ['10.1.0.2', '10.60.0.9', 0x22],
      ['10.1.0.2', '10.60.0.7', 0x11],
      ['10.1.0.2', '10.60.0.8', 0x44],
      ['fd01::1', 'fd60::9', 0x11],
      ['fd01::2', 'fd60::9', 0x33],
      ['fd01::2', 'fd60::8', 0x44],
    ] as const;
    for (const [source, destination, teid] of cases)
      t.deepEqual(await teidsTo(m.ue1, peer, source, destination), [teid], `${source} to ${destination}`);
    const words = `session add dev gtp0 ${ends(5, 5, there)} from 10.1.0.0/24 to 10.60.0.0/16`;
    const { status, stderr } = await gtpTry(m.m1, words);
    t.is(status, 1);
    t.regex(stderr, /^Error: .*10\.1\.0\.0\/24/);
    const again = await gtpTry(m.m1, `session add dev gtp0 ${ends(5, 5, there)} from 10.1.0.2 to 10.60.0.9`);
    t.is(again.status, 2);
    t.is((await sessions(m.m1)).length, 4);
    await gtpIn(m.m1, 'session del dev gtp0 local-teid 2');
    t.deepEqual(await teidsTo(m.ue1, peer, '10.1.0.2', '10.60.0.9'), [0x11]);
  }),
);

test.serial(
  'two users with the same addresses on one machine do not meet',
  inMachines(async (t, m) => {
    const [ue3, ue4] = [await namespace('ue3'), await namespace('ue4')];
    await join(m, 4);
    const same = ['address 10.45.0.1/24 address fd45::1/64', 'address 10.45.0.2/24 address fd45::2/64'];
    await gtpIn(m.m1, `link add gtp1 local ${here} netns ${ue3} ${same[0]} ${ends(0x103, 0x204, there)}`);
    await gtpIn(m.m2, `link add gtp1 local ${there} netns ${ue4} ${same[1]} ${ends(0x204, 0x103, here)}`);
    t.is(await ping(m.ue1, '10.45.0.2', 5), 5);
    t.is(await ping(ue3, '10.45.0.2', 7), 7);
    t.is(await ping(ue4, 'fd45::1', 2), 2);
    t.is((await linkStats(m.m2, 'gtp0')).decap.packets, 5);
    t.is((await linkStats(m.m2, 'gtp1')).decap.packets, 9);
    const decoy = await udpSocket(m.ue2, '10.45.0.2', 7000);
    const meant = await udpSocket(ue4, '10.45.0.2', 7000);
    await (await udpSocket(ue3, '10.45.0.1', 0)).send(Buffer.from('secret'), ['10.45.0.2', 7000]);
    t.is((await meant.receive()).length, 1);
    t.deepEqual(await decoy.receive({ timeout: 0 }), []);
  }),
);

test.serial(
  'hairpin between several links of one machine follows the TEID, not the inner address',
  using(oneMachine)(async (t, m) => {
    const words = `local ${here} address`;
    await gtpIn(m.m1, `link add gtp1 ${words} 10.45.0.1/24 netns ${m.ue1} ${ends(0x11, 0x22, here)}`);
    await gtpIn(m.m1, `link add gtp2 ${words} 10.45.0.2/24 netns ${m.ue2} ${ends(0x22, 0x11, here)}`);
    await gtpIn(m.m1, `link add gtp3 ${words} 10.45.0.2/24 netns ${m.ue3} ${ends(0x33, 0x11, here)}`);
    t.is(await ping(m.ue1, '10.45.0.2', 4), 4);
    t.is((await linkStats(m.m1, 'gtp2')).decap.packets, 4);
    t.is((await linkStats(m.m1, 'gtp3')).decap.packets, 0);
    await gtpIn(m.m1, `session change dev gtp1 local-teid 0x11 remote-teid 0x33`);
    t.is(await ping(m.ue1, '10.45.0.2', 3), 3);
    t.is((await linkStats(m.m1, 'gtp3')).decap.packets, 3);
    await gtpIn(m.m1, 'session del dev gtp3 local-teid 0x33');
    t.is(await ping(m.ue1, '10.45.0.2', 1, '-W', '0.2'), 0, 'the receiving session is looked up for each packet');
  }),
);

test.serial(
  'a hundred links carry packets of their own both ways, and flush removes them',
  inMachines(async (t, m) => {
    const count = 100;
    const peer = await udpSocket(m.m2, there, 2152);
    for (let i = 1; i <= count; i++) {
      const name = `inner in${i} address 10.${i}.0.1/24`;
      await gtpIn(m.m1, `link add l${i} local ${here} netns ${m.ue1} ${name} ${ends(1000 + i, 2000 + i, there)}`);
    }
    for (let i = 1; i <= count; i++) {
      const user = await udpSocket(m.ue1, `10.${i}.0.1`, 7000);
      await user.send(Buffer.from(`link ${i}`), [`10.${i}.0.2`, 7000]);
      const [sent] = await peer.receive();
      t.is(sent === undefined ? undefined : gtp(sent.data).teid, 2000 + i);
      await peer.send(gpdu(1000 + i, turnedRound(sent)), [here, 2152]);
      t.deepEqual(
        (await user.receive()).map(({ data }) => data.toString()),
        [`link ${i}`],
      );
      await user.close();
    }
    const list = await links(m.m1);
    t.is(list.length, count);
    t.true(list.every(({ stats }) => stats.encap.packets === 1 && stats.decap.packets === 1));
    await gtpIn(m.m1, 'link flush');
    t.deepEqual(await links(m.m1), []);
    t.is((await must(['ip', '-n', m.ue1, '-o', 'link'])).trim().split('\n').length, 1, 'only lo is left');
  }),
);

test.serial(
  'a prefix belongs to one session of a link, but to as many links as want it',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 local ${here} netns ${m.ue1}`);
    await gtpIn(m.m1, `link add gtp1 local ${here} netns ${m.ue1} inner eth1`);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(1, 1, there)} ue 10.45.0.5`);
    const { status, stderr } = await gtpTry(m.m1, `session add dev gtp0 ${ends(2, 2, there)} ue 10.45.0.5`);
    t.is(status, 2);
    t.regex(stderr, /^Error: .*10\.45\.0\.5/);
    t.is((await sessions(m.m1, 'dev gtp0')).length, 1);
    await gtpIn(m.m1, `session add dev gtp1 ${ends(3, 3, there)} ue 10.45.0.5`);
    t.is((await sessions(m.m1, 'ue 10.45.0.5')).length, 2);
  }),
);

/** Sends one datagram from a user and gives the TEIDs that reached the peer's socket. */
async function teidsTo(ns: string, peer: Socket, source: string, destination: string): Promise<number[]> {
  const sender = await udpSocket(ns, source, 0);
  const marker = `${source} to ${destination}`;
  await sender.send(Buffer.from(marker), [destination, 9]);
  const got = await peer.receive({ contains: marker });
  await sender.close();
  return got.map(({ data }) => gtp(data).teid);
}

/** The inner UDP packet with addresses and ports exchanged, which leaves every checksum right. */
function turnedRound(received: Received | undefined): Buffer {
  const octets = Buffer.from(received === undefined ? Buffer.alloc(28) : gtp(received.data).inner);
  const swapped = Buffer.from(octets);
  octets.copy(swapped, 12, 16, 20);
  octets.copy(swapped, 16, 12, 16);
  octets.copy(swapped, 20, 22, 24);
  octets.copy(swapped, 22, 20, 22);
  return packet(swapped).length === swapped.length ? swapped : octets;
}
