// SPDX-License-Identifier: MIT
import test from 'ava';
import { closeFixture, gtp, gtpIn, links, sessions, using } from '../fixture';
import { linkKeys, sessionKeys } from '../records';
import { ends, inner, join, ping, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);

test.serial(
  'nothing is an empty list',
  inMachines(async (t, m) => {
    t.is((await gtpIn(m.m1, '-j link show')).trim(), '[]');
    t.is((await gtpIn(m.m1, '-j session show')).trim(), '[]');
    t.is((await gtpIn(m.m1, 'link show')).trim(), '');
  }),
);

test.serial(
  'link show has every key, with -s the counters',
  inMachines(async (t, m) => {
    await join(m, 4);
    t.is(await ping(m.ue1, inner[4][1], 2), 2);
    const [plain] = JSON.parse(await gtpIn(m.m1, '-j link show')) as Record<string, unknown>[];
    for (const key of linkKeys) t.true(Object.hasOwn(plain ?? {}, key), key);
    const [record] = await links(m.m1);
    t.like(record, {
      ifname: 'gtp0',
      type: 'gtp',
      local: '192.0.2.1',
      netns: m.ue1,
      inner: 'eth0',
      mtu: 1464,
      role: 'ggsn',
    });
    t.like(record, { sessions: 1, datapath: 'bpf' });
    t.true(record?.dev.includes('ul'));
    t.true((record?.ifindex ?? 0) > 0);
    t.true(Array.isArray(record?.hook));
    t.deepEqual(record?.stats.encap, { packets: 2, bytes: 168 });
    t.deepEqual(record?.stats.decap, { packets: 2, bytes: 168 });
    t.is(typeof record?.stats.drops, 'object');
  }),
);

test.serial(
  'session show has every key, what is not set is null',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 role upf local 192.0.2.1 netns ${m.ue1} address 10.45.0.1/24`);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(1, 2, '192.0.2.2')} ue 10.45.1.1 ue fd45::/64 name alice`);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(0xfffffffe, 0, '192.0.2.2')} ue 10.45.2.0/24 peer strict`);
    for (const record of JSON.parse(await gtpIn(m.m1, '-j session show')) as Record<string, unknown>[]) {
      for (const key of sessionKeys) t.true(Object.hasOwn(record, key), key);
    }
    const list = (await sessions(m.m1)).sort((a, b) => a.local_teid - b.local_teid);
    const same = { dev: 'gtp0', type: 'gtp', version: 1, remote: '192.0.2.2', local: '192.0.2.1', qfi: null };
    t.like(list[0], {
      ...same,
      local_teid: 1,
      remote_teid: 2,
      ue: ['10.45.1.1/32', 'fd45::/64'],
      peer: 'any',
      name: 'alice',
    });
    t.like(list[1], {
      ...same,
      local_teid: 0xfffffffe,
      remote_teid: 0,
      ue: ['10.45.2.0/24'],
      peer: 'strict',
      name: null,
    });
    t.is((await links(m.m1))[0]?.role, 'ggsn', 'an alias of the role is shown as ggsn');
    t.deepEqual(list[0]?.stats.encap, { packets: 0, bytes: 0 });
  }),
);

test.serial(
  'session show filters by dev, remote and ue',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1}`);
    await gtpIn(m.m1, `link add gtp1 local 192.0.2.1 netns ${m.ue2}`);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(1, 2, '192.0.2.2')} ue 10.45.1.1`);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 4, '192.0.2.3')} ue 10.45.2.0/24`);
    await gtpIn(m.m1, `session add dev gtp1 ${ends(5, 6, '192.0.2.3')} ue 10.45.1.1`);
    const teids = async (words: string) => (await sessions(m.m1, words)).map((each) => each.local_teid).sort();
    t.deepEqual(await teids(''), [1, 3, 5]);
    t.deepEqual(await teids('dev gtp0'), [1, 3]);
    t.deepEqual(await teids('remote 192.0.2.3'), [3, 5]);
    t.deepEqual(await teids('ue 10.45.1.1'), [1, 5]);
    t.deepEqual(await teids('dev gtp1 ue 10.45.1.1'), [5]);
    t.deepEqual(await teids('type gtp'), [1, 3, 5]);
    t.is((await links(m.m1, `netns ${m.ue2}`))[0]?.ifname, 'gtp1');
  }),
);

test.serial(
  'what session show prints are words that session add takes',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1}`);
    await gtpIn(
      m.m1,
      `session add dev gtp0 ${ends(1, 2, '192.0.2.2')} ue 10.45.1.1 ue fd45::/64 name alice ttl 9 peer strict`,
    );
    const text = await gtpIn(m.m1, '-o session show');
    const record = await gtpIn(m.m1, '-j session show');
    await gtpIn(m.m1, 'session flush');
    await gtpIn(m.m1, `session add ${text.trim().replace(/\s+/g, ' ')}`);
    t.is(await gtpIn(m.m1, '-j session show'), record);
  }),
);

test.serial(
  'what link show prints are words that link add takes',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1} role sgsn ttl 9 mtu 1400`);
    const text = await gtpIn(m.m1, '-o link show');
    const { ifindex, lladdr, ...record } =
      (JSON.parse(await gtpIn(m.m1, '-j link show')) as Record<string, unknown>[])[0] ?? {};
    t.is(typeof ifindex, 'number');
    t.is(typeof lladdr, 'string', 'the address of the inner end is random unless given');
    await gtpIn(m.m1, 'link del gtp0');
    await gtpIn(m.m1, `link add ${text.trim().replace(/\s+/g, ' ')}`);
    t.like((JSON.parse(await gtpIn(m.m1, '-j link show')) as Record<string, unknown>[])[0], record);
  }),
);

test.serial(
  'commands may be shortened, options too, and -p indents',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `l a gtp0 local 192.0.2.1 netns ${m.ue1}`);
    await gtpIn(m.m1, `s a dev gtp0 ${ends(1, 2, '192.0.2.2')}`);
    const whole = JSON.parse(await gtpIn(m.m1, '-json session show'));
    t.deepEqual(JSON.parse(await gtpIn(m.m1, '-j s')), whole);
    const indented = await gtpIn(m.m1, '-j -p session show');
    t.deepEqual(JSON.parse(indented), whole);
    t.true(indented.split('\n').length > 5);
    t.is((await gtp('-V')).status, 0);
    t.is((await gtp('-help')).status, 0);
    t.is((await gtp('link help')).status, 0);
  }),
);
