// SPDX-License-Identifier: MIT
// Links of Ethernet frames carry any frame untouched, and hosts behind a bridge.
import test, { type ExecutionContext } from 'ava';
import { build, packetSocket, transfer } from '../agent';
import { closeFixture, gtpIn, linkStats, machineStats, namespace, using, wire } from '../fixture';
import { dropped } from '../records';
import { must } from '../run';
import { inner, mtuOf, oneMachine, ownAddresses, ping, quiet, type TwoMachines, twoMachines } from '../topology';
import { carriesFrames, joinKind, joinOnOne, type Kind, LINK, plainKinds, titleOf } from '../tunnel-kinds';

import { during, MAC } from '../tunnel-raw';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const frameKinds = plainKinds.filter(({ type }) => carriesFrames(type));

const ether = (to: string, more = ''): string => `Ether(src='${MAC.near}',dst='${to}'${more})`;
const ip = `IP(src='10.45.0.1',dst='10.45.0.2')/UDP(sport=5,dport=6)/b'tagged'`;

/** Frames that have to come out as they went in. */
const untouched: readonly string[] = [
  `${ether(MAC.far)}/Dot1Q(vlan=7,prio=5)/${ip}`,
  `${ether(MAC.far)}/Dot1Q(vlan=0,prio=3)/${ip}`,
  `${ether(MAC.far)}/Dot1AD(vlan=100)/Dot1Q(vlan=7,prio=1)/${ip}`,
  `${ether(MAC.far)}/Dot1Q(vlan=100)/Dot1Q(vlan=7)/${ip}`,
  `${ether('ff:ff:ff:ff:ff:ff')}/Dot1Q(vlan=7)/ARP(pdst='10.45.0.2',psrc='10.45.0.1',hwsrc='${MAC.near}')`,
  `${ether('ff:ff:ff:ff:ff:ff')}/ARP(pdst='10.45.0.77',psrc='10.45.0.1',hwsrc='${MAC.near}')`,
  `${ether(MAC.far, ',type=0x88b5')}/b'local experiment'`,
  `${ether('ff:ff:ff:ff:ff:ff', ',type=0x88b5')}/b'to all'`,
  `${ether('01:80:c2:00:00:0e', ',type=0x88cc')}/b'neighbour discovery of a switch'`,
  `${ether('01:00:5e:00:00:fb')}/IP(src='10.45.0.1',dst='224.0.0.251')/UDP(sport=5353,dport=5353)/b'multicast'`,
  `${ether('33:33:00:00:00:fb')}/IPv6(src='fd45::1',dst='ff02::fb')/UDP(sport=5353,dport=5353)/b'multicast'`,
  `${ether(MAC.far, ',type=0x8847')}/plain('00010140')/${ip}`,
  `Dot3(src='${MAC.near}',dst='${MAC.far}')/LLC(dsap=0x42,ssap=0x42,ctrl=3)/b'a frame with a length'`,
  `${ether(MAC.far)}/IP(src='10.45.0.1',dst='10.45.0.2',options=[IPOption_NOP()])/UDP(sport=5,dport=6)/b'options'`,
  `${ether(MAC.far)}/IP(src='10.45.0.1',dst='10.45.0.2')/UDP(sport=5,dport=6)/(b'p'*1400)`,
  `${ether(MAC.far)}/b''`,
  `${ether(MAC.far, ',type=0x88b5')}/b'x'`,
];

/** The outer checksum is worked out from inner ones, so that these are lost where there is one. */
const wrongInside: readonly string[] = [
  `${ether(MAC.far)}/IP(src='10.45.0.1',dst='10.45.0.2',chksum=1)/UDP(sport=5,dport=6)/b'a wrong header checksum'`,
  `${ether(MAC.far)}/IP(src='10.45.0.1',dst='10.45.0.2')/UDP(sport=5,dport=6,chksum=1)/b'a wrong checksum'`,
];

const framesFor = ({ type, title }: Kind): readonly string[] =>
  type === 'geneve' || (type === 'l2tp' && title === '') ? untouched : [...untouched, ...wrongInside];

for (const kind of frameKinds) {
  test.serial(
    `${titleOf(kind, 4)}: tagged frames, ARP, other protocols, broadcast and multicast arrive untouched`,
    inMachines(async (t, m) => {
      await joinKind(m, kind, 4);
      await compared(t, m, framesFor(kind));
      for (const ns of [m.m1, m.m2]) t.deepEqual(dropped(await linkStats(ns, LINK)), {}, ns);
    }),
  );

  if (kind.type !== 'vlan')
    test.serial(
      `${titleOf(kind, 4)}: the same on one machine, by the short cut`,
      using(oneMachine)(async (t, m) => {
        await joinOnOne(m, kind, 4);
        await compared(t, m, framesFor(kind));
        t.deepEqual(dropped(await machineStats(m.m1)), {});
      }),
    );

  test.serial(
    `${titleOf(kind, 4)}: a bridge at the inner end, and hosts behind it`,
    inMachines(async (t, m) => {
      await bridged(m, kind);
      const [first, second] = [await host(m, 'h1', 11), await host(m, 'h2', 12)];
      await must(['ip', '-n', m.ue1, 'link', 'set', 'eth0', 'master', 'br0']);
      for (const ns of [first, second]) {
        t.is(await ping(ns, inner[4][1]), 3);
        t.is(await ping(ns, inner[6][1]), 3);
      }
      t.is(await ping(m.ue2, '10.45.0.11'), 3);
      t.is(await ping(m.ue2, 'fd45::12'), 3);
      t.is(await ping(first, '10.45.0.12'), 3, 'hosts of the bridge itself');
      const whole = { equal: true, received: 1_000_001 };
      const size = 1_000_001;
      t.deepEqual(await transfer({ from: first, to: m.ue2, address: inner[4][1], size }), whole);
      t.deepEqual(await transfer({ from: m.ue2, to: second, address: '10.45.0.12', size }), whole);
      t.deepEqual(await transfer({ from: m.ue2, to: first, address: 'fd45::11', size }), whole);
      for (const ns of [m.m1, m.m2]) t.deepEqual(dropped(await linkStats(ns, LINK)), {}, ns);
    }),
  );
}

/** Every frame of the list, sent by ue1, as it is at ue2. */
async function compared(t: ExecutionContext, m: { ue1: string; ue2: string }, list: readonly string[]): Promise<void> {
  const sent = await build(...list);
  const tap = await packetSocket(m.ue1, 'eth0');
  const seen = await during(m.ue2, 'eth0', async () => void (await tap.send(sent)), `ether src ${MAC.near}`);
  const came = seen.map((frame) => frame.toString('hex'));
  const lost = list.filter((_, at) => !came.some((frame) => isSame(frame, sent[at]?.toString('hex') ?? '')));
  t.deepEqual(lost, []);
  t.is(came.length, sent.length, 'each once');
}

// A frame of less than 34 octets may be filled up with zeros, to what Ethernet wants: 60 octets.
const isSame = (came: string, sent: string): boolean =>
  came === sent || (sent.length < 68 && came === sent.padEnd(120, '0'));

/** A link at m1 whose inner end belongs to a bridge in ue1, and the user of m2. */
async function bridged(m: TwoMachines, kind: Kind): Promise<void> {
  await joinKind(m, kind, 4);
  await must(['ip', '-n', m.ue1, 'addr', 'flush', 'dev', 'eth0']);
  const lines = ['link add br0 type bridge mcast_snooping 0', 'link set br0 up'];
  await must(['ip', '-n', m.ue1, '-b', '-'], { input: `${lines.join('\n')}\n` });
}

/** A host at the bridge of ue1, with the MTU of the tunnel. */
async function host(m: TwoMachines, name: string, number: number): Promise<string> {
  const ns = await namespace(name, ...quiet);
  await wire(
    { ns, dev: 'eth0', addresses: [`10.45.0.${number}/24`, `fd45::${number}/64`] },
    { ns: m.ue1, dev: name, addresses: [] },
  );
  const mtu = `${await mtuOf(m.ue1)}`;
  await must(['ip', '-n', ns, 'link', 'set', 'eth0', 'mtu', mtu]);
  await must(['ip', '-n', m.ue1, 'link', 'set', name, 'mtu', mtu, 'master', 'br0']);
  return ns;
}

test.serial(
  'two links bridged in one machine: frames go from tunnel to tunnel',
  using(oneMachine)(async (t, m) => {
    const [a, b] = ownAddresses[4];
    const far = `netns ${m.ue2} address 10.45.0.2/24 address fd45::2/64`;
    await gtpIn(
      m.m1,
      `link add v1 type vxlan local ${a} remote ${b} vni 1 netns ${m.ue1} address 10.45.0.1/24 address fd45::1/64`,
    );
    await gtpIn(m.m1, `link add v2 type vxlan local ${b} remote ${a} vni 1`);
    await gtpIn(m.m1, `link add g1 type geneve local ${a} remote ${b} vni 1`);
    await gtpIn(m.m1, `link add g2 type geneve local ${b} remote ${a} vni 1 ${far}`);
    await must(['ip', '-n', m.m1, '-b', '-'], {
      input: [
        'link add br0 type bridge mcast_snooping 0',
        'link set v2i master br0',
        'link set g1i master br0',
        'link set br0 up',
      ]
        .map((line) => `${line}\n`)
        .join(''),
    });
    t.is(await ping(m.ue1, inner[4][1]), 3);
    t.is(await ping(m.ue2, inner[6][0]), 3);
    const size = 1_000_001;
    const there = await transfer({ from: m.ue1, to: m.ue2, address: inner[4][1], size });
    t.deepEqual(there, { equal: true, received: size });
  }),
);
