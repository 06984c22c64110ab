// SPDX-License-Identifier: MIT
// Kernels other than this machine's run gtp themselves: every program passes their verifier, and the main job is done.
import test, { type ExecutionContext } from 'ava';
import { mirrored } from '../agent';
import { closeFixture, gtpIn, linkStats, links } from '../fixture';
import { dropped, type Stats } from '../records';
import { waitFor } from '../run';
import { type Family, outer } from '../topology';
import { type Guest, LIFE } from './boot';
import { commandIn, host, nodeIn } from './command';
import { insideKernels, type Kernel } from './kernels';
import { answers, type Beside, beside } from './topology';
import type { Verified } from './verify.guest';

test.after.always(closeFixture);

/** Instructions that the verifier may process for one program: half of what it does at most. */
const BUDGET = 500_000;
const SIZE = 500_000;

for (const [at, kernel] of insideKernels.entries())
  beside(kernel, 'gtp in a guest makes links and sessions, and carries both families', async (t, world) => {
    const { m1, guest } = world;
    t.timeout(LIFE * 1000); // what a verifier does here in a second takes an emulated one ten
    await verify(t, kernel, guest);
    await prepare(guest);
    // What a packet of another family than its outer one takes is special on old kernels.
    const over = kernel.tcx ? ([at % 2 === 0 ? 6 : 4] as const) : FAMILIES;
    for (const family of over) await join(world, family, family === over[0]);
    await carry(t, world, over);
    for (const { hook, details } of await balanced(t, m1, guest, over.length)) {
      t.is(details.hooks, kernel.tcx ? 'tcx' : 'clsact');
      t.true(hook.includes('underlay_xdp@eth0'), 'XDP on virtio-net by itself');
    }
    for (const { hook } of await links(m1))
      t.true(hook.includes('underlay_xdp@ul'), 'on a tap device because it is asked for');
    const [first] = over;
    const [ours, theirs] = outer[first];
    if (at === insideKernels.length - 1) await inVrf(t, world, [ours, theirs]);
    await gtp(guest, `session del dev t${first} local-teid 2${first}`);
    for (const family of over) await gtp(guest, `link del t${family}`);
    t.is(await left(guest), '');
  });

/** A link over a family here, and one in the guest, its session by a command of its own or not. */
async function join({ m1, ue1, guest }: Beside, family: Family, apart: boolean): Promise<void> {
  const [ours, theirs] = outer[family];
  const near = `inner e${family} address ${inside(4, family, 1)}/24 address ${inside(6, family, 1)}/64`;
  const end = `role sgsn local ${theirs} dev ul dev eth0 netns ue2 ${near.replaceAll(/\.1\/|::1\//g, other)}`;
  const session = `local-teid 2${family} remote-teid 1${family} remote ${ours}`;
  await gtpIn(m1, `link add t${family} local ${ours} netns ${ue1} ${near} ${ends(family, theirs)} xdp on`);
  await gtp(guest, `link add t${family} ${end} ${apart ? '' : session}`.trim());
  if (apart) await gtp(guest, `session add dev t${family} ${session}`);
}

/** Pings and TCP of both families over each. */
async function carry(t: ExecutionContext, { ue1, guest }: Beside, over: readonly Family[]): Promise<void> {
  await guest.must(`nsenter --net=/run/netns/ue2 /usr/bin/python3 -IS '${host('test/guest/mirror.py')}'`);
  for (const family of over)
    for (const within of FAMILIES) {
      const there = inside(within, family, 2);
      t.true(await answers(ue1, there), `pings of IPv${within} over IPv${family}`);
      t.deepEqual(await mirrored(ue1, there, 5003, SIZE), { equal: true, received: SIZE }, `TCP to ${there}`);
    }
}

const FAMILIES = [4, 6] as const;

/** The words of our session over a family. */
const ends = (family: Family, theirs: string): string =>
  `local-teid 1${family} remote-teid 2${family} remote ${theirs}`;

/** The address of a user (1 here, 2 in the guest) of the link over outer addresses of a family. */
const inside = (family: Family, over: Family, user: 1 | 2): string =>
  family === 4 ? `10.4${over}.0.${user}` : `fd4${over}::${user}`;

/** The other user's, out of one's. */
const other = (end: string): string => end.replace('1', '2');

/**
 * With one kernel: an inner end in a VRF of the guest, as n6 of fake-gateway has it, with the addresses and routes that it
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

/** What is there of links, pins and qdiscs. */
const left = (guest: Guest): Promise<string> =>
  guest.must(
    'find /run/bpf -mindepth 1 ! -name "*.debug"; ip -o link show type veth; tc qdisc show | grep clsact || true',
  );

const gtp = (guest: Guest, words: string): Promise<string> => guest.must(`GTP_BPFFS=/run/bpf ${commandIn(words)}`);

/** What one side of each link sent, the other got, once the last packets are there. Gives what the guest tells of its links besides. */
async function balanced(t: ExecutionContext, m1: string, guest: Guest, count: number): Promise<readonly Shown[]> {
  const both = async (): Promise<readonly (readonly [Stats, Shown])[]> => {
    const there = JSON.parse(await gtp(guest, '-d -s -j link show')) as Shown[];
    return Promise.all(there.map(async (link) => [await linkStats(m1, link.ifname), link] as const));
  };
  const pairs = (each: Awaited<ReturnType<typeof both>>) =>
    each.flatMap(([here, { stats }]) => [
      [here.encap.packets, stats.decap.packets],
      [stats.encap.packets, here.decap.packets],
    ]);
  const settled = await waitFor(both, (each) => pairs(each).every(([sent, got]) => sent === got));
  t.is(settled.length, count);
  for (const [sent, got] of pairs(settled)) t.is(got, sent);
  for (const [here, { stats }] of settled) t.deepEqual([dropped(here), dropped(stats)], [{}, {}]);
  return settled.map(([, shown]) => shown);
}

interface Shown {
  readonly ifname: string;
  readonly stats: Stats;
  readonly hook: readonly string[];
  readonly details: { readonly hooks: string };
}
