// SPDX-License-Identifier: MIT
// Sessions of every kind come, change and go: by words, under traffic, beside each other.
import test from 'ava';
import { stream, udpSocket } from '../agent';
import { closeFixture, gtpIn, gtpTry, linkStats, sessions, sharing } from '../fixture';
import { dropped } from '../records';
import { inner, outer, ping, twoMachines } from '../topology';
import { addEnd, joinKind, type Kind, kinds, LINK, plainKinds, titleOf } from '../tunnel-kinds';
import { rawPeer } from '../tunnel-raw';

test.after.always(closeFixture);

const inMachines = sharing(twoMachines, ({ m1, m2 }) => ({ [m1]: outer[4][0], [m2]: outer[4][1] }));
const tunnels = plainKinds.filter(({ type }) => type !== 'vlan');

/** The words that are enough to find a session again. */
function receiveHalf({ type, words: [words] }: Kind): string {
  const parts = words.split(' ');
  const word = (name: string): string => (parts.includes(name) ? `${name} ${parts[parts.indexOf(name) + 1]}` : '');
  if (type === 'gre' || type === 'gretap') return word('key') || word('ikey');
  return word('vni') || word('session_id') || word('id');
}

/** Those with most words. */
const isTelling = ({ title }: Kind): boolean =>
  !/a key$|checksums|numbers$|with udpcsum|4 octets|another port/.test(title);

for (const type of new Set(kinds.map((kind) => kind.type)))
  test.serial(
    `${type}: what show prints makes the same session again, and its receive half finds it`,
    inMachines(async (t, m) => {
      for (const kind of kinds.filter((each) => each.type === type && isTelling(each))) {
        await addEnd(m, kind, 4, 0);
        const [text, json] = [await gtpIn(m.m1, '-o session show'), await gtpIn(m.m1, '-j session show')];
        t.regex(text, new RegExp(`^dev ${LINK} type ${type} `));
        const half = `dev ${LINK} type ${type} ${receiveHalf(kind)}`.trim();
        t.is(await gtpIn(m.m1, `-j session get ${half}`), json, titleOf(kind));
        await gtpIn(m.m1, `session del ${half}`);
        await gtpIn(m.m1, `session add ${text.trim().replace(/\s+/g, ' ')}`);
        t.is(await gtpIn(m.m1, '-j session show'), json, titleOf(kind));
        await gtpIn(m.m1, `link del ${LINK}`);
      }
    }),
  );

for (const kind of plainKinds.filter(({ type }) => ['gre', 'vxlan', 'vlan'].includes(type)))
  test.serial(
    `${titleOf(kind)}: the same receive key at another link is refused, and nothing is left of it`,
    inMachines(async (t, m) => {
      await joinKind(m, kind, 4);
      const [local, remote] = outer[4];
      const way = kind.type === 'vlan' ? 'dev ul' : `local ${local} remote ${remote}`;
      const { status, stderr } = await gtpTry(m.m1, `link add t1 type ${kind.type} ${way} ${kind.words[0]}`.trim());
      t.is(status, 2);
      t.regex(stderr, /^Error: .*File exists/);
      t.is((await sessions(m.m1)).length, 1);
      t.is(await ping(m.ue1, inner[4][1]), 3, 'the first goes on');
      t.is((await gtpTry(m.m1, 'link show t1')).status, 2);
    }),
  );

for (const kind of tunnels)
  test.serial(
    `${titleOf(kind)}: replace and change of a live session lose no packet and keep the counters`,
    inMachines(async (t, m) => {
      await joinKind(m, kind, 4);
      t.is(await ping(m.ue1, inner[4][1]), 3);
      const flow = await stream(m.ue1, inner[4][0], m.ue2, inner[4][1]);
      const half = `dev ${LINK} ${receiveHalf(kind)}`.trim();
      for (let round = 0; round < 3; round++) {
        await gtpIn(m.m1, `session change ${half} ttl ${10 + round}`);
        await gtpIn(m.m2, `session change ${half.replace('0x101', '0xfedcba98')} tos 0x20`);
        const words = `${kind.words[0]} remote ${outer[4][1]}`;
        await gtpIn(m.m1, `session replace dev ${LINK} ${words}`);
      }
      const { sent, received, twice } = await flow.end();
      t.true(sent > 500, `${sent}`);
      t.deepEqual([received, twice], [sent, 0]);
      const [session] = await sessions(m.m1);
      t.true((session?.stats.encap.packets ?? 0) >= sent, 'counters are kept');
      for (const ns of [m.m1, m.m2]) t.deepEqual(dropped(await linkStats(ns, LINK)), {});
    }),
  );

/** Words that change on the way, and the octets behind the outer IP header then. */
const changes: readonly (readonly [Kind['type'], string, string, string])[] = [
  ['gre', 'ikey 5 okey 6', 'ikey 5 okey 0x01020304', '2000080001020304'],
  ['gre', 'key 5', 'key 5 csum', 'a0000800........00000005'],
  ['gretap', 'key 5', 'key 5 oseq', '300065580000000500000000'],
  ['geneve', 'vni 5', 'vni 5 opt 0102:03:aabbccdd', '.{16}02006558000005000102' + '0301aabbccdd'],
  ['vxlan', 'vni 5', 'vni 5 dstport 7777', '....1e61........0800000000000500'],
  [
    'l2tp',
    'session_id 5 peer_session_id 6',
    'session_id 5 cookie 1122334455667788',
    '.{16}00030000000000061122334455667788',
  ],
  [
    'l2tp',
    'session_id 5 peer_session_id 6',
    'session_id 5 peer_session_id 7 l2spec_type none',
    '.{16}0003000000000007020000',
  ],
];

for (const [type, words, change, octets] of changes)
  test.serial(
    `${type} ${words}: change to ${change} is seen in the next packet`,
    inMachines(async (t, m) => {
      const raw = await rawPeer(m, type, 4, words);
      await gtpIn(m.m1, `session change dev ${LINK} ${change}`);
      const mark = '<changed>';
      const ip = `IP(src='10.45.0.1',dst='10.45.0.2')/UDP()/b'${mark}'`;
      const sent = await raw.out(`Ether(src='02:00:00:00:00:01',dst='02:00:00:00:00:02')/${ip}`, mark);
      t.regex(sent.payload.toString('hex'), new RegExp(`^${octets}`));
    }),
  );

test.serial(
  'a VLAN ID in 802.1Q and in 802.1ad are two sessions, and protocol tells which is meant',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add ${LINK} type vlan dev ul netns ${m.ue1}`);
    await gtpIn(m.m1, `session add dev ${LINK} id 5 lladdr 02:00:00:00:00:51`);
    await gtpIn(m.m1, `session add dev ${LINK} id 5 protocol 802.1ad lladdr 02:00:00:00:00:52`);
    for (const command of ['get', 'del', 'change']) {
      const more = command === 'change' ? ' name x' : '';
      const { status, stderr } = await gtpTry(m.m1, `session ${command} dev ${LINK} id 5${more}`);
      t.deepEqual([status, /expected "protocol" to name one/.test(stderr)], [1, true], stderr);
    }
    await gtpIn(m.m1, `session change dev ${LINK} id 5 protocol 802.1ad name outer`);
    t.regex(await gtpIn(m.m1, `session get dev ${LINK} id 5 protocol 802.1ad`), /name outer/);
    await gtpIn(m.m1, `session del dev ${LINK} id 5 protocol 802.1Q`);
    t.deepEqual(
      (await sessions(m.m1)).map(({ name }) => name),
      ['outer'],
    );
    await gtpIn(m.m1, `session change dev ${LINK} id 5 protocol 802.1Q`);
    t.is((await gtpTry(m.m1, `session get dev ${LINK} id 5 protocol 802.1ad`)).status, 2, 'it has changed');
  }),
);

test.serial(
  'ports are ours while a session is there, and no longer: programs of this machine get the rest',
  inMachines(async (t, m) => {
    const [local, remote] = outer[4];
    const program = await udpSocket(m.m1, local, 6081);
    const peer = await udpSocket(m.m2, remote, 6081);
    const says = async (hex: string): Promise<boolean> => {
      await peer.send(Buffer.from(`${hex}${'00'.repeat(60)}`, 'hex'), [local, 6081]);
      return (await program.receive({ timeout: 0.3 })).length === 1;
    };
    const [ours, others] = ['0000655800006400', '0000655800006500'];
    t.true(await says(ours), 'nobody else wants it');
    await gtpIn(m.m1, `link add ${LINK} type geneve local ${local} netns ${m.ue1} vni 100 remote ${remote}`);
    t.false(await says(ours));
    t.true(await says(others), 'no VNI of ours');
    await gtpIn(m.m1, `session del dev ${LINK} vni 100`);
    t.true(await says(others));
    await gtpIn(m.m1, `link del ${LINK}`);
    t.true(await says(ours));
  }),
);

test.serial(
  'a link whose session goes sends nothing, and counts that by name',
  inMachines(async (t, m) => {
    const kind = plainKinds.find(({ type }) => type === 'vxlan');
    if (kind === undefined) throw new Error('no vxlan');
    await joinKind(m, kind, 4);
    t.is(await ping(m.ue1, inner[4][1]), 3);
    await gtpIn(m.m1, `session del dev ${LINK} vni 0xabcdef`);
    t.is(await ping(m.ue1, inner[4][1], 2, '-W', '0.2'), 0);
    t.deepEqual(Object.keys(dropped(await linkStats(m.m1, LINK))), ['no_session']);
  }),
);
