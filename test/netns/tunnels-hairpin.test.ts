// SPDX-License-Identifier: MIT
// Two links of one machine joined by a session of every kind, by the short cut and without it.
import { isDeepStrictEqual } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { buildOne, packetSocket, transfer, udpSocket } from '../agent';
import { capture } from '../capture';
import { closeFixture, linkStats, machineStats, scratch, sessions, sharing } from '../fixture';
import { dropped } from '../records';
import { waitFor } from '../run';
import { inner, macOf, mtuOf, type OneMachine, oneMachine, outer, ping } from '../topology';
import {
  familiesOf,
  faultsOf,
  hasNumbers,
  joinOnOne,
  type Kind,
  kindOf,
  kinds,
  plainKinds,
  titleOf,
} from '../tunnel-kinds';

test.after.always(closeFixture);

const inMachine = sharing(oneMachine, ({ m1 }) => ({ [m1]: outer[4][0] }));
const size = 2_000_001;

/** Those that have most to check; the plain ones come below. */
const isRich = ({ title }: Kind): boolean => /everything|options/.test(title);

/** Numbers are checked where headers are: then there is no short cut. */
const isShort = (kind: Kind): boolean => !hasNumbers(kind);

for (const kind of kinds.filter(isRich))
  test.serial(
    `${titleOf(kind, 4)}: users of one machine meet`,
    inMachine(async (t, m) => {
      await joinOnOne(m, kind, 4);
      await balanced(t, m, kind);
    }),
  );

const tunnels = plainKinds.filter(({ type }) => type !== 'vlan');

for (const kind of tunnels)
  for (const family of familiesOf(kind))
    test.serial(
      `${titleOf(kind, family)}, hairpin off: users of one machine meet by lo`,
      inMachine(async (t, m) => {
        await joinOnOne(m, kind, family, 'hairpin off');
        const seen = await capture(m.m1, 'lo', `${scratch}/lo.pcap`, kind.filter, 66000);
        t.is(await ping(m.ue1, inner[4][1]), 3);
        t.true((await seen.count()) >= 6, 'the packets are there to be seen');
        await everything(t, m, kind);
      }),
    );

const l2tps = ['without a sublayer', 'with cookies of 8 octets', 'with cookies of 4 octets', 'with numbers'];

for (const kind of [...tunnels, ...l2tps.map((title) => kindOf('l2tp', title))])
  test.serial(
    `${titleOf(kind, 6)}: users of one machine meet, ${isShort(kind) ? 'by the short cut' : 'by lo'}`,
    inMachine(async (t, m) => {
      await joinOnOne(m, kind, 6);
      const seen = await capture(m.m1, 'lo', `${scratch}/lo.pcap`, kind.filter, 66000);
      await balanced(t, m, kind);
      t.is((await seen.count()) === 0, isShort(kind), 'whether headers are built');
    }),
  );

async function everything(t: ExecutionContext, m: OneMachine, kind: Kind): Promise<void> {
  for (const version of [4, 6] as const) {
    const [near, far] = inner[version];
    t.is(await ping(m.ue1, far), 3, `IPv${version} there`);
    t.is(await ping(m.ue2, near), 3, `IPv${version} back`);
    const whole = { equal: true, received: size };
    t.deepEqual(await transfer({ from: m.ue1, to: m.ue2, address: far, size }), whole, `IPv${version} there`);
    t.deepEqual(await transfer({ from: m.ue2, to: m.ue1, address: near, size }), whole, `IPv${version} back`);
    await large(t, m, version);
  }
  for (const name of ['t1', 't2']) t.deepEqual(faultsOf(kind, await linkStats(m.m1, name)), {}, name);
}

async function large(t: ExecutionContext, m: OneMachine, version: 4 | 6): Promise<void> {
  const length = (await mtuOf(m.ue1)) - (version === 4 ? 28 : 48);
  const receiver = await udpSocket(m.ue2, inner[version][1], 7000);
  const sender = await udpSocket(m.ue1, inner[version][0], 0);
  t.is(await sender.send(Buffer.alloc(length, 'x'), [inner[version][1], 7000]), undefined);
  t.is((await receiver.receive())[0]?.data.length, length, `IPv${version} at the MTU`);
  await sender.close();
  await receiver.close();
}

/** Both ways there and back, and what one session sent, the other got. */
async function balanced(t: ExecutionContext, m: OneMachine, kind: Kind): Promise<void> {
  const before = await countsOf(m.m1);
  await everything(t, m, kind);
  const after = await countsOf(m.m1);
  const [sent1 = 0, got1 = 0, sent2 = 0, got2 = 0] = after.map((n, at) => n - (before[at] ?? 0));
  // What IPv6 says of itself in between may be in one count and not in the other.
  const isNear = (got: number, sent: number): boolean => Math.abs(sent - got) < 2000;
  if (!hasNumbers(kind)) t.true(isNear(got2, sent1) && isNear(got1, sent2), `${[sent1, got2, sent2, got1]}`);
  t.true(sent1 > 1000 && sent2 > 1000);
}

/** Octets that t1 and t2 sent and got: what t1 sent before there was a t2 is not among what that got. */
async function countsOf(ns: string): Promise<number[]> {
  const list = (await sessions(ns)).sort((a, b) => (a.dev < b.dev ? -1 : 1));
  return list.flatMap(({ stats: { encap, decap } }) => [encap.bytes, decap.bytes]);
}

/** Words of t2 that contradict those of t1, and why it drops what t1 sends. */
const contradictions: readonly (readonly [Kind['type'], string, string, string])[] = [
  ['gre', 'key 7', 'key 8', 'unknown_key'],
  ['gre', 'key 7', '', 'unknown_key'],
  ['gretap', '', 'iseq', 'no_sequence'],
  ['geneve', 'vni 1', 'vni 2', 'unknown_vni'],
  ['vxlan', 'vni 1', 'vni 2', 'unknown_vni'],
  ['l2tp', 'session_id 1 peer_session_id 3', 'session_id 2 peer_session_id 1', 'unknown_session'],
  [
    'l2tp',
    'session_id 1 peer_session_id 2 cookie 11223344',
    'session_id 2 peer_session_id 1 peer_cookie 11223345',
    'bad_cookie',
  ],
  [
    'l2tp',
    'session_id 1 peer_session_id 2 cookie 1122334455667788',
    'session_id 2 peer_session_id 1 peer_cookie 1122334455667789',
    'bad_cookie',
  ],
  ['l2tp', 'session_id 1 peer_session_id 2', 'session_id 2 peer_session_id 1 peer_cookie 11223345', 'bad_cookie'],
  ['l2tp', 'session_id 1 peer_session_id 2', 'session_id 2 peer_session_id 1 seq recv', 'no_sequence'],
];

for (const [type, ours, theirs, reason] of contradictions)
  test.serial(
    `${type} ${ours}, and ${theirs || 'nothing'} at the other link of this machine: ${reason}`,
    inMachine(async (t, m) => {
      const kind = { type, title: '', words: [ours, theirs] as const, octets: 0, filter: '' };
      await joinOnOne(m, kind, 4);
      t.is(await ping(m.ue1, inner[4][1], 2, '-W', '0.3'), 0);
      const drops = dropped(await machineStats(m.m1));
      t.true((drops[reason] ?? 0) > 0, JSON.stringify(drops));
      t.deepEqual(Object.keys(drops), [reason]);
    }),
  );

for (const type of ['vxlan', 'gretap', 'l2tp'] as const)
  test.serial(
    `${type}: antispoof judges ARP and what stands behind two tags on one machine, too, and drops broken IP`,
    inMachine(async (t, m) => {
      const kind = kindOf(type);
      await joinOnOne(m, { ...kind, words: [kind.words[0], `${kind.words[1]} ue ${inner[4][0]}/32 ue ::/0`] }, 4);
      t.is(await ping(m.ue1, inner[4][1]), 3, 'what is right passes, its ARP as well');
      const tap = await packetSocket(m.ue1, 'eth0');
      const to = `Ether(src='${await macOf(m.ue1, 'eth0')}',dst='${await macOf(m.ue2, 'eth0')}')`;
      const frames = [
        `${to}/ARP(op=2,psrc='10.45.0.99',pdst='${inner[4][1]}')`,
        `${to}/Dot1AD(vlan=5)/Dot1Q(vlan=6)/IP(src='${inner[4][0]}',dst='${inner[4][1]}')/UDP()`,
        `${to}/IP(src='${inner[4][0]}',dst='${inner[4][1]}',len=900)/UDP()/b'short'`,
      ];
      for (const frame of frames) await tap.send(await buildOne(frame));
      const want = { antispoof: 2, bad_inner: 1 };
      const stats = await waitFor(
        () => linkStats(m.m1, 't2'),
        (now) => isDeepStrictEqual(dropped(now), want),
      );
      t.deepEqual(dropped(stats), want);
    }),
  );
