// SPDX-License-Identifier: MIT
// Kernels other than this machine's run gtp themselves: every program passes their verifier, and the main job is done.
import test, { type ExecutionContext } from 'ava';
import { mirrored } from '../agent';
import { closeFixture, gtpIn, linkStats, links } from '../fixture';
import { dropped, type Stats } from '../records';
import { waitFor } from '../run';
import { outer } from '../topology';
import type { Guest } from './boot';
import { commandIn, host, nodeIn } from './command';
import { users } from './driver';
import { emulatedKernels, type Kernel, oldKernels } from './kernels';
import { answers, type Beside, beside } from './topology';
import type { Verified } from './verify.guest';

test.after.always(closeFixture);

/** Instructions that the verifier may process for one program: half of what it does at most. */
const BUDGET = 500_000;
const SIZE = 1_000_000;

for (const [at, kernel] of emulatedKernels.entries()) {
  const family = at % 2 === 0 ? 6 : 4;
  beside(kernel, `gtp in a guest makes a link and a session, and carries over IPv${family}`, async (t, world) => {
    const { m1, ue1, guest } = world;
    const [ours, theirs] = outer[family];
    await verify(t, kernel, guest);
    const far = `local-teid 1 remote-teid 2 remote ${theirs}`;
    await gtpIn(m1, `link add t0 local ${ours} netns ${ue1} address ${users[4][0]}/24 ${far} xdp on`);
    await prepare(guest);
    await gtp(guest, `link add t0 role sgsn local ${theirs} dev ul dev eth0 netns ue2 address ${users[4][1]}/24`);
    t.true((await links(m1))[0]?.hook.includes('underlay_xdp@ul'), 'XDP on a tap device, because it is asked for');
    t.regex(await gtp(guest, '-j link show'), /"underlay_xdp@eth0"/, 'XDP on virtio-net by itself');
    await gtp(guest, `session add dev t0 local-teid 2 remote-teid 1 remote ${ours}`);
    t.true(await answers(ue1, users[4][1]), 'pings');
    await guest.must(`nsenter --net=/run/netns/ue2 /usr/bin/python3 -IS '${host('test/guest/mirror.py')}'`);
    t.deepEqual(await mirrored(ue1, users[4][1], 5003, SIZE), { equal: true, received: SIZE }, 'TCP');
    await balanced(t, m1, guest);
    if (at === 0) await inVrf(t, world, [ours, theirs]);
    await gtp(guest, 'session del dev t0 local-teid 2');
    await gtp(guest, 'link del t0');
    t.is(await left(guest), '');
  });
}

for (const kernel of oldKernels)
  beside(kernel, 'gtp in a guest says what it lacks, and leaves nothing', async (t, { guest }) => {
    await prepare(guest);
    const { status, stderr } = await guest.run(gtpWords('link add t0 local 192.0.2.2 netns ue2'));
    t.is(status, 2);
    t.regex(
      stderr,
      /^Error: load BPF programs: this kernel has no tcx.*\n.*tcx needs Linux 6\.6 or later with CONFIG_NET_XGRESS, this is 6\./,
    );
    t.is(await left(guest), '');
  });

/**
 * Once for all kernels: an inner end in a VRF of the guest, as n6 of fake-gateway has it, with the addresses and routes that it
 * has when it comes in, leaves, and comes in again. Who is not in the VRF does not get there.
 */
async function inVrf(t: ExecutionContext, { m1, ue1, guest }: Beside, [ours, theirs]: readonly [string, string]) {
  const user = (end: 0 | 1) => `address ${N6[4][end]}/24 address ${N6[6][end]}/64`;
  const near = `local ${ours} netns ${ue1} inner n6 ${user(0)} local-teid 3 remote-teid 4 remote ${theirs}`;
  await gtpIn(m1, `link add up0 ${near}`);
  await guest.ip(['link add n6 type vrf table 6', 'link set n6 up']);
  const far = `local ${theirs} ${user(1)} route 10.10.0.0/16 local-teid 4 remote-teid 3 remote ${ours}`;
  const [record] = JSON.parse(await gtp(guest, `-j link add up0 role sgsn vrf n6 ${far}`)) as [{ vrf: string }];
  t.is(record.vrf, 'n6');
  await stands(t, guest, 'n6');
  await bothWays(t, ue1, guest, '-I n6');
  t.not((await guest.run(`ping -n -c 1 -W 1 ${N6[4][0]}`)).status, 0, 'who is not in the VRF gets nowhere');
  await gtp(guest, 'link set up0 vrf none');
  await stands(t, guest, null);
  await bothWays(t, ue1, guest, '');
  await gtp(guest, 'link set up0 vrf n6');
  await stands(t, guest, 'n6');
  await bothWays(t, ue1, guest, '-I n6');
  await guest.ip(['link del up0', 'link del n6']);
}

const N6 = { 4: ['10.9.0.1', '10.9.0.2'], 6: ['fd09::1', 'fd09::2'] } as const;
const ROUTES = ['10.9.0.0/24 dev up0i', '10.10.0.0/16 dev up0i', 'fd09::/64 dev up0i'];

/** The inner end is in that VRF, or in none, and all of its routes are there and nowhere else. */
async function stands(t: ExecutionContext, guest: Guest, vrf: string | null): Promise<void> {
  const text = await guest.must(
    'ip -o link show up0i; echo; ip route; ip -6 route; echo; ip route show table 6; ip -6 route show table 6',
  );
  const [device = '', main = '', table = ''] = text.split('\n\n');
  t.is(/ master (\S+)/.exec(device)?.[1] ?? null, vrf);
  const [there, elsewhere] = vrf === null ? [main, table] : [table, main];
  for (const route of ROUTES) t.true(there.includes(route), `${route} in ${there}`);
  t.false(elsewhere.includes('up0i'), elsewhere);
}

/** Each end answers the other; `words` say how the guest's own programs get into the VRF. */
async function bothWays(t: ExecutionContext, ue1: string, guest: Guest, words: string): Promise<void> {
  for (const family of [4, 6] as const) t.true(await answers(ue1, N6[family][1]), `to the guest, IPv${family}`);
  const pings = ([4, 6] as const).map((family) => `ping -n -c 1 -W 5 ${words} ${N6[family][0]}`);
  t.is((await guest.run(pings.join(' && '))).status, 0, 'from the guest');
}

/** Every program passes the verifier of that kernel; what it took is printed, and has a bound. */
async function verify(t: ExecutionContext, kernel: Kernel, guest: Guest): Promise<void> {
  const text = await guest.must(nodeIn('dist/test/guest/verify.guest.cjs', host('dist/gtp.bpf.o')));
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

/** What is there of links and pins. */
const left = (guest: Guest): Promise<string> =>
  guest.must('find /run/bpf -mindepth 1 ! -name "*.debug"; ip -o link show type veth');

const gtpWords = (words: string): string => `GTP_BPFFS=/run/bpf ${commandIn(words)}`;

const gtp = (guest: Guest, words: string): Promise<string> => guest.must(gtpWords(words));

/** What one side sent, the other got, once the last packets are there. */
async function balanced(t: ExecutionContext, m1: string, guest: Guest): Promise<void> {
  const both = async (): Promise<[Stats, Stats]> => {
    const [there] = JSON.parse(await gtp(guest, '-s -j link show t0')) as [{ stats: Stats }];
    return [await linkStats(m1, 't0'), there.stats];
  };
  const pairs = ([here, there]: [Stats, Stats]) => [
    [here.encap.packets, there.decap.packets],
    [there.encap.packets, here.decap.packets],
  ];
  const [here, there] = await waitFor(both, (stats) => pairs(stats).every(([sent, got]) => sent === got));
  for (const [sent, got] of pairs([here, there])) t.is(got, sent);
  t.deepEqual([dropped(here), dropped(there)], [{}, {}]);
}
