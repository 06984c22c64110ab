// SPDX-License-Identifier: MIT
// docs/living-together.md: firewalls and sysctls of the machine. What does not matter, what is told, and that nothing is changed.
import test, { type ExecutionContext } from 'ava';
import { transfer } from '../agent';
import { closeFixture, gtpIn, gtpTry, linkStats, using } from '../fixture';
import { must, waitFor, within } from '../run';
import { ends, inner, join, ping, type TwoMachines, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);

/** Every hook of every family that could see what comes and goes. */
const DROP_ALL = `
table inet closed {
  ${['prerouting', 'input', 'forward', 'output', 'postrouting']
    .map((hook) => `chain at_${hook} { type filter hook ${hook} priority -300; policy drop; }`)
    .join('\n  ')}
}
table netdev closed {
  chain early { type filter hook ingress device "ul" priority -300; policy drop; }
  chain late { type filter hook egress device "ul" priority -300; udp dport 2152 drop; }
}`;

// By its path: npm puts another program of that name first in PATH.
const nft = (ns: string, text: string): Promise<string> => must(within(ns, '/usr/sbin/nft', text));
const sysctl = (ns: string, ...words: readonly string[]): Promise<string> =>
  must(within(ns, 'sysctl', '-qw', ...words));

/** All settings of a namespace's network, without those of some devices. */
async function settings(ns: string, without = /^$/): Promise<string[]> {
  const text = await must(within(ns, 'sh', '-c', 'sysctl -a 2>/dev/null'));
  // These count what happens.
  const counts = /nf_conntrack_count|\.stable_secret/;
  return text.split('\n').filter((line) => line.startsWith('net.') && !counts.test(line) && !without.test(line));
}

/** What a command tells besides, without what it tells of offloads. */
async function told(t: ExecutionContext, ns: string, words: string): Promise<string> {
  const { status, stderr } = await gtpTry(ns, words);
  t.is(status, 0, stderr);
  return stderr.replace(/^Note: turned off on .*\n/, '');
}

const works = async (t: ExecutionContext, m: TwoMachines, what: string): Promise<void> => {
  for (const family of [4, 6] as const) t.is(await ping(m.ue1, inner[family][1], 3), 3, `${what}, IPv${family}`);
  const sent = await transfer({ from: m.ue1, to: m.ue2, address: inner[4][1], size: 200_000 });
  t.true(sent.equal, `${what}, TCP`);
};

test.serial(
  'outer packets pass a firewall that drops all, a strict rp_filter, and forwarding that is off',
  inMachines(async (t, m) => {
    await sysctl(m.m1, 'net.ipv4.ip_forward=0', 'net.ipv6.conf.all.forwarding=0');
    await join(m, 4);
    await works(t, m, 'without firewall');
    await nft(m.m1, DROP_ALL);
    await works(t, m, 'behind a firewall');
    t.is(await ping(m.m1, '192.0.2.2', 1, '-W', '0.3'), 0, 'which does drop the rest');
    await nft(m.m1, 'flush ruleset');
    await sysctl(m.m1, 'net.ipv4.conf.all.rp_filter=1', 'net.ipv4.conf.ul.rp_filter=1');
    await works(t, m, 'with a strict rp_filter');
  }),
);

test.serial(
  'no setting of a namespace is changed but those of our own devices, and nothing is left',
  inMachines(async (t, m) => {
    const spaces = [m.m1, m.ue1] as const;
    const before = await Promise.all(spaces.map((ns) => settings(ns)));
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1} address 10.45.0.1/24 ${ends(1, 2, '192.0.2.2')}`);
    const during = await Promise.all(spaces.map((ns) => settings(ns, /\.(gtp0|gtpshim[01]|eth0)\./)));
    t.deepEqual(during, before, 'with a link');
    await gtpIn(m.m1, 'link del gtp0');
    t.deepEqual(await Promise.all(spaces.map((ns) => settings(ns))), before, 'after it');
  }),
);

test.serial(
  'ip_forward turned off takes the routes away: show tells it, and the next change mends it',
  inMachines(async (t, m) => {
    await sysctl(m.m1, 'net.ipv4.ip_forward=1');
    await join(m, 4);
    await sysctl(m.m1, 'net.ipv4.ip_forward=0');
    const lost = await waitFor(
      async () => ({ answers: await ping(m.ue1, inner[4][1], 1, '-W', '0.2'), stats: await linkStats(m.m1) }),
      ({ answers }) => answers === 0,
    );
    t.true((lost.stats.drops['no_route'] ?? 0) > 0);
    for (const words of ['link show', 'session show'])
      t.regex(await told(t, m.m1, words), /^Note: forwarding is off at gtpshim1, so packets find no route/);
    await gtpIn(m.m1, 'link set gtp0 up');
    t.is(await told(t, m.m1, 'link show'), '');
    t.is(
      await waitFor(
        () => ping(m.ue1, inner[4][1], 1, '-W', '0.5'),
        (count) => count === 1,
      ),
      1,
    );
    t.is((await must(within(m.m1, 'sysctl', '-n', 'net.ipv4.ip_forward'))).trim(), '0', 'and only that');
  }),
);

test.serial(
  'what keeps packets from the inner end is told: rp_filter, a firewall, IPv6 that is off',
  inMachines(async (t, m) => {
    const add = (n: number, ue: string) => `session add dev gtp0 ${ends(n, n, '192.0.2.2')} ue ${ue}`;
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1} address 10.45.0.1/24`);
    t.is(await told(t, m.m1, add(1, '10.99.0.1')), '', 'rp_filter is off');
    await sysctl(m.ue1, 'net.ipv4.conf.all.rp_filter=1');
    t.is(await told(t, m.m1, add(2, '10.45.0.2')), '', 'there is a route back');
    const strict =
      /^Note: rp_filter is 1 at eth0, which drops what comes from 10\.99\.0\.3\/32: there is no route back/;
    t.regex(await told(t, m.m1, add(3, '10.99.0.3')), strict);
    await must(['ip', '-n', m.ue1, 'route', 'add', 'default', 'dev', 'lo']);
    t.regex(await told(t, m.m1, add(4, '10.99.0.4')), /^Note: .*: the route back leads elsewhere/);
    await sysctl(m.ue1, 'net.ipv4.conf.all.rp_filter=2');
    t.is(await told(t, m.m1, add(5, '10.99.0.5')), '', 'a loose one takes any route');

    await nft(
      m.m1,
      'table ip host { chain INPUT { type filter hook input priority 0; policy drop; iifname "gtp7i" accept; }; }',
    );
    await nft(m.m1, 'table ip docker { chain FORWARD { type filter hook forward priority 0; policy drop; }; }');
    const drops = 'Note: nftables drops by default, and no rule there names';
    t.is(await told(t, m.m1, 'link add gtp8 local 192.0.2.1'), `${drops} gtp8i: input (chain INPUT of ip host)\n`);
    t.is(await told(t, m.m1, 'link add gtp7 local 192.0.2.1'), '', 'a rule names it, and nothing is forwarded');
    await sysctl(m.m1, 'net.ipv4.ip_forward=1');
    await gtpIn(m.m1, 'link del gtp7');
    t.is(
      await told(t, m.m1, 'link add gtp7 local 192.0.2.1'),
      `${drops} gtp7i: forward (chain FORWARD of ip docker)\n`,
    );

    await sysctl(m.ue1, 'net.ipv6.conf.all.disable_ipv6=1');
    const { status, stderr } = await gtpTry(m.m1, 'link set gtp0 address fd45::1/64');
    t.is(status, 2);
    t.regex(
      stderr,
      /^Error: add address fd45::1\/64 to eth0: .*\nHint: .* sysctl net\.ipv6\.conf\.eth0\.disable_ipv6=0 /,
    );
  }),
);
