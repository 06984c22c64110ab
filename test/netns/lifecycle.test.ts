// SPDX-License-Identifier: MIT
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import test from 'ava';
import { build, buildOne, packetSocket, udpSocket } from '../agent';
import {
  bpffs,
  closeFixture,
  command,
  deleteNamespace,
  gtp,
  gtpIn,
  gtpTry,
  links,
  namespace,
  pins,
  sessions,
  using,
} from '../fixture';
import { gpdu } from '../gtp-frame';
import { background, must, run, waitFor, within } from '../run';
import { dirOf } from '../state/snapshot';
import { ends, inner, join, macOf, oneMachine, ping, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const there = '192.0.2.2';

test.serial(
  'link del takes its sessions, pins, hooks, both ends and the changed offloads along',
  inMachines(async (t, m) => {
    const before = await traces(m.m1, m.ue1);
    await join(m, 4);
    t.true(pins().length > 0);
    t.regex(await gtpIn(m.m1, '-d link show'), /tx-udp_tnl-segmentation/, 'changed offloads are shown');
    await gtpIn(m.m1, 'link del gtp0');
    await gtpIn(m.m2, 'link del gtp0');
    t.deepEqual(await traces(m.m1, m.ue1), before);
    t.deepEqual(pins(), []);
    const program = await udpSocket(m.m1, '192.0.2.1', 2152);
    await (await udpSocket(m.m2, there, 2152)).send(gpdu(0x101, Buffer.from('for the stack again')), [
      '192.0.2.1',
      2152,
    ]);
    t.is((await program.receive()).length, 1);
  }),
);

test.serial(
  'link del leaves the other links alone',
  inMachines(async (t, m) => {
    await join(m, 4);
    await gtpIn(m.m1, `link add gtp1 local 192.0.2.1 netns ${m.ue2} inner other ${ends(7, 8, there)}`);
    await gtpIn(m.m1, 'link del gtp1');
    t.is(await ping(m.ue1, inner[4][1]), 3);
    t.deepEqual(
      (await sessions(m.m1)).map((each) => each.local_teid),
      [0x101],
    );
  }),
);

test.serial(
  "a deleted user's namespace takes the link along, and the same words work again",
  inMachines(async (t, m) => {
    const words = (ns: string) => `link add gtp0 local 192.0.2.1 netns ${ns} address 10.45.0.1/24 ${ends(1, 2, there)}`;
    await gtpIn(m.m1, words(m.ue1));
    await deleteNamespace(m.ue1);
    await waitFor(
      () => run(['ip', '-n', m.m1, 'link', 'show', 'gtp0']),
      ({ status }) => status !== 0,
    );
    t.deepEqual(await links(m.m1), []);
    t.deepEqual(await sessions(m.m1), []);
    const again = await namespace('ue1b');
    await gtpIn(m.m1, words(again));
    t.is((await sessions(m.m1)).length, 1);
    t.is((await sessions(m.m1))[0]?.stats.encap.packets, 0, 'counters start anew');
    await gtpIn(m.m1, 'link del gtp0');
    t.deepEqual(pins(), []);
  }),
);

test.serial(
  'a deleted machine leaves nothing that a later gtp trips over',
  inMachines(async (t, m) => {
    await join(m, 4);
    await deleteNamespace(m.m1);
    await gtpIn(m.m2, 'link show');
    const successor = await namespace('m1');
    t.deepEqual(await links(successor), []);
    await gtpIn(m.m2, 'link del gtp0');
    await must(['ip', '-n', m.m2, 'addr', 'add', `${there}/32`, 'dev', 'lo']); // the wire went with m1
    await gtpIn(m.m2, `link add gtp9 local ${there} netns ${m.ue2}`);
    await gtpIn(m.m2, 'link del gtp9');
    t.deepEqual(pins(), [], 'the pins of the dead namespace are swept');
  }),
);

test.serial(
  'a link deleted by other means leaves nothing, and its reused ifindex inherits nothing',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1} address 10.45.0.1/24 ${ends(1, 2, there)}`);
    await gtpIn(m.m1, `link add keeper local 192.0.2.1 netns ${m.ue2} address 10.46.0.1/24 ${ends(3, 4, there)}`);
    const index = (await links(m.m1, 'gtp0'))[0]?.ifindex;
    await must(['ip', '-n', m.m1, 'link', 'del', 'gtp0']);
    const foreign = [
      'link',
      'add',
      'foreign',
      'index',
      `${index}`,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      m.ue1,
    ];
    await must(['ip', '-n', m.m1, ...foreign]);
    await must(['ip', '-n', m.m1, 'link', 'set', 'foreign', 'up']);
    await must(['ip', '-n', m.ue1, '-b', '-'], { input: 'addr add 10.45.0.1/24 dev eth0\nlink set eth0 up\n' });
    const user = await udpSocket(m.ue1, '10.45.0.1', 7000);
    const peer = await udpSocket(m.m2, there, 2152);
    const stray = await buildOne(`IP(src='10.45.0.2',dst='10.45.0.1')/UDP(sport=1,dport=7000)/b'stray'`);
    await peer.send(gpdu(1, stray), ['192.0.2.1', 2152]);
    await peer.send(gpdu(3, await buildOne(`IP(src='10.46.0.2',dst='10.46.0.1')/UDP()/b'mine'`)), ['192.0.2.1', 2152]);
    await waitFor(
      () => links(m.m1, 'keeper'),
      ([record]) => record?.stats.decap.packets === 1,
    );
    t.deepEqual(await user.receive({ timeout: 0 }), [], 'nothing gets into the namespace of somebody else');
    t.deepEqual(
      (await links(m.m1)).map((each) => each.ifname),
      ['keeper'],
    );
    t.deepEqual(
      (await sessions(m.m1)).map((each) => each.local_teid),
      [3],
    );
    const frame = await build(
      `Ether(src='${await macOf(m.ue1, 'eth0')}',dst='${await macOf(m.m1, 'foreign')}')/IP(dst='10.45.0.2')/UDP()/b'not encapsulated'`,
    );
    await (await packetSocket(m.ue1, 'eth0')).send(frame);
    t.deepEqual(await peer.receive({ timeout: 0.1, contains: 'not encapsulated' }), []);
    await gtpIn(m.m1, `session add dev keeper ${ends(1, 9, there)} ue 10.99.0.1`);
    t.is((await sessions(m.m1)).length, 2, 'the TEID is free again');
  }),
);

test.serial(
  'the namespace may be given as a name, a path or a process',
  inMachines(async (t, m) => {
    const sleeper = await background(within(m.m1, 'sh', '-c', 'echo $$ ready >&2; exec sleep 60'), /ready/);
    const holder = await background(within(m.ue1, 'sh', '-c', 'echo $$ ready >&2; exec sleep 60'), /ready/);
    const pid = async (ns: string) => (await must(['ip', 'netns', 'pids', ns])).trim();
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1} ${ends(1, 2, there)}`);
    await gtpIn(m.m1, `link add gtp1 local 192.0.2.1 netns /run/netns/${m.ue1} inner eth1 ${ends(3, 4, there)}`);
    await gtpIn(m.m1, `link add gtp2 local 192.0.2.1 netns ${await pid(m.ue1)} inner eth2 ${ends(5, 6, there)}`);
    for (const where of [m.m1, `/run/netns/${m.m1}`, await pid(m.m1)]) {
      const { status, stdout } = await gtp(`-n ${where} -j link show`);
      t.is(status, 0, where);
      t.deepEqual(
        (JSON.parse(stdout) as { netns: string }[]).map(({ netns }) => netns),
        [m.ue1, m.ue1, m.ue1],
        where,
      );
    }
    t.is((await must(['ip', '-n', m.ue1, '-o', 'link'])).trim().split('\n').length, 4);
    await sleeper.stop();
    await holder.stop();
  }),
);

test.serial(
  'without netns the inner end stays here and is called after the link',
  using(oneMachine)(async (t, m) => {
    await gtpIn(m.m1, 'link add gtp0 local 192.0.2.1 address 10.45.0.1/24');
    t.like((await links(m.m1))[0], { ifname: 'gtp0', inner: 'gtp0i', netns: null });
    const long = await gtpTry(m.m1, 'link add fifteen-letters local 192.0.2.1');
    t.is(long.status, 1);
    t.regex(long.stderr, /inner/);
    await gtpIn(m.m1, 'link add fifteen-letters local 192.0.2.1 inner short');
    t.is((await links(m.m1)).length, 2);
  }),
);

test.serial(
  'gtp started by ip netns exec, where /sys is another mount, sees the same pins',
  inMachines(async (t, m) => {
    const env = { GTP_BPFFS: undefined };
    // Other tests may use the real bpffs at the same time: only the folder of this namespace is ours.
    const root = dirname(dirOf(m.m1, '/sys/fs/bpf'));
    const exec = (...words: string[]) =>
      must(['ip', 'netns', 'exec', m.m1, process.execPath, command, ...words], { env: { ...process.env, ...env } });
    await exec(...`link add gtp0 local 192.0.2.1 netns ${m.ue1} address 10.45.0.1/24 ${ends(1, 2, there)}`.split(' '));
    try {
      t.true(existsSync(root), 'the pins are in the real bpffs');
      const outside = await gtp(`-n ${m.m1} -j session show`, { env });
      t.is((JSON.parse(outside.stdout) as unknown[]).length, 1);
      t.is((JSON.parse(await exec('-j', 'link', 'show')) as unknown[]).length, 1);
      const added = await gtp(`-n ${m.m1} session replace dev gtp0 ${ends(1, 9, there)}`, { env });
      t.is(added.status, 0, added.stderr);
      t.is((JSON.parse(await exec('-j', 'session', 'show')) as { remote_teid: number }[])[0]?.remote_teid, 9);
    } finally {
      await exec('link', 'flush');
    }
    t.false(existsSync(root), 'nothing is left in the real bpffs');
    t.deepEqual(pins(bpffs), [], 'and nothing was put into that of the tests');
  }),
);

test.serial(
  'several gtp at once do not disturb each other',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1}`);
    const numbers = Array.from({ length: 8 }, (_, i) => i + 1);
    const results = await Promise.all(
      numbers.map((i) => gtpTry(m.m1, `session add dev gtp0 ${ends(i, i, there)} ue 10.45.1.${i}`)),
    );
    t.deepEqual(
      results.map(({ status, stderr }) => `${status}${stderr}`),
      numbers.map(() => '0'),
    );
    t.deepEqual((await sessions(m.m1)).map((each) => each.local_teid).sort(), numbers);
    const race = await Promise.all(
      numbers.map((i) => gtpTry(m.m1, `session add dev gtp0 ${ends(99, i, there)} ue 10.45.2.${i}`)),
    );
    t.is(race.filter(({ status }) => status === 0).length, 1, 'one of them gets the TEID');
    const deleted = await Promise.all(numbers.map((i) => gtpTry(m.m1, `session del dev gtp0 local-teid ${i}`)));
    t.true(deleted.every(({ status }) => status === 0));
    t.is((await sessions(m.m1)).length, 1);
  }),
);

/** What a link changes beside the pins: devices on both sides, offloads and queueing of the underlay. */
async function traces(machine: string, user: string): Promise<string[]> {
  const names = async (ns: string) => (await must(['ip', '-n', ns, '-br', 'link'])).replace(/\s+/g, ' ');
  const offloads = await must(within(machine, 'ethtool', '-k', 'ul'));
  const routes = await must(['ip', '-n', machine, 'route', 'show', 'table', 'all']);
  return [await names(machine), await names(user), offloads, await must(['tc', '-n', machine, 'qdisc']), routes];
}
