// SPDX-License-Identifier: MIT
// The scripts in examples/, each on a machine of its own: what they show, and that they leave nothing, whatever happens.
import { readdirSync } from 'node:fs';
import test from 'ava';
import { count, NOTHING, onMachine } from './machine';
import { run } from './run';

const SCRIPTS = ['examples/l2tp.sh', 'examples/mptm.sh', 'examples/n6.sh'];
const GTP = 'GTP=dist/gtp.cjs';

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
    t.regex(help.stdout, /^\w+\.sh: .*(\n.*)+\nUsage: \w+\.sh .*\[ -h \]\n(.*\n)*Needs root\..*\n/);
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
  t.deepEqual(await run(['shellcheck', '-x', ...SCRIPTS, 'examples/lib.sh']), { status: 0, stdout: '', stderr: '' });
});

async function hasL2tp(): Promise<boolean> {
  return (await run(['ip', 'l2tp', 'show', 'tunnel'])).status === 0;
}

async function hasVrf(): Promise<boolean> {
  const { stdout } = await onMachine('ip link add n6 type vrf table 6 && echo made && ip link del n6 || true');
  return stdout.startsWith('made');
}
