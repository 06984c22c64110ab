// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { closeFixture, gtpIn, gtpTry, links, sessions, using } from '../fixture';
import { snapshot, withMaps } from '../state/snapshot';
import { ends, mtuOf, type TwoMachines, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const FAR = '02:00:00:00:00:2e';
const there = 'remote 192.0.2.2';

interface Kind {
  /** A session on a link of its own type, and what a record says of it. */
  readonly words: string;
  readonly record: object;
  readonly mtu: number;
  /** What a change changes. */
  readonly change: string;
  readonly changed: object;
}

const kinds: Readonly<Record<string, Kind>> = {
  gre: {
    words: `ikey 5 okey 6 ${there} csum oseq iseq`,
    record: { ikey: 5, okey: 6, csum: true, oseq: true, iseq: true, peer: 'strict', remote: '192.0.2.2' },
    mtu: 1464,
    change: 'ikey 5 okey 7 nocsum',
    changed: { ikey: 5, okey: 7, csum: false, oseq: true },
  },
  gretap: {
    words: there,
    record: { key: null, payload: undefined, peer: 'strict' },
    mtu: 1462,
    change: 'ttl 9',
    changed: { ttl: 9 },
  },
  geneve: {
    words: `vni 0xabcdef ${there} opt 0102:80:11223344 dstport 6082`,
    record: { vni: 0xabcdef, opt: ['0102:80:11223344'], dstport: 6082, payload: 'ethernet' },
    mtu: 1442,
    change: 'vni 0xabcdef remote 192.0.2.3 opt 0102:01:aabbccdd',
    changed: { remote: '192.0.2.3', opt: ['0102:01:aabbccdd'] },
  },
  vxlan: {
    words: `vni 5 ${there}`,
    record: { vni: 5, dstport: 4789, udpcsum: null },
    mtu: 1450,
    change: 'vni 5 peer any udpcsum',
    changed: { peer: 'any', udpcsum: true },
  },
  l2tp: {
    words: `session_id 7 peer_session_id 8 ${there} cookie 0011223344556677 peer_cookie aabbccdd seq both`,
    record: {
      ...{ session_id: 7, peer_session_id: 8, encap: 'udp', udp_sport: 1701, udp_dport: 1701 },
      ...{ cookie: '0011223344556677', peer_cookie: 'aabbccdd', seq: 'both', l2spec_type: 'default' },
    },
    mtu: 1438,
    change: 'session_id 7 encap ip seq none',
    changed: { encap: 'ip', udp_sport: null, cookie: '0011223344556677', seq: 'none' },
  },
  vlan: {
    words: 'id 100',
    record: { id: 100, protocol: '802.1Q' },
    mtu: 1500,
    change: 'id 100 protocol 802.1ad',
    changed: { id: 100, protocol: '802.1ad' },
  },
};

const outerOf = (type: string): string => (type === 'vlan' ? 'dev ul' : 'local 192.0.2.1');
const idOf = ({ words }: Kind): string => /^(ikey|vni|session_id|id) \S+/.exec(words)?.[0] ?? '';
const only = async (m: TwoMachines): Promise<object | undefined> => (await sessions(m.m1))[0];
const world = (m: TwoMachines): object => snapshot(m.m1, [m.ue1, m.ue2]);

/** Maps that hold something of sessions. */
function sizes(m: TwoMachines): Record<string, number> {
  return withMaps(m.m1, (maps) => {
    const names = ['rx', 'tx', 'tx_pair', 'tx_prefix', 'details', 'remotes', 'peers', 'labels', 'fdb'] as const;
    const all = names.map((name) => [name, [...(maps[name] as { entries(): Iterable<unknown> }).entries()].length]);
    return Object.fromEntries(all.filter(([, size]) => size !== 0));
  });
}

for (const [type, kind] of Object.entries(kinds)) {
  const id = idOf(kind);
  test.serial(
    `${type}: add, show, change, replace, del, and nothing stays behind`,
    inMachines(async (t, m) => {
      await gtpIn(m.m1, 'link show');
      const empty = world(m);
      await gtpIn(m.m1, `link add keeper local 192.0.2.1 netns ${m.ue2} inner eth9`);
      const kept = world(m);
      await gtpIn(m.m1, `link add t0 type ${type} ${outerOf(type)} netns ${m.ue1} address 10.9.0.1/24`);
      t.like((await links(m.m1, 't0'))[0], { type, sessions: 0 });
      const bare = sizes(m);
      await gtpIn(m.m1, `session add dev t0 ${kind.words} name first`);
      t.like(await only(m), { type, name: 'first', ...kind.record });
      t.is(await mtuOf(m.ue1), kind.mtu);
      t.is((await gtpTry(m.m1, `session add dev t0 ${kind.words}`)).status, 2);
      await gtpIn(m.m1, `session change dev t0 ${kind.change}`);
      t.like(await only(m), { type, name: 'first', ...kind.changed });
      await gtpIn(m.m1, `session change dev t0 ${id} ue 10.9.0.0/24`.replace('  ', ' '));
      await gtpIn(m.m1, `session change dev t0 ${id} name second`);
      t.like(await only(m), { name: 'second', ...kind.changed, ue: ['10.9.0.0/24'] });
      await gtpIn(m.m1, `session del dev t0 ${id}`.trim());
      t.deepEqual(await sessions(m.m1), []);
      t.deepEqual(sizes(m), bare);
      await gtpIn(
        m.m1,
        `session replace dev t0 ${kind.words} lladdr ${FAR}`.replace(type === 'gre' ? / lladdr.*/ : /$/, ''),
      );
      await gtpIn(m.m1, `session flush dev t0`);
      t.deepEqual(sizes(m), bare);
      await gtpIn(m.m1, `session replace dev t0 ${kind.words} name third`);
      t.like(await only(m), { type, name: 'third', ...kind.record });
      await gtpIn(m.m1, 'link del t0');
      t.deepEqual(world(m), kept);
      await gtpIn(m.m1, 'link flush');
      t.deepEqual(world(m), empty);
    }),
  );
}

test.serial(
  'every kind on one link of packets',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add keeper local 192.0.2.1 netns ${m.ue2} inner eth9`);
    const kept = world(m);
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 dev ul netns ${m.ue1} ${ends(1, 2, '192.0.2.2')} ue 10.45.0.1`);
    await addAll(m, 'gtp0', ` lladdr ${FAR}`);
    await checkAll(t, m, 'gtp0');
    t.is(sizes(m)['details'], 5);
    await gtpIn(m.m1, 'session flush dev gtp0 type vxlan');
    t.is(sizes(m)['details'], 4);
    await gtpIn(m.m1, 'link del gtp0');
    t.deepEqual(world(m), kept);
  }),
);

test.serial(
  'every kind on one link of frames',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add keeper local 192.0.2.1 netns ${m.ue2} inner eth9`);
    const kept = world(m);
    await gtpIn(m.m1, `link add vx0 type vxlan local 192.0.2.1 dev ul netns ${m.ue1} vni 1 ${there} ue 10.45.0.1`);
    await gtpIn(m.m1, `session add dev vx0 ${ends(1, 2, '192.0.2.2')} ue 10.45.0.9`);
    await addAll(m, 'vx0', '');
    await checkAll(t, m, 'vx0');
    // Each at its address and at its slot.
    t.is(sizes(m)['tx'], 2 * 8);
    t.is(slots(m), 0xffn);
    await gtpIn(m.m1, 'session del dev vx0 session_id 7');
    t.is(slots(m), 0xffn & ~(1n << 6n));
    await gtpIn(m.m1, `session add dev vx0 vni 9 ${there} lladdr ${FAR} from 10.0.0.1 to 10.0.0.2`);
    t.is(slots(m), 0xffn);
    t.like(
      (await sessions(m.m1)).find((one) => 'vni' in one && one.vni === 9),
      {
        ...{ lladdr: FAR, from: '10.0.0.1/32', to: '10.0.0.2/32', ue: [] },
      },
    );
    t.is(sizes(m)['tx_pair'], 1);
    await gtpIn(m.m1, 'link del vx0');
    t.deepEqual(world(m), kept);
  }),
);

const slots = (m: TwoMachines): bigint | undefined =>
  withMaps(m.m1, (maps) => [...maps.links.entries()].find(([, { config }]) => config.slots !== 0n)?.[1].config.slots);

/** Adds one session of each kind but gtp, told apart by `ue`. */
async function addAll(m: TwoMachines, dev: string, mac: string): Promise<void> {
  for (const [at, [type, { words }]] of Object.entries(kinds).entries()) {
    const own = type === 'gre' ? '' : mac;
    await gtpIn(m.m1, `session add dev ${dev} type ${type} ${words} ue 10.45.1.${at}${own}`);
  }
}

async function checkAll(t: ExecutionContext, m: TwoMachines, dev: string): Promise<void> {
  const all = await sessions(m.m1, `dev ${dev}`);
  for (const [at, [type, kind]] of Object.entries(kinds).entries()) {
    const found = all.find((one) => one.ue[0] === `10.45.1.${at}/32`);
    t.like(found, { type, ...kind.record });
    const [got] = JSON.parse(
      await gtpIn(m.m1, `-j session get dev ${dev} type ${type} ${idOf(kind)}`.trim()),
    ) as object[];
    t.like(got, { type, ...kind.record });
  }
}
