// SPDX-License-Identifier: MIT
// Our VLANs against devices and bridges of the kernel, and a switch in user space.
import test, { type ExecutionContext } from 'ava';
import { buildOne, packetSocket, transfer } from '../agent';
import { closeFixture, gtpIn, gtpTry, linkStats, namespace, sessions, using } from '../fixture';
import { dropped } from '../records';
import { must } from '../run';
import { inner, macOf, mtuOf, ping, quiet, type TwoMachines, twoMachines, user } from '../topology';
import { LINK } from '../tunnel-kinds';
import { noVlanDevice, plainDevice, vlanPeers } from '../tunnel-peers';
import { during, frameOut } from '../tunnel-raw';

test.after.always(closeFixture);

const inMachines = using(twoMachines);

for (const peer of vlanPeers)
  for (const protocol of ['802.1Q', '802.1ad'] as const) {
    const title = `${protocol} against ${peer.title}: ping, TCP and full datagrams, both ways`;
    const body = inMachines(async (t: ExecutionContext, m: TwoMachines) => {
      await peer.make(m, protocol, 5);
      await gtpIn(m.m1, `link add ${LINK} type vlan dev ul netns ${m.ue1} ${user(0)} id 5 protocol ${protocol}`);
      t.is(await mtuOf(m.ue1), 1500);
      for (const version of [4, 6] as const) {
        const [near, far] = inner[version];
        t.is(await ping(m.ue1, far), 3);
        t.is(await ping(m.ue2, near), 3);
        const [there, back] = [
          await transfer({ from: m.ue1, to: m.ue2, address: far, size: 300_000 }),
          await transfer({ from: m.ue2, to: m.ue1, address: near, size: 300_000 }),
        ];
        const whole = { equal: true, received: 300_000 };
        t.deepEqual([there, back], [whole, whole]);
        const full = ['-M', 'do', '-s', `${version === 4 ? 1472 : 1452}`];
        t.is(await ping(m.ue1, far, 2, ...full), 2);
        t.is(await ping(m.ue2, near, 2, ...full), 2);
      }
      t.deepEqual(dropped(await linkStats(m.m1, LINK)), {});
    });
    if (peer.missing === undefined) test.serial(title, body);
    else test.serial.skip(`${title} (${peer.missing})`, body);
  }

/** m1 with a VLAN of ours, and something of its own on the same wire that takes what is not ours: a macvlan. */
async function beside(m: TwoMachines): Promise<string> {
  const other = await namespace('other', ...quiet);
  await must(['ip', '-n', m.m1, ...'link add other0 link ul type macvlan mode bridge'.split(' ')]);
  await must(['ip', '-n', m.m1, 'link', 'set', 'other0', 'netns', other, 'name', 'eth0', 'up']);
  await gtpIn(m.m1, `link add ${LINK} type vlan dev ul netns ${m.ue1} ${user(0)} id 5`);
  return other;
}

test.serial(
  'frames of other VLANs, of other tags and without one are left to others on the same wire',
  inMachines(async (t, m) => {
    const other = await beside(m);
    const mac = await macOf(other, 'eth0');
    const wire = await packetSocket(m.m2, 'ul');
    const text = (tag: string, mark: string): string =>
      `Ether(src='02:00:00:00:00:09',dst='${mac}')${tag && `/${tag}`}/IP(src='10.9.0.1',dst='10.9.0.2')/UDP()/b'<${mark}>'`;
    const tags = { six: 'Dot1Q(vlan=6)', ad: 'Dot1AD(vlan=5)', none: '', zero: 'Dot1Q(vlan=0)', ours: 'Dot1Q(vlan=5)' };
    const tap = await packetSocket(m.ue1, 'eth0');
    const seen = await during(other, 'eth0', async () => {
      for (const [mark, tag] of Object.entries(tags)) await wire.send(await buildOne(text(tag, mark)));
      t.is((await tap.receive({ contains: '<ours>' })).length, 1, 'ours is ours');
    });
    const marks = Object.keys(tags).filter((mark) => seen.some((frame) => frame.includes(`<${mark}>`)));
    t.deepEqual(marks, ['six', 'ad', 'none', 'zero']);
    t.deepEqual(await tap.receive({ contains: '10.9.0.1', timeout: 0 }), []);
    t.deepEqual(dropped(await linkStats(m.m1, LINK)), {});
  }),
);

test.serial(
  'IP and other tunnels on the same wire go on beside a VLAN of ours',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add ${LINK} type vlan dev ul netns ${m.ue1} ${user(0)} id 5`);
    await gtpIn(m.m2, `link add ${LINK} type vlan dev ul netns ${m.ue2} ${user(1)} id 5`);
    t.is(await ping(m.m1, '192.0.2.2'), 3);
    t.is(await ping(m.m2, '2001:db8:2::1'), 3);
    await gtpIn(m.m1, 'link add t1 type vlan dev ul address 10.46.0.1/24 id 6');
    await gtpIn(m.m2, 'link add t1 type vlan dev ul address 10.46.0.2/24 id 6');
    await gtpIn(m.m1, 'link add g1 local 192.0.2.1 address 10.47.0.1/24 local-teid 1 remote-teid 2 remote 192.0.2.2');
    await gtpIn(m.m2, 'link add g1 local 192.0.2.2 address 10.47.0.2/24 local-teid 2 remote-teid 1 remote 192.0.2.1');
    t.is(await ping(m.ue1, inner[4][1]), 3);
    t.is(await ping(m.m1, '10.46.0.2'), 3);
    t.is(await ping(m.m1, '10.47.0.2'), 3);
    t.deepEqual((await sessions(m.m1)).map(({ dev, type }) => `${dev} ${type}`).sort(), [
      'g1 gtp',
      't0 vlan',
      't1 vlan',
    ]);
  }),
);

test.serial(
  'a frame that has a tag of its own gets ours in front of it, and comes back with its own alone',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add ${LINK} type vlan dev ul netns ${m.ue1} ${user(0)} id 5 protocol 802.1ad`);
    await plainDevice(m.m1, 'ul');
    const tap = await packetSocket(m.ue1, 'eth0');
    const tagged = (await buildOne(frameOut('<customer>'))).toString('hex');
    const customer = Buffer.from(`${tagged.slice(0, 24)}8100a009${tagged.slice(24)}`, 'hex');
    const out = await during(m.m2, 'ul', async () => void (await tap.send(customer)));
    const wanted = Buffer.from(`${tagged.slice(0, 24)}88a800058100a009${tagged.slice(24)}`, 'hex');
    t.deepEqual(
      out.filter((frame) => frame.includes('<customer>')).map((frame) => frame.toString('hex')),
      [wanted.toString('hex')],
    );
    const wire = await packetSocket(m.m2, 'ul');
    const back = await during(m.ue1, 'eth0', async () => void (await wire.send(wanted)));
    t.deepEqual(
      back.filter((frame) => frame.includes('<customer>')).map((frame) => frame.toString('hex')),
      [customer.toString('hex')],
    );
  }),
);

test.serial(
  'one id of one wire belongs to one session; on another wire, or with another tag, it is free',
  inMachines(async (t, m) => {
    await must(['ip', '-n', m.m1, ...'link add ul2 type veth peer name ul2-far'.split(' ')]);
    await must(['ip', '-n', m.m1, 'link', 'set', 'ul2', 'up']);
    await gtpIn(m.m1, 'link add a type vlan dev ul id 5');
    const { status, stderr } = await gtpTry(m.m1, 'link add b type vlan dev ul id 5');
    t.is(status, 2);
    t.regex(stderr, /^Error: .*File exists/);
    await gtpIn(m.m1, 'link add c type vlan dev ul id 5 protocol 802.1ad');
    await gtpIn(m.m1, 'link add d type vlan dev ul2 id 5');
    for (const words of ['link add e type vlan id 7', `link add e type vlan dev ul id 7 remote 192.0.2.2`]) {
      const refused = await gtpTry(m.m1, words);
      t.is(refused.status, 1, words);
    }
    for (const id of ['0', '4095', '4096'])
      t.is((await gtpTry(m.m1, `link add e type vlan dev ul id ${id}`)).status, 1, id);
    await gtpIn(m.m1, 'session del dev a id 5');
    t.is((await sessions(m.m1, 'dev a')).length, 0);
  }),
);

const withDevice = noVlanDevice === undefined ? test.serial : test.serial.skip;
withDevice(
  `a VLAN device of the kernel works beside ours on the same wire${noVlanDevice === undefined ? '' : ` (${noVlanDevice})`}`,
  inMachines(async (t, m) => {
    for (const [ns, host] of [
      [m.m1, 1],
      [m.m2, 2],
    ] as const) {
      await must(['ip', '-n', ns, ...'link add link ul name v6 type vlan id 6'.split(' ')]);
      await must(['ip', '-n', ns, '-b', '-'], { input: `addr add 10.46.0.${host}/24 dev v6\nlink set v6 up\n` });
    }
    await gtpIn(m.m1, `link add ${LINK} type vlan dev ul netns ${m.ue1} ${user(0)} id 5`);
    await gtpIn(m.m2, `link add ${LINK} type vlan dev ul netns ${m.ue2} ${user(1)} id 5`);
    t.is(await ping(m.m1, '10.46.0.2'), 3);
    t.is(await ping(m.ue1, inner[4][1]), 3);
  }),
);
