// SPDX-License-Identifier: MIT
// What a newcomer sees first: the demo, and the shell. Each runs on a machine of its own, with the names and the bpffs of nobody
// else, and must leave it as it was.
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
