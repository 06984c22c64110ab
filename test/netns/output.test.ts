// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import test from 'ava';
import { printJson } from '../../src/cli/print';
import { deviceStats } from '../../src/kernel/stats';
import { golden } from '../cli/golden';
import { NOTHING, onMachine } from '../machine';
import { run } from '../run';
import { faultsOf, keysOf, keysTold } from '../schema';

/** Each form of output for all that it changes. */
const TEXTS = [
  'link show',
  '-br link show',
  '-c -br link show',
  '-s link show upf0',
  '-h -s link show upf0',
  '-iec -s link show upf0',
  '-o -s link show upf0',
  '-br -o -s -d link show upf0',
  '-d link show upf0',
  '-c -d -s link show upf0',
  '-d link show gtp6',
  'session show',
  '-br session show',
  '-c -br session show',
  '-c session show',
  '-c=never session get dev upf0 local-teid 1',
  '-c=auto session get dev upf0 local-teid 1',
  '-d session show',
  '-c -d session show dev upf0',
  '-s -s session get dev upf0 local-teid 1',
  'path show',
  '-br path show',
  '-d path show remote 192.0.2.2',
  '-d path show remote 198.51.100.5',
];

const ANSWERS = [
  '-j -s -d link show',
  '-j -p link show upf0',
  '-j -s -d session show',
  '-j session get dev upf0 local-teid 1',
  '-j -s -d path show',
  '-j ping 192.0.2.1 count 1',
  '-j link add more local 192.0.2.1 local-teid auto remote-teid 9 remote 192.0.2.2',
  '-j session show dev more',
  '-j link del more',
];

const CLEANUP = 'gtp link flush; ip link del ul; for name in alice bob carol; do ip netns del $name; done';

const examples = [...readFileSync('docs/json.md', 'utf8').matchAll(/^```sh\n(.*?)^```$/gms)].map(
  ([, text = '']) => text,
);

test('each form of output is as it should be, JSON as its schema tells, and the examples of docs/json.md answer', async (t) => {
  t.timeout(180_000);
  const hasJq = (await run(['sh', '-c', 'command -v jq'])).status === 0;
  if (!hasJq) t.log('SKIPPED: examples of docs/json.md, for there is no jq');
  const parts = [...TEXTS, ...ANSWERS].map((words) => [`gtp ${words}`, `gtp ${words}`]);
  parts.push(...(hasJq ? examples.map((text, at) => [`example ${at + 1}`, text]) : []));
  const script = parts.map(([name, text]) => `echo '### ${name}'\n${text}`).join('\n');
  const world = readFileSync('test/netns/output.sh', 'utf8');
  const { stdout, stderr } = await onMachine(`${world}\n${script}\necho '### end'\n${CLEANUP}`);
  t.regex(stdout.replace(/.*^### end$/ms, ''), NOTHING, stderr);
  const told = new Map(stdout.split(/^### /m).map((part) => [part.split('\n')[0] ?? '', part.replace(/^.*\n/, '')]));
  const tellings = parts.filter(([name = '']) => !name.startsWith('gtp -j')).map(([name = '']) => name);
  golden(t, '../netns/output.golden.txt', masked(tellings.map((name) => `### ${name}\n${told.get(name)}`).join('')));
  const answers = ANSWERS.map((words): [string, unknown[]] => [
    objectOf(words),
    JSON.parse(told.get(`gtp ${words}`) ?? ''),
  ]);
  answers.push(['link', [{ ...(answers[0]?.[1][0] as object), stats: JSON.parse(printJson(ofDriver, false)) }]]);
  for (const [object, answer] of answers) t.is(faultsOf(object, answer), '');
  const seen = new Set(answers.flatMap(([object, answer]) => keysOf(object, answer)));
  t.deepEqual(
    keysTold().filter((key) => !seen.has(key)),
    [],
    'keys that no record has',
  );
});

test('an answer that is not as its schema tells is refused', (t) => {
  const good = { path_mtu: 1500, oif: 'ul', gateway: null, neighbour: null };
  const peer = {
    ...{ local: '192.0.2.1', remote: '192.0.2.2', type: null, port: null, version: null, sessions: 1 },
    ...{ echo: { requests: 1, responses: 0 }, errinds: 0, extnotifies: 0, last_seen: 3, mtu: null, state: 'up' },
  };
  t.is(faultsOf('path', [peer, { ...peer, details: good }]), '');
  const { state: _, ...without } = peer;
  for (const [spoiled, fault] of [
    [without, /required property 'state'/],
    [{ ...peer, colour: 'red' }, /additional properties.*colour/],
    [{ ...peer, sessions: '1' }, /sessions must be integer/],
    [{ ...peer, state: 'fine' }, /state must be equal to one of/],
    [{ ...peer, remote: '192.0.2' }, /remote must match format/],
    [{ ...peer, echo: { requests: 1 } }, /echo must have required property 'responses'/],
    [{ ...peer, details: { ...good, path_mtu: null, via: 1 } }, /details must NOT have additional properties/],
  ] as const)
    t.regex(faultsOf('path', [spoiled]), fault);
});

const ofDriver = deviceStats({
  ...{ index: 1, name: 'gtp0', mtu: 1464, flags: 0, role: 'ggsn', hsize: 1024, restartCount: 0, alias: '' },
  stats: {
    ...{ rx_packets: 1n, tx_packets: 1n, rx_bytes: 84n, tx_bytes: 84n, rx_errors: 0n, tx_errors: 3n },
    ...{ rx_dropped: 0n, tx_dropped: 0n, collisions: 1n, tx_carrier_errors: 1n },
  },
} as Parameters<typeof deviceStats>[0]);

function objectOf(words: string): string {
  return words.split(' ').find((word) => !word.startsWith('-')) ?? '';
}

// What the kernel numbers, and where a machine of the test keeps its pins; colours as they can be read.
function masked(text: string): string {
  return text
    .replaceAll('\u001b[', '^[')
    .replace(/\b(prog_id|link_id) [1-9]\d*/g, '$1 N')
    .replace(/(?<=^ {4}maps .*=)[1-9]\d*/gm, 'N')
    .replace(/(?<=\/gtp\/)\d+(?=\/v\d)/g, 'COOKIE')
    .replace(/((?:link|shim|underlay)-|ifindex )\d+/g, '$1N');
}
