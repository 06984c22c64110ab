// SPDX-License-Identifier: MIT
// Several sessions on one link of Ethernet frames: which takes what.
import test from 'ava';
import { buildOne, packetSocket, type Socket, udpSocket } from '../agent';
import { closeFixture, gtpIn, gtpTry, linkStatsWhen, sessions, using } from '../fixture';
import { dropped } from '../records';
import { must, waitFor } from '../run';
import { inner, outer, ping, type TwoMachines, twoMachines, user } from '../topology';
import { LINK } from '../tunnel-kinds';
import { MAC } from '../tunnel-raw';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const [local, remote] = outer[4];
const ALL = 'ff:ff:ff:ff:ff:ff';

interface Many {
  /** Sends a frame from the user; gives the VNIs that it left with. */
  vnis(to: string, packet: string): Promise<number[]>;
  /** A frame that comes in a VNI; whether the user got it. */
  comes(vni: number, frame: string): Promise<boolean>;
  readonly peer: Socket;
}

/** A Geneve link at m1 with these sessions, and a plain socket at m2. IPv6 is off inside, for its own frames would count. */
async function many(m: TwoMachines, ...list: readonly string[]): Promise<Many> {
  await must(['ip', 'netns', 'exec', m.ue1, 'sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1']);
  await gtpIn(m.m1, `link add ${LINK} type geneve local ${local} netns ${m.ue1} address 10.45.0.1/16`);
  for (const words of list) await gtpIn(m.m1, `session add dev ${LINK} remote ${remote} ${words}`);
  const peer = await udpSocket(m.m2, remote, 6081);
  const tap = await packetSocket(m.ue1, 'eth0');
  return {
    peer,
    vnis: async (to, packet) => {
      const mark = `<${Math.random()}>`;
      await tap.send(await buildOne(`Ether(src='${MAC.near}',dst='${to}')/${packet}/b'${mark}'`));
      // Nothing tells that no more will come but something later that has come.
      const got = await peer.receive({ count: list.length, contains: mark, timeout: 0.3 });
      return got.map(({ data }) => data.readUIntBE(4, 3)).sort((a, b) => a - b);
    },
    comes: async (vni, frame) => {
      const mark = `<${Math.random()}>`;
      const header = Buffer.from(`00006558${vni.toString(16).padStart(6, '0')}00`, 'hex');
      await peer.send(Buffer.concat([header, await buildOne(`${frame}/b'${mark}'`)]), [local, 6081]);
      return (await tap.receive({ contains: mark, timeout: 0.3 })).length === 1;
    },
  };
}

const to = (destination: string, source = '10.45.0.1'): string =>
  `IP(src='${source}',dst='${destination}')/UDP(sport=5,dport=6)`;
const from = (mac: string, source: string): string =>
  `Ether(src='${mac}',dst='${MAC.near}')/IP(src='${source}',dst='10.45.0.1')/UDP(sport=6,dport=5)`;

test.serial(
  'sessions are chosen by address, from and to, prefix, MAC address, in this order',
  inMachines(async (t, m) => {
    const { vnis } = await many(
      m,
      'vni 1 ue 10.45.1.1',
      'vni 2 from 10.45.0.7 to 10.45.2.7',
      'vni 3 ue 10.45.2.0/24',
      `vni 4 lladdr ${MAC.other}`,
      'vni 5 from 10.45.0.7 to 10.45.1.1',
    );
    t.deepEqual(await vnis(MAC.far, to('10.45.1.1')), [1]);
    t.deepEqual(await vnis(MAC.far, to('10.45.1.1', '10.45.0.7')), [1], 'the address before from and to');
    t.deepEqual(await vnis(MAC.far, to('10.45.2.7', '10.45.0.7')), [2], 'from and to before the prefix');
    t.deepEqual(await vnis(MAC.far, to('10.45.2.7')), [3]);
    t.deepEqual(await vnis(MAC.other, to('10.45.2.7')), [3], 'the prefix before the MAC address');
    t.deepEqual(await vnis(MAC.other, to('10.45.9.9')), [4]);
    t.deepEqual(await vnis(MAC.other, `ARP(op=2)`), [4], 'without IP');
  }),
);

test.serial(
  'broadcast and multicast go to all sessions, unknown unicast to those without ue and from',
  inMachines(async (t, m) => {
    const { vnis } = await many(
      m,
      'vni 1 ue 10.45.1.1',
      'vni 2 from 10.45.0.7 to 10.45.2.7',
      `vni 3 lladdr ${MAC.other}`,
      'vni 4 lladdr 02:00:00:00:00:44',
    );
    t.deepEqual(await vnis(ALL, 'ARP(pdst="10.45.1.1")'), [1, 2, 3, 4]);
    t.deepEqual(await vnis('01:00:5e:00:00:fb', to('224.0.0.251')), [1, 2, 3, 4]);
    t.deepEqual(await vnis('33:33:00:00:00:01', 'IPv6(dst="ff02::1",src="fe80::1")/UDP()'), [1, 2, 3, 4]);
    t.deepEqual(await vnis(MAC.far, 'ARP(op=2)'), [3, 4]);
    t.deepEqual(await vnis(MAC.far, to('10.45.9.9')), [3, 4]);
    const counts = (await sessions(m.m1)).map(({ stats }) => stats.encap.packets).sort();
    t.deepEqual(counts, [3, 3, 5, 5]);
  }),
);

test.serial(
  'where a MAC address was seen last, frames to it go',
  inMachines(async (t, m) => {
    const { vnis, comes } = await many(m, 'vni 1 lladdr 02:00:00:00:00:41', 'vni 2 lladdr 02:00:00:00:00:42');
    t.deepEqual(await vnis(MAC.other, to('10.45.3.3')), [1, 2], 'nobody knows it yet');
    t.true(await comes(2, from(MAC.other, '10.45.3.3')));
    t.deepEqual(await vnis(MAC.other, to('10.45.3.3')), [2]);
    t.deepEqual(await vnis(MAC.other, 'ARP(op=2)'), [2]);
    t.true(await comes(1, from(MAC.other, '10.45.3.3')), 'it has moved');
    t.deepEqual(await vnis(MAC.other, to('10.45.3.3')), [1]);
    t.true(await comes(1, from('02:00:00:00:00:42', '10.45.3.3')));
    t.deepEqual(await vnis('02:00:00:00:00:42', to('10.45.3.3')), [2], 'what was given is not learned away');
    await gtpIn(m.m1, `session del dev ${LINK} vni 1`);
    t.deepEqual(await vnis(MAC.other, to('10.45.3.3')), [2], 'the one that had it is gone');
  }),
);

test.serial(
  'a MAC address that moves to the session without words is not sought where it was',
  inMachines(async (t, m) => {
    const { vnis, comes } = await many(m, 'vni 2', 'vni 1 ue 10.45.1.1 noantispoof');
    t.true(await comes(1, from(MAC.other, '10.45.3.3')));
    t.deepEqual(await vnis(MAC.other, to('10.45.3.3')), [1]);
    t.true(await comes(2, from(MAC.other, '10.45.3.3')));
    t.deepEqual(await vnis(MAC.other, to('10.45.3.3')), [2]);
  }),
);

test.serial(
  'antispoof: an address of somebody else is dropped, noantispoof takes it, and frames without IP pass',
  inMachines(async (t, m) => {
    const { comes } = await many(m, 'vni 1 ue 10.45.1.1', 'vni 2 ue 10.45.1.2 noantispoof', 'vni 3 ue 10.45.3.0/24');
    t.true(await comes(1, from(MAC.far, '10.45.1.1')));
    t.false(await comes(1, from(MAC.far, '10.45.1.2')));
    t.true(await comes(2, from(MAC.far, '10.45.1.1')));
    t.true(await comes(3, from(MAC.far, '10.45.3.200')));
    t.false(await comes(3, from(MAC.far, '10.45.4.1')));
    t.true(await comes(1, `Ether(src='${MAC.far}',dst='${MAC.near}',type=0x88b5)`));
    const stats = await linkStatsWhen(m.m1, ({ drops }) => drops['antispoof'] === 2, LINK);
    t.deepEqual(dropped(stats), { antispoof: 2 });
  }),
);

test.serial(
  'one VNI serves many remotes: each has its session, and a stranger none',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add ${LINK} type vxlan local ${local} netns ${m.ue1} address 10.45.0.1/16`);
    const hosts = [3, 4, 5, 6];
    for (const host of hosts) {
      await must(['ip', '-n', m.m2, 'addr', 'add', `192.0.2.${host}/24`, 'dev', 'ul']);
      await gtpIn(m.m1, `session add dev ${LINK} vni 7 remote 192.0.2.${host} ue 10.45.1.${host}`);
    }
    const tap = await packetSocket(m.ue1, 'eth0');
    for (const host of hosts) {
      const socket = await udpSocket(m.m2, `192.0.2.${host}`, 4789);
      await tap.send(
        await buildOne(`Ether(src='${MAC.near}',dst='${MAC.far}')/${to(`10.45.1.${host}`)}/b'<to ${host}>'`),
      );
      t.is((await socket.receive({ contains: `<to ${host}>` })).length, 1, `${host}`);
      const frame = await buildOne(`${from(MAC.far, `10.45.1.${host}`)}/b'<from ${host}>'`);
      await socket.send(Buffer.concat([Buffer.from('0800000000000700', 'hex'), frame]), [local, 4789]);
      t.is((await tap.receive({ contains: `<from ${host}>` })).length, 1, `${host}`);
    }
    const list = await sessions(m.m1);
    t.deepEqual(
      list.map(({ remote: peer, stats }) => `${peer} ${stats.decap.packets}`).sort(),
      hosts.map((host) => `192.0.2.${host} 1`),
    );
    const stranger = await udpSocket(m.m2, remote, 4789);
    await stranger.send(Buffer.concat([Buffer.from('0800000000000700', 'hex'), Buffer.alloc(60)]), [local, 4789]);
    t.deepEqual(await tap.receive({ contains: Buffer.alloc(60), timeout: 0.2 }), []);
    t.is((await gtpTry(m.m1, `session add dev ${LINK} vni 7 remote 192.0.2.3 ue 10.45.1.9`)).status, 2, 'it is there');
  }),
);

test.serial(
  'a second session without ue, from and to or lladdr is refused, and so are prefixes in from and to',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add ${LINK} type vxlan local ${local} netns ${m.ue1} ${user(0)} vni 1 remote ${remote}`);
    for (const words of ['vni 2', 'vni 2 ue 10.45.1.1 from 10.45.0.0/24 to 10.45.2.1', 'vni 2 from 10.45.0.1']) {
      const { status, stderr } = await gtpTry(m.m1, `session add dev ${LINK} remote ${remote} ${words}`);
      t.true(status === 1 || status === 2, words);
      t.regex(stderr, /^Error: /);
    }
    t.is((await sessions(m.m1)).length, 1);
  }),
);

test.serial(
  'sixty-four sessions reach all by broadcast; the next one is refused by name, and takes a place that was freed',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add ${LINK} type vxlan local ${local} netns ${m.ue1} address 10.45.0.1/16`);
    const add = (vni: number): string => `session add dev ${LINK} vni ${vni} remote ${remote} ue 10.45.1.${vni}`;
    for (let vni = 1; vni <= 64; vni++) await gtpIn(m.m1, add(vni));
    const { status, stderr } = await gtpTry(m.m1, add(65));
    t.true(status !== 0);
    t.regex(stderr, /64/);
    const peer = await udpSocket(m.m2, remote, 4789);
    const tap = await packetSocket(m.ue1, 'eth0');
    const asks = await buildOne(`Ether(src='${MAC.near}',dst='${ALL}')/ARP(pdst='10.45.1.1')/b'<all>'`);
    const reached = async (): Promise<number[]> => {
      await tap.send(asks);
      const got = await peer.receive({ count: 64, contains: '<all>' });
      return got.map(({ data }) => data.readUIntBE(4, 3)).sort((a, b) => a - b);
    };
    t.deepEqual(
      await reached(),
      Array.from({ length: 64 }, (_, at) => at + 1),
    );
    await gtpIn(m.m1, `session del dev ${LINK} vni 33`);
    await gtpIn(m.m1, add(65));
    t.deepEqual(
      await reached(),
      Array.from({ length: 65 }, (_, at) => at + 1).filter((vni) => vni !== 33),
    );
  }),
);

test.serial(
  'users of several machines on one link: a switch with learned addresses, without any ue',
  inMachines(async (t, m) => {
    await must(['ip', '-n', m.m2, 'addr', 'add', '192.0.2.3/24', 'dev', 'ul']);
    await gtpIn(m.m1, `link add ${LINK} type vxlan local ${local} netns ${m.ue1} ${user(0)}`);
    const words = [
      `vni 7 remote ${remote} lladdr 02:00:00:00:00:41`,
      'vni 7 remote 192.0.2.3 lladdr 02:00:00:00:00:42',
    ];
    for (const each of words) await gtpIn(m.m1, `session add dev ${LINK} ${each}`);
    const far = `vni 7 remote ${local}`;
    await gtpIn(m.m2, `link add a type vxlan local ${remote} netns ${m.ue2} ${user(1)} ${far}`);
    await gtpIn(m.m2, `link add b type vxlan local 192.0.2.3 address 10.45.0.3/24 address fd45::3/64 ${far}`);
    for (const address of [inner[4][1], '10.45.0.3', inner[6][1], 'fd45::3'])
      t.is(await ping(m.ue1, address), 3, address);
    const learned = await waitFor(
      () => sessions(m.m1),
      (list) => list.every(({ stats }) => stats.decap.packets >= 6),
    );
    t.true(learned.every(({ stats }) => stats.decap.packets >= 6));
  }),
);
