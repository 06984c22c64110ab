// SPDX-License-Identifier: MIT
import type { ExecutionContext } from 'ava';
import { mirrored } from '../agent';
import { gtpIn, linkStats } from '../fixture';
import { dropped, type Stats } from '../records';
import { waitFor } from '../run';
import { type Family, outer } from '../topology';
import type { Guest } from './boot';
import { commandIn, host } from './command';
import type { Kernel } from './kernels';
import { answers, type Beside } from './topology';

export type Role = 'ggsn' | 'sgsn';

/** The role at the other end. */
export const opposite = { ggsn: 'sgsn', sgsn: 'ggsn' } as const;

/** The addresses of our user and of the one in the guest. The driver knows an IPv6 user by the /64 prefix. */
export const users = { 4: ['10.45.0.1', '10.45.0.2'], 6: ['fd45:0:0:1::1', 'fd45:0:0:2::2'] } as const;

/** The words of the only session, and of the driver's context for it: for gtpctl.py, and for gtp in the guest. */
export interface Ends {
  readonly session: string;
  readonly context: string;
  readonly theirs: string;
}

/** Version 1; TEIDs above 2^31, to see that nobody takes them for negative. */
export const teids: Ends = {
  session: 'local-teid 0xfffffffe remote-teid 0x80000001',
  context: '1 0x80000001 0xfffffffe',
  theirs: 'local-teid 0x80000001 remote-teid 0xfffffffe',
};

/** Version 0, over IPv4 alone; the label in the context is the one that the driver sends. */
export const tid: Ends = {
  session: 'version 0 tid 0x8214365870921435 flow 0x1234 remote-flow 0xfedc',
  context: '0 0x8214365870921435 0x1234',
  theirs: 'version 0 tid 0x8214365870921435 remote-flow 0x1234',
};

/** What differs from joint to joint: words of our session, and of their device. */
interface Joint {
  readonly ends?: Ends;
  readonly family?: Family;
  readonly words?: string;
  readonly theirWords?: string;
  /** The guest's device and contexts are made by gtp in the guest, and not by iproute2 and gtpctl.py. */
  readonly byGtp?: true;
}

/** The words that run one of the programs in this folder that are for guests. */
export const toolWords = (name: string, words: string): string =>
  `/usr/bin/python3 -IS '${host(`test/guest/${name}`)}' ${words}`;

/** Runs it. */
export const tool = (guest: Guest, name: string, words = ''): Promise<string> => guest.must(toolWords(name, words));

/** Makes the driver's device `gtp0` in the guest, with the guest's user on it; over IPv4 iproute2 of this machine can. */
export async function theirDevice(guest: Guest, role: Role, family: Family = 4, words = ''): Promise<void> {
  if (family === 6) await tool(guest, 'gtpctl.py', `link gtp0 ${role} ${outer[6][1]}`);
  await guest.ip([
    ...(family === 4 ? [`link add gtp0 type gtp role ${role} hsize 256 ${words}`] : []),
    'link set gtp0 up',
    `addr add ${users[4][1]}/24 dev gtp0`,
    `addr add ${users[6][1]}/64 dev gtp0 nodad`,
    `route add ${prefixOf(users[6][0])} dev gtp0`,
  ]);
}

/** The same device with its session, made by gtp in the guest. */
const theirLink = (guest: Guest, words: string): Promise<string> => {
  const user = `address ${users[4][1]}/24 address ${users[6][1]}/64 route ${prefixOf(users[6][0])}`;
  return guest.must(commandIn(`link add gtp0 datapath kernel ${user} ${words}`));
};

/**
 * Joins our user and the guest's: link gtp0 on our side in the role opposite to theirs. The user that both sides know by address
 * is ours when they are the network (ggsn), and the guest's otherwise.
 */
export async function joinGuest(
  kernel: Kernel,
  { m1, ue1, guest }: Beside,
  role: Role,
  { ends = teids, family = 4, words = '', theirWords = '', byGtp }: Joint = {},
): Promise<void> {
  const [ours, theirs] = outer[family];
  const ue = role === 'ggsn' ? 0 : 1;
  const inners = kernel.ipv6 ? ([4, 6] as const) : ([4] as const);
  const prefixes = inners.map((each) => (each === 4 ? users[4][ue] : prefixOf(users[6][ue])));
  const ues = prefixes.map((each) => `ue ${each}`).join(' ');
  if (byGtp) await theirLink(guest, `role ${role} ${theirWords} ${ends.theirs} remote ${ours} ${ues}`);
  else {
    await theirDevice(guest, role, family, theirWords);
    for (const each of prefixes)
      await tool(guest, 'gtpctl.py', `pdp gtp0 ${ends.context} ${each.replace(/\/64$/, '')} ${ours}`);
  }
  const user = `address ${users[4][0]}/24 address ${users[6][0]}/64 route ${prefixOf(users[6][1])}`;
  const session = `${ends.session} remote ${theirs} ${ues} ${words}`.trim();
  await gtpIn(m1, `link add gtp0 role ${opposite[role]} local ${ours} netns ${ue1} ${user} ${session}`);
}

/** Pings between the users from both sides, and some megabytes of TCP there and back; then both sides have the same counts. */
export async function exchange(t: ExecutionContext, { m1, ue1, guest }: Beside, inners: readonly Family[]) {
  await tool(guest, 'mirror.py');
  for (const inner of inners) {
    const [ours, theirs] = users[inner];
    t.true(await answers(ue1, theirs), `IPv${inner}, from here`);
    const back = await guest.run(`ping -n -c 3 -i 0.02 -w 10 -I ${theirs} ${ours}`);
    t.is(back.status, 0, `IPv${inner}, from there: ${back.stdout}`);
    t.deepEqual(await mirrored(ue1, theirs, 5003, SIZE), { equal: true, received: SIZE }, `TCP over IPv${inner}`);
  }
  const { here, there } = await waitFor(
    async () => ({ here: await linkStats(m1), there: await theirStats(guest) }),
    ({ here, there }) => here.encap.packets === there.rx.packets && here.decap.packets === there.tx.packets,
  );
  t.deepEqual([there.rx.packets, there.tx.packets], [here.encap.packets, here.decap.packets], 'both count the same');
  t.is(there.rx.bytes, here.encap.bytes);
  t.true(here.encap.bytes > inners.length * SIZE && here.decap.bytes > inners.length * SIZE);
  t.deepEqual(dropped(here), {});
}

const SIZE = 4_000_000;

interface DeviceStats {
  readonly rx: Stats['encap'] & { readonly dropped: number; readonly errors: number };
  readonly tx: Stats['encap'];
}

/** The counters of the driver's device. */
export async function theirStats(guest: Guest): Promise<DeviceStats> {
  const [device] = JSON.parse(await guest.must('ip -j -s link show gtp0')) as { stats64: DeviceStats }[];
  if (device === undefined) throw new Error('no device gtp0 in the guest');
  return device.stats64;
}

const prefixOf = (address: string): string => `${address.replace(/::.*/, '::')}/64`;
