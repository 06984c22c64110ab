// SPDX-License-Identifier: MIT
// Receipt by native XDP, asked for by the words of links. What the program takes and leaves is shown in test/bpf/xdp.test.ts.
import { resolve } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { transfer, tunDevice } from '../agent';
import { capture } from '../capture';
import { closeFixture, gtpIn, gtpTry, linkStats, links, scratch, using } from '../fixture';
import { dropped } from '../records';
import { must, within } from '../run';
import { ends, inner, join, outer, ping, type TwoMachines, twoMachines, user } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const families = [4, 6] as const;
const size = 4_000_000;
const checksum = 'tx-checksum-ip-generic';

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
        t.is(await seen.count(), 0, 'nothing of it has reached the stack');
      }),
    );

test.serial(
  'the other end of a veth pair fills its checksums in while XDP is on, and may do otherwise when it is off again',
  inMachines(async (t, m) => {
    await join(m, 4, { m1: 'gso keep', m2: 'gso keep' });
    t.true(await isOn(m.m1, 'ul', checksum));
    const { status, stderr } = await gtpTry(m.m2, 'link set gtp0 xdp on');
    t.deepEqual([status, stderr.trim().split('\n').length], [0, 1]);
    t.regex(stderr, /turned off on ul, the other end of ul: tx-checksum-ip-generic; given back with XDP/);
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
    t.regex(stderr, /^Note: ul has an XDP program of somebody else, which stays; tc serves there$/m);
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
      [
        '198.51.100.1',
        /^Error: attach XDP to bridge: Operation not supported\nHint: its driver may not have native XDP/m,
        2,
      ],
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
  'a veth underlay of 9000 octets takes XDP, in several buffers; super-packets of its sender go by tc',
  inMachines(async (t, m) => {
    for (const ns of [m.m1, m.m2]) await must(within(ns, 'ip', 'link', 'set', 'ul', 'mtu', '9000'));
    await join(m, 4, { m1: 'gso keep', m2: 'xdp on' });
    await works(t, m);
  }),
);
