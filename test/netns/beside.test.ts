// SPDX-License-Identifier: MIT
// Other people's programs on the same devices, by tcx and by clsact, attached before and after ours.
import { closeSync, readFileSync, unlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { BPF_TCX_INGRESS, objPin } from '../../src/bindings/bpf-fd';
import { lookup, type RawMap, rawMap, update } from '../../src/bindings/bpf-map';
import { type BpfObject, openObject } from '../../src/bindings/bpf-object';
import { call, checked } from '../../src/bindings/libbpf';
import { inNetns } from '../../src/netns';
import { bpffs, closeFixture, gtpIn, linkStats, using } from '../fixture';
import { must } from '../run';
import { inner, join, outer, ping, type TwoMachines, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const ORDERS = ['before', 'after'] as const;

/** A foreign program on a device: what it has seen, and what it is to drop from now on. */
interface Foreign {
  seen(): { gtp: number; other: number };
  drops(what: 'nothing' | 'gtp' | 'other'): void;
  close(): void;
}

/** How it is attached at ingress: by tcx, first of all or behind those that are there, or by a filter of clsact. */
type How = 'tcx first' | 'tcx last' | 'clsact';

/** Attaches the program of beside.bpf.c to a device. */
async function attach(ns: string, dev: string, how: How): Promise<Foreign> {
  const object = openObject(readFileSync(resolve('dist/test/netns/beside.bpf.o')));
  object.load();
  const program = object.programs[0]?.fd() as number;
  const detach = how === 'clsact' ? await addFilter(ns, dev, program) : await addLink(ns, dev, program, how);
  const [seen, drops] = [mapOf(object, 'seen'), mapOf(object, 'drops')];
  const count = (index: number): number => Number(lookup(seen, u32(index))?.readBigUInt64LE(0));
  return {
    seen: () => ({ gtp: count(0), other: count(1) }),
    drops: (what) => {
      for (const [index, name] of ['gtp', 'other'].entries()) update(drops, u32(index), u32(what === name ? 1 : 0));
    },
    close: () => {
      detach();
      object.close();
    },
  };
}

async function addLink(ns: string, dev: string, program: number, how: How): Promise<() => void> {
  const [{ ifindex }] = JSON.parse(await must(['ip', '-n', ns, '-j', 'link', 'show', dev])) as [{ ifindex: number }];
  const opts = Buffer.alloc(64); // struct bpf_link_create_opts
  opts.writeBigUInt64LE(64n, 0);
  opts.writeUInt32LE(how === 'tcx first' ? BPF_F_BEFORE : 0, 8);
  const create = (): number => checked('attach', call('bpf_link_create', program, ifindex, BPF_TCX_INGRESS, opts));
  const link = inNetns(`/run/netns/${ns}`, create);
  return () => closeSync(link);
}

async function addFilter(ns: string, dev: string, program: number): Promise<() => void> {
  const pin = `${bpffs}/beside`;
  objPin(program, pin);
  try {
    if (!(await must(['tc', '-n', ns, 'qdisc', 'show', 'dev', dev])).includes('clsact'))
      await must(['tc', '-n', ns, 'qdisc', 'add', 'dev', dev, 'clsact']);
    await must(['tc', '-n', ns, 'filter', 'add', 'dev', dev, 'ingress', 'bpf', 'da', 'pinned', pin]);
  } finally {
    unlinkSync(pin);
  }
  return () => undefined; // goes with its device
}

const BPF_F_BEFORE = 1 << 3;
const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);

function mapOf(object: BpfObject, name: string): RawMap {
  return rawMap(object.maps.find((map) => map.name === name)?.fd() as number);
}

/** Pings between the machines themselves, which are none of ours. */
const outside = (m: TwoMachines): Promise<number> => ping(m.m1, outer[4][1], 1, '-W', '0.5');
const inside = (m: TwoMachines): Promise<number> => ping(m.ue1, inner[4][1], 2, '-W', '0.5');

/** What it drops of what gets to it is dropped, and nothing else; returns what it saw of each while it let all pass. */
async function judge(t: ExecutionContext, m: TwoMachines, foreign: Foreign, isFirst: boolean): Promise<void> {
  const was = foreign.seen();
  t.deepEqual([await inside(m), await outside(m)], [2, 1], 'it lets all pass');
  const now = foreign.seen();
  t.is(now.gtp - was.gtp, isFirst ? 2 : 0, 'what is ours, it sees before us and not behind us');
  t.true(now.other > was.other, 'what is not ours, it sees');
  foreign.drops('gtp');
  t.deepEqual([await inside(m), await outside(m)], [isFirst ? 0 : 2, 1], 'it drops GTP');
  foreign.drops('other');
  t.deepEqual([await inside(m), await outside(m)], [2, 0], 'it drops the rest');
  foreign.drops('nothing');
}

for (const order of ORDERS)
  test.serial(
    `programs on the underlay, by tcx and by clsact, attached ${order} ours`,
    inMachines(async (t, m) => {
      const attachAll = async () =>
        new Map([
          ['tcx first', await attach(m.m1, 'ul', 'tcx first')],
          ['tcx last', await attach(m.m1, 'ul', 'tcx last')],
          ['clsact', await attach(m.m1, 'ul', 'clsact')],
        ] as const);
      const early = order === 'before' ? await attachAll() : undefined;
      await join(m, 4);
      const all = early ?? (await attachAll());
      try {
        // Ours goes to the end, and stands before all filters of clsact.
        for (const [how, foreign] of all)
          await judge(t, m, foreign, how === 'tcx first' || (how === 'tcx last' && order === 'before'));
        await gtpIn(m.m1, 'link del gtp0');
        const was = [...all.values()].map((foreign) => foreign.seen());
        t.is(await outside(m), 1);
        await ping(m.ue2, inner[4][0], 1, '-W', '0.3');
        for (const [index, [how, foreign]] of [...all].entries()) {
          const [before, now] = [was[index], foreign.seen()];
          t.true(
            now.other > (before?.other ?? 0) && now.gtp > (before?.gtp ?? 0),
            `ours has gone, ${how} is still there`,
          );
        }
      } finally {
        for (const foreign of all.values()) foreign.close();
      }
    }),
  );

test.serial(
  "programs on a link's own end: the first sees what the user sends, what stands behind ours does not",
  inMachines(async (t, m) => {
    await join(m, 4);
    const places = { first: 'tcx first', last: 'tcx last', filter: 'clsact' } as const;
    const foreign = Object.entries(places).map(async ([name, how]) => [name, await attach(m.m1, 'gtp0', how)] as const);
    const { first, last, filter } = Object.fromEntries(await Promise.all(foreign)) as Record<
      keyof typeof places,
      Foreign
    >;
    try {
      t.is(await inside(m), 2);
      t.deepEqual([first.seen().other, last.seen().other, filter.seen().other], [2, 0, 0]);
      last.drops('other');
      filter.drops('other');
      t.is(await inside(m), 2);
      const was = await linkStats(m.m1);
      first.drops('other');
      t.is(await inside(m), 0, 'what the first drops, ours never gets');
      t.deepEqual((await linkStats(m.m1)).encap, was.encap);
      first.close();
      t.is(await inside(m), 2, 'and when it has gone, ours is still there');
    } finally {
      for (const each of [last, filter]) each.close();
    }
  }),
);
