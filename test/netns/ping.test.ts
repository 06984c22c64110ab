// SPDX-License-Identifier: MIT
// gtp ping against foreign peers: plain UDP sockets on m2 that answer as each test says.
import test from 'ava';
import { echoPeer, udpSocket } from '../agent';
import { capture } from '../capture';
import { closeFixture, gtpIn, gtpTry, scratch, using } from '../fixture';
import { good, lines, pingJson, ports } from '../ping';
import { must, within } from '../run';
import { outer, twoMachines } from '../topology';
import { complaints, dissect } from '../tshark';

test.after.always(closeFixture);

const inMachines = using(twoMachines);

const requests = {
  0: (sequence: string) => `1e010000${sequence}0000ffffffff0000000000000000`,
  1: (sequence: string) => `3201000400000000${sequence}0000`,
} as const;

for (const version of [1, 0] as const) {
  for (const family of [4, 6] as const) {
    test.serial(
      `a peer that answers version ${version} over IPv${family} is told line by line`,
      inMachines(async (t, m) => {
        const [own, address] = outer[family];
        const peer = await echoPeer({ ns: m.m2, address, port: ports[version], answers: [good[version]] });
        const result = await gtpTry(m.m1, `ping ${address} count 2 interval 0.05 version ${version}`);
        t.is(result.status, 0, result.stderr);
        const [head, first, second, blank, title, counts, rtt, ...rest] = lines(result);
        t.is(
          head,
          `PING ${address} port ${ports[version]} from ${own} port ${ports[version]}: GTP-U version ${version}`,
        );
        for (const [at, line] of [first, second].entries()) {
          const bytes = good[version].length / 2;
          t.regex(
            line ?? '',
            new RegExp(`^${bytes} bytes from ${address}: seq=${at + 1} restart_count=7 time=[0-9.]+ ms$`),
          );
        }
        t.is(blank, '');
        t.is(title, `--- ${address} gtp ping statistics ---`);
        t.regex(counts ?? '', /^2 packets transmitted, 2 received, 0% packet loss, time \d+ms$/);
        t.regex(rtt ?? '', /^rtt min\/avg\/max\/mdev = (\d+\.\d{3}\/){3}\d+\.\d{3} ms$/);
        t.deepEqual(rest, []);
        const heard = await peer.end();
        t.deepEqual(
          heard.map(({ data, from }) => [data.toString('hex'), ...from]),
          ['0001', '0002'].map((sequence) => [requests[version](sequence), own, ports[version]]),
        );
      }),
    );
  }

  test.serial(
    `tshark has nothing to say against requests of version ${version}`,
    inMachines(async (t, m) => {
      // Else a capture has checksums that are not summed yet.
      for (const ns of [m.m1, m.m2]) await must(within(ns, 'ethtool', '-K', 'ul', 'tx', 'off'));
      const filter = `udp port ${ports[version]}`;
      const wire = await capture(m.m2, 'ul', `${scratch}/ping-${version}.pcap`, filter);
      for (const family of [4, 6] as const) {
        const peer = await echoPeer({
          ns: m.m2,
          address: outer[family][1],
          port: ports[version],
          answers: [good[version]],
        });
        t.is((await gtpTry(m.m1, `ping ${outer[family][1]} count 1 version ${version}`)).status, 0);
        await peer.end();
      }
      t.is(await wire.count(), 4);
      t.deepEqual(await complaints(wire.file), []);
      const found = await dissect(wire.file, 'gtp.message', 'gtp.flags.version', 'gtp.recovery');
      t.deepEqual(
        found.map((frame) => [Number(frame['gtp.message'][0]), Number(frame['gtp.flags.version'][0])]),
        [1, 2, 1, 2].map((type) => [type, version]),
      );
    }),
  );
}

test.serial(
  'what is not answered is lost, and the rest counts',
  inMachines(async (t, m) => {
    const peer = await echoPeer({ ns: m.m2, address: '192.0.2.2', answers: [good[1]], instead: { 2: [] } });
    const result = await gtpTry(m.m1, 'ping 192.0.2.2 count 3 interval 0.05 timeout 0.3');
    t.is(result.status, 0);
    t.regex(result.stdout, /\n3 packets transmitted, 2 received, 33\.3333% packet loss, time \d+ms\nrtt /);
    t.deepEqual(result.stdout.match(/seq=\d/g), ['seq=1', 'seq=3']);
    await peer.end();
  }),
);

test.serial(
  'a peer that does not answer is status 2, after the timeout of the last request',
  inMachines(async (t, m) => {
    const peer = await echoPeer({ ns: m.m2, address: '192.0.2.2', answers: [] });
    const start = Date.now();
    const result = await gtpTry(m.m1, 'ping 192.0.2.2 count 2 interval 0.1 timeout 0.4');
    t.is(result.status, 2);
    t.true(Date.now() - start >= 500);
    t.is(result.stderr, '');
    t.regex(lines(result).at(-1) ?? '', /^2 packets transmitted, 0 received, 100% packet loss, time 5\d\dms$/);
    await peer.end();
  }),
);

/** Recovery of an answer: its octets, what the line says. */
const recoveries: readonly (readonly [string, RegExp])[] = [
  [good[1], / restart_count=7 /],
  ['3202000600000000SSSS00000e00', / restart_count=0 /],
  ['3202000600000000SSSS00000eff', / restart_count=255 /],
  ['3202000400000000SSSS0000', / \(missing Recovery\) /],
  ['3202000500000000SSSS00000e', / \(malformed Recovery\) /],
  ['3202000600000000SSSS00000d07', / \(malformed Recovery\) /],
  ['3202000b00000000SSSS00000e07ff0002abcd', / restart_count=7 /],
  ['3202000b00000000SSSS0000ff0002abcd0e07', / restart_count=7 /],
  ['3602000a00000000SSSS00c0010000000e07', / restart_count=7 /],
  ['3202000600000000SSSS00000e07ffffff', / restart_count=7 /],
];

test.serial(
  'the restart counter is told, or what is wrong with it; the answer counts',
  inMachines(async (t, m) => {
    const instead = Object.fromEntries(recoveries.map(([octets], at) => [at + 1, [octets]]));
    const peer = await echoPeer({ ns: m.m2, address: '192.0.2.2', answers: [], instead });
    const result = await gtpTry(m.m1, `ping 192.0.2.2 count ${recoveries.length} interval 0.02`);
    const told = lines(result).slice(1, -4);
    t.is(told.length, recoveries.length, result.stdout);
    for (const [at, [octets, text]] of recoveries.entries()) t.regex(told[at] ?? '', text, octets);
    await peer.end();
  }),
);

test.serial(
  'with -j there is one record and no text',
  inMachines(async (t, m) => {
    const peer = await echoPeer({ ns: m.m2, address: '192.0.2.2', answers: [good[1]], instead: { 3: [] } });
    const { rtt, time, replies, ...rest } = await pingJson(m.m1, '192.0.2.2 count 4 interval 0.05 timeout 0.2');
    const counts = { transmitted: 4, received: 3, late: 0, duplicates: 0, errors: 0, loss: 25 };
    const paths = { peer: '192.0.2.2', local: '192.0.2.1', port: 2152, srcport: 2152, version: 1 };
    t.deepEqual<unknown, unknown>(rest, { ...paths, ...counts, restart_count: 7, status: 0 });
    t.true(rtt !== null && rtt.min > 0 && rtt.min <= rtt.avg && rtt.avg <= rtt.max && rtt.mdev >= 0);
    t.true(time >= 150 && time < 2000, `${time}`);
    t.deepEqual(
      replies.map(({ rtt: one, ...reply }) => [reply, one > 0]),
      [1, 2, 4].map((seq) => [{ seq, bytes: 14, restart_count: 7, late: false, duplicate: false }, true]),
    );
    await peer.end();
    const silent = await pingJson(m.m1, '192.0.2.9 count 1 timeout 0.1');
    t.like(silent, { status: 2, received: 0, loss: 100, restart_count: null, rtt: null, replies: [] });
  }),
);

test.serial(
  'local and port say from where and to where',
  inMachines(async (t, m) => {
    await must(['ip', '-n', m.m1, 'addr', 'add', '192.0.2.11/24', 'dev', 'ul']);
    const peer = await echoPeer({ ns: m.m2, address: '192.0.2.2', port: 5152, answers: [good[1]] });
    const record = await pingJson(m.m1, '192.0.2.2 local 192.0.2.11 port 5152 count 1');
    t.like(record, { status: 0, local: '192.0.2.11', port: 5152, srcport: 5152, received: 1 });
    t.deepEqual(
      (await peer.end()).map(({ from }) => from),
      [['192.0.2.11', 5152]],
    );
  }),
);

test.serial(
  'a port of its own that is taken is no obstacle',
  inMachines(async (t, m) => {
    await udpSocket(m.m1, '0.0.0.0', 2152);
    const peer = await echoPeer({ ns: m.m2, address: '192.0.2.2', answers: [good[1]] });
    const record = await pingJson(m.m1, '192.0.2.2 count 1');
    t.like(record, { status: 0, received: 1 });
    t.not(record.srcport, 2152);
    await peer.end();
  }),
);

test.serial(
  'an answer to port 2152 with sequence number 0, as from the kernel, is one to the oldest request',
  inMachines(async (t, m) => {
    const zero = '32020006000000000000' + '00000e00';
    const peer = await echoPeer({ ns: m.m2, address: '192.0.2.2', answers: [zero], to: 2152 });
    const record = await pingJson(m.m1, '192.0.2.2 count 5 interval 0.02');
    t.like(record, { status: 0, received: 5, duplicates: 0, late: 0, loss: 0 });
    t.deepEqual(
      record.replies.map(({ seq }) => seq),
      [1, 2, 3, 4, 5],
    );
    await udpSocket(m.m1, '0.0.0.0', 2152);
    t.like(await pingJson(m.m1, '192.0.2.2 count 1 timeout 0.2'), { status: 2, received: 0 }, 'from another port');
    await peer.end();
  }),
);

test.serial(
  'late answers are marked, count as lost, and are something that came back',
  inMachines(async (t, m) => {
    const peer = await echoPeer({ ns: m.m2, address: '192.0.2.2', answers: [good[1]], delay: 0.25 });
    const result = await gtpTry(m.m1, 'ping 192.0.2.2 count 4 interval 0.1 timeout 0.1');
    t.is(result.status, 0);
    t.regex(result.stdout, /seq=1 restart_count=7 time=\d+ ms \(late\)\n/);
    t.regex(result.stdout, /\n4 packets transmitted, 0 received, \+[12] late, 100% packet loss/);
    await peer.end();
  }),
);

test.serial(
  'a second answer is marked and does not count',
  inMachines(async (t, m) => {
    const peer = await echoPeer({ ns: m.m2, address: '192.0.2.2', answers: [good[1], good[1]] });
    const result = await gtpTry(m.m1, 'ping 192.0.2.2 count 2 interval 0.1');
    t.regex(result.stdout, /seq=1 restart_count=7 time=[0-9.]+ ms \(DUP!\)\n/);
    t.regex(result.stdout, /\n2 packets transmitted, 2 received, \+[12] duplicates, 0% packet loss/);
    await peer.end();
  }),
);

test.serial(
  'a hundred requests a second',
  inMachines(async (t, m) => {
    const peer = await echoPeer({ ns: m.m2, address: '192.0.2.2', answers: [good[1]] });
    const record = await pingJson(m.m1, '192.0.2.2 count 50 interval 0.01');
    t.like(record, { transmitted: 50, received: 50, loss: 0 });
    const least = record.rtt?.min ?? 0;
    t.true(least > 0.01 && least < 5, `${least} ms over a wire of this machine`);
    t.true(record.time >= 480 && record.time < 3000, `${record.time}`);
    await peer.end();
  }),
);

test.serial(
  '-br tells the summary alone',
  inMachines(async (t, m) => {
    const peer = await echoPeer({ ns: m.m2, address: '192.0.2.2', answers: [good[1]] });
    t.regex(await gtpIn(m.m1, '-br ping 192.0.2.2 count 2 interval 0.02'), /^\n--- .* ---\n2 packets .*\nrtt .*\n$/);
    await peer.end();
  }),
);
