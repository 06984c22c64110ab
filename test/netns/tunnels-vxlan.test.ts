// SPDX-License-Identifier: MIT
// Our VXLAN against the kernel's own device.
import test, { type ExecutionContext } from 'ava';
import { transfer, udpSocket } from '../agent';
import { capture } from '../capture';
import { addressStats, closeFixture, gtpIn, linkStats, linkStatsWhen, scratch, using } from '../fixture';
import { dropped } from '../records';
import { must, waitFor, within } from '../run';
import { type Family, inner, mtuOf, outer, ping, type TwoMachines, twoMachines } from '../topology';
import { complaints, dissect } from '../tshark';
import { LINK } from '../tunnel-kinds';
import { kernelVxlan, vxlanLink } from '../tunnel-peers';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const size = 4_000_000;
const PORT = 'dstport 4789';
const mtus = { 4: 1450, 6: 1430 } as const;

/** Words of ours and of the kernel's that fit each other. */
const pairs: readonly (readonly [Family, string, string])[] = [
  [4, '', ''],
  [4, 'udpcsum', 'udpcsum'],
  [4, 'udpcsum', ''],
  [4, '', 'udpcsum'],
  [6, '', ''],
  [6, 'noudpcsum', 'udp6zerocsumtx udp6zerocsumrx'],
  [6, 'udpcsum', 'udp6zerocsumrx'],
];

for (const [family, ours, theirs] of pairs)
  test.serial(
    `IPv${family} outer, ours ${ours || 'as it is'}, the kernel's ${theirs || 'as it is'}: ping, TCP and full datagrams, both ways`,
    inMachines(async (t, m) => {
      await kernelVxlan(m, family, `id 0xabcdef ${PORT} ${theirs}`.trim());
      await vxlanLink(m, family, `vni 0xabcdef ${ours}`.trim());
      t.deepEqual([await mtuOf(m.ue1), await mtuOf(m.ue2)], [mtus[family], mtus[family]]);
      for (const version of [4, 6] as const) {
        const [near, far] = inner[version];
        t.is(await ping(m.ue1, far), 3);
        t.is(await ping(m.ue2, near), 3);
        const whole = { equal: true, received: size };
        t.deepEqual(await transfer({ from: m.ue1, to: m.ue2, address: far, size }), whole);
        t.deepEqual(await transfer({ from: m.ue2, to: m.ue1, address: near, size }), whole);
        await full(t, m, version, mtus[family]);
      }
      t.deepEqual(dropped(await linkStats(m.m1, LINK)), {});
    }),
  );

async function full(t: ExecutionContext, m: TwoMachines, version: Family, mtu: number): Promise<void> {
  const octets = mtu - (version === 4 ? 28 : 48);
  const words = ['-M', 'do', '-s'] as const;
  t.is(await ping(m.ue1, inner[version][1], 2, ...words, `${octets}`), 2, 'at the MTU');
  t.is(await ping(m.ue2, inner[version][0], 2, ...words, `${octets}`), 2, 'at the MTU');
}

for (const family of [4, 6] as const) {
  test.serial(
    `IPv${family} outer: one octet more than the MTU is dropped here; what the kernel sends, in fragments over IPv4, arrives`,
    inMachines(async (t, m) => {
      await kernelVxlan(m, family, `id 100 ${PORT}`);
      await vxlanLink(m, family, 'vni 100');
      for (const ns of [m.ue1, m.ue2]) await must(['ip', '-n', ns, 'link', 'set', 'eth0', 'mtu', '1500']);
      const [alice, bob] = [await udpSocket(m.ue1, inner[4][0], 7000), await udpSocket(m.ue2, inner[4][1], 7000)];
      for (const each of [alice, bob]) await each.setOption(0, 10, 3); // IP_PMTUDISC_PROBE
      const fits = mtus[family] - 28;
      for (const length of [fits, fits + 1]) await alice.send(Buffer.alloc(length, 'a'), [inner[4][1], 7000]);
      t.deepEqual(
        (await bob.receive({ count: 2, timeout: 1 })).map(({ data }) => data.length),
        [fits],
      );
      t.deepEqual(dropped(await linkStats(m.m1, LINK)), { too_big: 1 });
      const lengths = [fits, fits + 1, 1472];
      for (const length of lengths) await bob.send(Buffer.alloc(length, 'b'), [inner[4][0], 7000]);
      // Over IPv6 the kernel's device makes no fragments.
      const wanted = family === 4 ? lengths : [fits];
      const got = await alice.receive({ count: wanted.length });
      t.deepEqual(got.map(({ data }) => data.length).sort(), wanted, 'outer fragments');
    }),
  );

  test.serial(
    `IPv${family} outer: another VNI of the kernel's is dropped as unknown_vni, at the address`,
    inMachines(async (t, m) => {
      await kernelVxlan(m, family, `id 101 ${PORT}`);
      await vxlanLink(m, family, 'vni 100');
      const before = (await linkStats(m.m1, LINK)).decap.packets;
      t.is(await ping(m.ue2, inner[4][0], 2, '-W', '0.3'), 0);
      const stats = await waitFor(
        () => addressStats(m.m1, outer[family][0], 4789),
        ({ drops }) => (drops['unknown_vni'] ?? 0) >= 2,
      );
      t.deepEqual(Object.keys(dropped(stats)), ['unknown_vni']);
      t.is((await linkStats(m.m1, LINK)).decap.packets, before);
    }),
  );

  test.serial(
    `IPv${family} outer: the kernel takes what tshark calls right, from a fixed port and from those of flows`,
    inMachines(async (t, m) => {
      for (const ns of [m.m1, m.m2])
        await must(within(ns, 'ethtool', '-K', 'ul', 'tx', 'off', 'tso', 'off', 'gso', 'off'));
      await kernelVxlan(m, family, `id 100 ${PORT} srcport 40000 40001`);
      await vxlanLink(m, family, 'vni 100 srcport 5555');
      const wire = await capture(m.m2, 'ul', `${scratch}/vxlan.pcap`, 'udp port 4789');
      t.is(await ping(m.ue1, inner[4][1]), 3);
      t.true((await transfer({ from: m.ue1, to: m.ue2, address: inner[6][1], size: 300_000 })).equal);
      await wire.stop();
      t.deepEqual(await complaints(wire.file), []);
      const list = await dissect(wire.file, 'vxlan.vni', 'vxlan.flags', 'udp.srcport');
      t.deepEqual([...new Set(list.map((frame) => frame['vxlan.vni'][0]))], ['100']);
      t.deepEqual([...new Set(list.map((frame) => frame['vxlan.flags'][0]))], ['0x0800']);
      t.deepEqual([...new Set(list.map((frame) => Number(frame['udp.srcport'][0])))].sort(), [40000, 5555].sort());
    }),
  );
}

test.serial(
  'over IPv6, packets of the kernel without checksum are refused until noudpcsum is said',
  inMachines(async (t, m) => {
    await kernelVxlan(m, 6, `id 100 ${PORT} udp6zerocsumtx`);
    await vxlanLink(m, 6, 'vni 100');
    t.is(await ping(m.ue2, inner[4][0], 2, '-W', '0.3'), 0);
    const { zero_checksum = 0, ...others } = dropped(await linkStats(m.m1, LINK));
    t.true(zero_checksum > 0);
    t.deepEqual(others, {});
    await gtpIn(m.m1, `session change dev ${LINK} vni 100 noudpcsum`);
    const before = (await linkStats(m.m1, LINK)).decap.packets;
    t.is(await ping(m.ue2, inner[4][0], 2, '-W', '0.3'), 0, 'the answers have none, which the kernel refuses');
    const after = await linkStatsWhen(m.m1, ({ decap }) => decap.packets > before, LINK);
    t.true(after.decap.packets > before);
    t.deepEqual(Object.keys(dropped(after)), ['zero_checksum']);
  }),
);

test.serial(
  'two VNIs of two links on one machine, to two devices of the kernel, do not meet',
  inMachines(async (t, m) => {
    await kernelVxlan(m, 4, `id 100 ${PORT}`);
    await vxlanLink(m, 4, 'vni 100');
    const [local, remote] = outer[4];
    await must([
      'ip',
      '-n',
      m.m2,
      ...`link add vx1 type vxlan local ${remote} remote ${local} id 200 ${PORT}`.split(' '),
    ]);
    await must(['ip', '-n', m.m2, '-b', '-'], { input: 'addr add 10.46.0.2/24 dev vx1\nlink set vx1 up\n' });
    await gtpIn(m.m1, `link add t1 type vxlan local ${local} address 10.46.0.1/24 vni 200 remote ${remote}`);
    t.is(await ping(m.ue1, inner[4][1], 4), 4);
    t.is(await ping(m.m1, '10.46.0.2', 2), 2);
    t.is(await ping(m.m2, '10.46.0.1', 2), 2);
  }),
);

test.serial(
  'a VXLAN device of the kernel and a link of ours share address and port: each has its VNI',
  inMachines(async (t, m) => {
    const [local, remote] = outer[4];
    for (const [ns, from, to, host] of [
      [m.m1, local, remote, 1],
      [m.m2, remote, local, 2],
    ] as const) {
      const make = `link add vx1 type vxlan local ${from} remote ${to} id 200 ${PORT}`;
      await must(['ip', '-n', ns, ...make.split(' ')]);
      await must(['ip', '-n', ns, '-b', '-'], { input: `addr add 10.46.0.${host}/24 dev vx1\nlink set vx1 up\n` });
    }
    t.is(await ping(m.m1, '10.46.0.2'), 3);
    await kernelVxlan(m, 4, `id 100 ${PORT}`);
    await vxlanLink(m, 4, 'vni 100');
    t.is(await ping(m.ue1, inner[4][1]), 3);
    t.is(await ping(m.m1, '10.46.0.2'), 3, "the kernel's goes on");
    t.is(await ping(m.m2, '10.46.0.1'), 3);
    const whole = { equal: true, received: size };
    t.deepEqual(await transfer({ from: m.m2, to: m.m1, address: '10.46.0.1', size }), whole);
    t.deepEqual(await transfer({ from: m.ue2, to: m.ue1, address: inner[4][0], size }), whole);
    t.deepEqual(dropped(await addressStats(m.m1, local, 4789)), {});
  }),
);
