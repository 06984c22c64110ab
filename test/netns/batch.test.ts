// SPDX-License-Identifier: MIT
// gtp -batch with the real command: bash, its own namespaces, and a terminal where that matters.
import test, { type ExecutionContext } from 'ava';
import { NOTHING, onMachine } from '../machine';
import type { Result } from '../run';

const script = (body: string, check: (t: ExecutionContext, ended: Result) => void) => async (t: ExecutionContext) => {
  t.timeout(180_000);
  const ended = await onMachine(body);
  t.is(ended.status, 0, `${ended.stdout}${ended.stderr}`);
  check(t, ended);
  t.regex(ended.stdout, NOTHING);
};

test(
  'lines of two namespaces are carried out in their order; the first that fails is told and ends it, those before it stay',
  script(
    `
    ip netns add other; ip -n other link set lo up; ip netns add phone
    cat > /run/links <<'END'
# two links
link add gtp1 local 127.0.0.2 netns phone address 10.45.0.1/24 \\
    local-teid 1 remote-teid 2 remote 127.0.0.3 ue 10.45.0.2   # and a session

-n other link add gtp2 local 127.0.0.3 inner i2
session add dev gtp1 local-teid 7 remote-teid 8 remote 127.0.0.3 ue 10.45.0.7 name 'seventh'
session add dev gtp1 local-teid 7 remote-teid 9 remote 127.0.0.3 ue 10.45.0.9
link del gtp1
END
    gtp -batch /run/links || echo "status $?"
    gtp session show; gtp -n other link show
    echo "-- forced"
    gtp -force -batch /run/links || echo "status $?"
    gtp link show
    echo "-- several"
    printf 'link show nix\\nlink shew\\nlink show' | gtp -force -b - || echo "status $?"
    echo "-- same"
    printf 'link show nix\\nlink show' | gtp -b - -force || echo "status $?"
    echo "-- refused"
    gtp -batch /run/none || echo "status $?"
    gtp -batch /run/links link show || echo "status $?"
    echo '-batch links' | gtp -batch - || echo "status $?"
    gtp -n other link flush; ip netns del other; ip netns del phone`,
    (t, { stdout, stderr }) => {
      const [first = '', forced = '', several = '', same = '', refused = ''] = stdout.split(/^-- \w+\n/m);
      t.regex(first, /^status 2\n/);
      t.regex(first, /local-teid 0x00000001 /);
      t.regex(first, /local-teid 0x00000007 .*name seventh/);
      t.notRegex(first, /10\.45\.0\.9/);
      t.regex(first, /^gtp2 type gtp local 127\.0\.0\.3/m);
      const failed = (line: string): RegExp => new RegExp(`^Error: .+\n(?:Hint: .+\n)?Command failed ${line}$`, 'gm');
      t.is(forced, 'status 2\n', 'and the last line was carried out');
      t.is(stderr.match(failed('/run/links:7'))?.length, 2, stderr);
      for (const line of [3, 5, 6]) t.is(stderr.match(failed(`/run/links:${line}`))?.length, 1);
      t.notRegex(stderr, /links:8/);
      t.is(several, 'status 1\n');
      t.is(same, 'status 2\n');
      t.regex(refused, /^status 2\nstatus 1\nstatus 1\n/);
      t.regex(stderr, /^Error: read batch \/run\/none: No such file or directory$/m);
      t.regex(stderr, /^Error: "link" is one too many/m);
      t.regex(stderr, /^Error: "-batch" stands in a batch.*\nHint: .*\nCommand failed -:1$/m);
    },
  ),
);

test(
  'three hundred UEs by one command, and packets of some; with -j one array a line; a ping among them; then they are gone by another',
  script(
    `
    ip netns add core; ip netns add ran
    {
      echo 'link add upf0 local 127.0.0.4 netns core address 10.47.255.254/16 role upf'
      echo 'link add gnb0 local 127.0.0.5 netns ran route 10.47.255.254 role gnb'
      for ((i = 1; i <= 300; i++)); do
        ue="ue 10.47.$((i / 256)).$((i % 256)) ue fd47:$(printf %x $i)::/64"
        echo "session add dev upf0 local-teid $i remote-teid $((i + 5000)) remote 127.0.0.5 $ue"
        ((i % 75)) || echo "session add dev gnb0 local-teid $((i + 5000)) remote-teid $i remote 127.0.0.4 $ue"
      done
    } > /run/ues
    ( ulimit -n 256; gtp -batch /run/ues )
    for i in 75 150 225 300; do
      ue=10.47.$((i / 256)).$((i % 256))
      ip -n ran addr add $ue/32 dev eth0
      nsenter --net=/run/netns/ran ping -c 1 -W 5 -q -I $ue 10.47.255.254 | grep -o '1 received'
    done
    echo "-- json"
    printf 'link show upf0\\nsession del dev upf0 local-teid 3\\nping 127.0.0.5 local 127.0.0.4 count 1\\nsession show dev gnb0\\n' |
      gtp -j -batch -
    echo "-- text"
    printf 'ping 127.0.0.5 local 127.0.0.4 count 1\\nsession get dev upf0 local-teid 4\\n' | gtp -batch -
    sed '/upf0 local-teid/!d; s/ add / del /; s/ remote-teid.*//; / 3$/d' /run/ues | gtp -batch -
    gtp -j session show dev upf0
    gtp link flush; ip netns del core; ip netns del ran`,
    (t, { stdout, stderr }) => {
      const [made = '', json = '', text = ''] = stdout.split(/^-- \w+\n/m);
      t.is(stderr, '');
      t.is(made, '1 received\n'.repeat(4));
      const [links, deleted, ping, sessions] = json
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      t.is(links[0].sessions, 300);
      t.deepEqual(deleted, []);
      t.is(ping[0].received, 1, JSON.stringify(ping));
      t.is(sessions.length, 4);
      t.regex(text, /1 received[\s\S]*local-teid 0x00000004 /);
      t.regex(text, /^\[\]$/m);
    },
  ),
);

test(
  'a batch has no more open than one command, whatever its lines are and whether they fail',
  script(
    `
    ip netns add other; ip netns add phone
    gtp link add gtp1 local 127.0.0.2 netns phone
    for ((i = 0; i < 40; i++)); do
      printf '%s\\n' 'link show' 'session show' 'path show' 'link del nope' 'ping dev nope' '-n other link show' \\
        'link add gtp2 local 127.0.0.3 inner i2' 'link del gtp2'
    done > /run/lines
    ( ulimit -n 100; gtp -force -batch /run/lines 2> /run/errors || echo "status $?" ) | tail -n 1
    sort /run/errors | uniq -c
    gtp link flush; ip netns del other; ip netns del phone`,
    (t, { stdout }) => {
      t.regex(stdout, /^status 2$/m);
      t.deepEqual([...stdout.matchAll(/^ +(\d+) Error: (.*)$/gm)].map(([, count, said]) => `${count} ${said}`).sort(), [
        '80 find link nope: No such link',
      ]);
    },
  ),
);

// python3 holds the terminal: what comes to it is what a user sees. The signal comes when progress is first told.
const ON_TERMINAL = `
import os, pty, signal, sys
def seen(interrupt, *words):
    pid, fd = pty.fork()
    if pid == 0: os.execvp(words[0], words)
    got = b''
    while True:
        try: more = os.read(fd, 4096)
        except OSError: break
        got += more
        if interrupt and b'line ' in got: os.kill(pid, signal.SIGINT); interrupt = False
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), repr(got))
node, gtp, few, many = sys.argv[1:]
seen(False, node, gtp, '-batch', few)
seen(True, node, gtp, '-batch', many)
`;

test(
  'a long batch tells on a terminal how far it is, a short one nothing; a signal ends it between two commands, and shows in its status',
  script(
    `
    ip netns add core
    gtp link add upf0 local 127.0.0.4 netns core
    echo 'link set upf0 mtu 1400' > /run/few
    for ((i = 0; i < 30000; i++)); do echo 'link set upf0 mtu 1400'; done > /run/many
    cat > /run/terminal.py <<'END'
${ON_TERMINAL}
END
    python3 /run/terminal.py "$(command -v node)" dist/gtp.cjs /run/few /run/many
    gtp link flush; ip netns del core`,
    (t, { stdout }) => {
      const [few = '', many = ''] = stdout.split('\n');
      t.is(few, "0 b''");
      t.regex(
        many,
        /^-2 b'(\\r\\x1b\[Kline \d+ \(\d+%\))+\\r\\x1b\[KNote: SIGINT ended the batch after \/run\/many:\d+\\r\\n'$/,
      );
    },
  ),
);
