// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import test from 'ava';
import { relay, transfer } from '../agent';
import { capture, faultless, faults, judge, judgeFrames, type Report } from '../capture';
import { closeFixture, gtpIn, linkStats, scratch, using } from '../fixture';
import { type Gtp, gtp } from '../gtp-frame';
import { dropped } from '../records';
import { must, within } from '../run';
import { ends, type Family, inner, innerMtu, join, outer, routed, twoMachines, user } from '../topology';

test.after.always(closeFixture);

/** Octets of one transfer: more than 2,000 segments. */
const size = 3_000_000;

/** How a sender writes: bulk makes super-packets that are exact multiples, short writes leave remainders. */
const writings = {
  'exact multiples': {},
  remainders: { chunk: 5000, nodelay: true },
  'long writes with remainders': { chunk: 50_001, nodelay: true },
} as const;

const variants = [
  [4, ''],
  [4, 'udpcsum'],
  [6, ''],
] as const;

for (const [family, words] of variants) {
  for (const [writing, how] of Object.entries(writings)) {
    test.serial(
      `IPv${family} outer${words && `, ${words}`}, ${writing}: every captured segment is right`,
      using(twoMachines)(async (t, m) => {
        await join(m, family, { m1: words, m2: words });
        for (const version of [4, 6] as const) {
          const name = `${family}-${version}-${words}-${writing}`.replaceAll(' ', '-');
          const seen = await capture(
            m.m1,
            'ul',
            `${scratch}/${name}.pcap`,
            `udp dst port 2152 and src host ${outer[family][0]}`,
          );
          const whole = await capture(m.ue1, 'eth0', `${scratch}/${name}-in.pcap`, 'tcp and greater 2000', 100);
          t.deepEqual(await transfer({ from: m.ue1, to: m.ue2, address: inner[version][1], size, ...how }), {
            equal: true,
            received: size,
          });
          const report = judgeFrames(await seen.stop());
          t.deepEqual(faults(report), faultless, `inner IPv${version}`);
          t.is(report.octets, size);
          t.is(report.outerUdpAbsent, family === 4 && words !== 'udpcsum' ? report.gpdus : 0);
          segmentsAreAsMeant(report, family, version, writing);
          t.true((await whole.count()) > 30, "the user's end keeps its super-packets");
        }
        const offloads = await must(within(m.ue1, 'ethtool', '-k', 'eth0'));
        t.regex(offloads, /^tcp-segmentation-offload: on/m);
        t.regex(offloads, /^tx-checksumming: on/m);
        t.deepEqual([dropped(await linkStats(m.m1)), dropped(await linkStats(m.m2))], [{}, {}]);
      }),
    );
  }
}

for (const family of [4, 6] as const) {
  for (const [writing, how] of Object.entries(writings)) {
    test.serial(
      `IPv${family} outer, ${writing}: a plain UDP socket as peer gets whole, right messages`,
      using(routed)(async (t, m) => {
        const [a, b] = family === 4 ? ['192.0.2.1', '198.51.100.2'] : ['2001:db8:2::1', '2001:db8:198::2'];
        const [left, right] =
          family === 4 ? ['192.0.2.254', '198.51.100.254'] : ['2001:db8:2::254', '2001:db8:198::254'];
        await Promise.all([
          gtpIn(m.m1, `link add gtp0 local ${a} netns ${m.ue1} ${user(0)} ${ends(0x101, 0x202, left)}`),
          gtpIn(m.m2, `link add gtp0 local ${b} netns ${m.ue2} ${user(1)} ${ends(0x202, 0x101, right)}`),
        ]);
        const file = `${scratch}/relay-${family}-${writing.replaceAll(' ', '-')}`;
        const between = await relay(m.r1, left, right, [a, b], file);
        for (const version of [4, 6] as const) {
          t.deepEqual(await transfer({ from: m.ue1, to: m.ue2, address: inner[version][1], size, ...how }), {
            equal: true,
            received: size,
          });
        }
        t.true((await between.end()) > (2 * size) / 1500);
        const report = judge(noted(file));
        // what the socket's buffer lost is sent again: identifications may miss, octets may not
        t.deepEqual({ ...faults(report), idMissing: 0 }, faultless);
        t.is(report.octets, 2 * size);
      }),
    );
  }
}

/** Not one segment above the MSS, and in bulk nearly all of them full: else the case did not test what it says. */
function segmentsAreAsMeant(report: Report, family: Family, version: Family, writing: string): void {
  const mss = innerMtu[family] - (version === 4 ? 52 : 72);
  const segments = [...report.lengths].filter(([length]) => length > 0);
  const count = segments.reduce((sum, [, n]) => sum + n, 0);
  const full = report.lengths.get(mss) ?? 0;
  if (segments.some(([length]) => length > mss)) throw new Error(`a segment above the MSS of ${mss}`);
  if (writing === 'exact multiples' && full < 0.95 * count)
    throw new Error(`only ${full} of ${count} segments are full`);
  if (writing !== 'exact multiples' && full > 0.99 * count)
    throw new Error(`there are no remainders: ${full} of ${count}`);
}

/** The messages of a relay's notes: u32 length (little-endian), octets. */
function noted(file: string): Gtp[] {
  const octets = readFileSync(file);
  const found = [];
  for (let at = 0; at < octets.length; ) {
    const length = octets.readUInt32LE(at);
    found.push(gtp(octets.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return found;
}
