// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { GlobalOptions } from '../../src/cli/command';
import { parse } from '../../src/cli/parse';
import { UsageError } from '../../src/errors';
import { globalOptions, grammar, keyOf, type Request, titleOf } from '../../src/grammar';
import { address, prefix } from '../../src/values';
import { commands, request, typed } from './arbitraries';

const asks = (t: ExecutionContext, line: string, object: string, command: string) =>
  t.like(run(line), { object, command });
const sets = (t: ExecutionContext, line: string, options: Partial<GlobalOptions>) => t.like(run(line).options, options);
const helps = (t: ExecutionContext, line: string, about: object) =>
  t.deepEqual(parse(split(line)), { ask: 'help', ...about } as never);

test('no command means show', asks, 'link', 'link', 'show');
test('an object may be shortened', asks, 'l', 'link', 'show');
test('s means session, the first object in the page that it fits', asks, 's show', 'session', 'show');
test('a command may be shortened', asks, 'link f', 'link', 'flush');
test('link s means set, the first command in the page that it fits', asks, 'link s ue1 up', 'link', 'set');
test('session s means show', asks, 'session s', 'session', 'show');
test('session a means add', asks, 's a dev ue1 local-teid 1 remote-teid 2 remote 10.0.0.2', 'session', 'add');
test('session r means replace', asks, 's r dev ue1 local-teid 1 remote-teid 2 remote 10.0.0.2', 'session', 'replace');
test('delete is another word for del', asks, 'link delete ue1', 'link', 'del');
test('list is another word for show', asks, 'link list', 'link', 'show');

test('ping has no command words', asks, 'ping 10.0.0.1', 'ping', 'run');
test('p means ping, the first object in the page that it fits', asks, 'p 10.0.0.1', 'ping', 'run');
test('ping takes a link for an address', asks, 'ping dev ue1 local-teid 1', 'ping', 'run');
test('times may have a fraction', (t) =>
  t.like(run('ping 10.0.0.1 interval 0.05 timeout .5').words, { interval: 0.05, timeout: 0.5 }));

test('options need one dash', sets, '-json link', { json: true });
test('options may have two dashes', sets, '--json link', { json: true });
test('-s counts', sets, '-s -stat link', { statistics: 2 });
test('-br is brief', sets, '-br link', { brief: true });
test('-h is human-readable', sets, '-h link', { human: true });
test('-i is iec, which is human-readable too', sets, '-i link', { human: true, iec: true });
test('-p, -d and -o are pretty, details and oneline', sets, '-p -d -o link', {
  pretty: true,
  details: true,
  oneline: true,
});
test('-c alone means always', sets, '-c link', { color: 'always' });
test('-c takes a value after =', sets, '-col=auto link', { color: 'auto' });
test('colour is off unless asked for', sets, 'link', { color: 'never' });
test('-n takes the next word', sets, '-n left link', { netns: 'left' });
test('-n takes a path', sets, '-netns /proc/1/ns/net link', { netns: '/proc/1/ns/net' });
test('-- ends the options', asks, '-j -- link', 'link', 'show');
test('-V asks for the version, whatever follows', (t) => t.deepEqual(parse(['-V', 'nonsense']), { ask: 'version' }));
test('--version asks for the version', (t) => t.deepEqual(parse(['--version']), { ask: 'version' }));
test('-he asks for the options', (t) => t.deepEqual(parse(['-he']), { ask: 'options' }));

test('gtp help is help', helps, 'help', {});
test('help may be shortened', helps, 'h', {});
test('gtp link help is about link', helps, 'link help', { object: 'link' });
test('gtp ping help is about ping', helps, 'ping help', { object: 'ping' });
test('gtp link add help is about link add', helps, 'link add help', { object: 'link', command: 'add' });
test('gtp help link is about link', helps, 'help link', { object: 'link' });
test('gtp help l a is about link add', helps, 'help l a', { object: 'link', command: 'add' });
test('gtp help ping is about ping, whatever follows', helps, 'help ping 10.0.0.1', { object: 'ping' });
test('gtp help help is help', helps, 'help help', {});
test('gtp help of what there is not is refused', (t) => {
  t.throws(() => parse(['help', 'tunnel']), { instanceOf: UsageError, message: /^unknown object "tunnel"/ });
  t.throws(() => parse(['help', 'link', 'make']), {
    instanceOf: UsageError,
    message: /^unknown command "make" of link/,
  });
});
test('help is an ordinary value elsewhere', (t) => t.like(run('link add ue1 inner help').words, { inner: 'help' }));

test('a session gets typed values', (t) => {
  const { words } = run(
    'session add dev ue1 local-teid auto remote-teid 0x10 remote 2001:db8::1 ue 10.45.0.1 ue 10.46.0.0/16 noantispoof rqi',
  );
  const expected: Request<'session', 'add'> = {
    dev: 'ue1',
    local_teid: 'auto',
    remote_teid: 16,
    remote: address.parse('2001:db8::1'),
    ue: [prefix.parse('10.45.0.1/32'), prefix.parse('10.46.0.0/16')],
    antispoof: false,
    rqi: true,
  };
  t.deepEqual<unknown, unknown>(words, expected);
});

test('an alias of role is read as the role', (t) => t.is(run('link add ue1 role upf').words['role'], 'ggsn'));
test('the name of a link may look like a word of another command', (t) =>
  t.is(run('link del mtu').words['ifname'], 'mtu'));
test('errind-action is a word of its own', (t) =>
  t.is(run('link add a errind-action del').words['errind_action'], 'del'));

test('every shortest abbreviation that help shows means its option', (t) => {
  for (const option of globalOptions) {
    if (!('short' in option) || 'later' in option || 'value' in option || option.name === 'Version') continue;
    t.deepEqual(run(`-${option.short} link`).options, run(`-${option.name} link`).options, option.name);
  }
});

for (const [object, command, spec] of commands) {
  test(`${titleOf(object, command)}: every request is read as it was typed`, (t) => {
    fc.assert(
      fc.property(request(spec), (given) => {
        if (spec.some && given.length < 2) return;
        const parsed = run([...titleOf(object, command).split(' '), ...typed(given)]);
        const expected = given.map(({ word, row, values }) => [keyOf(word), row.repeat ? values : values[0]]);
        t.deepEqual(parsed.words as object, Object.fromEntries(expected));
      }),
    );
  });
}

test('random words run something, ask for help, or throw UsageError', (t) => {
  const known = commands.flatMap(([, , spec]) => Object.entries(spec.words));
  const vocabulary = [
    ...[
      '-',
      '--',
      '-j',
      '-n',
      '-c=',
      '-b',
      '',
      'help',
      'auto',
      '1',
      '0x1',
      '10.0.0.1',
      '::1',
      'ue1',
      '__proto__',
      'constructor',
    ],
    ...Object.keys(grammar),
    ...commands.map(([, command]) => command),
    ...known.map(([word]) => word),
    ...known.map(([word]) => `no${word}`),
  ];
  const words = fc.array(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...vocabulary) }, fc.string()), {
    maxLength: 12,
  });
  const starts = fc.oneof(
    fc.constant([]),
    fc.constantFrom(...commands.map(([object, command]) => titleOf(object, command).split(' '))),
  );
  fc.assert(
    fc.property(starts, words, (start, rest) => isOrdinary([...start, ...rest])),
    { numRuns: 5000 },
  );
  t.pass();
});

function isOrdinary(argv: string[]): boolean {
  try {
    return parse(argv).ask.length > 0;
  } catch (error) {
    return error instanceof UsageError && error.message.length > 0 && !error.message.includes('undefined');
  }
}

function run(line: string | string[]): Extract<ReturnType<typeof parse>, { ask: 'run' }> {
  const parsed = parse(split(line));
  if (parsed.ask !== 'run') throw new Error(`asks for ${parsed.ask}`);
  return parsed;
}

function split(line: string | string[]): string[] {
  return typeof line === 'string' ? line.split(' ') : line;
}
