// SPDX-License-Identifier: MIT
// Kernels other than this machine's run gtp themselves: every program passes their verifier, and the main job is done.
import { resolve } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { mirrored } from '../agent';
import { closeFixture, gtpIn, linkStats } from '../fixture';
import { dropped, type Stats } from '../records';
import { waitFor } from '../run';
import { type Family, outer } from '../topology';
import { type Guest, LIFE } from './boot';
import { emulatedKernels, type Kernel } from './kernels';
import { answers, beside } from './topology';
import type { Verified } from './verify.guest';

test.after.always(closeFixture);

/** Instructions that the verifier may process for one program: half of what it does at most. */
const BUDGET = 500_000;
const SIZE = 500_000;

for (const kernel of emulatedKernels)
  beside(kernel, 'gtp in a guest makes links and sessions, and carries both families over both', async (t, world) => {
    const { m1, ue1, guest } = world;
    t.timeout(LIFE * 1000); // what a verifier does here in a second takes an emulated one ten
    await verify(t, kernel, guest);
    await prepare(guest);
    for (const [n, family] of FAMILIES.entries()) {
      const [ours, theirs] = outer[family];
      const inner = `inner e${family} address ${inside(4, family, 1)}/24 address ${inside(6, family, 1)}/64`;
      const far = `local-teid ${n + 1} remote-teid ${n + 11} remote ${theirs}`;
      await gtpIn(m1, `link add t${family} local ${ours} netns ${ue1} ${inner} ${far}`);
      await gtp(
        guest,
        `link add t${family} role sgsn local ${theirs} netns ue2 ${inner.replaceAll(/\.1\/|::1\//g, other)}`,
      );
      await gtp(guest, `session add dev t${family} local-teid ${n + 11} remote-teid ${n + 1} remote ${ours}`);
    }
    t.regex(await gtp(guest, '-d link show t4'), kernel.tcx ? /hooks tcx/ : /hooks clsact/);
    await guest.must(`nsenter --net=/run/netns/ue2 /usr/bin/python3 -IS '${host('test/guest/mirror.py')}'`);
    for (const family of FAMILIES)
      for (const within of FAMILIES) {
        const there = inside(within, family, 2);
        t.true(await answers(ue1, there), `pings of IPv${within} over IPv${family}`);
        t.deepEqual(await mirrored(ue1, there, 5003, SIZE), { equal: true, received: SIZE }, `TCP to ${there}`);
      }
    for (const family of FAMILIES) await balanced(t, m1, guest, `t${family}`);
    await gtp(guest, 'session del dev t4 local-teid 11');
    for (const family of FAMILIES) await gtp(guest, `link del t${family}`);
    t.is(await left(guest), '');
  });

const FAMILIES = [4, 6] as const;

/** The address of a user (1 here, 2 in the guest) of the link over outer addresses of a family. */
const inside = (family: Family, over: Family, user: 1 | 2): string =>
  family === 4 ? `10.4${over}.0.${user}` : `fd4${over}::${user}`;

/** The other user's, out of one's. */
const other = (end: string): string => end.replace('1', '2');

/** Every program passes the verifier of that kernel; what it took is printed, and has a bound. */
async function verify(t: ExecutionContext, kernel: Kernel, guest: Guest): Promise<void> {
  const text = await node(guest, 'dist/test/guest/verify.guest.cjs', host('dist/gtp.bpf.o'));
  const programs = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Verified);
  t.true(programs.length > 10);
  for (const { program, instructions, stack } of programs) {
    t.log(`${kernel.name} ${program}: ${instructions} instructions, stack ${stack}`);
    t.true(instructions > 0 && instructions <= BUDGET, `${program}: ${instructions} instructions of ${BUDGET}`);
  }
}

const prepare = (guest: Guest): Promise<string> =>
  guest.must('mkdir /run/bpf && mount -t bpf bpf /run/bpf && ip netns add ue2');

/** What is there of links, pins and qdiscs. */
const left = (guest: Guest): Promise<string> =>
  guest.must(
    'find /run/bpf -mindepth 1 ! -name "*.debug"; ip -o link show type veth; tc qdisc show | grep clsact || true',
  );

/** A path of this machine, as a guest sees it. */
const host = (path: string): string => `/run/host${resolve(path)}`;

const command = (file: string, words: string): string =>
  `GTP_BPFFS=/run/bpf '/run/host${process.execPath}' '${host(file)}' ${words}`;

const node = (guest: Guest, file: string, words: string): Promise<string> => guest.must(command(file, words));

const gtp = (guest: Guest, words: string): Promise<string> => node(guest, 'dist/gtp.cjs', words);

/** What one side sent, the other got, once the last packets are there. */
async function balanced(t: ExecutionContext, m1: string, guest: Guest, link: string): Promise<void> {
  const both = async (): Promise<[Stats, Stats]> => {
    const [there] = JSON.parse(await gtp(guest, `-s -j link show ${link}`)) as [{ stats: Stats }];
    return [await linkStats(m1, link), there.stats];
  };
  const pairs = ([here, there]: [Stats, Stats]) => [
    [here.encap.packets, there.decap.packets],
    [there.encap.packets, here.decap.packets],
  ];
  const [here, there] = await waitFor(both, (stats) => pairs(stats).every(([sent, got]) => sent === got));
  for (const [sent, got] of pairs([here, there])) t.is(got, sent);
  t.deepEqual([dropped(here), dropped(there)], [{}, {}]);
}
