// SPDX-License-Identifier: MIT
// Outer fragments of every kind: received, and sent where the user allows it.
import test from 'ava';
import { build, udpSocket } from '../agent';
import { closeFixture, linkStats, sharing } from '../fixture';
import { dropped } from '../records';
import { inner, keptMachines, macOf, outer, ping, twoMachines } from '../topology';
import { familiesOf, joinKind, type Kind, LINK, mtuOver, plainKinds, titleOf } from '../tunnel-kinds';
import { payloadOf, rawPeer } from '../tunnel-raw';

test.after.always(closeFixture);

const inMachines = sharing(twoMachines, keptMachines);
const tunnels = plainKinds.filter(({ type }) => type !== 'vlan');

/** A packet of each kind, as the plain session of it takes it, behind the outer IP header. */
const HEADERS: Readonly<Record<string, string>> = {
  gre: 'GRE(proto=0x800)',
  gretap: 'GRE(proto=0x6558)',
  geneve: 'UDP(sport=1,dport=6081)/GENEVE(vni=100)',
  vxlan: 'UDP(sport=1,dport=4789)/VXLAN(vni=0xabcdef,flags=8)',
  l2tp: "UDP(sport=1701,dport=1701)/plain('00030000 00000101 00000000')",
  'l2tp by IP': "plain('00000101 00000000')",
};

const numberOf = ({ type, title }: Kind): number =>
  title === 'by IP' ? 115 : type === 'gre' || type === 'gretap' ? 47 : 17;

for (const kind of tunnels)
  for (const family of familiesOf(kind)) {
    test.serial(
      `${titleOf(kind, family)}: outer fragments are put together, in any order`,
      inMachines(async (t, m) => {
        const raw = await rawPeer(m, kind.type, family, kind.words[0]);
        const ether = `Ether(src='${await macOf(m.m2, 'ul')}',dst='${await macOf(m.m1, 'ul')}')`;
        const [local, remote] = outer[family];
        const header = HEADERS[titleOf(kind)] ?? '';
        const octets = (mark: string): string => `${header}/${payloadOf(kind.type, mark)}/(b'f'*1300)`;
        for (const [id, order] of [(list: Buffer[]) => list, (list: Buffer[]) => list.reverse()].entries()) {
          const mark = `<in order ${id}>`;
          const ends = `src='${remote}',dst='${local}'`;
          const cut =
            family === 4
              ? `fragment(IP(${ends},id=${7 + id},proto=${numberOf(kind)})/${octets(mark)},fragsize=504)`
              : `fragment6(IPv6(${ends})/IPv6ExtHdrFragment(id=${7 + id},nh=${numberOf(kind)})/${octets(mark)},700)`;
          const frames = await build(`[${ether}/each for each in ${cut}]`);
          t.true(frames.length >= 3);
          await raw.wire.send(order([...frames]));
          const [got] = await raw.tap.receive({ contains: mark });
          t.true((got?.data.length ?? 0) > 1300, mark);
        }
        t.deepEqual(dropped(await linkStats(m.m1, LINK)), {});
      }),
    );

    test.serial(
      `${titleOf(kind, family)}, df unset: what is longer than the path goes in outer fragments, and arrives`,
      inMachines(async (t, m) => {
        await joinKind(m, kind, family, 'df unset mtu 1500');
        t.is(await ping(m.ue1, inner[4][1]), 3);
        const [alice, bob] = [await udpSocket(m.ue1, inner[4][0], 7000), await udpSocket(m.ue2, inner[4][1], 7000)];
        await alice.setOption(0, 10, 0); // IP_PMTUDISC_DONT
        const length = mtuOver(kind, family) - 28 + 1;
        t.is(await alice.send(Buffer.alloc(length, 'x'), [inner[4][1], 7000]), undefined);
        t.is((await bob.receive())[0]?.data.length, length);
        t.deepEqual(dropped(await linkStats(m.m1, LINK)), {});
      }),
    );
  }
