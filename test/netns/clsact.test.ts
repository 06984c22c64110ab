// SPDX-License-Identifier: MIT
// Hooks that are filters of clsact qdiscs, as on kernels without tcx: among the filters of others, and without a trace.
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import test from 'ava';
import { closeFixture, deleteNamespace, gtpIn, gtpTry, links, pins, using } from '../fixture';
import { must, within } from '../run';
import { dirOf } from '../state/snapshot';
import { ends, inner, join, ping, twoMachines } from '../topology';

test.before(() => {
  process.env['GTP_HOOKS'] = 'clsact';
});
test.after.always(closeFixture);

const inMachines = using(twoMachines);
const [here, there] = ['192.0.2.1', '192.0.2.2'];

test.serial(
  'filters of others see what is not ours, and stay with their qdisc; one of our making goes with its last filter',
  inMachines(async (t, m) => {
    await tc(m.m1, 'qdisc add dev ul clsact');
    await must(['ip', '-n', m.m1, 'link', 'add', 'sink', 'up', 'type', 'veth', 'peer', 'name', 'drain']);
    await tc(m.m1, `filter add dev ul ingress pref 50000 protocol ip ${ANY} action mirred egress mirror dev sink`);
    await join(m, 4);
    t.is(await ping(m.ue1, inner[4][1]), 3);
    t.is((await filters(m.m1, 'ul', 'ingress')).at(-1)?.packets, 0, 'G-PDUs of a session end with ours');
    t.is(await ping(m.m1, there), 3);
    t.is((await filters(m.m1, 'ul', 'ingress')).at(-1)?.packets, 3);
    t.regex((await filters(m.m1, 'ul', 'ingress'))[0]?.name ?? '', /^gtp\/underlay-\d+$/);
    const hook = (at: string): string => `    hook ${at} clsact/ingress prog_id [1-9]\\d* pin /.*\\n`;
    t.regex(
      await gtpIn(m.m1, '-d link show'),
      new RegExp(['link@gtp0', 'shim@gtpshim1', 'underlay@ul', 'underlay@lo'].map(hook).join('')),
    );
    await tc(m.m2, `filter add dev ul egress pref 1 protocol ip ${ANY} flowid 1:1`);
    await gtpIn(m.m1, 'link del gtp0');
    await gtpIn(m.m2, 'link del gtp0');
    t.deepEqual([await clsacts(m.m1), await clsacts(m.m2)], [['ul'], ['ul']]);
    const left = [...(await filters(m.m1, 'ul', 'ingress')), ...(await filters(m.m2, 'ul', 'egress'))];
    t.deepEqual([...new Set(left.map(({ pref }) => pref))], [50000, 1]);
    t.deepEqual(await filters(m.m2, 'ul', 'ingress'), []);
  }),
);

test.serial(
  'a filter that is refused is named, and nothing is left behind',
  inMachines(async (t, m) => {
    const before = await devices(m.m1);
    await tc(m.m1, 'qdisc add dev ul clsact');
    await tc(m.m1, `filter add dev ul ingress pref 2152 protocol ip ${ANY} flowid 1:1`);
    const words = `link add gtp0 local ${here} netns ${m.ue1} address 10.45.0.1/24`;
    const refused = await gtpTry(m.m1, `${words} ${ends(1, 2, there)}`);
    t.is(refused.status, 2);
    t.regex(refused.stderr, /^Error: add filter gtp\/underlay-\d+ to ingress of #\d+: /);
    t.deepEqual([pins(), await clsacts(m.m1), await devices(m.m1)], [[], ['ul'], before]);
    await tc(m.m1, 'qdisc del dev ul clsact');
    // A program on an own address is reached through a hook on the way out, which a qdisc ingress does not have.
    await tc(m.m1, 'qdisc add dev ul ingress');
    await gtpIn(m.m1, words);
    const own = await gtpTry(m.m1, `session add dev gtp0 ${ends(1, 2, here)}`);
    t.is(own.status, 2);
    t.regex(own.stderr, /^Error: attach program to egress of device \S+: it has a qdisc ingress, .*\nHint: .*clsact/);
    t.is((await filters(m.m1, 'ul', 'ingress')).length, 1);
    await tc(m.m1, 'qdisc del dev ul ingress');
    await gtpIn(m.m1, `session add dev gtp0 ${ends(1, 2, here)}`);
    t.is((await filters(m.m1, 'ul', 'egress')).length, 1);
    await gtpIn(m.m1, 'link del gtp0');
    t.deepEqual([pins(), await clsacts(m.m1), await devices(m.m1)], [[], [], before]);
    const wrong = await gtpTry(m.m1, words, { env: { GTP_HOOKS: 'tc' } });
    const said = 'Error: GTP_HOOKS: expected tcx or clsact, got "tc"\nHint: leave it out: gtp chooses\n';
    t.deepEqual([wrong.status, wrong.stderr, pins()], [1, said, []]);
  }),
);

test.serial(
  'a filter that somebody took off is missing in show, and back with the next link; one that was forgotten is taken over',
  inMachines(async (t, m) => {
    await join(m, 4);
    await tc(m.m1, 'qdisc del dev ul clsact');
    t.false((await links(m.m1))[0]?.hook.some((hook) => hook === 'underlay@ul'));
    await gtpIn(m.m1, `link add gtp1 local ${here} netns ${m.ue1} inner other`);
    t.is(await ping(m.ue1, inner[4][1]), 3);
    rmSync(dirname(dirOf(m.m1)), { recursive: true });
    await must(['ip', '-n', m.m1, 'link', 'del', 'gtp0']);
    await must(['ip', '-n', m.m1, 'link', 'del', 'gtp1']);
    await gtpIn(m.m1, `link add gtp0 local ${here} netns ${m.ue1} address 10.45.0.1/24 ${ends(0x101, 0x202, there)}`);
    t.is((await filters(m.m1, 'ul', 'ingress')).length, 1);
    t.is(await ping(m.ue1, inner[4][1]), 3);
    await deleteNamespace(m.m1);
    await must(['ip', '-n', m.m2, 'addr', 'add', `${there}/32`, 'dev', 'lo']); // the wire went with m1
    await gtpIn(m.m2, `link add gtp9 local ${there} netns ${m.ue2} inner other`);
    await gtpIn(m.m2, 'link flush');
    t.deepEqual([pins(), await clsacts(m.m2)], [[], []], 'what the dead namespace left is swept');
  }),
);

/** Matches every packet, for the filters of others. */
const ANY = 'u32 match u32 0 0';

interface Shown {
  readonly pref: number;
  readonly name: string | undefined;
  /** What its action has counted. */
  readonly packets: number | undefined;
}

const tc = (ns: string, words: string): Promise<string> => must(['tc', '-n', ns, ...words.split(' ')]);

/** The filters of one side of a device, in the order in which they are asked. */
async function filters(ns: string, dev: string, side: string): Promise<Shown[]> {
  const text = await tc(ns, `-s -j filter show dev ${dev} ${side}`);
  const all = JSON.parse(text || '[]') as { pref: number; options?: Options }[];
  return all.flatMap(({ pref, options }) =>
    options === undefined ? [] : [{ pref, name: options.bpf_name, packets: options.actions?.[0]?.stats?.packets }],
  );
}

interface Options {
  readonly bpf_name?: string;
  readonly actions?: readonly { readonly stats?: { readonly packets: number } }[];
}

/** The devices that have a clsact qdisc. */
async function clsacts(ns: string): Promise<string[]> {
  const all = JSON.parse(await tc(ns, '-j qdisc show')) as { kind: string; dev: string }[];
  return all.filter(({ kind }) => kind === 'clsact').map(({ dev }) => dev);
}

/** Names of the devices, and what is on and off of the wire. */
async function devices(ns: string): Promise<string> {
  return (await must(['ip', '-n', ns, '-br', 'link'])) + (await must(within(ns, 'ethtool', '-k', 'ul')));
}
