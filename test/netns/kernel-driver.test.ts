// SPDX-License-Identifier: MIT
// What datapath kernel says without the driver, and what the driver cannot follow; test/guest has the driver itself.
import test from 'ava';
import { closeFixture, gtpTry, namespace, using } from '../fixture';
import { run } from '../run';

test.after.always(closeFixture);

const oneNamespace = async (): Promise<{ m1: string }> => ({ m1: await namespace('m1') });
const ADD = 'link add k0 datapath kernel';
const SESSION = 'local-teid 1 remote-teid 2 remote 192.0.2.2';

/** Words of a link or a first session, and what they are refused with. */
const REFUSED: readonly (readonly [words: string, said: RegExp])[] = [
  ...['dev lo', 'ttl 9', 'gso keep', 'hairpin on', 'xdp off', 'lladdr 02:00:00:00:00:01'].map(
    (words) => [words, new RegExp(`cannot do "${words}"\n`)] as const,
  ),
  ['inner eth0', /cannot do "inner eth0": it always has "inner k0"/],
  ['port 2153', /cannot do "port 2153": it always has "port 2152"/],
  ['noudpcsum', /cannot do "noudpcsum": it always has "udpcsum"/],
  ['errind on', /cannot do "errind on": it always has "errind off"/],
  ['type gre', /cannot do "type gre": it always has "type gtp"/],
  ['payload ethernet', /cannot do "payload ethernet": it always has "payload ip"/],
  [`${SESSION} ue 10.0.0.1 qfi 9`, /cannot do "qfi 9"\n/],
  [`${SESSION} ue 10.0.0.1 seq`, /cannot do "seq": it always has "noseq"/],
  [`${SESSION} ue 10.0.0.1 peer strict`, /cannot do "peer strict": it always has "peer any"/],
  [`${SESSION} ue 10.0.0.1 noantispoof`, /cannot do "noantispoof": it always has "antispoof"/],
  [`${SESSION} from 10.0.0.1 to 10.0.0.2`, /cannot do "from 10\.0\.0\.1\/32"\n/],
  [`${SESSION} ue 10.0.0.1 name a`, /cannot do "name a"\n/],
  [SESSION, /"ue" is missing/],
  [`${SESSION} ue 10.0.0.0/24`, /cannot do "ue 10\.0\.0\.0\/24": a session has one IPv4 address/],
  [`${SESSION} ue 10.0.0.1 ue 10.0.0.2`, /cannot do "ue 10\.0\.0\.2\/32"/],
  [`${SESSION} ue fd00::1`, /cannot do "ue fd00::1\/128": a session has one IPv6 prefix of 64 bits/],
  ['version 0 tid 1 flow 1 remote-flow 2 remote 192.0.2.2 ue 10.0.0.1', /cannot do "flow 1 remote-flow 2"/],
  [`local ::1 ${SESSION} ue 10.0.0.1`, /local ::1 and remote 192\.0\.2\.2 are of different address families/],
];

test.serial(
  'words that the driver cannot follow are refused by name, before anything is made',
  using(oneNamespace)(async (t, { m1 }) => {
    const refuses = async ([words, said]: (typeof REFUSED)[number]): Promise<void> => {
      const { status, stderr } = await gtpTry(m1, `${ADD} ${words}`);
      t.is(status, 1, `${words}: ${stderr}`);
      t.regex(stderr, said, words);
    };
    await Promise.all(REFUSED.map(refuses));
    const { status, stderr } = await gtpTry(m1, 'link add k0 datapath bpf hsize 5 local 127.0.0.1');
    t.is(status, 1);
    t.regex(stderr, /"hsize" is a word of "datapath kernel", not of "datapath bpf"/);
  }),
);

test.serial(
  'without the driver, datapath kernel says so and leaves nothing',
  using(oneNamespace)(async (t, { m1 }) => {
    const probe = await run(['ip', '-n', m1, 'link', 'add', 'probe', 'type', 'gtp', 'role', 'ggsn']);
    if (probe.status === 0) {
      t.pass('this machine has the driver; the guests show it');
      return;
    }
    const { status, stderr } = await gtpTry(m1, `${ADD} ${SESSION} ue 10.0.0.1`);
    t.is(status, 2);
    t.regex(stderr, /^Error: create link k0: .*\nHint: this kernel has no gtp driver: modprobe gtp, or .*CONFIG_GTP/);
    t.is((await run(['ip', '-n', m1, '-o', 'link'])).stdout.trim().split('\n').length, 1);
    t.is((await gtpTry(m1, '-j link show')).stdout, '[]\n');
  }),
);
