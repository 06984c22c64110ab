// SPDX-License-Identifier: MIT
import test from 'ava';
import { udpSocket } from '../agent';
import { capture } from '../capture';
import { closeFixture, gtpIn, gtpTry, scratch, sessions, using } from '../fixture';
import { gtp } from '../gtp-frame';
import { must, waitFor } from '../run';
import { ends, join, oneMachine, outer, ownAddresses, ping, twoMachines, user } from '../topology';
import { complaints, dissect } from '../tshark';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const END_MARKER = 254;

for (const family of [4, 6] as const) {
  const [local, remote] = outer[family];

  test.serial(
    `IPv${family} outer: session endmarker sends one End Marker as G-PDUs go, by tshark`,
    inMachines(async (t, m) => {
      const peer = await udpSocket(m.m2, remote, 2152);
      await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${user(0)} ${ends(1, 0xfedcba98, remote)}`);
      const wire = await capture(m.m2, 'ul', `${scratch}/end.pcap`);
      t.is(await gtpIn(m.m1, 'session endmarker dev gtp0 local-teid 1'), '');
      t.is((await peer.receive()).length, 1);
      t.is(await wire.count(), 1);
      t.deepEqual(await complaints(wire.file), []);
      const [frame] = await dissect(
        wire.file,
        ...(['gtp.flags', 'gtp.message', 'gtp.length', 'gtp.teid'] as const),
        ...(['udp.srcport', 'udp.dstport', 'udp.checksum'] as const),
        ...(['ip.ttl', 'ipv6.hlim', 'ip.flags.df'] as const),
      );
      t.deepEqual(
        [frame?.['gtp.flags'], frame?.['gtp.message'], frame?.['gtp.length'], frame?.['gtp.teid']],
        [['0x30'], ['0xfe'], ['0'], ['0xfedcba98']],
      );
      t.deepEqual([frame?.['udp.srcport'], frame?.['udp.dstport']], [['2152'], ['2152']]);
      t.deepEqual(frame?.[family === 4 ? 'ip.ttl' : 'ipv6.hlim'], ['64']);
      t.is(frame?.['udp.checksum'][0] === '0x0000', family === 4);
      t.true((await sessions(m.m1)).length === 1, 'the session goes on');
    }),
  );

  test.serial(
    `IPv${family} outer: an End Marker has the ports, TTL, TOS, DF and checksum of the session`,
    inMachines(async (t, m) => {
      const peer = await udpSocket(m.m2, remote, 22152);
      const words = 'port 22152 srcport 4444 ttl 7 tos 0x28 udpcsum df unset';
      await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${words} ${ends(1, 2, remote)}`);
      const wire = await capture(m.m2, 'ul', `${scratch}/end.pcap`, 'udp port 22152');
      await gtpIn(m.m1, 'session endmarker dev gtp0 local-teid 1');
      t.deepEqual(
        (await peer.receive()).map(({ data, from }) => [gtp(data).type, gtp(data).teid, from[1]]),
        [[END_MARKER, 2, 4444]],
      );
      t.is(await wire.count(), 1);
      t.deepEqual(await complaints(wire.file), []);
      const fields = [
        'ip.ttl',
        'ip.dsfield',
        'ip.flags.df',
        'ipv6.hlim',
        'ipv6.tclass',
        'udp.checksum.status',
      ] as const;
      const [frame] = await dissect(wire.file, ...fields);
      const found =
        family === 4
          ? [frame?.['ip.ttl'], frame?.['ip.dsfield'], frame?.['ip.flags.df'].map((text) => /0|false/i.test(text))]
          : [frame?.['ipv6.hlim'], frame?.['ipv6.tclass'].map((text) => `0x${text.slice(-2)}`), [true]];
      t.deepEqual(found, [['7'], ['0x28'], [true]]);
      t.deepEqual(
        frame?.['udp.checksum.status'].map((text) => /1|Good/.test(text)),
        [true],
      );
    }),
  );

  test.serial(
    `IPv${family} outer: del with endmarker sends it behind the last packet, and nothing after it`,
    inMachines(async (t, m) => {
      const peer = await udpSocket(m.m2, remote, 2152);
      await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${user(0)} ${ends(1, 2, remote)}`);
      const sender = await udpSocket(m.ue1, '10.45.0.1', 0);
      const sending = sender.send(Buffer.from('uplink'), ['10.45.0.2', 9], 5000);
      t.is((await peer.receive({ contains: 'uplink' })).length, 1);
      await gtpIn(m.m1, 'session del dev gtp0 local-teid 1 endmarker');
      await sending;
      t.is((await peer.receive({ contains: Buffer.from('30fe000000000002', 'hex') })).length, 1);
      t.deepEqual(await peer.receive({ timeout: 0 }), []);
      t.deepEqual(await sessions(m.m1), []);
    }),
  );

  test.serial(
    `IPv${family} outer: an End Marker reaches a program on this machine`,
    using(oneMachine)(async (t, m) => {
      const [own, other] = ownAddresses[family];
      const peer = await udpSocket(m.m1, other, 2152);
      await gtpIn(m.m1, `link add gtp0 local ${own} netns ${m.ue1} ${user(0)} ${ends(1, 2, other)}`);
      await gtpIn(m.m1, 'session endmarker dev gtp0 local-teid 1');
      t.deepEqual(
        (await peer.receive()).map(({ data, from }) => [gtp(data).type, gtp(data).teid, from[0], from[1]]),
        [[END_MARKER, 2, own, 2152]],
      );
    }),
  );

  test.serial(
    `IPv${family} outer: the other end shows that the session has ended, until somebody changes it`,
    inMachines(async (t, m) => {
      await join(m, family);
      t.is(await ping(m.ue1, '10.45.0.2', 2), 2);
      await gtpIn(m.m1, 'session endmarker dev gtp0 local-teid 0x101');
      const state = async () => (await sessions(m.m2))[0]?.state;
      t.is(await waitFor(state, (each) => each === 'ended'), 'ended');
      t.is((await sessions(m.m1))[0]?.state, 'up');
      await gtpIn(m.m2, `session change dev gtp0 local-teid 0x202 remote ${local}`);
      t.is(await state(), 'up');
    }),
  );
}

test.serial(
  'what the kernel refuses is named, and del leaves the session as it was',
  inMachines(async (t, m) => {
    const [local, remote] = outer[4];
    await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${user(0)} ${ends(1, 2, remote)} name alice`);
    const before = await gtpIn(m.m1, '-j -s session show');
    const told = /^Error: send an End Marker through session local-teid 0x00000001: /;
    await must(['ip', '-n', m.m1, 'addr', 'del', `${local}/24`, 'dev', 'ul']);
    for (const words of ['endmarker dev gtp0 local-teid 1', 'del dev gtp0 local-teid 1 endmarker']) {
      const { status, stderr } = await gtpTry(m.m1, `session ${words}`);
      t.is(status, 2);
      t.regex(stderr, told);
      t.regex(stderr, /Cannot assign requested address\nHint: 192\.0\.2\.1 must be an address of this machine/);
    }
    await must(['ip', '-n', m.m1, 'addr', 'add', `${local}/32`, 'dev', 'lo']);
    const { status, stderr } = await gtpTry(m.m1, 'session del dev gtp0 local-teid 1 endmarker');
    t.is(status, 2);
    t.regex(stderr, told);
    t.regex(stderr, /Network is unreachable\nHint: ip route get 192\.0\.2\.2/);
    await must(['ip', '-n', m.m1, 'addr', 'del', `${local}/32`, 'dev', 'lo']);
    await must(['ip', '-n', m.m1, 'addr', 'add', `${local}/24`, 'dev', 'ul']);
    t.is(await gtpIn(m.m1, '-j -s session show'), before);
    await gtpIn(m.m1, 'session del dev gtp0 local-teid 1 endmarker');
    t.deepEqual(await sessions(m.m1), []);
  }),
);

test.serial(
  'version 0 has no End Marker, and a session that is not there has none',
  inMachines(async (t, m) => {
    const [local, remote] = outer[4];
    await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} version 0 tid 5 remote ${remote}`);
    for (const words of ['endmarker dev gtp0 tid 5', 'del dev gtp0 version 0 tid 5 endmarker']) {
      const { status, stderr } = await gtpTry(m.m1, `session ${words}`);
      t.is(status, 1);
      t.regex(stderr, /^Error: .*version 0 has no End Marker/);
    }
    t.is((await sessions(m.m1)).length, 1);
    const { status, stderr } = await gtpTry(m.m1, 'session endmarker dev gtp0 local-teid 9');
    t.is(status, 2);
    t.regex(stderr, /^Error: find session local-teid 0x00000009 of gtp0: No such session/);
  }),
);
