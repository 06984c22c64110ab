// SPDX-License-Identifier: MIT
// Sessions of every kind: what their words mean on a link of some type, what of them cannot be, and how they are shown.
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { OutputRecord } from '../../src/cli/command';
import { checkLinkWords } from '../../src/cli/complete';
import { describeFailure } from '../../src/cli/failure';
import { readOptions } from '../../src/cli/options';
import { plain } from '../../src/cli/palette';
import { parse } from '../../src/cli/parse';
import { printRecords } from '../../src/cli/print';
import { fresh, type Home, merged, type NewSession, receiveId, sessionOf } from '../../src/commands/session-words';
import { wordsRecord } from '../../src/commands/words-record';
import { UsageError } from '../../src/errors';
import {
  type ByType,
  type CommandSpec,
  grammar,
  PAYLOADS,
  PORTS,
  type Request,
  TYPES,
  type Type,
} from '../../src/grammar';
import type { SessionWords } from '../../src/tunnels/words';
import { address } from '../../src/values';
import { request, typed } from './arbitraries';
import { golden } from './golden';

type Likeness = { readonly id: object; readonly [key: string]: unknown };

const makes = (t: ExecutionContext, type: Type, line: string, like: Likeness) => {
  const session = make(type, line);
  t.deepEqual<object, object>(session.id, like.id);
  t.like(session, like);
};

test('the type of the link is that of a session whose words leave it open', makes, 'vxlan', 'vni 5 remote ::2', {
  id: { type: 'vxlan', vni: 5, port: 4789, dstport: 4789 },
  peer: 'strict',
  payload: 'ethernet',
});
test('a type that is given counts, and has its own port', makes, 'vxlan', 'type geneve vni 5 remote ::2', {
  id: { type: 'geneve', vni: 5, port: 6081, dstport: 6081 },
});
test('words of one type alone need no type', makes, 'vxlan', 'local-teid 1 remote-teid 2 remote ::2', {
  id: { type: 'gtp', version: 1, local_teid: 1, remote_teid: 2 },
  peer: 'any',
  payload: 'ip',
});
test('a TEID that was chosen stands for auto', (t) => {
  t.like(fresh(words('local-teid auto remote-teid 2 remote ::2'), linkOf('gtp'), 77).id, { local_teid: 77 });
});
test('gre without a key', makes, 'gre', 'remote 192.0.2.2', {
  id: { type: 'gre', ikey: undefined, okey: undefined },
  payload: 'ip',
});
test('a key is for both directions', makes, 'gretap', 'key 0 remote 192.0.2.2 csum iseq oseq', {
  id: { type: 'gretap', ikey: 0, okey: 0 },
  csum: true,
  iseq: true,
  oseq: true,
  payload: 'ethernet',
});
test('a key for each direction', makes, 'gre', 'ikey 5 okey 6 remote 192.0.2.2', {
  id: { type: 'gre', ikey: 5, okey: 6 },
});
test('options of geneve', makes, 'geneve', 'vni 5 remote ::2 opt 0102:80:00112233 opt 0103:01: payload ip', {
  id: { type: 'geneve', vni: 5, port: 6081, dstport: 6081 },
  opt: [Uint8Array.of(1, 2, 0x80, 1, 0, 0x11, 0x22, 0x33), Uint8Array.of(1, 3, 1, 0)],
  payload: 'ip',
});
test('l2tp over UDP', makes, 'l2tp', 'session_id 1 peer_session_id 2 remote ::2 cookie 00112233 seq recv', {
  id: { type: 'l2tp', session_id: 1, peer_session_id: 2, encap: 'udp', udp_sport: 1701, udp_dport: 1701 },
  cookie: Uint8Array.of(0, 0x11, 0x22, 0x33),
  peer_cookie: new Uint8Array(0),
  l2spec_type: 'default',
  l2tp_seq: 'recv',
  seq: false,
});
test('l2tp over IP has no ports', makes, 'l2tp', 'session_id 1 peer_session_id 2 remote ::2 encap ip', {
  id: { type: 'l2tp', session_id: 1, peer_session_id: 2, encap: 'ip', udp_sport: 0, udp_dport: 0 },
});
test('a vlan has no peer', makes, 'vlan', 'id 5 protocol 802.1ad', {
  id: { type: 'vlan', id: 5, protocol: '802.1ad' },
  remote: address.parse('0.0.0.0'),
  local: address.parse('0.0.0.0'),
  peer: 'any',
});
test('frames on a link of packets', makes, 'gtp', 'vni 5 type vxlan remote ::2 lladdr 02:00:00:00:00:01', {
  id: { type: 'vxlan', vni: 5, port: 4789, dstport: 4789 },
  lladdr: Uint8Array.of(2, 0, 0, 0, 0, 1),
});
test('from and to are one host each', makes, 'gre', 'key 1 remote ::2 from 10.0.0.1 to 10.0.0.2', {
  id: { type: 'gre', ikey: 1, okey: 1 },
  from: address.parse('10.0.0.1'),
  to: address.parse('10.0.0.2'),
});

const names = (t: ExecutionContext, type: Type, line: string, id: object) =>
  t.deepEqual<object, object>(receiveId(parsed(`session get dev l0 ${line}`.trim()), linkOf(type), 'get'), id);

test('nothing names the gre session without a key', names, 'gre', '', { type: 'gre', ikey: undefined });
test('a key names a session on receipt', names, 'gretap', 'key 5', { type: 'gretap', ikey: 5 });
test('so does ikey', names, 'gtp', 'type gre ikey 5', { type: 'gre', ikey: 5 });
test('a VNI names a session', names, 'geneve', 'vni 5 remote ::2', { type: 'geneve', vni: 5 });
test('a session ID names a session', names, 'gtp', 'session_id 5', { type: 'l2tp', session_id: 5 });
test('a VLAN ID names a session', names, 'gtp', 'id 5', { type: 'vlan', id: 5 });
test('a TEID names a session on any link', names, 'vlan', 'local-teid 5', {
  type: 'gtp',
  version: 1,
  local_teid: 5,
});

test('a change keeps what it does not name', (t) => {
  const was = make('l2tp', 'session_id 1 peer_session_id 2 remote ::2 cookie 00112233 udp_dport 9 ttl 9');
  const next = change('l2tp', was, 'session_id 1 seq both cookie none peer_session_id 3');
  t.deepEqual(next, {
    ...was,
    id: { type: 'l2tp', session_id: 1, peer_session_id: 3, encap: 'udp', udp_sport: 1701, udp_dport: 9 },
    l2tp_seq: 'both',
    cookie: new Uint8Array(0),
  });
});
test('ikey names a session and okey changes', (t) => {
  const was = make('gre', 'ikey 5 okey 6 remote ::2');
  t.deepEqual(change('gre', was, 'ikey 5 okey 7').id, { type: 'gre', ikey: 5, okey: 7 });
});

test('the session words of link add are a session of its type', (t) => {
  const line = parsed('link add l0 type geneve local ::1 ttl 9 vni 5 remote ::2 opt 0102:80:') as Request<
    'link',
    'add'
  >;
  t.like(sessionOf(line), { type: 'geneve', vni: 5, remote: address.parse('::2'), ttl: undefined });
  t.is(sessionOf(parsed('link add l0 type geneve local ::1') as Request<'link', 'add'>), undefined);
  t.deepEqual<object | undefined, object>(sessionOf(parsed('link add l0 type vlan dev a id 5') as never), {
    type: 'vlan',
    id: 5,
  });
});

const LINES: { readonly [K in Type]: readonly string[] } = {
  gtp: [
    'local-teid 1 remote-teid 2 remote 192.0.2.2 payload ethernet lladdr 02:00:00:00:00:01',
    'local-teid 1 remote-teid 2 remote 192.0.2.2 from 10.0.0.1 to 10.0.0.2 seq qfi 9',
    'version 0 tid 5 flow 1 remote 192.0.2.2',
  ],
  gre: ['remote 192.0.2.2 csum', 'key 5 remote 192.0.2.2 peer any', 'ikey 5 okey 6 remote 192.0.2.2 iseq oseq'],
  gretap: ['key 5 remote 192.0.2.2 lladdr 02:00:00:00:00:01', 'remote 2001:db8::2 local 2001:db8::1 ttl inherit'],
  geneve: [
    'vni 5 remote 192.0.2.2 opt 0102:80:00112233 opt 0103:01: noudpcsum',
    'vni 5 remote 192.0.2.2 payload ip dstport 9 srcport 7 name bob',
  ],
  vxlan: ['vni 5 remote 192.0.2.2', 'vni 0xffffff remote 192.0.2.2 ue 10.0.0.1 udpcsum'],
  l2tp: [
    'session_id 1 peer_session_id 2 remote 192.0.2.2 cookie 00112233 peer_cookie 0011223344556677 seq both',
    'session_id 1 peer_session_id 2 remote 192.0.2.2 encap ip l2spec_type none',
    'session_id 1 peer_session_id 2 remote 192.0.2.2 udp_sport 7 udp_dport 9',
  ],
  vlan: ['id 5', 'id 4094 protocol 802.1ad ue 10.0.0.1 noantispoof'],
};

test('sessions of every kind are shown as the golden file says', (t) => {
  const shown = TYPES.flatMap((type) =>
    LINES[type].map((line) => {
      const record = recordOf(type, line);
      return `# ${type}: ${line}\n${print(record, '')}${print(record, '-br')}${print(record, '-j')}`;
    }),
  );
  golden(t, 'kinds.golden.txt', shown.join('\n'));
});

for (const type of TYPES) {
  test(`${type}: what session show prints are words that session add takes`, (t) => {
    for (const line of LINES[type]) {
      const again = parsed(`session add ${print(recordOf(type, line), '').trim()}`) as Request<'session', 'add'>;
      t.deepEqual(wordsRecord(fresh(again, linkOf(type))), wordsRecord(make(type, line)), line);
    }
  });
}

test('any words make a session that is shown as words that make the same, or are refused', (t) => {
  const spec: CommandSpec = grammar.session.commands.add;
  fc.assert(
    fc.property(request(spec), fc.constantFrom(...TYPES), (given, type) => {
      const line = parsed(['session', 'add', ...typed(given)]) as Request<'session', 'add'>;
      const session = freshOrRefused(line, type);
      if (session === undefined) return;
      const record = { dev: 'l0', ...wordsRecord(session), name: line.name ?? null, state: 'up' };
      const again = freshOrRefused(parsed(['session', 'add', ...print(record, '').trim().split(' ')]), type);
      t.deepEqual(again === undefined ? undefined : wordsRecord(again), wordsRecord(session));
    }),
    { numRuns: 500 },
  );
});

test('records of a type have the same keys, whatever is set', (t) => {
  for (const type of TYPES) {
    const [first = [], ...others] = LINES[type].map((line) => Object.keys(recordOf(type, line)));
    for (const keys of others) t.deepEqual(keys, first, type);
    for (const key of ['dev', 'type', 'remote', 'local', 'ue', 'peer', 'name', 'state']) t.true(first.includes(key));
  }
});

// One mistake a line, on a link of some type: what the parser cannot know.
const MISTAKES: readonly (readonly [type: Type, line: string])[] = [
  ['gtp', 'session add dev l0 remote ::2'],
  ['gtp', 'session add dev l0 vni 5 remote ::2'],
  ['gtp', 'session add dev l0 key 5 remote ::2'],
  ['gtp', 'session add dev l0 type vxlan vni 5 remote ::2'],
  ['gtp', 'session add dev l0 local-teid 1 remote-teid 2 remote ::2 lladdr 02:00:00:00:00:01'],
  ['gtp', 'session add dev l0 local-teid 1 remote-teid 2 remote ::2 payload ethernet'],
  ['gtp', 'session add dev l0 local-teid 1 remote-teid 2 remote ::2 ue 10.0.0.1 ue 10.0.0.1'],
  ['gtp', 'session change dev l0 remote ::3'],
  ['gtp', 'session del dev l0'],
  ['gtp', 'session endmarker dev l0'],
  ['gre', 'session add dev l0 vni 5 remote ::2'],
  ['gre', 'session add dev l0 type gre key 5 remote ::2 lladdr 02:00:00:00:00:01'],
  ['gre', 'session add dev l0 type vlan id 5'],
  ['vxlan', 'session add dev l0 remote ::2'],
  ['vxlan', 'session replace dev l0 remote ::2'],
  ['vxlan', 'session get dev l0'],
  ['vxlan', 'session get dev l0 remote ::2'],
  ['geneve', `session add dev l0 vni 5 remote ::2 ${`opt 0102:80:${'00'.repeat(124)} `.repeat(2)}`.trim()],
  ['l2tp', 'session add dev l0 remote ::2'],
  ['l2tp', 'session add dev l0 session_id 1 peer_session_id 2 remote ::2 l2spec_type none seq send'],
  ['l2tp', 'session add dev l0 session_id 1 peer_session_id 2 remote ::2 encap ip udpcsum'],
  ['l2tp', 'session add dev l0 session_id 1 peer_session_id 2 remote ::2 encap ip udp_sport 5'],
  ['l2tp', 'session add dev l0 session_id 1 peer_session_id 2 remote ::2 encap ip udp_dport 5'],
  ['l2tp', 'session add dev l0 session_id 1 peer_session_id 2 remote ::2 from 10.0.0.1 to ::1'],
  ['vlan', 'session add dev l0 remote ::2'],
  ['vlan', 'session add dev l0 type vxlan vni 5 remote ::2'],
  ['vlan', 'session del dev l0'],
  ['vlan', 'link set l0 port 5'],
  ['l2tp', 'link set l0 up srcport hash'],
];

test('words that do not fit a link are answered as the golden file says', (t) => {
  const said = MISTAKES.map(([type, line]) => `[${type}] $ gtp ${line}\n${complaint(type, line)}`);
  golden(t, 'link-errors.golden.txt', said.join('\n'));
});

test('they are one line of error that quotes a word, at most one of hint, and status 1', (t) => {
  for (const [type, line] of MISTAKES) t.regex(complaint(type, line), /^Error: [^\n]+\n(Hint: [^\n]+\n)?$/, line);
});

function linkOf(type: Type): Home {
  const local = address.parse(type === 'vlan' ? '0.0.0.0' : '192.0.2.1');
  const frames = PAYLOADS[type] === 'ethernet';
  return { name: 'l0', type, frames, port: (PORTS as ByType<number>)[type] ?? 0, local };
}

function freshOrRefused(line: NewSession, type: Type): SessionWords | undefined {
  try {
    return fresh(line, linkOf(type), line.local_teid === 'auto' ? 7 : undefined);
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

function parsed(line: string | string[]): never {
  const read = parse(typeof line === 'string' ? line.split(' ') : line);
  if (read.ask !== 'run') throw new Error(`asks for ${read.ask}`);
  return read.words as never;
}

function words(line: string): NewSession {
  return parsed(`session add dev l0 ${line}`);
}

function make(type: Type, line: string): SessionWords {
  return fresh(words(line), linkOf(type));
}

function change(type: Type, was: SessionWords, line: string): SessionWords {
  return merged(was, parsed(`session change dev l0 ${line}`), linkOf(type));
}

function recordOf(type: Type, line: string): OutputRecord {
  return { dev: 'l0', ...wordsRecord(make(type, line)), name: words(line).name ?? null, state: 'up' };
}

function print(record: OutputRecord, options: string): string {
  const read = readOptions(options === '' ? [] : options.split(' ')).options;
  return printRecords([record], { object: 'session', options: read, palette: plain, changes: false, chose: false });
}

function complaint(type: Type, line: string): string {
  try {
    const [object, command] = line.split(' ');
    if (object === 'link') checkLinkWords(parsed(line), linkOf(type));
    else if (command === 'add' || command === 'replace') fresh(parsed(line), linkOf(type), undefined, command);
    else receiveId(parsed(line), linkOf(type), command as 'get');
  } catch (error) {
    const { text, status } = describeFailure(error, false);
    if (status === 1) return text;
    throw error;
  }
  return 'accepted\n';
}
