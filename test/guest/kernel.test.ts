// SPDX-License-Identifier: MIT
// The kernel's own driver by the words of gtp, against iproute2 and gtpctl.py, and with our datapath as the peer.
import test, { type ExecutionContext } from 'ava';
import { closeFixture, gtpIn, machineStats } from '../fixture';
import { commandsIn } from '../pages';
import { type LinkRecord, linkKeys, packets, type SessionRecord, sessionKeys } from '../records';
import type { Guest } from './boot';
import { commandIn } from './command';
import { exchange, joinGuest, teids, theirStats, tid, tool, toolWords } from './driver';
import { emulatedKernels, type Kernel, quickKernels } from './kernels';
import { answers, beside } from './topology';

test.after.always(closeFixture);

const WORDS = 'role sgsn hsize 77 restart_count 3';
const PEER = 'remote 192.0.2.1';
const OTHERS = [
  'pdp g0 1 0x80000005 0xfffffff6 10.45.0.2 192.0.2.1',
  'pdp g0 0 0x8214365870921435 4 10.45.0.3 192.0.2.1',
];

for (const kernel of quickKernels) {
  beside(
    kernel,
    'devices and contexts by gtp are those that other programs make, and the other way round',
    async (t, world) => {
      const { guest } = world;
      await guest.must(`ip link add g0 type gtp ${WORDS} && ip link set g0 up`);
      for (const words of OTHERS) await tool(guest, 'gtpctl.py', words);
      const theirs = await told(guest);
      await shown(t, guest, theirs.device, { local: null, echo: null });
      await gtp(guest, 'link del g0');

      const v1 = `local-teid 0x80000005 remote-teid 0xfffffff6 ${PEER} ue 10.45.0.2`;
      await gtp(guest, `link add g0 datapath kernel ${WORDS} ${v1}`);
      await gtp(guest, `session add dev g0 version 0 tid 0x8214365870921435 flow 4 ${PEER} ue 10.45.0.3`);
      const ours = await told(guest);
      t.deepEqual(ours, theirs);
      await shown(t, guest, ours.device, { local: '0.0.0.0', echo: 'on' });
      await (kernel.ipv6 ? changes : oldDriver)(t, guest);
      await elsewhere(t, world, kernel);
    },
  );

  const joint = kernel.ipv6
    ? ({ role: 'ggsn', family: 6, ends: teids, theirWords: 'local 2001:db8:2::2' } as const)
    : ({ role: 'sgsn', family: 4, ends: tid, theirWords: '' } as const);
  const version = joint.ends === tid ? 0 : 1;

  beside(
    kernel,
    `IPv${joint.family} outer: ours carries for a ${joint.role} of version ${version} that gtp made`,
    async (t, world) => {
      await joinGuest(kernel, world, joint.role, { ...joint, byGtp: true });
      await exchange(t, world, kernel.ipv6 ? [4, 6] : [4]);
      const { rx, tx } = await theirStats(world.guest);
      const [{ stats }] = await json<[LinkRecord]>(world.guest, '-s link show gtp0');
      t.deepEqual([stats.decap.packets, stats.decap.bytes], [rx.packets, rx.bytes]);
      t.deepEqual([stats.encap.packets, stats.encap.bytes], [tx.packets, tx.bytes]);
      const { status, stdout, stderr } = await world.guest.run(commandIn('ping dev gtp0 count 3 interval 0.05'));
      if (joint.family === 6) {
        t.is(status, 1);
        t.regex(stderr, /driver cannot do "ping 2001:db8:2::1": it sends Echo Requests over IPv4 alone/);
      } else {
        t.regex(
          stdout,
          /^PING 192\.0\.2\.1 port 3386 from 192\.0\.2\.2 port 3386: GTP-U version 0\n(from 192\.0\.2\.1: seq=[123] time=\S+ ms\n){3}/,
        );
        t.regex(stdout, /^3 packets transmitted, 3 received, 0% packet loss/m);
        t.is(packets((await machineStats(world.m1)).answered), 3);
      }
    },
  );
}

const newest = emulatedKernels.at(-1) as Kernel;

beside(newest, 'the newest driver takes the words of gtp', async (t, { guest }) => {
  await guest.must('ip netns add x');
  const session = 'local-teid 5 remote-teid 6 remote 2001:db8:2::1 ue 10.46.0.1 ue fd46:0:0:1::/64';
  await gtp(guest, `link add g0 datapath kernel netns x local :: ${WORDS} ${session}`);
  const [device] = JSON.parse(await guest.must('ip -n x -d -j link show g0')) as [Device];
  t.deepEqual(device.linkinfo.info_data, { role: 'sgsn', hsize: 77, restart_count: 3 });
  const contexts = await guest.must(`nsenter --net=/run/netns/x ${toolWords('gtpctl.py', 'list g0')}`);
  t.is(contexts, '1 0x5 0x6 10.46.0.1 2001:db8:2::1\n1 0x5 0x6 fd46:0:0:1:: 2001:db8:2::1\n');
});

beside(quickKernels.at(-1) as Kernel, 'what the page of recipes says of the driver is so', async (t, { guest }) => {
  const commands = commandsIn('docs/recipes.md', "The kernel's own driver");
  const { status, stdout, stderr } = await guest.run(
    `gtp() { ${commandIn('"$@"')}; }\nset -e\n${commands}ls /run/netns`,
  );
  t.is(status, 0, stderr + stdout);
  t.regex(stdout, /^3 packets transmitted, 3 received(.*\n)*PING 198\.51\.100\.2 .*\n(from 198\.51\.100\.2: .*\n){3}/m);
  t.regex(stdout, /^dev gtp0 type gtp local-teid 0x00000001 .* ue 10\.45\.0\.2\/32(.*\n)*$/m);
});

const gtp = (guest: Guest, words: string): Promise<string> => guest.must(commandIn(words));

const json = async <T>(guest: Guest, words: string): Promise<T> => JSON.parse(await gtp(guest, `-j ${words}`));

interface Device {
  readonly ifindex: number;
  readonly mtu: number;
  readonly linkinfo: {
    readonly info_data: { readonly role: string; readonly hsize: number; readonly restart_count: number };
  };
}

/** What other programs say of g0: `ip -d link show`, but for what each device has of its own, and its contexts. */
async function told(guest: Guest): Promise<{ device: Omit<Device, 'ifindex'>; contexts: string }> {
  const [device] = JSON.parse(await guest.must('ip -d -j link show g0')) as [Device & Record<string, unknown>];
  const { ifindex: _, ifalias: __, inet6_addr_gen_mode: ___, ...rest } = device;
  return { device: rest, contexts: await tool(guest, 'gtpctl.py', 'list g0') };
}

/** What gtp shows of g0 is what iproute2 shows, and has all keys. */
async function shown(
  t: ExecutionContext,
  guest: Guest,
  { mtu, linkinfo }: Omit<Device, 'ifindex'>,
  own: object,
): Promise<void> {
  const [link] = await json<[LinkRecord]>(guest, 'link show');
  t.like(link, {
    ifname: 'g0',
    type: 'gtp',
    datapath: 'kernel',
    mtu,
    netns: null,
    sessions: 2,
    ...linkinfo.info_data,
    ...own,
  });
  for (const key of linkKeys) t.true(key in link, key);
  const sessions = await json<SessionRecord[]>(guest, 'session show dev g0');
  t.like(sessions, [
    {
      version: 1,
      local_teid: 0x80000005,
      remote_teid: 0xfffffff6,
      remote: '192.0.2.1',
      ue: ['10.45.0.2/32'],
      peer: 'any',
      state: 'up',
    },
    { version: 0, flow: 4, remote_flow: 4, remote: '192.0.2.1', ue: ['10.45.0.3/32'], state: 'up' },
  ]);
  for (const session of sessions) for (const key of sessionKeys) t.true(key in session, key);
}

const contextsOf = (guest: Guest): Promise<string> => tool(guest, 'gtpctl.py', 'list g0');

/** A context of version 1 as gtpctl.py tells it. */
const v1 = (ue: string, peer = '192.0.2.1', remote = '0xfffffff6'): string => `1 0x80000005 ${remote} ${ue} ${peer}\n`;
const V0 = '0 0x8214365870921435 0x4 10.45.0.3 192.0.2.1\n';
const BOTH = `session replace dev g0 local-teid 0x80000005 remote-teid 1 ${PEER} ue 10.45.0.5 ue fd45:0:0:5::/64`;

async function refused(t: ExecutionContext, guest: Guest, words: string, said: RegExp, status = 2): Promise<void> {
  const result = await guest.run(commandIn(words));
  t.is(result.status, status, `${words}: ${result.stderr}`);
  t.regex(result.stderr, said, words);
}

/** A driver of before 6.10 knows IPv4 alone; the session that was to be replaced is still there. */
async function oldDriver(t: ExecutionContext, guest: Guest): Promise<void> {
  await refused(t, guest, BOTH, /Invalid argument\nHint: the driver knows IPv6 since Linux 6\.10/);
  t.is(await contextsOf(guest), V0 + v1('10.45.0.2'));
  await gtp(guest, 'link del g0');
}

/** Sessions of g0 change, and what is refused leaves them as they were. */
async function changes(t: ExecutionContext, guest: Guest): Promise<void> {
  const named = 'dev g0 local-teid 0x80000005';
  const add = `session add ${named} remote-teid 1 ${PEER} ue 10.45.0.9`;
  await refused(t, guest, add, /File exists\nHint: link g0 has that ID/);
  const taken = /File exists\nHint: another session of the link has ue 10\.45\.0\.3/;
  await refused(t, guest, `session change ${named} ue 10.45.0.3`, taken);
  await refused(t, guest, `session change ${named} qfi 9`, /^Error: the kernel's gtp driver cannot do "qfi 9"\n/, 1);
  await refused(t, guest, 'session del dev g0 local-teid 7', /session local-teid 0x00000007 of g0: No such session/);
  t.is(await contextsOf(guest), V0 + v1('10.45.0.2'));
  await gtp(guest, `session change ${named} remote 192.0.2.9 ue 10.45.0.4`);
  t.is(await contextsOf(guest), V0 + v1('10.45.0.4', '192.0.2.9'));
  await gtp(guest, 'session del dev g0 tid 0x8214365870921435');
  await gtp(guest, BOTH);
  const two = `${v1('10.45.0.5', '192.0.2.1', '0x1')}1 0x80000005 0x1 fd45:0:0:5:: 192.0.2.1\n`;
  t.is(await contextsOf(guest), two);
  t.like(await json(guest, `session get ${named}`), [{ ue: ['10.45.0.5/32', 'fd45:0:0:5::/64'] }]);
  await gtp(guest, 'session flush dev g0 ue fd45:0:0:5::7');
  t.is(await contextsOf(guest), '\n');
  await gtp(guest, 'link set g0 mtu 1400 address 10.45.0.2/24 down');
  t.like(JSON.parse(await guest.must('ip -j addr show g0')), [
    { mtu: 1400, operstate: 'DOWN', addr_info: [{ local: '10.45.0.2', prefixlen: 24 }] },
  ]);
  await gtp(guest, 'link del g0');
}

const UNBOUND =
  /bind link k0 to 192\.0\.2\.2: the gtp driver of this kernel receives at all IPv4 addresses\n.*since Linux 6\.10/;

/** A link whose device is in another namespace is found from here, and carries. */
async function elsewhere(
  t: ExecutionContext,
  { m1, ue1, guest }: { m1: string; ue1: string; guest: Guest },
  kernel: Kernel,
): Promise<void> {
  await guest.must('ip netns add x');
  const add = 'link add k0 datapath kernel role sgsn netns x address 10.45.0.2/24';
  await (kernel.ipv6
    ? refused(t, guest, `${add} address 10.45.0.2/24`, /add address 10\.45\.0\.2\/24 to k0: /)
    : refused(t, guest, `${add} local 192.0.2.2`, UNBOUND));
  t.notRegex(await guest.must('ip -n x -o link show'), /k0/, 'nothing is left');
  const made = await json(guest, `${add} ${kernel.ipv6 ? 'local 192.0.2.2' : ''}`.trim());
  t.like(made, [{ ifname: 'k0', netns: 'x', state: 'up', role: 'sgsn', sessions: 0 }]);
  await gtp(guest, `session add dev k0 local-teid 2 remote-teid 1 ${PEER} ue 10.45.0.2`);
  const alone = await guest.run(`GTP_BPFFS=/tmp ${commandIn('-j link show netns x')}`);
  t.regex(alone.stderr, /^Note: this is of datapath kernel alone: use GTP_BPFFS \/tmp: not a directory on a bpffs\n$/);
  t.like(JSON.parse(alone.stdout), [
    { ifname: 'k0', netns: 'x', sessions: 1, local: kernel.ipv6 ? '192.0.2.2' : '0.0.0.0' },
  ]);
  const [here, there] = [await json<object[]>(guest, 'session show'), await json<object[]>(guest, '-n x session show')];
  t.like(here, [{ dev: 'k0', state: 'up', ue: ['10.45.0.2/32'] }]);
  t.deepEqual(there, [{ ...here[0], state: null }], 'the same from there, where nobody knows the way to the peer');
  const session = 'local-teid 1 remote-teid 2 remote 192.0.2.2';
  await gtpIn(m1, `link add k0 local 192.0.2.1 netns ${ue1} address 10.45.0.1/24 ${session}`);
  t.true(await answers(ue1, '10.45.0.2'), 'pings');
  const ping = await guest.run(commandIn('ping dev k0 count 1'));
  t.regex(ping.stdout, /^1 packets transmitted, 1 received/m, ping.stderr);
  await gtp(guest, '-n x link flush');
  t.regex(await guest.must('ip -n x -o link show'), /k0/, 'it is no link of that namespace');
  await gtp(guest, 'link flush');
  t.notRegex(await guest.must('ip -n x -o link show'), /k0/);
}
