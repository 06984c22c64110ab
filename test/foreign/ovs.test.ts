// SPDX-License-Identifier: MIT
// Our Geneve and GRE against Open vSwitch with its datapath in user space.
import test, { type ExecutionContext } from 'ava';
import { transfer } from '../agent';
import { capture } from '../capture';
import { closeFixture, gtpIn, linkStats, machineStats, scratch, using } from '../fixture';
import { noOpenVSwitch, type OpenVSwitch, openVSwitch, routeFlows, sameMtu } from '../open-vswitch';
import { dropped } from '../records';
import { waitFor } from '../run';
import { type Family, inner, outer, ping, type TwoMachines, twoMachines, user } from '../topology';
import { complaints, dissect } from '../tshark';
import { carriesFrames, faultsOf, LINK } from '../tunnel-kinds';

test.after.always(closeFixture);

type Body = (t: ExecutionContext, m: TwoMachines, ovs: OpenVSwitch) => Promise<void>;
const inMachines = using(twoMachines);

/** A test with a switch in m2. */
function withSwitch(title: string, body: Body): void {
  const whole = inMachines(async (t, m) => {
    const ovs = await openVSwitch(m);
    await body(t, m, ovs);
    await ovs.end();
  });
  if (noOpenVSwitch === undefined) test.serial(title, whole);
  else test.serial.skip(`${title} (${noOpenVSwitch})`, whole);
}

/** Before the tunnel of the switch, whose user else has frames for a link that still has no session. */
const ourLink = (m: TwoMachines, family: Family, type: string, words: string): Promise<string> => {
  const [local, remote] = outer[family];
  const ends = `local ${local} remote ${remote} netns ${m.ue1} ${user(0)}`;
  return gtpIn(m.m1, `link add ${LINK} type ${type} ${ends} ${words}`);
};

/** What the switch calls our types. */
const portOf = { geneve: 'geneve', gretap: 'gre', gre: 'gre' } as const;

interface Pair {
  readonly title: string;
  readonly family: Family;
  readonly type: keyof typeof portOf;
  readonly ours: string;
  readonly theirs: readonly string[];
  readonly mtu: number;
}

// Never numbers and checksums together: this switch sums before it writes the number. (And before it writes the length of
// GTP-U, with a sum always: what it sends of that is no packet.)
const pairs: readonly Pair[] = [
  {
    title: 'Geneve with checksums',
    family: 4,
    type: 'geneve',
    ours: 'vni 0xabcdef udpcsum',
    theirs: ['key=0xabcdef', 'csum=true'],
    mtu: 1450,
  },
  { title: 'Geneve', family: 6, type: 'geneve', ours: 'vni 100', theirs: ['key=100'], mtu: 1430 },
  {
    title: 'GRE of frames with a key and checksums',
    family: 4,
    type: 'gretap',
    ours: 'key 0xc0a80107 csum',
    theirs: ['key=0xc0a80107', 'csum=true'],
    mtu: 1454,
  },
  {
    title: 'GRE of frames with a key and numbers',
    family: 6,
    type: 'gretap',
    ours: 'key 7 iseq oseq',
    theirs: ['key=7', 'seq=true'],
    mtu: 1434,
  },
  {
    title: 'GRE of packets with a key',
    family: 4,
    type: 'gre',
    ours: 'key 7',
    theirs: ['key=7', 'packet_type=legacy_l3'],
    mtu: 1472,
  },
];

for (const { title, family, type, ours, theirs, mtu } of pairs)
  withSwitch(`IPv${family} outer, ${title}: ping, TCP and full datagrams, both ways`, async (t, m, ovs) => {
    await ourLink(m, family, type, ours);
    t.is(await sameMtu(m), mtu);
    await ovs.tunnel(portOf[type], family, ...theirs);
    if (!carriesFrames(type)) await routeFlows(m, ovs);
    for (const version of [4, 6] as const) await bothWays(t, m, version, mtu);
    t.deepEqual(faultsOf({ title }, await machineStats(m.m1)), {});
  });

async function bothWays(t: ExecutionContext, m: TwoMachines, version: Family, mtu: number): Promise<void> {
  const [near, far] = inner[version];
  const [whole, size] = [{ equal: true, received: 300_000 }, 300_000];
  const full = ['-M', 'do', '-s', `${mtu - (version === 4 ? 28 : 48)}`];
  for (const [from, to, address] of [
    [m.ue1, m.ue2, far],
    [m.ue2, m.ue1, near],
  ] as const) {
    t.is(await ping(from, address), 3);
    t.deepEqual(await transfer({ from, to, address, size }), whole);
    t.is(await ping(from, address, 2, ...full), 2, 'at the MTU');
  }
}

withSwitch(
  'Geneve options: the switch reads and ignores ours; of its own, a critical one is a drop (N3)',
  async (t, m, ovs) => {
    await ourLink(m, 4, 'geneve', 'vni 100 opt 0102:21:12345678');
    await ovs.tunnel('geneve', 4, 'key=100');
    t.is(await ping(m.ue1, inner[4][1]), 3, 'one that it does not know');

    await ovs.options('{class=0x102,type=0x21,len=4}->tun_metadata0,{class=0xfff0,type=0x86,len=4}->tun_metadata1');
    const incoming = 'in_port=tun,tun_metadata0=0x12345678,actions=output:user';
    await ovs.flows(incoming, 'in_port=user,actions=set_field:0xcafebabe->tun_metadata0,output:tun');
    const wire = await capture(m.m1, 'ul', `${scratch}/options.pcap`, 'udp port 6081');
    t.is(await ping(m.ue1, inner[4][1]), 3);
    await wire.stop();
    t.deepEqual(await complaints(wire.file), []);
    const list = await dissect(wire.file, 'ip.src', 'geneve.options');
    const seen = list.map((frame) => `${frame['ip.src'][0]} ${frame['geneve.options'].join().replaceAll(':', '')}`);
    t.deepEqual([...new Set(seen)].sort(), [`${outer[4][0]} 0102210112345678`, `${outer[4][1]} 01022101cafebabe`]);

    await gtpIn(m.m1, `session change dev ${LINK} vni 100 opt 0102:21:12345679`);
    t.is(await ping(m.ue1, inner[4][1], 2, '-W', '0.3'), 0, 'another value takes no flow');
    t.deepEqual(dropped(await machineStats(m.m1)), {});

    await ovs.flows('in_port=tun,actions=output:user', 'in_port=user,actions=set_field:1->tun_metadata1,output:tun');
    const before = (await linkStats(m.m1, LINK)).decap.packets;
    t.is(await ping(m.ue2, inner[4][0], 2, '-W', '0.3'), 0);
    const stats = await waitFor(
      () => machineStats(m.m1),
      ({ drops }) => (drops['unknown_option'] ?? 0) >= 2,
    );
    t.deepEqual(Object.keys(dropped(stats)), ['unknown_option']);
    t.is((await linkStats(m.m1, LINK)).decap.packets, before);
  },
);

withSwitch(
  'another VNI and another key are unknown_vni and unknown_key here and nothing there, until they are the same',
  async (t, m, ovs) => {
    for (const [family, type, id, key, reason] of [
      [4, 'geneve', 'vni', 100, 'unknown_vni'],
      [6, 'gretap', 'key', 7, 'unknown_key'],
    ] as const) {
      await ovs.tunnel(portOf[type], family, `key=${key + 1}`);
      await ourLink(m, family, type, `${id} ${key}`);
      const tries = [ping(m.ue1, inner[4][1], 2, '-W', '0.3'), ping(m.ue2, inner[4][0], 2, '-W', '0.3')];
      t.deepEqual(await Promise.all(tries), [0, 0]);
      const stats = await waitFor(
        () => machineStats(m.m1),
        ({ drops }) => (drops[reason] ?? 0) > 0,
      );
      t.deepEqual(Object.keys(dropped(stats)), [reason]);
      const own = await linkStats(m.m1, LINK);
      t.deepEqual([own.decap.packets, dropped(own)], [0, {}], 'at the address');
      await ovs.tunnel(portOf[type], family, `key=${key}`);
      t.is(await ping(m.ue1, inner[4][1]), 3);
      await gtpIn(m.m1, `link del ${LINK}`);
    }
  },
);
