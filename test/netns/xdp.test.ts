// SPDX-License-Identifier: MIT
// Receipt by native XDP, asked for by the words of links. What the program takes and leaves is shown in test/bpf/xdp.test.ts.
import { resolve } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { buildOne, packetSocket, transfer, tunDevice } from '../agent';
import { capture } from '../capture';
import { closeFixture, gtpIn, gtpTry, linkStats, linkStatsWhen, links, scratch, using } from '../fixture';
import { dropped } from '../records';
import { must, within } from '../run';
import { ends, inner, join, outer, ping, type TwoMachines, twoMachines, user } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const families = [4, 6] as const;
const size = 4_000_000;
const checksum = 'tx-checksum-ip-generic';
/** One of 65536 complete checksums looks like one that is open. */
const CHANCE = 3;

const hooks = async (ns: string, name = 'gtp0'): Promise<readonly string[]> =>
  (await links(ns, name))[0]?.hook.filter((hook) => hook.startsWith('underlay') && !hook.endsWith('@lo')) ?? [];

const isOn = async (ns: string, dev: string, feature: string): Promise<boolean> =>
  (await must(within(ns, 'ethtool', '-k', dev))).includes(`${feature}: on`);

/** Pings and TCP both ways; both ends count the same, and drop nothing. */
async function works(t: ExecutionContext, { m1, m2, ue1, ue2 }: TwoMachines): Promise<void> {
  for (const family of families) t.is(await ping(ue1, inner[family][1]), 3);
  t.deepEqual(await transfer({ from: ue1, to: ue2, address: inner[4][1], size }), { equal: true, received: size });
  t.deepEqual(await transfer({ from: ue2, to: ue1, address: inner[6][0], size }), { equal: true, received: size });
  const [here, there] = [await linkStats(m1), await linkStats(m2)];
  t.deepEqual([dropped(here), dropped(there)], [{}, {}]);
  t.deepEqual([here.decap, there.decap], [there.encap, here.encap]);
}

for (const family of families)
  for (const words of ['', 'udpcsum peer strict qfi 9 seq'])
    test.serial(
      `IPv${family}: xdp on takes every packet of a session in front of the stack, ${words || 'plain header'}`,
      inMachines(async (t, m) => {
        await join(m, family, { m1: words, m2: `${words} xdp on`.trim() });
        t.deepEqual(await hooks(m.m2), ['underlay@ul', 'underlay_xdp@ul']);
        const seen = await capture(m.m2, 'ul', `${scratch}/xdp.pcap`, `udp port 2152 and dst ${outer[family][1]}`);
        await works(t, m);
        t.true((await seen.count()) <= CHANCE, 'nothing of it has reached the stack');
      }),
    );

test.serial(
  'the other end of a veth pair fills its checksums in while XDP is on, and may do otherwise when it is off again',
  inMachines(async (t, m) => {
    await join(m, 4, { m1: 'gso keep', m2: 'gso keep' });
    t.true(await isOn(m.m1, 'ul', checksum));
    const { status, stderr } = await gtpTry(m.m2, 'link set gtp0 xdp on');
    t.deepEqual([status, stderr.trim().split('\n').length], [0, 1]);
    t.regex(
      stderr,
      /turned off on ul, the other end of ul: tx-checksum-ip-generic, tx-vlan-hw-insert, tx-vlan-stag-hw-insert; given back/,
    );
    t.false(await isOn(m.m1, 'ul', checksum));
    await works(t, m);
    await must(within(m.m1, 'ethtool', '-K', 'ul', 'tx', 'on'));
    await works(t, m);
    await must(within(m.m1, 'ethtool', '-K', 'ul', 'tx', 'off'));
    await gtpIn(m.m2, 'link set gtp0 xdp auto');
    t.deepEqual(await hooks(m.m2), ['underlay@ul']);
    t.true(await isOn(m.m1, 'ul', checksum));
    await gtpIn(m.m2, 'link set gtp0 xdp on');
    await gtpIn(m.m2, 'link del gtp0');
    t.true(await isOn(m.m1, 'ul', checksum), 'with the link');
  }),
);

for (const [what, first, last] of [
  ['its links stay', 'm1', 'm2'],
  ['its links go first', 'm2', 'm1'],
] as const)
  test.serial(
    `the checksum of the other end belongs to XDP and to the links over there: ${what}`,
    inMachines(async (t, m) => {
      const add = (which: 'm1' | 'm2', word = ''): Promise<string> => {
        const [own, far] = which === 'm1' ? ([0, 1] as const) : ([1, 0] as const);
        const words = `local ${outer[4][own]} netns ${m[`ue${which === 'm1' ? 1 : 2}`]} ${user(own)}`;
        return gtpIn(m[which], `link add gtp0 ${words} ${ends(own + 1, far + 1, outer[4][far])} ${word}`.trim());
      };
      await add('m2', 'xdp on');
      await add('m1');
      await works(t, m);
      await gtpIn(m[last], 'link del gtp0');
      if (first === 'm1') {
        t.false(await isOn(m.m1, 'ul', checksum), 'it is an underlay still');
        await add('m2');
        t.is(await ping(m.ue1, inner[4][1]), 3);
      }
      await gtpIn(m.m1, 'link flush');
      await gtpIn(m.m2, 'link flush');
      t.true(await isOn(m.m1, 'ul', checksum));
      t.true(await isOn(m.m2, 'ul', checksum));
    }),
  );

test.serial(
  'a frame with a VLAN tag is none of an untagged session, though the driver put the tag beside it',
  inMachines(async (t, m) => {
    await gtpIn(
      m.m2,
      `link add gtp0 local ${outer[4][1]} netns ${m.ue2} ${user(1)} local-teid 2 remote-teid 1 remote ${outer[4][0]} xdp on`,
    );
    await gtpIn(m.m1, `link add vlan0 type vlan dev ul netns ${m.ue1} id 100`);
    const [{ address }] = JSON.parse(await must(within(m.m2, 'ip', '-j', 'link', 'show', 'ul'))) as [
      { address: string },
    ];
    const ether = `Ether(src='02:00:00:00:00:01', dst='${address}')`;
    const gpdu = `IP(src='${outer[4][0]}', dst='${outer[4][1]}')/UDP(sport=2152, dport=2152, chksum=0)/Raw(bytes.fromhex('30ff002400000002'))`;
    const packet = `IP(src='${inner[4][0]}', dst='${inner[4][1]}')/UDP(sport=1, dport=7)/b'12345678'`;
    const frame = await buildOne(`${ether}/${gpdu}/${packet}`);
    const [user1, wire] = [await packetSocket(m.ue1, 'eth0'), await packetSocket(m.m1, 'ul')];
    const seen = await capture(m.m2, 'ul', `${scratch}/vlan.pcap`, `vlan 100 and ether dst ${address}`);
    await user1.send(frame);
    t.is(await seen.count(), 1);
    t.is((await linkStats(m.m2)).decap.packets, 0);
    await wire.send(frame);
    t.is((await linkStatsWhen(m.m2, ({ decap }) => decap.packets > 0)).decap.packets, 1, 'without a tag it is taken');
  }),
);

test.serial(
  'of two links on one underlay xdp on of one serves both, unless the other says off; it goes with the last that wants it',
  inMachines(async (t, m) => {
    await join(m, 4, { m2: 'xdp on' });
    const seen = await capture(m.m2, 'ul', `${scratch}/two.pcap`, `udp port 2152 and dst ${outer[4][1]}`);
    await gtpIn(
      m.m1,
      `link add gtp1 local ${outer[4][0]} netns ${m.ue1} inner eth1 address 10.46.0.1/24 ${ends(7, 8, outer[4][1])}`,
    );
    await gtpIn(
      m.m2,
      `link add gtp1 local ${outer[4][1]} netns ${m.ue2} inner eth1 address 10.46.0.2/24 ${ends(8, 7, outer[4][0])} xdp off`,
    );
    t.is(await ping(m.ue1, '10.46.0.2'), 3);
    t.is(await ping(m.ue1, inner[4][1]), 3);
    t.is(await seen.count(), 3, 'those of the link that says off');
    t.deepEqual(await hooks(m.m2, 'gtp1'), ['underlay@ul']);
    await gtpIn(m.m2, 'link del gtp0');
    t.deepEqual(await hooks(m.m2, 'gtp1'), ['underlay@ul']);
    t.false((await must(within(m.m2, 'ip', 'link', 'show', 'ul'))).includes('xdp'));
  }),
);

test.serial(
  'an XDP program of somebody else stays, before and behind us, and tc serves',
  inMachines(async (t, m) => {
    const theirs = ['obj', resolve('dist/test/netns/xdp-pass.bpf.o'), 'sec', 'xdp'];
    const show = (): Promise<string> => must(within(m.m2, 'ip', '-d', 'link', 'show', 'ul'));
    await must(within(m.m2, 'ip', 'link', 'set', 'ul', 'xdpdrv', ...theirs));
    const before = /prog\/xdp id (\d+)/.exec(await show())?.[1];
    t.truthy(before);
    const { status, stderr } = await gtpTry(
      m.m2,
      `link add gtp0 local ${outer[4][1]} netns ${m.ue2} ${user(1)} ${ends(2, 1, outer[4][0])} xdp on`,
    );
    t.is(status, 0);
    t.regex(stderr, /^Note: ul has another XDP program already, which stays; tc serves there$/m);
    await gtpIn(m.m1, `link add gtp0 local ${outer[4][0]} netns ${m.ue1} ${user(0)} ${ends(1, 2, outer[4][1])}`);
    t.is(await ping(m.ue1, inner[4][1]), 3);
    await gtpIn(m.m2, 'link del gtp0');
    t.is(/prog\/xdp id (\d+)/.exec(await show())?.[1], before);
    await must(within(m.m2, 'ip', 'link', 'set', 'ul', 'xdpdrv', 'off'));
    await gtpIn(m.m2, `link add gtp0 local ${outer[4][1]} netns ${m.ue2} xdp on`);
    t.deepEqual(await hooks(m.m2), ['underlay@ul', 'underlay_xdp@ul']);
    await t.throwsAsync(must(within(m.m2, 'ip', 'link', 'set', 'ul', 'xdpdrv', ...theirs)), {
      message: /Can't replace active BPF XDP link/,
    });
  }),
);

test.serial(
  'where a driver has no native XDP, xdp on is refused with the reason and leaves nothing; auto and off are not',
  inMachines(async (t, m) => {
    await must(within(m.m1, 'ip', 'link', 'add', 'name', 'bridge', 'type', 'bridge'));
    await must(within(m.m1, 'ip', 'link', 'set', 'bridge', 'up'));
    await must(within(m.m1, 'ip', 'addr', 'add', '198.51.100.1/24', 'dev', 'bridge'));
    const tun = await tunDevice(m.m1, 'tun0');
    await must(within(m.m1, 'ip', 'addr', 'add', '203.0.113.1/24', 'dev', 'tun0'));
    const before = await must(within(m.m1, 'ip', '-o', 'link'));
    for (const [local, error, status] of [
      ['198.51.100.1', /^Error: attach XDP to bridge: Operation not supported\nHint: its driver has no native XDP/m, 2],
      ['203.0.113.1', /^Error: attach XDP to tun0: it has no Ethernet header/m, 2],
      ['127.0.0.1', /^Error: "xdp on": lo has no native XDP/m, 1],
    ] as const) {
      const result = await gtpTry(m.m1, `link add gtp0 local ${local} netns ${m.ue1} xdp on`);
      t.deepEqual([result.status, result.stdout], [status, '']);
      t.regex(result.stderr, error);
      t.is(await must(within(m.m1, 'ip', '-o', 'link')), before);
    }
    for (const word of ['auto', 'off']) {
      await gtpIn(m.m1, `link add gtp0 local 198.51.100.1 netns ${m.ue1} xdp ${word}`);
      t.deepEqual((await links(m.m1))[0]?.xdp, word);
      t.deepEqual(await hooks(m.m1), ['underlay@bridge']);
      await gtpIn(m.m1, 'link del gtp0');
    }
    await tun.close();
  }),
);

test.serial(
  'a veth underlay of 9000 octets takes XDP, in several buffers',
  inMachines(async (t, m) => {
    for (const ns of [m.m1, m.m2]) await must(within(ns, 'ip', 'link', 'set', 'ul', 'mtu', '9000'));
    await join(m, 4, { m1: 'gso keep', m2: 'xdp on' });
    const seen = await capture(m.m2, 'ul', `${scratch}/jumbo.pcap`, `udp port 2152 and dst ${outer[4][1]}`);
    await works(t, m);
    t.true((await seen.count()) <= CHANCE);
  }),
);
