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

test.serial('no command means show', asks, 'link', 'link', 'show');
test.serial('an object may be shortened', asks, 'l', 'link', 'show');
test.serial('s means session, the first object in the page that it fits', asks, 's show', 'session', 'show');
test.serial('a command may be shortened', asks, 'link f', 'link', 'flush');
test.serial('link s means set, the first command in the page that it fits', asks, 'link s ue1 up', 'link', 'set');
test.serial('session s means show', asks, 'session s', 'session', 'show');
test.serial('session a means add', asks, 's a dev ue1 local-teid 1 remote-teid 2 remote 10.0.0.2', 'session', 'add');
test.serial(
  'session r means replace',
  asks,
  's r dev ue1 local-teid 1 remote-teid 2 remote 10.0.0.2',
  'session',
  'replace',
);
test.serial('delete is another word for del', asks, 'link delete ue1', 'link', 'del');
test.serial('list is another word for show', asks, 'link list', 'link', 'show');

test.serial('ping has no command words', asks, 'ping 10.0.0.1', 'ping', 'run');
test.serial('p means ping, the first object in the page that it fits', asks, 'p 10.0.0.1', 'ping', 'run');
test.serial('ping takes a link for an address', asks, 'ping dev ue1 local-teid 1', 'ping', 'run');
test.serial('times may have a fraction', (t) =>
  t.like(run('ping 10.0.0.1 interval 0.05 timeout .5').words, { interval: 0.05, timeout: 0.5 }),
);

test.serial('options need one dash', sets, '-json link', { json: true });
test.serial('options may have two dashes', sets, '--json link', { json: true });
test.serial('-s counts', sets, '-s -stat link', { statistics: 2 });
test.serial('-br is brief', sets, '-br link', { brief: true });
test.serial('-h is human-readable', sets, '-h link', { human: true });
test.serial('-i is iec, which is human-readable too', sets, '-i link', { human: true, iec: true });
test.serial('-p, -d and -o are pretty, details and oneline', sets, '-p -d -o link', {
  pretty: true,
  details: true,
  oneline: true,
});
test.serial('-c alone means always', sets, '-c link', { color: 'always' });
test.serial('-c takes a value after =', sets, '-col=auto link', { color: 'auto' });
test.serial('colour is off unless asked for', sets, 'link', { color: 'never' });
test.serial('-n takes the next word', sets, '-n left link', { netns: 'left' });
test.serial('-n takes a path', sets, '-netns /proc/1/ns/net link', { netns: '/proc/1/ns/net' });
test.serial('-- ends the options', asks, '-j -- link', 'link', 'show');
test.serial('-V asks for the version, whatever follows', (t) =>
  t.deepEqual(parse(['-V', 'nonsense']), { ask: 'version' }),
);
test.serial('--version asks for the version', (t) => t.deepEqual(parse(['--version']), { ask: 'version' }));
test.serial('-he asks for the options', (t) => t.deepEqual(parse(['-he']), { ask: 'options' }));

test.serial('gtp help is help', helps, 'help', {});
test.serial('help may be shortened', helps, 'h', {});
test.serial('gtp link help is about link', helps, 'link help', { object: 'link' });
test.serial('gtp ping help is about ping', helps, 'ping help', { object: 'ping' });
test.serial('gtp link add help is about link add', helps, 'link add help', { object: 'link', command: 'add' });
test.serial('help is an ordinary value elsewhere', (t) =>
  t.like(run('link add ue1 inner help').words, { inner: 'help' }),
);

test.serial('a session gets typed values', (t) => {
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

test.serial('an alias of role is read as the role', (t) => t.is(run('link add ue1 role upf').words['role'], 'ggsn'));
test.serial('the name of a link may look like a word of another command', (t) =>
  t.is(run('link del mtu').words['ifname'], 'mtu'),
);
test.serial('errind-action is a word of its own', (t) =>
  t.is(run('link add a errind-action del').words['errind_action'], 'del'),
);

test.serial('every shortest abbreviation that help shows means its option', (t) => {
  for (const option of globalOptions) {
    if (!('short' in option) || 'later' in option || 'value' in option || option.name === 'Version') continue;
    t.deepEqual(run(`-${option.short} link`).options, run(`-${option.name} link`).options, option.name);
  }
});

for (const [object, command, spec] of commands) {
  test.serial(`${titleOf(object, command)}: every request is read as it was typed`, (t) => {
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

test.serial('random words run something, ask for help, or throw UsageError', (t) => {
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
