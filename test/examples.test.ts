// SPDX-License-Identifier: MIT
// The scripts in examples/, each on a machine of its own: what they show, and that they leave nothing, whatever happens.
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { count, NOTHING, onMachine } from './machine';
import { run } from './run';

const SCRIPTS = [
  'gnb-upf',
  'handover',
  'l2tp',
  'mptm',
  'n6',
  'nat',
  'overlapping',
  'report',
  'thousand-ues',
  'throughput',
].map((name) => `examples/${name}.sh`);
const GTP = 'GTP=dist/gtp.cjs';

test.serial('gnb-upf.sh: both ends of PDU sessions with their QoS flows, over IPv4 and IPv6', async (t) => {
  const { status, stdout, stderr } = await onMachine(`${GTP} examples/gnb-upf.sh`);
  t.is(status, 0, stderr + stdout);
  t.is(count(stdout, /3 packets transmitted, 3 received, 0% packet loss/), 3);
  t.regex(stdout, /^14 bytes from 192\.0\.2\.1: seq=1 /m);
  t.is(count(stdout, /^192\.0\.2\.1,10\.45\.0\.1\t0x00000201\t1\t1$/m), 2);
  t.is(count(stdout, /^192\.0\.2\.2,10\.45\.255\.254\t0x00000101\t0\t9$/m), 2);
  t.regex(stdout, / qfi 9 name ue1\n( {4}.*\n)* {4}mtu 1500 - 20 IPv4 - .* = 1456\n( {4}.*\n)* {4}seen_qfi 1\n/);
  t.regex(stdout, / qfi 5 name ue2 rqi\n( {4}.*\n)* {4}mtu 1500 - 40 IPv6 - .* = 1436\n( {4}.*\n)* {4}seen_qfi 5\n/);
  t.regex(stdout, NOTHING);
});

test.serial('handover.sh: a UE changes its gNB, and no packet is lost', async (t) => {
  const { status, stdout, stderr } = await onMachine(`${GTP} examples/handover.sh`);
  t.is(status, 0, stderr + stdout);
  const [, sent, received] =
    /^(\d+) packets transmitted, (\d+) received, 0% packet loss, time \d{4,}ms/m.exec(stdout) ?? [];
  t.true(Number(sent) > 50 && sent === received, stdout);
  t.regex(stdout, /^dev nr1 .*\n {4}state ended\n(.*\n)* {4}received end_marker 1$/m);
  t.regex(stdout, /^dev nr2 .* local 192\.0\.2\.12 qfi 9\n {4}encap packets [1-9]\d*.*\n {4}decap packets [1-9]/m);
  const whole = new RegExp(`^ {4}encap packets ${Number(sent) + 3} .*\\n {4}decap packets ${Number(sent) + 3} `, 'm');
  t.regex(stdout.slice(stdout.lastIndexOf('dev upf0 type gtp')), whole);
  t.regex(stdout, NOTHING);
});

test.serial('nat.sh: UEs get out under the address of the UPF, and not to each other', async (t) => {
  // npm puts another program called nft first in PATH
  const { status, stdout, stderr } = await onMachine(`PATH=/usr/sbin:$PATH ${GTP} examples/nat.sh`);
  t.is(status, 0, stderr + stdout);
  t.is(count(stdout, /3 packets transmitted, 3 received, 0% packet loss/), 2);
  t.is(count(stdout, /sec +\S+ [MG]Bytes .*receiver/), 1);
  t.regex(stdout, / 198\.51\.100\.1 > 198\.51\.100\.10: ICMP echo request/);
  t.regex(stdout, /^2 packets transmitted, 0 received(.*\n)*.*"up0" oifname "up0" counter packets 2 bytes 168 drop$/m);
  t.regex(stdout, NOTHING);
});

test.serial(
  'overlapping.sh: two operators have the same addresses, and neither gets packets of the other',
  async (t) => {
    const { status, stdout, stderr } = await onMachine(`${GTP} examples/overlapping.sh`);
    t.is(status, 0, stderr + stdout);
    t.is(count(stdout, /(3|5) packets transmitted, \1 received, 0% packet loss/), 3);
    t.is(count(stdout, /sec +\S+ [MG]Bytes .*receiver/), 1);
    t.regex(
      stdout,
      /^dev upf-a .*\n {4}encap packets 3 .*\n {4}decap packets 3 .*\ndev upf-b .*\n {4}encap packets 5 /m,
    );
    t.regex(stderr, /^Error: add session .*: ue 10\.45\.0\.1\/32 belongs to session local-teid 0x000000a2\n/m);
    t.regex(stdout, /^1 packets transmitted, 0 received(.*\n)*dev gnb-a .*\n {4}state error_indicated$/m);
    t.regex(stdout, NOTHING);
  },
);

test.serial('thousand-ues.sh: sessions by a batch, and every ping comes back', async (t) => {
  const { status, stdout, stderr } = await onMachine(`${GTP} examples/thousand-ues.sh -n 300 -p 12`);
  t.is(status, 0, stderr + stdout);
  t.regex(stdout, /^602 commands, of which /m);
  t.is(count(stdout, /^\d+(\.\d+)? s for 600 sessions$/m), 2);
  t.regex(stdout, /^12\n12 sessions with packets, 12 packets$/m);
  t.regex(stdout, NOTHING);
});

test.serial('throughput.sh: a rate for each of three ways', async (t) => {
  const { status, stdout, stderr } = await onMachine(`${GTP} examples/throughput.sh`);
  t.is(status, 0, stderr + stdout);
  for (const way of ['veth pair', 'GTP-U over a veth pair', 'GTP-U on one machine'])
    t.regex(
      stdout,
      new RegExp(`^${way}: (0\\.[1-9]|0\\.0[1-9]|[1-9]\\d*)\\d*(\\.\\d+)? Gb/s, \\d+ retransmitted$`, 'm'),
    );
  t.regex(stdout, /^gtp0 type gtp .*\n {4}encap packets [1-9]\d{2,} .*\n {4}decap packets [1-9]\d{2,} bytes \d+$/m);
  t.regex(stdout, NOTHING);
});

test.serial('report.sh: a table of sessions with their rates, and drops by reason', async (t) => {
  const { status, stdout, stderr } = await onMachine(`
    ip netns add alice
    ip netns add bob
    gtp link add gtp1 netns alice address 10.45.0.1/24 local 127.0.0.2 remote 127.0.0.3 local-teid 1 remote-teid 2 name to-bob
    gtp link add gtp2 netns bob address 10.45.0.2/24 local 127.0.0.3 remote 127.0.0.2 local-teid 2 remote-teid 1 ue 10.45.0.1
    gtp link add vx2 type vxlan vni 7 netns bob inner vx local 127.0.0.3 remote 127.0.0.2
    ip netns exec bob ping -q -c 1 -W 1 10.45.0.9 || true
    ip netns exec alice ping -q -i 0.01 -w 30 10.45.0.2 > /dev/null & pinger=$!
    ${GTP} examples/report.sh -i 0.3 -c 2
    kill $pinger
    for each in gtp1 gtp2 vx2; do gtp link del $each; done
    ip netns del alice
    ip netns del bob
    ${GTP} examples/report.sh -i 0`);
  t.is(status, 0, stderr + stdout);
  t.is(count(stdout, /^DEV +NAME +REMOTE +UE +STATE +OUT-KBIT\/S +IN-KBIT\/S +DROPS$/m), 3);
  t.is(count(stdout, /^gtp1 +to-bob +127\.0\.0\.3 +- +up +[1-9]\d* +[1-9]\d* +0$/m), 2);
  t.is(count(stdout, /^gtp2 +- +127\.0\.0\.2 +10\.45\.0\.1\/32 +up +[1-9]\d* +[1-9]\d* +0$/m), 2);
  t.is(count(stdout, /^vx2 +- +127\.0\.0\.2 +- +up +\d+ +0 +\d+$/m), 2);
  t.is(count(stdout, /^dropped at gtp2: no_session 1$/m), 2);
  t.regex(stdout, NOTHING);
});

test.serial('mptm.sh: one link sends by Geneve or VLAN, as the inner addresses say', async (t) => {
  const { status, stdout, stderr } = await onMachine(`${GTP} examples/mptm.sh`);
  t.is(status, 0, stderr + stdout);
  t.is(count(stdout, /(3|5) packets transmitted, \1 received, 0% packet loss/), 3);
  t.is(count(stdout, /sec +\S+ [MG]Bytes .*receiver/), 2);
  t.regex(
    stdout,
    /10\.30\.30\.1\.51234 > 10\.30\.30\.2\.6081: Geneve, .* 10\.250\.1\.100 > 10\.250\.1\.101: ICMP echo/,
  );
  t.regex(stdout, /802\.1Q .* vlan 30, .* 10\.250\.1\.100 > 10\.250\.1\.102: ICMP echo/);
  t.regex(stdout, /^veth-node1 type geneve .* mtu 2950 /m);
  t.regex(
    stdout,
    /^dev veth-node1 type vlan id 30 from 10\.250\.1\.100\/32 to 10\.250\.1\.102\/32\n.*encap packets \d/m,
  );
  t.regex(stdout, /^dev veth-node1 type geneve vni 0 .* srcport 51234 dstport 6081\n.*encap packets [1-9]\d{3}/m);
  t.regex(stdout, /^Nothing is left\.$/m);
  t.regex(stdout, NOTHING);
});

test.serial('n6.sh: phones with one GRE key are told apart, and one may go', async (t) => {
  const { status, stdout, stderr } = await onMachine(`${GTP} examples/n6.sh`);
  t.is(status, 0, stderr + stdout);
  t.is(count(stdout, /3 packets transmitted, 3 received, 0% packet loss/), 5);
  t.is(count(stdout, /sec +\S+ [MG]Bytes .*receiver/), 1);
  t.is(
    count(stdout, /^dev gre0 type gre key 1234 remote 10\.211\.1\.(1\d\d) .* ue 100\.64\.0\.\1\/32 name UE-\1$/m),
    3,
  );
  t.regex(stdout, /2 packets transmitted, 0 received/);
  t.regex(stdout, /^local 10\.211\.1\.1 type gre sessions 2\n {4}drops unknown_key [2-9]$/m);
  t.is(/^This kernel has no VRF/m.test(stdout), !(await hasVrf()));
  t.regex(stdout, NOTHING);
});

// Header of IP, UDP or nothing, L2TP, and the inner frame: what is left of 1500 octets.
const OCTETS = { 'v4 udp': 1446, 'v4 ip': 1458, 'v6 udp': 1426, 'v6 ip': 1438 };

for (const [name, octets] of Object.entries(OCTETS)) {
  const [outer = '', encap = ''] = name.split(' ');
  test.serial(`l2tp.sh: ${name}, every pair of sides`, async (t) => {
    const { status, stdout, stderr } = await onMachine(`${GTP} examples/l2tp.sh -o ${outer} -e ${encap}`);
    t.is(status, 0, stderr + stdout);
    const kernel = (await hasL2tp()) ? 'ok, \\d+ octets' : 'skipped: the kernel has no L2TP';
    if (kernel.startsWith('skipped')) t.log('NO L2TP in this kernel: only gtp on both sides');
    const cell = (...sides: readonly [string, string]): string =>
      `^${outer} +${encap} +${sides[0]} +${sides[1]} +${sides.includes('kernel') ? kernel : `ok, ${octets} octets`}$`;
    t.regex(stdout, new RegExp(cell('gtp', 'gtp'), 'm'));
    t.regex(stdout, new RegExp(cell('gtp', 'kernel'), 'm'));
    t.regex(stdout, new RegExp(cell('kernel', 'gtp'), 'm'));
    t.regex(stdout, new RegExp(cell('kernel', 'kernel'), 'm'));
    t.is(count(stdout, /2 packets transmitted, 2 received, 0% packet loss/), 3 * count(stdout, / ok, \d+ octets$/m));
    t.regex(stdout, NOTHING);
  });
}

test.serial('an example that is ended takes everything away and says so by its status', async (t) => {
  const { stdout, stderr } = await onMachine(`
    touch /run/example.out
    ${GTP} examples/n6.sh > /run/example.out &
    tail -n +1 --pid=$! -f /run/example.out | grep -q 'session add'
    kill -TERM $!
    wait $! || echo "status $?"`);
  t.regex(stdout, /^status 143$/m, stderr);
  t.regex(stderr, /^examples\/n6\.sh: ended with status 143; all is removed$/m);
  t.regex(stdout, NOTHING);
});

test.serial('an example that fails says where, and takes everything away', async (t) => {
  const { stdout, stderr } = await onMachine(`
    printf '%s\\n' '#!/bin/bash' 'if [[ "$*" = *id\\ 30* ]]; then exit 2; else exec node dist/gtp.cjs "$@"; fi' > /run/gtp
    chmod +x /run/gtp
    GTP=/run/gtp examples/mptm.sh || echo "status $?"`);
  t.regex(stdout, /session add dev veth-node1 type vlan id 30 .*\nstatus 2$/m);
  t.regex(stderr, /^examples\/mptm\.sh: ended with status 2; all is removed$/m);
  t.regex(stdout, NOTHING);
});

test.serial('an example touches no namespace that it has not made', async (t) => {
  const { stdout, stderr } = await onMachine(`
    ip netns add mine-dn
    ${GTP} EXAMPLE_PREFIX=mine- examples/n6.sh || echo "status $?"
    echo "there: $(ls /run/netns)"
    ip netns del mine-dn`);
  t.regex(stdout, /^status 1\nthere: mine-dn$/m);
  t.regex(stderr, /^examples\/n6\.sh: there is a namespace mine-dn already/m);
  t.regex(stdout, NOTHING);
});

for (const script of SCRIPTS)
  test(`${script} tells what it does, and refuses what it does not know`, async (t) => {
    const help = await run([script, '-h']);
    t.is(help.status, 0, help.stderr);
    t.regex(help.stdout, /^[\w-]+\.sh: .*(\n.*)+\nUsage: [\w-]+\.sh .*\[ -h \]\n(.*\n)*Needs root\b.*\n/);
    t.deepEqual(await run([script, '-x']), { status: 1, stdout: '', stderr: help.stdout });
  });

test('the scripts are all tested, and shellcheck finds nothing in them', async (t) => {
  const scripts = readdirSync('examples').filter((name) => name.endsWith('.sh'));
  t.deepEqual(
    scripts
      .map((name) => `examples/${name}`)
      .filter((name) => name !== 'examples/lib.sh')
      .sort(),
    SCRIPTS,
  );
  for (const script of SCRIPTS) t.regex(readFileSync(script, 'utf8'), /^set -eu\b/m, script);
  t.deepEqual(await run(['shellcheck', '-x', ...SCRIPTS, 'examples/lib.sh']), { status: 0, stdout: '', stderr: '' });
});

async function hasL2tp(): Promise<boolean> {
  return (await run(['ip', 'l2tp', 'show', 'tunnel'])).status === 0;
}

async function hasVrf(): Promise<boolean> {
  const { stdout } = await onMachine('ip link add n6 type vrf table 6 && echo made && ip link del n6 || true');
  return stdout.startsWith('made');
}
