// SPDX-License-Identifier: MIT
import { isDeepStrictEqual } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { GlobalOptions, OutputRecord, OutputValue } from '../../src/cli/command';
import type { RecordObject } from '../../src/cli/lines';
import { readOptions } from '../../src/cli/options';
import { choosePalette, isDarkGround, plain } from '../../src/cli/palette';
import { parse } from '../../src/cli/parse';
import { type Printing, printJson, printRecords } from '../../src/cli/print';
import { keyOf, type Type } from '../../src/grammar';
import { commands, type GivenWord, request } from './arbitraries';

const LINK: OutputRecord = {
  ifname: 'ue1',
  ifindex: 7,
  type: 'gtp',
  local: '10.0.0.1',
  dev: ['eth0', 'lo'],
  netns: 'left',
  inner: 'eth0',
  mtu: 1464,
  role: 'ggsn',
  xdp: 'auto',
  hook: ['tcx'],
  sessions: 1,
  datapath: 'bpf',
  srcport: 'hash',
  ttl: 64,
  tos: 184,
  udpcsum: false,
  lladdr: null,
};
const SESSION: OutputRecord = {
  dev: 'ue1',
  type: 'gtp',
  version: 1,
  local_teid: 0x1001,
  remote_teid: 0x2002,
  remote: '10.0.0.2',
  local: '10.0.0.1',
  ue: ['10.45.0.1/32', '2001:db8::/64'],
  qfi: 9,
  psc: 'auto',
  peer: 'any',
  antispoof: true,
  name: 'bob',
  state: 'up',
};
const STATS = {
  encap: { packets: 1234n, bytes: 1048576n },
  decap: { packets: 0n, bytes: 0n },
  answered: 0,
  passed: 2,
  sent: { echo: 1, errind: 0 },
  drops: { unknown_teid: 3, too_big: 0 },
};

const prints = (
  t: ExecutionContext,
  options: string,
  object: 'link' | 'session',
  record: OutputRecord,
  lines: string[],
) => t.deepEqual(show([record], options, { object }).split('\n'), [...lines, '']);

const V0: OutputRecord = {
  ...SESSION,
  version: 0,
  local_teid: null,
  remote_teid: null,
  tid: 0xfedcba9876543211n,
  flow: 7,
  remote_flow: 0,
  qfi: null,
  psc: null,
};

const LINK_LINE =
  'ue1 type gtp local 10.0.0.1 dev eth0 dev lo netns left inner eth0 mtu 1464 role ggsn srcport hash tos 0xb8';
const SESSION_LINE =
  'dev ue1 type gtp local-teid 0x00001001 remote-teid 0x00002002 remote 10.0.0.2 local 10.0.0.1 ue 10.45.0.1/32 ue 2001:db8::/64 qfi 9 name bob';

test('a link is words of link add, without defaults', prints, '', 'link', LINK, [LINK_LINE]);
test('a session is words of session add, without defaults', prints, '', 'session', SESSION, [SESSION_LINE]);
test('a session of version 0 says so, and has no TEIDs', prints, '', 'session', V0, [
  'dev ue1 type gtp version 0 tid 0xfedcba9876543211 remote 10.0.0.2 local 10.0.0.1 ue 10.45.0.1/32 ue 2001:db8::/64 flow 7 name bob',
]);
test('-br has the TID where else is local-teid', prints, '-br', 'session', V0, [
  'ue1  up  0xfedcba9876543211  -  10.0.0.2  10.45.0.1/32,2001:db8::/64  bob',
]);
test('a TID is a number of all its digits in JSON', (t) =>
  t.regex(show([V0], '-j', {}), /"tid":18364758544493064721,/));
test('noantispoof is told where ue would mean antispoof', prints, '', 'session', { ...SESSION, antispoof: false }, [
  `${SESSION_LINE.replace(' name', ' name')} noantispoof`,
]);
test('udpcsum over IPv6 goes without saying', prints, '', 'link', { ifname: 'a', local: '::1', udpcsum: true }, [
  'a local ::1',
]);
test('-d adds what no word says', prints, '-d', 'session', { ...SESSION, details: { rqi_seen: 1, path: 'eth0' } }, [
  SESSION_LINE,
  '    state up',
  '    version 1 peer any antispoof psc auto',
  '    rqi_seen 1',
  '    path eth0',
]);
test('-s adds traffic, and the rest where it is not zero', prints, '-s', 'link', { ...LINK, stats: STATS }, [
  LINK_LINE,
  '    encap packets 1234 bytes 1048576',
  '    decap packets 0    bytes 0',
  '    passed 2',
  '    sent echo 1',
  '    drops unknown_teid 3',
]);
test('-s -s adds zeros', prints, '-s -s', 'link', { ifname: 'a', stats: { answered: 0, drops: { x: 0 } } }, [
  'a',
  '    answered 0',
  '    drops x 0',
]);
test('-h shortens counters', prints, '-h -s', 'link', { ifname: 'a', stats: { encap: STATS.encap } }, [
  'a',
  '    encap packets 1.23k bytes 1.05M',
]);
test('-iec counts in 1024', prints, '-iec -s', 'link', { ifname: 'a', stats: { encap: STATS.encap } }, [
  'a',
  '    encap packets 1.21ki bytes 1.00Mi',
]);
test('-o joins the lines of a record', prints, '-o -s', 'link', { ifname: 'a', stats: { passed: 1 } }, [
  'a\\    passed 1',
]);
const ROUND = { drops: { x: 9999, y: 99999, z: 999999 } };
const BIG = { packets: 999n, bytes: 98765432109n };
test('-h has three digits, as ip has', prints, '-h -s', 'link', { ifname: 'a', stats: { encap: BIG, passed: 12345 } }, [
  'a',
  '    encap packets 999 bytes 98.8G',
  '    passed 12.3k',
]);
test('-h rounds to the next letter where it has to', prints, '-h -s -s', 'link', { ifname: 'a', stats: ROUND }, [
  'a',
  '    drops x 10.0k y 100k z 1.00M',
]);
test('-br is a row of columns', prints, '-br', 'session', SESSION, [
  'ue1  up  0x00001001  0x00002002  10.0.0.2  10.45.0.1/32,2001:db8::/64  bob',
]);

for (const [type, words] of Object.entries({
  gre: 'a type gre local 10.0.0.1 role ggsn',
  vxlan: 'a type vxlan local 10.0.0.1 role ggsn',
  l2tp: 'a type l2tp local 10.0.0.1 role ggsn port 1702',
})) {
  const port = { gre: null, vxlan: 4789, l2tp: 1702 }[type] ?? null;
  const record = {
    ifname: 'a',
    type,
    local: '10.0.0.1',
    role: 'ggsn',
    port,
    srcport: type === 'vxlan' ? 'hash' : null,
  };
  test(`defaults of a link of type ${type} go without saying`, prints, '', 'link', record, [words]);
}
test(
  'checksums of geneve go without saying',
  prints,
  '',
  'link',
  {
    ...{ ifname: 'a', type: 'geneve', local: '10.0.0.1', udpcsum: true },
  },
  ['a type geneve local 10.0.0.1'],
);
test(
  'the session of a gretap is known by its keys in -br',
  prints,
  '-br',
  'session',
  {
    ...{ dev: 'a', type: 'gretap', key: null, ikey: 5, okey: 6, remote: '10.0.0.2', ue: [], name: null, state: 'up' },
  },
  ['a  up  5  6  10.0.0.2  -  -'],
);

test('-br lines its columns up', (t) => {
  const text = show([LINK, { ...LINK, ifname: 'longer', netns: null }], '-br', { object: 'link' });
  t.is(text, 'ue1     -  gtp  10.0.0.1  left  eth0  1\nlonger  -  gtp  10.0.0.1  -     eth0  1\n');
});

test('-j prints one array of objects', (t) => t.deepEqual(JSON.parse(show([LINK, LINK], '-j', {})), [LINK, LINK]));
test('-j prints an empty array', (t) => t.is(show([], '-j', {}), '[]\n'));
test('-j -p indents', (t) => t.is(show([{ a: 1 }], '-j -p', {}), '[\n    {\n        "a": 1\n    }\n]\n'));
test('text without records is empty', (t) => t.is(show([], '', {}), ''));
test('a command that changes something is silent', (t) => t.is(show([SESSION], '', { changes: true }), ''));
test('a command that chose a TEID tells it', (t) =>
  t.is(show([SESSION], '', { changes: true, chose: true }), 'local-teid 0x00001001\n'));
test('with -j a command that changes something prints its records', (t) =>
  t.deepEqual(JSON.parse(show([SESSION], '-j', { changes: true })), [SESSION]));

test('counters of 64 bits are numbers of all their digits in JSON', (t) => {
  t.is(
    printJson({ a: 18446744073709551615n, b: [0n, -1n], c: '1' }, false),
    '{"a":18446744073709551615,"b":[0,-1],"c":"1"}',
  );
});

test('colour comes with -c, and not with NO_COLOR', async (t) => {
  const coloured = await choosePalette(readOptions(['-c']).options);
  t.is(coloured.v4('10.0.0.1'), '\u001b[35m10.0.0.1\u001b[39m');
  const rows = show([LINK, { ...LINK, ifname: 'longer', state: 'down' }], '-br', { object: 'link', palette: coloured });
  t.deepEqual(
    rows.split('\n').map((row) => row.replaceAll('\u001b', '')),
    [
      '[36mue1[39m     -     gtp  [35m10.0.0.1[39m  left  [36meth0[39m  1',
      '[36mlonger[39m  [31mdown[39m  gtp  [35m10.0.0.1[39m  left  [36meth0[39m  1',
      '',
    ],
    'colours take no room',
  );
  const before = process.env['NO_COLOR'];
  process.env['NO_COLOR'] = '1';
  t.is(await choosePalette(readOptions(['-c']).options), plain);
  if (before === undefined) delete process.env['NO_COLOR'];
  else process.env['NO_COLOR'] = before;
  t.deepEqual(['15;0', '0;15', '0;default;8', '15;7', '', undefined].map(isDarkGround), [
    ...[true, false, true, false, false, false],
  ]);
  t.is(await choosePalette(readOptions(['-c', '-j']).options), plain);
});

for (const [object, command, spec] of commands.filter(([, name]) => name === 'add')) {
  test(`${object} ${command} reads back what show prints of any record`, (t) => {
    fc.assert(
      fc.property(request(spec), (all) => {
        // A MAC that nobody has to give is told with -d only.
        const given = all.filter(({ word, row }) => row.group === undefined && word !== 'lladdr');
        const record = Object.fromEntries(
          given.map((item) => [keyOf(item.row.as ?? item.word), recordValue(item)] as const),
        );
        fc.pre(object === 'link' || record['type'] !== undefined); // records of sessions always tell it
        const line = show([record], '', { object: object as RecordObject });
        const parsed = parse([object, command, ...line.trim().split(' ')]);
        if (parsed.ask !== 'run') throw new Error(line);
        for (const item of given) {
          const key = keyOf(item.word);
          const kept = parsed.words[key] !== undefined || isUsual(item, record);
          t.true(kept && (parsed.words[key] === undefined || isSame(item, parsed.words[key])), `${line} ${item.word}`);
        }
      }),
    );
  });
}

// As commands answer: numbers, words and flags as they are, all else as text.
function recordValue({ row, values }: GivenWord): OutputValue {
  const items = values.map((value) =>
    typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean'
      ? value
      : (row.kind?.format(value) ?? null),
  );
  return row.repeat ? items : (items[0] ?? null);
}

function isUsual({ word, row, values }: GivenWord, record: OutputRecord): boolean {
  return (
    values[0] === (row.default ?? row.defaults?.[String(record['type'] ?? 'gtp') as Type]) ||
    (row.flag === true && ['antispoof', 'udpcsum', 'seq', 'csum', 'iseq', 'oseq'].includes(word)) ||
    record[word] === null
  );
}

function isSame({ row, values }: GivenWord, value: unknown): boolean {
  return isDeepStrictEqual(row.repeat ? values : values[0], value);
}

function show(records: OutputRecord[], options: string, more: Partial<Printing>): string {
  const read: GlobalOptions = readOptions(options === '' ? [] : options.split(' ')).options;
  return printRecords(records, {
    object: 'session',
    options: read,
    palette: plain,
    changes: false,
    chose: false,
    ...more,
  });
}
