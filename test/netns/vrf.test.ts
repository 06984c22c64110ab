// SPDX-License-Identifier: MIT
// `vrf` where the kernel has none: a routing table and rules. VRFs of kernels that have them: test/guest/inside.test.ts.
import test, { type ExecutionContext } from 'ava';
import { closeFixture, deleteNamespace, gtpIn, gtpTry, linkStats, links, namespace, using, wire } from '../fixture';
import { must, waitFor, within } from '../run';
import { ping, quiet } from '../topology';

test.after.always(closeFixture);

/** A gateway between two phones and two data networks, all of which have the same addresses. */
interface Gateway {
  readonly gw: string;
  readonly ran: string;
  readonly phones: readonly [string, string];
  readonly networks: readonly [string, string];
}

const TENANTS = [0, 1] as const;
/** The tables of the tenants: the second number does not fit into the octet of struct rtmsg and fib_rule_hdr. */
const TABLES = [6, 1006] as const;
const SERVER = { 4: '10.211.211.211', 6: 'fd11::211' } as const;
const PHONE = { 4: '100.64.0.1', 6: 'fd64::1' } as const;

const inGateway = using(async (): Promise<Gateway> => {
  const forwarding = [...quiet, 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'];
  const [gw, ran] = [await namespace('gw', ...forwarding), await namespace('ran', ...quiet)];
  const phones = [await namespace('p0', ...quiet), await namespace('p1', ...quiet)] as const;
  const networks = [await namespace('d0', ...quiet), await namespace('d1', ...quiet)] as const;
  await wire(
    { ns: gw, dev: 'ul', addresses: ['192.0.2.1/24'] },
    { ns: ran, dev: 'ul', addresses: ['192.0.2.2/24', '192.0.2.3/24'] },
  );
  for (const each of TENANTS) await dataNetwork(gw, networks[each], each);
  return { gw, ran, phones, networks };
});

// The routes of N6 are the user's, as is the rule for its device: with a VRF that would be enslaved.
async function dataNetwork(gw: string, network: string, tenant: 0 | 1): Promise<void> {
  const [dev, table] = [`n6-${tenant}`, TABLES[tenant]];
  await wire(
    { ns: gw, dev, addresses: [] },
    { ns: network, dev: 'eth0', addresses: [`${SERVER[4]}/32`, `${SERVER[6]}/128`] },
  );
  const lines = ['', '-6 '].flatMap((family) => [
    `${family}rule add iif ${dev} lookup ${table}`,
    `${family}route add ${family === '' ? SERVER[4] : SERVER[6]} dev ${dev} table ${table}`,
    `${family}route add unreachable default metric 4278198272 table ${table}`,
  ]);
  for (const line of lines) await must(['ip', '-n', gw, ...line.trim().split(' ')]);
  for (const family of ['-4', '-6'])
    await must(['ip', '-n', network, family, 'route', 'add', 'default', 'dev', 'eth0']);
  for (const name of [gw, network])
    await must(within(name, 'sysctl', '-qw', `net.ipv4.conf.${name === gw ? dev : 'eth0'}.proxy_arp=1`));
  const [here, there] = [await macOf(gw, dev), await macOf(network, 'eth0')];
  await must(['ip', '-n', gw, 'neigh', 'add', SERVER[6], 'lladdr', there, 'dev', dev]);
  await must(['ip', '-n', network, 'neigh', 'add', PHONE[6], 'lladdr', here, 'dev', 'eth0']);
}

const macOf = async (ns: string, dev: string): Promise<string> =>
  (JSON.parse(await must(['ip', '-n', ns, '-j', 'link', 'show', dev])) as [{ address: string }])[0].address;

async function connect({ gw, ran, phones }: Gateway, more = ''): Promise<void> {
  for (const each of TENANTS) {
    const session = `local-teid ${each + 1} remote-teid ${each + 1}`;
    const remote = `192.0.2.${each + 2}`;
    await gtpIn(
      gw,
      `link add up${each} local 192.0.2.1 vrf ${TABLES[each]} address 100.64.255.${each + 1}/16 route fd64::/64 ${session} remote ${remote} ue ${PHONE[4]} ue ${PHONE[6]} ${more}`.trim(),
    );
    const inner = `address ${PHONE[4]}/32 address ${PHONE[6]}/128 route default`;
    await gtpIn(ran, `link add ue${each} local ${remote} netns ${phones[each]} ${inner} ${session} remote 192.0.2.1`);
  }
}

/** Both phones reach the server of their own data network, and nothing of the one comes to the other. */
async function reach(t: ExecutionContext, { gw, phones }: Gateway): Promise<void> {
  for (const each of TENANTS) {
    const was = await linkStats(gw, `up${1 - each}`);
    for (const family of [4, 6] as const) t.is(await ping(phones[each], SERVER[family], 2), 2, `phone ${each}`);
    t.is(await ping(phones[each], `100.64.255.${each + 1}`, 2), 2, 'the inner end itself answers');
    t.deepEqual((await linkStats(gw, `up${1 - each}`)).decap, was.decap);
  }
}

/** The rules that somebody has made, those of both families. */
async function rules(ns: string): Promise<string[]> {
  const both = [await must(['ip', '-n', ns, 'rule']), await must(['ip', '-n', ns, '-6', 'rule'])];
  return both
    .join('')
    .split('\n')
    .filter((line) => /lookup (?!local|main|default)/.test(line) && !/iif n6-/.test(line));
}

test.serial(
  'vrf TABLE keeps two tenants with equal addresses apart in one namespace, and is shown',
  inGateway(async (t, world) => {
    const { gw } = world;
    await connect(world);
    await reach(t, world);
    const told = await links(gw);
    t.deepEqual(
      told.map((record) => (record as { vrf?: string }).vrf),
      ['6', '1006'],
    );
    t.regex(await gtpIn(gw, 'link show up1'), / vrf 1006$/m);
    t.is(await must(['ip', '-n', gw, 'route', 'show', 'dev', 'up0i']), '', 'nothing is in the main table');
    await gtpIn(gw, 'link del up0');
    t.deepEqual(
      (await rules(gw)).filter((line) => !line.includes('1006')),
      [],
      'rules go with their link',
    );
    t.is((await rules(gw)).length, 5);
    await must(['ip', '-n', gw, 'link', 'del', 'up1']);
    t.regex((await rules(gw)).join(), /detached/);
    await gtpIn(gw, 'link flush');
    t.deepEqual(await rules(gw), [], 'and are swept when another hand took it');
  }),
);

test.serial(
  'link set vrf takes addresses and routes along, and none brings them back',
  inGateway(async (t, world) => {
    const { gw, phones } = world;
    await connect(world);
    const routes = async (): Promise<string[]> =>
      (await must(['ip', '-n', gw, '-j', 'route', 'show', 'dev', 'up0i', 'table', '7'])).includes('100.64.0.0/16')
        ? ['moved']
        : [];
    await gtpIn(gw, 'link set up0 vrf 7');
    t.deepEqual(await routes(), ['moved']);
    t.is(await ping(phones[0], SERVER[4], 1, '-W', '1'), 0, 'table 7 does not lead to the data network');
    t.is(await ping(phones[0], '100.64.255.1', 2), 2);
    await gtpIn(gw, 'link set up0 vrf none');
    t.deepEqual(
      (await rules(gw)).filter((line) => !line.includes('1006')),
      [],
    );
    t.regex(await must(['ip', '-n', gw, 'route']), /^100\.64\.0\.0\/16 dev up0i proto kernel/m);
    t.regex(await must(['ip', '-n', gw, '-6', 'route']), /^fd64::\/64 dev up0i proto static/m);
    await gtpIn(gw, 'link set up0 vrf 6');
    await reach(t, world);
  }),
);

test.serial(
  'vrf names what is missing, and a link that fails leaves no rule',
  inGateway(async (t, { gw }) => {
    const add = (words: string) => gtpTry(gw, `link add up0 local 192.0.2.1 ${words}`);
    const missing = await add('vrf n6');
    t.is(missing.status, 2);
    t.regex(missing.stderr, /^Error: find VRF n6: no device .*\nHint: ip link add n6 type vrf table N/);
    t.regex((await add('vrf ul')).stderr, /^Error: find VRF ul: that device is no VRF\n/);
    const shared = await add('vrf main');
    t.deepEqual([shared.status, /"main", which all share/.test(shared.stderr)], [1, true]);
    const twice = await add('vrf 6 address 10.9.0.1/24 address 10.9.0.1/24');
    t.is(twice.status, 2);
    t.deepEqual(await rules(gw), []);
    t.is(await gtpIn(gw, 'link show'), '');
  }),
);

test.serial(
  'rules go with the network namespace of their link, too',
  inGateway(async (t, { gw, ran, phones }) => {
    await gtpIn(ran, `link add ue0 local 192.0.2.2 netns ${phones[0]} address 10.9.0.1/24 vrf 9`);
    t.is((await rules(phones[0])).length, 5);
    await deleteNamespace(ran);
    // The kernel takes a namespace down some time after its name has gone.
    const lost = (lines: readonly string[]): boolean => lines.join().includes('detached');
    t.true(lost(await waitFor(() => rules(phones[0]), lost, 20_000)));
    await gtpIn(gw, 'link flush');
    t.deepEqual(await rules(phones[0]), []);
  }),
);
