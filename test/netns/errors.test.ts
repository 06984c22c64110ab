// SPDX-License-Identifier: MIT
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { bpffs, closeFixture, command, gtp, gtpIn, gtpTry, pins, scratch, sessions, using } from '../fixture';
import { must, type Result, run, within } from '../run';
import { ends, type TwoMachines, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const add = (m: TwoMachines, words: string): string => `link add gtp0 netns ${m.ue1} ${words}`;

/** Words after which a link called gtp0 towards m1's user cannot be made: status, what the line on stderr says. */
const refused: Record<string, readonly [words: (m: TwoMachines) => string, status: number, error: RegExp]> = {
  'a taken name': [(m) => `link add taken local 192.0.2.1 netns ${m.ue1} inner eth7`, 2, /taken.*File exists/],
  'an inner name that is taken over there': [
    (m) => add(m, 'local 192.0.2.1 inner eth9'),
    2,
    /eth9.*(File exists|of that name)/,
  ],
  'an underlay that does not exist': [(m) => add(m, 'local 192.0.2.1 dev nosuch'), 2, /nosuch.*No such /],
  'a namespace that does not exist': [() => 'link add gtp0 local 192.0.2.1 netns nosuch', 2, /nosuch.*No such /],
  'an address that is not here': [(m) => add(m, 'local 203.0.113.9'), 2, /203\.0\.113\.9/],
  'a remote without a route and no local': [
    (m) => add(m, ends(1, 2, '203.0.113.9')),
    2,
    /203\.0\.113\.9.*(unreachable|no route)/,
  ],
  'an address family mismatch': [(m) => add(m, `local 192.0.2.1 ${ends(1, 2, '2001:db8:2::2')}`), 1, /2001:db8:2::2/],
  'a TEID in use': [(m) => add(m, `local 192.0.2.1 ${ends(0x55, 2, '192.0.2.2')}`), 2, /0x0*55.*File exists/],
  'an address twice': [(m) => add(m, 'local 192.0.2.1 address 10.1.0.1/24 address 10.1.0.1/24'), 2, /10\.1\.0\.1/],
  'a route twice': [
    (m) => add(m, 'local 192.0.2.1 address 10.1.0.1/24 route 10.9.0.0/16 route 10.9.0.0/16'),
    2,
    /10\.9\.0\.0\/16.*File exists/,
  ],
  'a UE prefix twice': [
    (m) => add(m, `local 192.0.2.1 ${ends(1, 2, '192.0.2.2')} ue 10.8.0.1 ue 10.8.0.1/32`),
    1,
    /10\.8\.0\.1/,
  ],
};

test.serial(
  'link set refuses a local address that nobody has, as link add does',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, add(m, `local 192.0.2.1 ${ends(1, 2, '192.0.2.2')}`));
    const before = await world(m);
    const { status, stderr } = await gtpTry(m.m1, 'link set gtp0 local 192.0.2.9');
    t.is(status, 2);
    t.regex(stderr, /^Error: find the device that holds 192\.0\.2\.9: no device .* has that address\nHint: .* dev\n$/);
    t.deepEqual(await world(m), before);
    await gtpIn(m.m1, 'link set gtp0 local 192.0.2.9 dev ul');
    await gtpIn(m.m1, 'link set gtp0 local 192.0.2.9 ttl 9');
  }),
);

for (const [what, [words, status, error]] of Object.entries(refused)) {
  test.serial(
    `${what} is refused by a line that names it, and nothing is left behind`,
    inMachines(async (t, m) => {
      await must(['ip', '-n', m.ue1, 'link', 'add', 'eth9', 'type', 'veth', 'peer', 'name', 'eth8']);
      await gtpIn(m.m1, `link add taken local 192.0.2.1 netns ${m.ue2} ${ends(0x55, 2, '192.0.2.2')}`);
      const before = await world(m);
      const result = await gtpTry(m.m1, words(m));
      t.is(result.status, status, result.stderr);
      t.regex(firstLine(result), error);
      t.regex(firstLine(result), /^Error: /);
      t.true(result.stderr.trim().split('\n').length <= 2, result.stderr);
      t.is(result.stdout, '');
      t.deepEqual(await world(m), before);
    }),
  );
}

test.serial(
  'things that do not exist are named',
  inMachines(async (t, m) => {
    const cases: [string, RegExp][] = [
      ['link del nosuch', /nosuch.*No such /],
      ['link set nosuch up', /nosuch.*No such /],
      [`session add dev nosuch ${ends(1, 2, '192.0.2.2')}`, /nosuch.*No such /],
      ['session del dev ul local-teid 1', /ul/],
    ];
    for (const [words, error] of cases) {
      const result = await gtpTry(m.m1, words);
      t.is(result.status, 2, words);
      t.regex(firstLine(result), error);
      t.regex(result.stderr, /^Error: /);
    }
    const nowhere = await gtp('-n nosuch link show');
    t.is(nowhere.status, 2);
    t.regex(nowhere.stderr, /^Error: .*nosuch/);
  }),
);

test.serial(
  'the nearest name is offered for links, network namespaces and devices, and what to do about a name that is taken',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1}`);
    const cases: [string, RegExp][] = [
      ['link del gpt0', /^Error: find link gpt0: No such link\nHint: did you mean "gtp0"\?\n$/],
      ['session show dev GTP0', /\nHint: did you mean "gtp0"\?\n$/],
      ['link show elsewhere', /\nHint: gtp link show lists the links\n$/],
      [`link add gtp1 local 192.0.2.1 netns ${m.ue1}x`, new RegExp(`\\nHint: did you mean "${m.ue1}"\\?\\n$`)],
      ['link add gtp1 local 192.0.2.1 netns /etc/hostname', /: this file is not a network namespace\nHint: /],
      [
        'link add gtp1 local 192.0.2.1 dev ull',
        /^Error: find underlay ull: No such device\nHint: did you mean "ul"\?\n$/,
      ],
      ['link add gtp0 local 192.0.2.1', /^Error: create link gtp0: File exists\nHint: gtp link set gtp0 changes /],
    ];
    for (const [words, said] of cases) {
      const { status, stderr } = await gtpTry(m.m1, words);
      t.is(status, 2, words);
      t.regex(stderr, said);
    }
    t.regex((await gtp(`-n ${m.ue1}x link`)).stderr, new RegExp(`"${m.ue1}"`));
  }),
);

test.serial(
  'wrong words are quoted, with what was expected, and status 1',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1}`);
    const cases: [string, RegExp][] = [
      ['link add gtp1 bogus 1', /bogus/],
      ['link add gtp1 local 192.0.2.1 local 192.0.2.1', /local/],
      ['link add gtp1 local 192.0.2.300', /192\.0\.2\.300/],
      ['link add gtp1 mtu', /mtu/],
      ['session add dev gtp0 local-teid 1 remote 192.0.2.2', /remote-teid/],
      ['session add dev gtp0 local-teid 0x1ffffffff remote-teid 2 remote 192.0.2.2', /0x1ffffffff/],
      [`session add dev gtp0 ${ends(0, 2, '192.0.2.2')}`, /local-teid/],
      [`session add dev gtp0 ${ends(1, 2, '192.0.2.2')} vni 7`, /vni/],
      ['bogus show', /bogus/],
      ['link bogus', /bogus/],
    ];
    for (const [words, error] of cases) {
      const result = await gtpTry(m.m1, words);
      t.is(result.status, 1, `${words}: ${result.stderr}`);
      t.regex(firstLine(result), error, words);
      t.regex(result.stderr, /^Error: /, words);
    }
    t.deepEqual(await sessions(m.m1), []);
  }),
);

test.serial(
  'a session that cannot be added leaves the link and its other sessions as they were',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1} ${ends(1, 2, '192.0.2.2')} ue 10.1.0.1`);
    const before = await world(m);
    const cases: [string, RegExp][] = [
      [`session add dev gtp0 ${ends(1, 9, '192.0.2.2')} ue 10.1.0.9`, /File exists/],
      [`session add dev gtp0 ${ends(3, 9, '192.0.2.2')} ue 10.1.0.8 ue 10.1.0.1`, /10\.1\.0\.1/],
      [`session change dev gtp0 local-teid 3 remote-teid 9`, /3/],
    ];
    for (const [words, error] of cases) {
      const result = await gtpTry(m.m1, words);
      t.is(result.status, 2, words);
      t.regex(firstLine(result), error);
      t.deepEqual(await world(m), before, words);
    }
    await gtpIn(m.m1, `session add dev gtp0 ${ends(3, 9, '192.0.2.2')} ue 10.1.0.8`);
    t.is((await sessions(m.m1)).length, 2, 'the prefix of the failed session is free');
  }),
);

test.serial(
  'a missing bpffs is named with a hint',
  inMachines(async (t, m) => {
    const folder = `${scratch}/not-bpffs`;
    mkdirSync(folder, { recursive: true });
    const result = await gtpTry(m.m1, add(m, 'local 192.0.2.1'), { env: { GTP_BPFFS: folder } });
    t.is(result.status, 2);
    t.regex(firstLine(result), /^Error: .*bpf/);
    t.true(result.stderr.includes(folder), result.stderr);
    t.regex(result.stderr, /^Hint: .*/m);
    t.deepEqual(readdirSync(folder), []);
  }),
);

test.serial(
  'a missing libbpf is named with the package to install',
  inMachines(async (t, m) => {
    const library = await libbpf();
    writeFileSync(`${scratch}/empty`, '');
    const hide = library.map((path) => `mount --bind ${scratch}/empty ${path}`).join(' && ');
    const words = `-n ${m.m1} ${add(m, 'local 192.0.2.1')}`;
    const result = await run(['unshare', '-m', 'sh', '-c', `${hide} && exec ${process.execPath} ${command} ${words}`], {
      env: { ...process.env, GTP_BPFFS: bpffs },
    });
    t.is(result.status, 2, result.stderr);
    t.regex(firstLine(result), /^Error: .*libbpf/);
    t.regex(result.stderr, /^Hint: .*libbpf1/m);
    t.deepEqual(pins(), []);
  }),
);

test.serial(
  'a missing capability is named with a hint',
  inMachines(async (t, m) => {
    const powerless = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', process.execPath, command];
    const words = add(m, 'local 192.0.2.1').split(' ');
    const result = await run(within(m.m1, ...powerless, ...words), { env: { ...process.env, GTP_BPFFS: bpffs } });
    t.is(result.status, 2, result.stderr);
    t.regex(firstLine(result), /^Error: .*(Operation not permitted|Permission denied)/);
    t.regex(result.stderr, /^Hint: .*(CAP_|root)/m);
  }),
);

const firstLine = ({ stderr }: Result): string => stderr.split('\n')[0] ?? '';

/** All that a command may have changed. */
async function world(m: TwoMachines): Promise<string[]> {
  const devices = async (ns: string) => (await must(['ip', '-n', ns, '-br', 'addr'])).replace(/\s+/g, ' ');
  return [
    await devices(m.m1),
    await devices(m.ue1),
    await must(['tc', '-n', m.m1, 'qdisc']),
    await must(within(m.m1, 'ethtool', '-k', 'ul')),
    await gtpIn(m.m1, '-j link show'),
    await gtpIn(m.m1, '-j session show'),
    pins().join('\n'),
  ];
}

async function libbpf(): Promise<string[]> {
  const listed = (await must(['/sbin/ldconfig', '-p'])).match(/\/\S*libbpf\.so\.1\b/g) ?? [];
  return [...new Set(listed)].filter((path) => existsSync(path));
}
