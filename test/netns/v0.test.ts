// SPDX-License-Identifier: MIT
import test from 'ava';
import { buildOne, transfer, udpSocket } from '../agent';
import { capture } from '../capture';
import { closeFixture, gtpIn, gtpTry, scratch, sessions, sharing } from '../fixture';
import { pingJson } from '../ping';
import { sessionKeys } from '../records';
import { waitFor } from '../run';
import { ends, inner, keptMachines, mtuOf, outer, ping, twoMachines, user } from '../topology';
import { complaints, dissect } from '../tshark';

test.after.always(closeFixture);

const inMachines = sharing(twoMachines, keptMachines);

/** More than JavaScript's numbers hold. */
const TID = '0x2143658719f0e5d3';
const id = (flow: number, remoteFlow: number) => `version 0 tid ${TID} flow ${flow} remote-flow ${remoteFlow}`;

for (const family of [4, 6] as const) {
  const [local, remote] = outer[family];

  test.serial(
    `IPv${family} outer: version 0 carries packets both ways, as tshark reads them`,
    inMachines(async (t, m) => {
      await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${user(0)} ${id(7, 513)} remote ${remote}`);
      await gtpIn(m.m2, `link add gtp0 local ${remote} netns ${m.ue2} ${user(1)} ${id(513, 7)} remote ${local}`);
      t.is(await mtuOf(m.ue1), family === 4 ? 1452 : 1432);
      const wire = await capture(m.m2, 'ul', `${scratch}/v0.pcap`, 'udp port 3386');
      t.is(await ping(m.ue1, inner[4][1], 3), 3);
      t.is(await ping(m.ue2, inner[6][0], 2, '-s', family === 4 ? '1404' : '1384'), 2, 'up to the MTU');
      t.is(await wire.count(), 10);
      t.deepEqual(await complaints(wire.file), []);
      const fields = ['gtp.flags', 'gtp.message', 'gtp.tid', 'gtp.flow_label', 'gtp.seq_number'] as const;
      const list = await dissect(wire.file, ...fields, 'udp.srcport', 'udp.dstport', 'frame.protocols');
      t.true(list.every((frame) => frame['gtp.flags'][0] === '0x1e' && frame['gtp.message'][0] === '0xff'));
      t.true(list.every((frame) => frame['udp.srcport'][0] === '3386' && frame['udp.dstport'][0] === '3386'));
      const sent = list.filter((_, at) => at % 2 === 0).map((frame) => frame['gtp.flow_label'][0]);
      t.deepEqual(sent.slice(0, 3).map(Number), [513, 513, 513], 'the label that the receiver chose');
      const numbers = list.filter((frame) => Number(frame['gtp.flow_label'][0]) === 513);
      t.deepEqual(
        numbers.map((frame) => Number(frame['gtp.seq_number'][0])),
        [0, 1, 2, 3, 4],
        'from 0 on (Z5)',
      );
      const [first] = await sessions(m.m1);
      t.deepEqual([first?.stats.encap.packets, first?.stats.decap.packets], [5, 5]);
    }),
  );

  test.serial(
    `IPv${family} outer: octets of version 0 by hand, sent and received`,
    inMachines(async (t, m) => {
      const peer = await udpSocket(m.m2, remote, 3386);
      await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${user(0)} ${id(7, 0xabcd)} remote ${remote}`);
      const alice = await udpSocket(m.ue1, inner[4][0], 7000);
      await alice.send(Buffer.from('up'), [inner[4][1], 53]);
      const [got] = await peer.receive();
      t.is(got?.data.subarray(0, 20).toString('hex'), `1eff001e0000abcdffffffff${TID.slice(2)}`);
      t.is(got?.from[1], 3386);
      const down = await buildOne(`IP(src='${inner[4][1]}',dst='${inner[4][0]}')/UDP(sport=53,dport=7000)/b'down'`);
      await peer.send(tpdu('1e', TID, down), [local, 3386]);
      await peer.send(tpdu('1f', TID, down), [local, 3386]);
      t.deepEqual(
        (await alice.receive({ count: 2 })).map(({ data }) => data.toString()),
        ['down', 'down'],
        'with and without an SNDCP number',
      );
      await peer.send(tpdu('1e', '0x2143658719f0e5d4', down), [local, 3386]);
      await peer.send(tpdu('1e', TID, down), [local, 3386]);
      t.is((await alice.receive({ count: 1 })).length, 1);
      t.deepEqual(await alice.receive({ timeout: 0 }), [], 'another TID is nobody of ours');
    }),
  );

  test.serial(
    `IPv${family} outer: TCP through version 0 keeps every octet, and every header is right`,
    inMachines(async (t, m) => {
      await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${user(0)} ${id(1, 2)} remote ${remote}`);
      await gtpIn(m.m2, `link add gtp0 local ${remote} netns ${m.ue2} ${user(1)} ${id(2, 1)} remote ${local}`);
      const wire = await capture(m.m2, 'ul', `${scratch}/v0.pcap`, `udp port 3386 and src host ${local}`);
      t.true((await transfer({ from: m.ue1, to: m.ue2, address: inner[4][1], size: 3_000_001 })).equal);
      await wire.count();
      t.deepEqual(await complaints(wire.file), []);
      const list = await dissect(wire.file, 'gtp.length', 'udp.length', 'gtp.seq_number');
      t.true(list.every((frame) => Number(frame['gtp.length'][0]) === Number(frame['udp.length'][0]) - 28));
      const numbers = list.map((frame) => Number(frame['gtp.seq_number'][0]));
      t.deepEqual(
        numbers,
        numbers.map((_, at) => at & 0xffff),
        'one number for each packet, in order',
      );
    }),
  );
}

test.serial(
  'both versions on one link: sessions are told apart by ue, and found by their own ID',
  inMachines(async (t, m) => {
    const [local, remote] = outer[4];
    await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} address 10.45.0.1/16`);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(5, 6, remote)} ue 10.45.1.1`);
    await gtpIn(m.m1, `session add dev gtp0 version 0 tid 5 remote ${remote} ue 10.45.1.2 name old`);
    const [v1, v0] = [await udpSocket(m.m2, remote, 2152), await udpSocket(m.m2, remote, 3386)];
    const alice = await udpSocket(m.ue1, '10.45.0.1', 0);
    for (const address of ['10.45.1.1', '10.45.1.2']) await alice.send(Buffer.from(address), [address, 9]);
    t.is((await v1.receive({ contains: '10.45.1.1' })).length, 1);
    t.is((await v0.receive({ contains: '10.45.1.2' })).length, 1);
    const got = async (words: string) => JSON.parse(await gtpIn(m.m1, `-j session get dev gtp0 ${words}`))[0];
    t.like(await got('local-teid 5'), { version: 1, local_teid: 5, tid: null, ue: ['10.45.1.1/32'] });
    for (const words of ['tid 5', 'version 0 tid 0x5']) t.like(await got(words), { version: 0, tid: 5, name: 'old' });
    t.is((await sessions(m.m1, 'ue 10.45.1.2')).length, 1);
    t.is((await sessions(m.m1, `remote ${remote}`)).length, 2);
    const [path] = JSON.parse(await gtpIn(m.m1, `-j path show remote ${remote}`)) as { sessions: number }[];
    t.is(path?.sessions, 2);
    await gtpIn(m.m1, 'session del dev gtp0 tid 5');
    t.deepEqual(
      (await sessions(m.m1)).map(({ local_teid }) => local_teid),
      [5],
    );
  }),
);

test.serial(
  'port 3386 is ours while a session of version 0 is there, and no longer (G24)',
  inMachines(async (t, m) => {
    const [local, remote] = outer[4];
    const ports = async () =>
      (JSON.parse(await gtpIn(m.m1, `-j path show local ${local}`)) as { port: number; remote: string | null }[])
        .filter((record) => record.remote === null)
        .map(({ port }) => port)
        .sort();
    await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1}`);
    t.deepEqual(await ports(), [2152]);
    await gtpIn(m.m1, `session add dev gtp0 version 0 tid 5 remote ${remote}`);
    t.deepEqual(await ports(), [2152, 3386]);
    await gtpIn(m.m1, 'link set gtp0 port 4000');
    t.deepEqual(await ports(), [4000, 4000], 'the port of the link, unless it is the one of version 1 alone');
    await gtpIn(m.m1, 'link set gtp0 port 2152');
    t.deepEqual(await ports(), [2152, 3386]);
    await gtpIn(m.m1, 'session flush');
    t.deepEqual(await ports(), [2152]);
  }),
);

test.serial(
  'an Echo Request of version 0 is answered with the restart counter of the link (Z3, Z4)',
  inMachines(async (t, m) => {
    const [local, remote] = outer[4];
    await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${id(7, 8)} remote ${remote}`);
    await gtpIn(m.m2, `link add gtp0 local ${remote} netns ${m.ue2} ${id(8, 7)} remote ${local} restart_count 7`);
    const asked = `dev gtp0 tid ${TID} count 1`;
    t.like(await pingJson(m.m1, asked), { status: 0, version: 0, port: 3386, received: 1, restart_count: 7 });
    await gtpIn(m.m2, 'link set gtp0 restart_count 255');
    t.like(await pingJson(m.m1, asked), { received: 1, restart_count: 255 });
    t.like(await pingJson(m.m1, 'dev gtp0 version 1 count 1'), { port: 2152, received: 1, restart_count: 0 });
    const wire = await capture(m.m2, 'ul', `${scratch}/echo.pcap`, 'udp port 3386');
    await pingJson(m.m1, `${asked} version 0`);
    t.is(await wire.count(), 2);
    t.deepEqual(await complaints(wire.file), []);
    const [request, response] = await dissect(wire.file, 'gtp.message', 'gtp.seq_number', 'gtp.tid', 'gtp.recovery');
    t.deepEqual([request?.['gtp.message'], response?.['gtp.message']], [['0x01'], ['0x02']]);
    t.deepEqual(request?.['gtp.seq_number'], response?.['gtp.seq_number']);
    t.deepEqual(response?.['gtp.recovery'], ['255']);
  }),
);

test.serial(
  'a record of version 0 has every key, and its words make the same session again',
  inMachines(async (t, m) => {
    const [local, remote] = outer[4];
    await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1}`);
    await gtpIn(
      m.m1,
      `session add dev gtp0 ${id(0, 65535)} remote ${remote} ue 10.45.1.1 name alice ttl 9 peer strict`,
    );
    const text = await gtpIn(m.m1, '-o session show');
    const json = await gtpIn(m.m1, '-j session show');
    t.true(json.includes(`"tid":${BigInt(TID)},`), 'all digits');
    const [record] = JSON.parse(json) as Record<string, unknown>[];
    for (const key of sessionKeys) t.true(Object.hasOwn(record ?? {}, key), key);
    t.like(record, { version: 0, local_teid: null, remote_teid: null, flow: 0, remote_flow: 65535, psc: null });
    t.regex(text, new RegExp(`^dev gtp0 type gtp version 0 tid ${TID} remote `));
    await gtpIn(m.m1, 'session flush');
    await gtpIn(m.m1, `session add ${text.trim().replace(/\s+/g, ' ')}`);
    t.is(await gtpIn(m.m1, '-j session show'), json);
    await gtpIn(m.m1, `session change dev gtp0 tid ${TID} flow 3 ttl 10`);
    const [changed] = JSON.parse(await gtpIn(m.m1, '-j session show')) as Record<string, unknown>[];
    t.like(changed, { version: 0, flow: 3, remote_flow: 65535, ttl: 10, name: 'alice' });
    await gtpIn(m.m1, `session replace dev gtp0 version 0 tid ${TID} remote ${remote} ue 10.45.1.1`);
    const [replaced] = JSON.parse(await gtpIn(m.m1, '-j session show')) as Record<string, unknown>[];
    t.like(replaced, { version: 0, flow: 0, remote_flow: 0, ttl: null, name: null });
  }),
);

test.serial(
  'a TID in use, and words of the other version, are refused by lines that name them',
  inMachines(async (t, m) => {
    const [local, remote] = outer[4];
    await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} version 0 tid 5 remote ${remote}`);
    const refused = async (words: string, wanted: number, told: RegExp) => {
      const { status, stderr } = await gtpTry(m.m1, words);
      t.is(status, wanted, words);
      t.regex(stderr, told);
    };
    const again = `session add dev gtp0 version 0 tid 5 remote ${remote}`;
    await refused(
      again,
      2,
      /^Error: add session tid 0x0000000000000005 to gtp0: File exists\nHint: link gtp0 has that TID/,
    );
    await refused('session get dev gtp0 local-teid 5', 2, /No such session/);
    await refused(
      'session get dev gtp0 tid 6',
      2,
      /^Error: find session tid 0x0000000000000006 of gtp0: No such session/,
    );
    await refused('session change dev gtp0 tid 5 seq', 1, /^Error: "seq" is a word of version 1, "tid" of version 0/);
    const left = await waitFor(
      () => sessions(m.m1),
      (list) => list.length === 1,
    );
    t.is(left.length, 1);
  }),
);

/** A T-PDU of version 0: sequence number 9, any flow label, an SNDCP number where the flags say so. */
function tpdu(flags: '1e' | '1f', tid: string, payload: Buffer): Buffer {
  const length = payload.length.toString(16).padStart(4, '0');
  const sndcp = flags === '1f' ? '42' : 'ff';
  return Buffer.concat([Buffer.from(`${flags}ff${length}00090001${sndcp}ffffff${tid.slice(2)}`, 'hex'), payload]);
}
