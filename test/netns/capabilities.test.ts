// SPDX-License-Identifier: MIT
// Without root: a user with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON alone, and a bpffs of his own.
import { cpSync, existsSync, mkdirSync, rmdirSync, rmSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { closeFixture, command, gtpIn, pins, prefix, using } from '../fixture';
import { must, type Result, run, within } from '../run';
import { ends, ping, type TwoMachines, twoMachines } from '../topology';

test.after.always(closeFixture);

const UID = '61234';
const THREE = ['bpf', 'net_admin', 'perfmon'] as const;
const HOME = `/run/${prefix}-home`;
const BPFFS = `/run/${prefix}-home/bpf`;

/** What a user needs of ours, where he may read it. */
const inMachines = using(async (): Promise<TwoMachines> => {
  mkdirSync(BPFFS, { recursive: true, mode: 0o755 });
  await must(['mount', '-t', 'bpf', '-o', 'mode=0700', 'bpf', BPFFS]);
  await must(['chown', UID, BPFFS]);
  for (const file of ['dist/gtp.bpf.o', 'package.json']) cpSync(file, `${HOME}/${file.replace('dist/', '')}`);
  cpSync(command, `${HOME}/gtp.cjs`);
  for (const name of ['koffi', '@koromix', 'netlink'])
    if (existsSync(`node_modules/${name}`))
      cpSync(`node_modules/${name}`, `${HOME}/node_modules/${name}`, { recursive: true });
  return twoMachines();
});

const body = (act: (t: ExecutionContext, m: TwoMachines) => Promise<void>) =>
  inMachines(async (t, m) => {
    try {
      await act(t, m);
      t.deepEqual(pins(BPFFS), [], 'no pins');
      t.notRegex(await must(['ip', '-n', m.m1, 'link']), /gtp/, 'no devices');
    } finally {
      await must(['umount', BPFFS]);
      rmdirSync(BPFFS);
      rmSync(HOME, { recursive: true });
    }
  });

/** Runs `gtp WORDS` in a namespace as that user, with these capabilities and no others. */
function asUser(ns: string, words: string, capabilities: readonly string[] = THREE): Promise<Result> {
  const only = ['-all', ...capabilities.map((name) => `+${name}`)].join(',');
  const drop = ['setpriv', `--reuid=${UID}`, `--regid=${UID}`, '--clear-groups', '--no-new-privs'];
  const sets = ['bounding-set', 'inh-caps', 'ambient-caps'].map((set) => `--${set}=${only}`);
  const argv = within(ns, ...drop, ...sets, process.execPath, `${HOME}/gtp.cjs`, ...words.split(' '));
  return run(argv, { env: { ...process.env, GTP_BPFFS: BPFFS } });
}

async function done(t: ExecutionContext, ns: string, words: string): Promise<string> {
  const { status, stdout, stderr } = await asUser(ns, words);
  t.is(status, 0, `${words}: ${stderr}`);
  return stdout;
}

async function refused(t: ExecutionContext, hint: RegExp, result: Promise<Result>): Promise<void> {
  const { status, stdout, stderr } = await result;
  t.deepEqual([status, stdout], [2, ''], stderr);
  t.regex(stderr, hint);
}

test.serial(
  'three capabilities and a bpffs of his own are all that a user needs',
  body(async (t, { m1, m2, ue1, ue2 }) => {
    const near = 'local 192.0.2.1 address 10.45.0.1/24';
    await gtpIn(m2, `link add gtp0 local 192.0.2.2 netns ${ue2} address 10.45.0.2/24 ${ends(2, 1, '192.0.2.1')}`);
    await done(t, m1, `link add gtp0 ${near} ${ends(1, 2, '192.0.2.2')}`);
    t.is(await ping(m1, '10.45.0.2', 3), 3);
    await done(t, m1, `session add dev gtp0 ${ends(3, 4, '192.0.2.2')} ue 10.45.0.7 name other`);
    await done(t, m1, 'session change dev gtp0 local-teid 3 ue 10.45.0.8 qfi 9');
    t.regex(await done(t, m1, '-s session show dev gtp0'), /encap packets 3 bytes 252$/m);
    await done(t, m1, 'link set gtp0 ttl 7 address fd45::1/64');
    t.regex(await done(t, m1, '-d link show'), /^gtp0 .* ttl 7$/m);
    t.regex(await done(t, m1, 'ping dev gtp0 count 1'), /1 received, 0% packet loss/);
    t.regex(await done(t, m1, '-s path show'), /remote 192\.0\.2\.2/);
    await done(t, m1, 'session flush ue 10.45.0.8');
    await refused(t, /needs CAP_NET_RAW:/, asUser(m1, 'session endmarker dev gtp0 local-teid 1'));
    await refused(t, /needs CAP_SYS_ADMIN:/, asUser(m1, `link add gtp1 local 192.0.2.1 netns ${ue1}`));
    await done(t, m1, 'link del gtp0');
  }),
);

test.serial(
  'what is missing is named, and nothing is left',
  body(async (t, { m1 }) => {
    for (const name of THREE) {
      const others = THREE.filter((other) => other !== name);
      const hint = new RegExp(`\\nHint: needs CAP_${name.toUpperCase()}: run as root`);
      await refused(t, hint, asUser(m1, 'link add gtp0 local 192.0.2.1', others));
    }
    await refused(t, /needs CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON:/, asUser(m1, 'link add gtp0 local 192.0.2.1', []));
    await must(['chown', '0', BPFFS]);
    const own =
      /^Error: read .*: Permission denied\nHint: GTP_BPFFS has to name a bpffs of your own: .* chown 61234 DIR$/m;
    await refused(t, own, asUser(m1, 'link add gtp0 local 192.0.2.1'));
    await must(['chown', UID, BPFFS]);
    await done(t, m1, 'link add gtp0 local 192.0.2.1');
    const noAdmin = THREE.filter((name) => name !== 'net_admin');
    await refused(
      t,
      /^Error: create link gtp1: .*\nHint: needs CAP_NET_ADMIN:/,
      asUser(m1, 'link add gtp1 local 192.0.2.1', noAdmin),
    );
    await done(t, m1, 'link flush');
  }),
);
