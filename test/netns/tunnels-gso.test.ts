// SPDX-License-Identifier: MIT
// TCP super-packets in tunnels of every kind: each segment on the wire is right, whoever cuts it.
import test, { type ExecutionContext } from 'ava';
import { transfer } from '../agent';
import { type Capture, capture, faultless, faults, judgeInner } from '../capture';
import { closeFixture, linkStats, scratch, using } from '../fixture';
import { packet } from '../gtp-frame';
import { dropped } from '../records';
import { must, within } from '../run';
import { type Family, inner, outer, type TwoMachines, twoMachines } from '../topology';
import { carriesFrames, familiesOf, joinKind, type Kind, kinds, LINK, mtuOver, titleOf } from '../tunnel-kinds';
import { kernelVxlan, vxlanLink } from '../tunnel-peers';

test.after.always(closeFixture);

const inMachines = using(twoMachines);

/** Octets of one transfer: more than 1,000 segments. */
const size = 1_500_000;

/** How a sender writes: bulk makes super-packets that are exact multiples, short writes leave remainders. */
const writings = [
  ['exact multiples', {}],
  ['remainders', { chunk: 5000, nodelay: true }],
] as const;

const chosen = kinds.filter(
  ({ type, title }) =>
    !/port|key|each way|everything|octets|sublayer|numbers/.test(title) && !(type === 'vxlan' && title !== ''),
);

for (const kind of chosen)
  for (const family of familiesOf(kind))
    test.serial(
      `${titleOf(kind, family)}: every segment on the wire is right, and all octets arrive`,
      inMachines(async (t, m) => {
        await cutHere(m);
        await joinKind(m, kind, family);
        for (const version of [4, 6] as const)
          for (const [name, how] of writings) {
            const seen = await fromHere(m, kind, family);
            const whole = await capture(m.ue1, 'eth0', `${scratch}/whole.pcap`, 'tcp and greater 2500', 100);
            const { equal } = await transfer({ from: m.ue1, to: m.ue2, address: inner[version][1], size, ...how });
            t.true(equal, `${name}, IPv${version}`);
            t.true((await whole.count()) > 20, "the user's end keeps its super-packets");
            await judged(t, seen, kind, family, version);
          }
        for (const ns of [m.m1, m.m2]) t.deepEqual(dropped(await linkStats(ns, LINK)), {}, ns);
      }),
    );

for (const [family, list] of [
  [4, ['', 'gso split', 'srcport 5555']],
  [6, ['', 'udpcsum', 'gso keep']],
] as const)
  for (const words of list)
    test.serial(
      `${words ? `vxlan ${words}` : 'vxlan'} over IPv${family} to the kernel's device: every segment on the wire is right, and all octets arrive`,
      inMachines(async (t, m) => {
        const kind = kinds.find(({ type }) => type === 'vxlan');
        if (kind === undefined) throw new Error('no vxlan');
        await cutHere(m);
        await kernelVxlan(m, family, 'id 100 dstport 4789');
        await vxlanLink(m, family, `vni 100 ${words}`.trim());
        for (const version of [4, 6] as const) {
          const seen = await fromHere(m, kind, family);
          const to = inner[version][1];
          t.true((await transfer({ from: m.ue1, to: m.ue2, address: to, size })).equal);
          await judged(t, seen, kind, family, version);
          const near = inner[version][0];
          t.true((await transfer({ from: m.ue2, to: m.ue1, address: near, size })).equal);
        }
        t.deepEqual(dropped(await linkStats(m.m1, LINK)), {});
      }),
    );

// L2TP by IP is left out: the kernel cannot cut it, so it never leaves whole.
for (const kind of chosen.filter(({ title }) => ['', 'with noudpcsum'].includes(title)))
  test.serial(
    `${titleOf(kind, 4)}, gso keep and the devices as they are: super-packets pass the wire whole`,
    inMachines(async (t, m) => {
      await joinKind(m, kind, 4, 'gso keep');
      const seen = await capture(m.m2, 'ul', `${scratch}/kept.pcap`, 'greater 10000', 100);
      for (const version of [4, 6] as const) {
        const there = await transfer({ from: m.ue1, to: m.ue2, address: inner[version][1], size });
        const back = await transfer({ from: m.ue2, to: m.ue1, address: inner[version][0], size });
        t.deepEqual([there.equal, back.equal], [true, true]);
      }
      t.true((await seen.count()) > 20);
      for (const ns of [m.m1, m.m2]) t.deepEqual(dropped(await linkStats(ns, LINK)), {}, ns);
    }),
  );

/** Lets the device at the end of m1 do nothing of its own, so that the kernel cuts and sums before anybody reads a packet. */
async function cutHere({ m1 }: TwoMachines): Promise<void> {
  const off = ['tx', 'off', 'tso', 'off', 'gso', 'off', 'tx-udp_tnl-segmentation', 'off', 'tx-gre-segmentation', 'off'];
  await must(within(m1, 'ethtool', '-K', 'ul', ...off));
}

const fromHere = ({ m2 }: TwoMachines, { type, filter }: Kind, family: Family): Promise<Capture> => {
  const from = type === 'vlan' ? '' : ` and src host ${outer[family][0]}`;
  return capture(m2, 'ul', `${scratch}/segments.pcap`, `${filter}${from}`);
};

async function judged(t: ExecutionContext, seen: Capture, kind: Kind, family: Family, version: Family): Promise<void> {
  const all = (await seen.stop()).filter((frame) => kind.type !== 'vlan' || isFrom(frame, version));
  if (kind.type !== 'vlan') {
    const outers = all.map((frame) => packet(frame.subarray(14)));
    t.is(outers.filter(({ headerSum, payloadSum }) => headerSum === 'wrong' || payloadSum === 'wrong').length, 0);
    t.true(outers.every(({ length }) => length <= 1500));
    t.true(outers.every(({ protocol, payload }) => protocol !== 17 || payload.readUInt16BE(4) === payload.length));
  }
  const start = kind.type === 'vlan' ? 18 : 14 + (family === 4 ? 20 : 40) + kind.octets;
  const isIp = (frame: Buffer): boolean =>
    !(carriesFrames(kind.type) && ![0x0800, 0x86dd].includes(frame.readUInt16BE(start - 2)));
  const inside = all.filter(isIp).map((frame) => frame.subarray(start));
  const report = judgeInner(inside);
  t.deepEqual(faults(report), faultless, `IPv${version} inside`);
  t.is(report.octets, size, `IPv${version} inside`);
  const largest = Math.max(...report.lengths.keys());
  t.is(largest, mtuOver(kind, family) - (version === 4 ? 20 : 40) - 32, 'full segments, with time stamps');
}

/** Whether a tagged frame is of user 0: nothing outside tells. */
function isFrom(frame: Buffer, version: Family): boolean {
  const isIp = [0x0800, 0x86dd].includes(frame.readUInt16BE(16));
  return isIp && packet(frame.subarray(18)).source === inner[version][0];
}
