// SPDX-License-Identifier: MIT
// What gtp ping passes over, what it refuses, how it ends, and what stands beside it.
import test, { type ExecutionContext } from 'ava';
import { echoPeer, udpSocket } from '../agent';
import { closeFixture, command, gtpIn, gtpTry, using } from '../fixture';
import { good, lines, pingJson, startPing } from '../ping';
import { must, run, waitFor, within } from '../run';
import { ends, join, outer, ping as pingThrough, type TwoMachines, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);

/** Answers that do not count, in front of nothing. */
const foreign: Record<string, string> = {
  'another sequence number': '3202000600000000OOOO00000e07',
  'another port': `!${good[1]}`,
  'version 0': good[0],
  'GTP prime': '2202000600000000SSSS00000e07',
  'an Echo Request': '3201000400000000SSSS0000',
  'no sequence number': '3002000200000000SSSS',
  'a cut header': '3202000600000000SSSS',
  'a length beyond the datagram': '3202000800000000SSSS00000e07',
  'a length shorter than the optional part': '3202000200000000SSSS00000e07',
  'extension headers without an end': '3602000a00000000SSSS00c0010000c00e07',
  nothing: '',
};

test.serial(
  'answers that are none are passed over',
  inMachines(async (t, m) => {
    const all = Object.values(foreign);
    const peer = await echoPeer({ ns: m.m2, address: '192.0.2.2', answers: all, instead: { 2: [...all, good[1]] } });
    const record = await pingJson(m.m1, '192.0.2.2 count 2 interval 0.05 timeout 0.3');
    t.like(record, { status: 0, transmitted: 2, received: 1, late: 0, duplicates: 0, errors: 0, loss: 50 });
    t.deepEqual(
      record.replies.map(({ seq }) => seq),
      [2],
    );
    await peer.end();
  }),
);

test.serial(
  'an answer from another address is passed over, also by a socket that is not the first on the port',
  inMachines(async (t, m) => {
    await must(['ip', '-n', m.m2, 'addr', 'add', '192.0.2.22/24', 'dev', 'ul']);
    const stranger = await udpSocket(m.m2, '192.0.2.22', 2152);
    const running = await startPing(m.m1, '192.0.2.2 interval 0.05', /^PING/);
    for (let sequence = 1; sequence < 20; sequence++) {
      const octets = Buffer.from(good[1].replace('SSSS', sequence.toString(16).padStart(4, '0')), 'hex');
      await stranger.send(octets, ['192.0.2.1', 2152]);
    }
    const { status, stdout } = await running.stop();
    t.is(status, 2);
    t.notRegex(stdout, /bytes from/);
  }),
);

for (const [signal, answers, status] of [
  ['SIGINT', [good[1]], 0],
  ['SIGTERM', [good[1]], 0],
  ['SIGINT', [], 2],
] as const) {
  test.serial(
    `without count it goes on; ${signal} ends it with a summary and status ${status}`,
    inMachines(async (t, m) => {
      const peer = await echoPeer({ ns: m.m2, address: '192.0.2.2', answers });
      const running = await startPing(m.m1, '192.0.2.2 interval 0.02', status === 0 ? /seq=12 / : /^PING/);
      await waitFor(peer.requests, (heard) => heard.length >= 12);
      const result = await running.stop(signal);
      t.is(result.status, status);
      t.is(result.stderr, '');
      const [, transmitted, received] = /(\d+) packets transmitted, (\d+) received/.exec(result.stdout) ?? [];
      t.true(Number(transmitted) >= 12);
      t.is(Number(received) >= 12, status === 0);
      t.is(/\nrtt min\/avg\/max\/mdev = /.test(result.stdout), status === 0);
      await peer.end();
    }),
  );
}

test.serial(
  'SIGINT ends -j with its record',
  inMachines(async (t, m) => {
    const peer = await echoPeer({ ns: m.m2, address: '192.0.2.2', answers: [good[1]] });
    const capturing = await startPing(m.m1, '192.0.2.2 interval 0.02', undefined, '-j');
    await waitFor(peer.requests, (heard) => heard.length >= 5);
    const { status, stdout } = await capturing.stop();
    t.is(status, 0);
    t.like(JSON.parse(stdout)[0], { peer: '192.0.2.2', restart_count: 7 });
    await peer.end();
  }),
);

test.serial(
  'a reader who goes away ends it',
  inMachines(async (t, m) => {
    const peer = await echoPeer({ ns: m.m2, address: '192.0.2.2', answers: [good[1]] });
    const line = `"$0" ${command} -n ${m.m1} ping 192.0.2.2 interval 0.02 | head -n 2`;
    const { stdout, stderr } = await run(['sh', '-c', line, process.execPath]);
    t.is(stderr, '');
    t.regex(stdout, /^PING .*\n14 bytes from .*\n$/);
    await peer.end();
  }),
);

test.serial(
  'a peer without such a port is told by its ICMP errors, and pinging goes on',
  inMachines(async (t, m) => {
    // The kernel sends few ICMP errors a second.
    await must([
      'ip',
      'netns',
      'exec',
      m.m2,
      'sysctl',
      '-qw',
      'net.ipv4.icmp_ratelimit=0',
      'net.ipv6.icmp.ratelimit=0',
    ]);
    for (const family of [4, 6] as const) {
      const [, peer] = outer[family];
      const result = await gtpTry(m.m1, `ping ${peer} count 3 interval 0.05`);
      t.is(result.status, 2);
      t.deepEqual(
        lines(result).slice(1, 4),
        [1, 2, 3].map((sequence) => `From ${peer} seq=${sequence}: Connection refused`),
      );
      t.regex(
        lines(result).at(-1) ?? '',
        /^3 packets transmitted, 0 received, \+3 errors, 100% packet loss, time \d+ms$/,
      );
    }
  }),
);

test.serial(
  'an ICMP error is told in the name of the router that sent it',
  inMachines(async (t, m) => {
    await must(within(m.m2, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv4.icmp_ratelimit=0'));
    await must(['ip', '-n', m.m1, 'route', 'add', '198.51.100.0/24', 'via', '192.0.2.2']);
    await must(['ip', '-n', m.m2, 'route', 'add', 'unreachable', '198.51.100.0/24']);
    const result = await gtpTry(m.m1, 'ping 198.51.100.7 count 2 interval 0.05');
    t.is(result.status, 2);
    t.deepEqual(
      lines(result).slice(1, 3),
      [1, 2].map((sequence) => `From 192.0.2.2 seq=${sequence}: No route to host`),
    );
  }),
);

test.serial(
  'what the kernel does not send is told and does not end it',
  inMachines(async (t, m) => {
    const peer = await echoPeer({ ns: m.m2, address: '192.0.2.2', answers: [good[1]] });
    const running = await startPing(m.m1, '192.0.2.2 interval 0.05', /seq=2 /);
    await must(['ip', '-n', m.m1, 'route', 'add', 'prohibit', '192.0.2.2/32']);
    await waitFor(
      async () =>
        must(['ip', '-n', m.m1, 'route', 'get', '192.0.2.2']).then(
          () => false,
          () => true,
        ),
      (refused) => refused,
    );
    const heard = (await peer.requests()).length;
    await waitFor(peer.requests, (list) => list.length > heard, 300);
    await must(['ip', '-n', m.m1, 'route', 'del', 'prohibit', '192.0.2.2/32']);
    await waitFor(peer.requests, (list) => list.length > heard + 2);
    const { status, stdout } = await running.stop();
    t.is(status, 0);
    t.regex(stdout, /\nFrom 192\.0\.2\.1 seq=\d+: Permission denied\n(.*\n)*.* bytes from /);
    await peer.end();
  }),
);

/** Words that fail at once: status and what stderr says. */
const refused: Record<string, readonly [words: string, status: number, error: RegExp]> = {
  'a network without a route': ['203.0.113.1', 2, /^Error: reach 203\.0\.113\.1: Network is unreachable\nHint: .+\n$/],
  'a local address of nobody': [
    '192.0.2.2 local 192.0.2.77',
    2,
    /^Error: send from 192\.0\.2\.77: Cannot assign .+\nHint/,
  ],
  'two families': [
    '192.0.2.2 local 2001:db8:2::1',
    1,
    /^Error: local 2001:db8:2::1 and ADDR 192\.0\.2\.2 are of different/,
  ],
  'an address of many': ['224.0.0.1', 1, /^Error: ADDR: expected the address of one host, got "224\.0\.0\.1"\n/],
  'an address of nobody': ['::', 1, /^Error: ADDR: expected the address of one host, got "::"\n/],
  'a link that is not there': ['dev gtp7', 2, /^Error: find link gtp7: No such link\nHint/],
};

for (const [what, [words, status, error]] of Object.entries(refused)) {
  test.serial(
    `${what} is refused by one line, and nothing is printed`,
    inMachines(async (t, m) => {
      const result = await gtpTry(m.m1, `ping ${words}`);
      t.regex(result.stderr, error);
      t.is(result.stdout, '');
      t.is(result.status, status);
    }),
  );
}

test.serial(
  'it works beside links of ours at both ends, whose traffic goes on',
  inMachines(async (t, m) => {
    for (const family of [4, 6] as const) {
      await join(m, family);
      const [, address] = outer[family];
      const peer = await echoPeer({ ns: m.m2, address, answers: [good[1]] });
      const running = await startPing(m.m1, `${address} interval 0.02`, /seq=2 /);
      t.is(await pingThrough(m.ue1, '10.45.0.2', 10), 10);
      const { status, stdout } = await running.stop();
      t.is(status, 0);
      t.regex(stdout, /^PING .* port 2152 from .* port 2152: /);
      const [, transmitted, received] = /(\d+) packets transmitted, (\d+) received/.exec(stdout) ?? [];
      t.true(Number(received) >= 2 && Number(received) >= Number(transmitted) - 1, stdout);
      await peer.end();
      for (const ns of [m.m1, m.m2]) await gtpIn(ns, 'link del gtp0');
    }
  }),
);

test.serial(
  'dev LINK means the remote of its sessions, from their local address',
  inMachines(async (t, m) => {
    await must(['ip', '-n', m.m1, 'addr', 'add', '192.0.2.11/24', 'dev', 'ul']);
    await must(['ip', '-n', m.m2, 'addr', 'add', '192.0.2.22/24', 'dev', 'ul']);
    const one = await echoPeer({ ns: m.m2, address: '192.0.2.2', port: 2153, answers: [good[1]] });
    const two = await echoPeer({ ns: m.m2, address: '192.0.2.22', port: 2153, answers: [good[1]] });
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.11 port 2153 netns ${m.ue1}`);
    t.regex(await complaint(t, m, 'dev gtp0', 2), /^Error: ping from link gtp0: it has no GTP session\nHint/);
    await gtpIn(m.m1, `session add dev gtp0 ${ends(1, 11, '192.0.2.2')} ue 10.45.0.1`);
    const expected = { status: 0, received: 1, peer: '192.0.2.2', local: '192.0.2.11', port: 2153, srcport: 2153 };
    t.like(await pingJson(m.m1, 'dev gtp0 count 1'), expected, 'one session');
    await gtpIn(m.m1, `session add dev gtp0 ${ends(2, 12, '192.0.2.2')} ue 10.45.0.2`);
    t.like(await pingJson(m.m1, 'dev gtp0 count 1'), expected, 'two sessions, one remote');
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 13, '192.0.2.22')} ue 10.45.0.3`);
    t.regex(await complaint(t, m, 'dev gtp0', 1), /^Error: .*gtp0 .*several .*"local-teid".*\nHint: gtp session show/);
    t.like(await pingJson(m.m1, 'dev gtp0 local-teid 2 count 1'), expected);
    t.like(await pingJson(m.m1, 'dev gtp0 local-teid 3 count 1'), { ...expected, peer: '192.0.2.22' });
    t.regex(await complaint(t, m, 'dev gtp0 local-teid 9', 2), /^Error: find session .*0x00000009.*No such session/);
    await one.end();
    await two.end();
  }),
);

async function complaint(t: ExecutionContext, m: TwoMachines, words: string, status: number): Promise<string> {
  const result = await gtpTry(m.m1, `ping ${words} count 1 timeout 0.1`);
  t.is(result.status, status, result.stderr);
  return result.stderr;
}
