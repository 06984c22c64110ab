// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { buildOne, packetSocket, tunDevice, udpSocket } from '../agent';
import { type Answer, type Asker, ODD, packetAsker, socketAsker } from '../asker';
import { addressStats, closeFixture, gtpIn, namespace, using } from '../fixture';
import { gpdu, gtpFrame } from '../gtp-frame';
import {
  addressOctets,
  echoRequest,
  echoResponse,
  errorIndication,
  knownExtensions,
  notification,
  withExtension,
} from '../messages';
import { dropped, packets } from '../records';
import { must, waitFor } from '../run';
import { ends, type Family, macOf, oneMachine, outer, ownAddresses, routed, twoMachines } from '../topology';

test.after.always(closeFixture);

/** An endpoint, and somebody who asks it from `address`. */
interface Place {
  readonly machine: string;
  readonly local: string;
  readonly address: string;
  readonly asker: Asker;
}

/** Everything that is answered, first with a link that has no session, then beside one. */
async function everything(t: ExecutionContext, place: Place): Promise<void> {
  const { machine, local, address, asker } = place;
  const answer = (to: number, message: Buffer): Answer[] => [
    { from: local, port: 2152, to, message: message.toString('hex') },
  ];
  await asker.ask(echoRequest(0));
  t.deepEqual(await asker.heard(ODD), answer(ODD, echoResponse(0)), 'before there is a session');
  await gtpIn(machine, `session add dev gtp0 ${ends(0x11, 0x22, address)} ue 10.45.0.9`);
  for (const sequence of [1, 0x1234, 0xffff]) {
    await asker.ask(echoRequest(sequence));
    t.deepEqual(await asker.heard(ODD), answer(ODD, echoResponse(sequence)));
  }
  await asker.ask(gpdu(0xdead0001, Buffer.alloc(20)));
  const about = errorIndication(0xdead0001, addressOctets(local), ODD);
  t.deepEqual(await asker.heard(2152), answer(2152, about), 'unknown TEID');
  await asker.ask(withExtension(0x11, 0xbf));
  t.deepEqual(await asker.heard(2152), answer(2152, notification(...knownExtensions)), 'extension header of a session');
  await asker.ask(withExtension(0, 0xff));
  const { answered, sent, drops } = await addressStats(machine, local);
  t.is(packets(answered), 4);
  t.like(sent, { echo: 4, errind: 1, extnotify: 1 });
  t.is(drops.unknown_teid, 2, 'TEID 0 is not answered, and counted');
  t.deepEqual(await asker.heard(2152, 1, 0), []);
}

for (const family of [4, 6] as const)
  test.serial(
    `over a wire, IPv${family}: Echo Requests, unknown TEIDs and unknown extension headers are answered`,
    using(twoMachines)(async (t, m) => {
      const [local, address] = outer[family];
      await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1}`);
      await everything(t, { machine: m.m1, local, address, asker: await socketAsker(m.m2, address, local) });
    }),
  );

const ip4 = (more = '') => `IP(src='${outer[4][1]}',dst='${outer[4][0]}'${more})`;
const ip6 = `IPv6(src='${outer[6][1]}',dst='${outer[6][0]}')`;
const question = `UDP(sport=${ODD},dport=2152)/plain('${echoRequest(0x5555).toString('hex')}')`;

/** An Echo Request as other senders and cards frame it. */
const framings: readonly (readonly [what: string, family: Family, frame: string])[] = [
  ['padded to 60 octets', 4, `${ip4()}/${question}/Padding(bytes(6))`],
  ['with IPv4 options', 4, `${ip4(`,options=[IPOption_RR(length=11,routers=['0.0.0.0','0.0.0.0'])]`)}/${question}`],
  ['with a VLAN tag that is a priority alone', 4, `Dot1Q(prio=5,vlan=0)/${ip4()}/${question}`],
  ['with IPv6 options', 6, `${ip6}/IPv6ExtHdrDestOpt()/${question}`],
  ['in one fragment that is all', 6, `${ip6}/IPv6ExtHdrFragment(id=7)/${question}`],
];

test.serial(
  'over a wire: an Echo Request is answered however it is framed',
  using(twoMachines)(async (t, m) => {
    const ether = `Ether(src='${await macOf(m.m2, 'ul')}',dst='${await macOf(m.m1, 'ul')}')`;
    const wire = await packetSocket(m.m2, 'ul');
    for (const [i, family] of ([4, 6] as const).entries()) {
      await gtpIn(m.m1, `link add gtp${i} local ${outer[family][0]} netns ${[m.ue1, m.ue2][i]}`);
      const [local, remote] = outer[family];
      for (const [what, , frame] of framings.filter((each) => each[1] === family)) {
        await wire.send(await buildOne(`${ether}/${frame}`));
        const [got] = await wire.receive({ contains: echoResponse(0x5555) });
        const answer = got === undefined ? undefined : gtpFrame(got.data);
        const { source, destination, payloadSum, payload } = answer?.outer ?? {};
        t.deepEqual([source, destination, payloadSum, payload?.length], [local, remote, 'right', 22], what);
        t.is(answer?.destinationPort, ODD);
      }
    }
  }),
);

const onLo = [
  ['127.0.0.1', '127.0.0.2'],
  [ownAddresses[4][0], ownAddresses[4][1]],
  [ownAddresses[4][0], '127.0.0.1'],
  [ownAddresses[6][0], ownAddresses[6][1]],
  ['::1', ownAddresses[6][0]],
] as const;

for (const [local, address] of onLo)
  test.serial(
    `over lo: ${local} answers a program of this machine at ${address}`,
    using(oneMachine)(async (t, { m1, ue1 }) => {
      await gtpIn(m1, `link add gtp0 local ${local} netns ${ue1}`);
      await everything(t, { machine: m1, local, address, asker: await socketAsker(m1, address, local) });
    }),
  );

test.serial(
  'over lo: a program at the very address of the link gets its Echo Response, too',
  using(oneMachine)(async (t, { m1, ue1 }) => {
    for (const local of [ownAddresses[4][0], ownAddresses[6][0]]) {
      await gtpIn(m1, `link add gtp0 local ${local} netns ${ue1}`);
      const asker = await socketAsker(m1, local, local, false);
      await asker.ask(echoRequest(7));
      t.deepEqual(
        (await asker.heard(ODD)).map(({ message }) => message),
        [echoResponse(7).toString('hex')],
      );
      await asker.ask(gpdu(0x99, Buffer.alloc(20)));
      const { drops } = await addressStats(m1, local);
      t.deepEqual([drops.unknown_teid, drops.unknown_session], [1, 1], 'its Error Indication comes to ourselves');
      await gtpIn(m1, 'link del gtp0');
    }
  }),
);

for (const family of [4, 6] as const)
  test.serial(
    `over a tun device, IPv${family}: Echo Requests, unknown TEIDs and unknown extension headers are answered`,
    using(() => namespace('m1'))(async (t, machine) => {
      const [local, address] = outer[family];
      const device = await tunDevice(machine, 'tun0');
      const lines = `addr add ${local}/${family === 4 ? '24' : '64 nodad'} dev tun0\nlink set tun0 up\n`;
      await must(['ip', '-n', machine, '-b', '-'], { input: lines });
      await gtpIn(machine, `link add gtp0 local ${local} netns ${await namespace('ue1')}`);
      await everything(t, { machine, local, address, asker: packetAsker(device, address, local) });
    }),
  );

test.serial(
  'a second link of this machine is answered: what it sends to a TEID that we do not have ends in an Error Indication for it',
  using(oneMachine)(async (t, { m1, ue1, ue2 }) => {
    await gtpIn(m1, `link add gtp1 local 127.0.0.2 netns ${ue1}`);
    await gtpIn(
      m1,
      `link add gtp2 local 127.0.0.3 netns ${ue2} address 10.45.0.2/24 ${ends(0x202, 0x101, '127.0.0.2')}`,
    );
    const user = await udpSocket(ue2, '10.45.0.2', 7000);
    for (const size of [0, 9, 9000]) await user.send(Buffer.alloc(size), ['10.45.0.1', 7000]);
    const there = await addressStats(m1, '127.0.0.2');
    t.deepEqual([dropped(there), there.sent.errind], [{ unknown_teid: 3 }, 3]);
    t.deepEqual(dropped(await addressStats(m1, '127.0.0.3')), {}, 'it is about a session of that link');
  }),
);

test.serial(
  'the answer goes by the route back, whatever way the question came',
  using(routed)(async (t, m) => {
    await must(['ip', '-n', m.m2, 'route', 'replace', '192.0.2.0/24', 'via', '198.51.100.253']);
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1}`);
    const asker = await socketAsker(m.m2, '198.51.100.2', '192.0.2.1');
    const forwarded = async (ns: string): Promise<number> => {
      const text = await must(['ip', 'netns', 'exec', ns, 'cat', '/proc/net/snmp']);
      return Number(
        text
          .split('\n')
          .filter((line) => line.startsWith('Ip:'))[1]
          ?.split(' ')[6],
      );
    };
    const before = [await forwarded(m.r1), await forwarded(m.r2)] as const;
    await asker.ask(echoRequest(3));
    t.deepEqual(await asker.heard(ODD), [
      { from: '192.0.2.1', port: 2152, to: ODD, message: echoResponse(3).toString('hex') },
    ]);
    t.deepEqual([(await forwarded(m.r1)) - before[0], (await forwarded(m.r2)) - before[1]], [1, 1]);
    await must(['ip', '-n', m.m1, 'route', 'del', '198.51.100.0/24']);
    await asker.ask(echoRequest(4));
    t.deepEqual(await asker.heard(ODD, 1, 0.1), [], 'without a way back there is no answer');
    const stats = await waitFor(
      () => addressStats(m.m1, '192.0.2.1'),
      (each) => dropped(each)['no_route'] !== undefined,
    );
    t.deepEqual([stats.sent.echo, packets(stats.answered), dropped(stats)], [1, 1, { no_route: 1 }]);
  }),
);
