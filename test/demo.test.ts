// SPDX-License-Identifier: MIT
// What a newcomer sees first: the demo, the first page of the README, the shell. Each runs on a machine of its own, with
// the names and the bpffs of nobody else, and must leave it as it was.
import { readFileSync } from 'node:fs';
import test from 'ava';
import { count, NOTHING, onMachine } from './machine';

test.serial('the demo shows pings, TCP, counters and the wire, and removes everything', async (t) => {
  const { status, stdout, stderr } = await onMachine('node tools/demo.mjs');
  t.is(status, 0, stderr + stdout);
  t.is(count(stdout, /3 received, 0% packet loss/), 7);
  t.is(count(stdout, /sec +\S+ [MG]Bytes .*receiver/), 2);
  t.regex(stdout, /^ {2}\$ gtp -n \S+ link add gtp0 netns \S+ .*\n.*\n.*remote 192\.0\.2\.2$/m);
  t.regex(stdout, /^ {2}gtp1 type gtp local 2001:db8::1 .*mtu 1444 /m);
  t.regex(stdout, /^ {2}dev gtp0 type gtp .*\n.*encap packets [1-9]\d* .*\n.*decap packets [1-9]/m);
  t.regex(
    stdout,
    /^ {2}192\.0\.2\.1,10\.45\.0\.1\t192\.0\.2\.2,10\.45\.0\.2\t2152\t0x00000022\tEcho \(ping\) request/m,
  );
  t.regex(stdout, /^Nothing is left\./m);
  t.regex(stdout, NOTHING);
});

test.serial('a demo that is interrupted removes everything and says so by its status', async (t) => {
  const { stdout, stderr } = await onMachine(`
    touch /run/demo.out
    node tools/demo.mjs > /run/demo.out &
    tail -n +1 --pid=$! -f /run/demo.out | grep -q 'ping -q'
    kill -INT $!
    wait $! || echo "status $?"`);
  t.regex(stdout, /^status 130$/m, stderr);
  t.regex(stdout, NOTHING);
});

test.serial('a demo that fails says at which line, and removes everything', async (t) => {
  const { stdout, stderr } = await onMachine('GTP_BPFFS=/tmp node tools/demo.mjs || echo "status $?"');
  t.regex(stdout, /^status 1$/m);
  t.regex(stderr, /^demo: status 2: gtp -n \S+ link add/m);
  t.regex(stdout, NOTHING);
});

test.serial('a demo that is kept is up until it is removed', async (t) => {
  const { status, stdout, stderr } = await onMachine(`
    node tools/demo.mjs --keep
    echo "kept: $(ls /run/netns | wc -l) $(ls /sys/fs/bpf/gtp | wc -l)"
    node tools/demo.mjs --remove`);
  t.is(status, 0, stderr + stdout);
  t.regex(stdout, /^To remove it: npm run demo -- --remove/m);
  t.regex(stdout, /^kept: 9 3$/m);
  t.regex(stdout, NOTHING);
});

test.serial("the README's first tunnel works as it stands there", async (t) => {
  const { status, stdout, stderr } = await onMachine(readmeCommands('First tunnel'));
  t.is(status, 0, stderr + stdout);
  t.regex(stdout, /3 packets transmitted, 3 received/);
  t.is(count(stdout, /^dev upf0 type gtp local-teid 0x\w{8} .* name phone[12]$/m), 2);
  t.regex(stdout, NOTHING);
});

test.serial("the README's other tunnels work as it stands there", async (t) => {
  const { status, stdout, stderr } = await onMachine(readmeCommands('Other tunnels'));
  t.is(status, 0, stderr + stdout);
  t.regex(stdout, /3 packets transmitted, 3 received/);
  t.is(count(stdout, /^dev vx[12] type vxlan vni 5 remote 127\.0\.0\.[23] local 127\.0\.0\.[23] dstport 4789$/m), 2);
  t.regex(stdout, NOTHING);
});

test.serial("the README's signalling works as it stands there", async (t) => {
  const { status, stdout, stderr } = await onMachine(readmeCommands('Signalling'));
  t.is(status, 0, stderr + stdout);
  t.regex(stdout, /^3 packets transmitted, 3 received/m);
  t.regex(stdout, /^local 127\.0\.0\.3 remote 127\.0\.0\.2 sessions 1\n {4}echo requests 3/m);
  t.regex(stdout, /^no answer\ndev gtp1 type gtp .*\n {4}state error_indicated\n(.*\n){3} {4}received errind 1$/m);
  t.regex(stdout, /^ {4}sent echo 3 errind 1\n {4}drops unknown_teid 1$/m);
  t.regex(stdout, NOTHING);
});

test.serial('npm run shell gives two machines, and takes them away with what runs in them', async (t) => {
  const { status, stdout, stderr } = await onMachine(`
    printf '%s\\n' 'ip netns exec m1 ping -c 1 192.0.2.2' 'gtp -n m1 link show && echo shown' 'iperf3 -s -D' 'exit 3' |
      node tools/shell.mjs || echo "status $?"
    pgrep iperf3 || echo none`);
  t.is(status, 0, stderr);
  t.regex(stdout, /1 received/);
  t.regex(stdout, /^shown$/m);
  t.regex(stdout, /^status 3$/m);
  t.regex(stdout, /^none$/m);
  t.regex(stdout, NOTHING);
});

/** The shell lines in one section of the README. */
function readmeCommands(title: string): string {
  const [, section = ''] = new RegExp(`^## ${title}\\n(.*?)^## `, 'ms').exec(readFileSync('README.md', 'utf8')) ?? [];
  return [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, lines]) => lines).join('');
}
