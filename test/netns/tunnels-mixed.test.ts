// SPDX-License-Identifier: MIT
// Sessions of several kinds on one link: packets and frames, each told apart and counted.
import test from 'ava';
import { transfer, udpSocket } from '../agent';
import { closeFixture, gtpIn, gtpTry, linkStats, links, namespace, sessions, using } from '../fixture';
import { dropped, type SessionRecord } from '../records';
import { must } from '../run';
import { type Family, macOf, mtuOf, outer, ping, quiet, type TwoMachines, twoMachines } from '../topology';
import { LINK } from '../tunnel-kinds';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const size = 1_000_001;

interface Far {
  readonly type: SessionRecord['type'];
  /** The session at m1, and the words of the link at m2. */
  readonly near: string;
  readonly far: string;
  readonly frames: boolean;
}

/** What shares the link: user n has 10.45.1.n and fd45::1:n. */
const fars: readonly Far[] = [
  { type: 'gtp', near: 'local-teid 1 remote-teid 2', far: 'local-teid 2 remote-teid 1', frames: false },
  { type: 'gre', near: 'key 7', far: 'key 7', frames: false },
  { type: 'geneve', near: 'vni 9', far: 'vni 9', frames: true },
  { type: 'vxlan', near: 'vni 9', far: 'vni 9', frames: true },
  { type: 'gretap', near: 'key 7', far: 'key 7', frames: true },
  { type: 'l2tp', near: 'session_id 1 peer_session_id 2', far: 'session_id 2 peer_session_id 1', frames: true },
];

/** A link at m1, of packets or of frames, and behind m2 a user for each kind. */
async function mixed(m: TwoMachines, type: 'gtp' | 'vxlan', family: Family): Promise<string[]> {
  const [local, remote] = outer[family];
  await gtpIn(
    m.m1,
    `link add ${LINK} type ${type} local ${local} netns ${m.ue1} address 10.45.0.1/16 address fd45::1/64`,
  );
  const mac = await macOf(m.ue1, 'eth0');
  const users = [];
  for (const [at, { type: kind, near, far, frames }] of fars.entries()) {
    const ns = await namespace(`u${at + 1}`, ...quiet);
    const addresses = `address 10.45.1.${at + 1}/16 address fd45::1:${at + 1}/64`;
    await gtpIn(
      m.m2,
      `link add f${at + 1} type ${kind} local ${remote} netns ${ns} ${addresses} remote ${local} ${far}`,
    );
    const theirs = await macOf(ns, 'eth0');
    const lladdr = type === 'gtp' && frames ? `lladdr ${theirs}` : '';
    const ue = `ue 10.45.1.${at + 1} ue fd45::1:${at + 1}`;
    await gtpIn(m.m1, `session add dev ${LINK} type ${kind} ${near} remote ${remote} ${ue} ${lladdr}`.trim());
    // A link of packets answers no ARP, and packets alone carry none.
    if (type === 'gtp' && frames) await neighbours(ns, mac, '10.45.0.1', 'fd45::1');
    if (type === 'vxlan' && !frames) await neighbours(m.ue1, theirs, `10.45.1.${at + 1}`, `fd45::1:${at + 1}`);
    users.push(ns);
  }
  return users;
}

async function neighbours(ns: string, mac: string, ...addresses: readonly string[]): Promise<void> {
  for (const each of addresses) await must(['ip', '-n', ns, 'neigh', 'replace', each, 'lladdr', mac, 'dev', 'eth0']);
}

for (const type of ['gtp', 'vxlan'] as const)
  for (const family of [4, 6] as const)
    test.serial(
      `a link of ${type === 'gtp' ? 'packets' : 'frames'} with sessions of six kinds over IPv${family}: ping and TCP, both ways`,
      inMachines(async (t, m) => {
        const users = await mixed(m, type, family);
        for (const [at, ns] of users.entries()) {
          const { type: kind } = fars[at] ?? { type: '' };
          t.is(await ping(m.ue1, `10.45.1.${at + 1}`), 3, `${kind} there`);
          t.is(await ping(ns, '10.45.0.1'), 3, `${kind} back`);
          t.is(await ping(m.ue1, `fd45::1:${at + 1}`), 3, `${kind} there, IPv6`);
          t.is(await ping(ns, 'fd45::1'), 3, `${kind} back, IPv6`);
          const whole = { equal: true, received: size };
          t.deepEqual(await transfer({ from: m.ue1, to: ns, address: `10.45.1.${at + 1}`, size }), whole, kind);
          t.deepEqual(await transfer({ from: ns, to: m.ue1, address: 'fd45::1', size }), whole, kind);
        }
        const list = await sessions(m.m1, `dev ${LINK}`);
        t.deepEqual(list.map(({ type: kind }) => kind).sort(), fars.map(({ type: kind }) => kind).sort());
        for (const { type: kind, stats } of list) {
          t.true(stats.encap.packets >= 12 && stats.decap.packets >= 12, kind);
          // What the users' kernels say to all by themselves: link-local addresses, and ARP where only packets go.
          const { antispoof, not_ip, ...others } = dropped(stats);
          t.deepEqual(others, {}, `${kind}, besides ${antispoof} and ${not_ip}`);
        }
      }),
    );

test.serial(
  'the MTU is the least over the sessions, and comes back when the largest header goes',
  inMachines(async (t, m) => {
    await mixed(m, 'gtp', 4);
    const after = async (words: string): Promise<number> => {
      await gtpIn(m.m1, `session del dev ${LINK} ${words}`);
      return mtuOf(m.ue1);
    };
    t.is(await mtuOf(m.ue1), 1446, 'L2TP: 20 + 8 + 8 + 4 + 14');
    t.is(await after('type l2tp session_id 1'), 1450, 'Geneve, VXLAN: 20 + 8 + 8 + 14');
    t.is(await after('type geneve vni 9'), 1450);
    t.is(await after('type vxlan vni 9'), 1458, 'gretap: 20 + 8 + 14');
    t.is(await after('type gretap key 7'), 1464, 'GTP: 20 + 8 + 8');
    t.is(await after('type gtp local-teid 1'), 1472, 'GRE: 20 + 8');
    t.is((await links(m.m1))[0]?.mtu, 1472);
  }),
);

test.serial(
  'records of each kind have their words, and get finds them by type',
  inMachines(async (t, m) => {
    await mixed(m, 'gtp', 4);
    for (const { type, near } of fars) {
      const id = near.split(' ').slice(0, 2).join(' ');
      const [record, ...more] = JSON.parse(
        await gtpIn(m.m1, `-j session get dev ${LINK} type ${type} ${id}`),
      ) as SessionRecord[];
      t.like(record, { type, dev: LINK });
      t.deepEqual(more, []);
      t.is((await sessions(m.m1, `type ${type}`)).length, 1);
      t.is((await sessions(m.m2, `type ${type}`)).length, 1);
    }
    const text = await gtpIn(m.m1, '-o session show');
    await gtpIn(m.m1, 'session flush');
    for (const line of text.trim().split('\n')) await gtpIn(m.m1, `session add ${line.trim().replace(/\s+/g, ' ')}`);
    t.is(await gtpIn(m.m1, '-o session show'), text, 'what is shown makes the same sessions again');
  }),
);

test.serial(
  'frames on a link of packets need lladdr, and ue unless they are alone',
  inMachines(async (t, m) => {
    const [local, remote] = outer[4];
    await gtpIn(m.m1, `link add ${LINK} local ${local} netns ${m.ue1} address 10.45.0.1/16`);
    const add = `session add dev ${LINK} type vxlan vni 5 remote ${remote}`;
    const refused = await gtpTry(m.m1, `${add} ue 10.45.1.1`);
    t.not(refused.status, 0);
    t.regex(refused.stderr, /^Error: .*lladdr/);
    await gtpIn(m.m1, `${add} lladdr 02:00:00:00:00:0a`);
    const peer = await udpSocket(m.m2, remote, 4789);
    await (await udpSocket(m.ue1, '10.45.0.1', 0)).send(Buffer.from('marked'), ['10.45.1.1', 9]);
    const [got] = await peer.receive({ contains: 'marked' });
    const own = (await macOf(m.ue1, 'eth0')).replaceAll(':', '');
    t.is(got?.data.subarray(8, 22).toString('hex'), `02000000000a${own}0800`, 'the Ethernet header that the link made');
    t.is((await gtpTry(m.m1, `${add.replace('vni 5', 'vni 6')} lladdr 02:00:00:00:00:0b`)).status === 0, false);
    t.is((await linkStats(m.m1, LINK)).encap.packets >= 1, true);
  }),
);
