// SPDX-License-Identifier: MIT
import { stateDir } from '../../src/datapath/bpffs';
import { type OpenMaps, openMaps } from '../../src/datapath/maps';
import { attached } from '../../src/datapath/object';
import { activeRx, activeTx } from '../../src/datapath/sessions';
import { inNetns, netnsCookie } from '../../src/netns';
import { bpffs, pins } from '../fixture';
import { must, run, within } from '../run';

/** Everything that a command could change: devices, addresses, routes, queues, offloads, pins, hooks, map entries. */
export async function snapshot(machine: string, users: readonly string[], underlay = 'ul'): Promise<object> {
  const all = [machine, ...users];
  const [offloads, ...devices] = await Promise.all([
    must(within(machine, 'ethtool', '-k', underlay)),
    ...all.flatMap((ns) => [must(['ip', '-n', ns, '-d', 'addr']), routesOf(ns), must(['tc', '-n', ns, 'qdisc'])]),
  ]);
  return { offloads, devices, pins: pins(), state: stateOf(machine) };
}

/** The state directory of a namespace in the tests' bpffs. */
export const dirOf = (ns: string): string => stateDir(inNetns(`/run/netns/${ns}`, netnsCookie), bpffs);

/** Whether programs are pinned for a namespace: then there are maps, too. */
export const isLoaded = (ns: string): boolean => pins().some((pin) => pin.startsWith(`${dirOf(ns)}/programs/`));

/** Calls `look` with the maps of a namespace. */
export function withMaps<T>(ns: string, look: (maps: OpenMaps) => T): T {
  const maps = openMaps(dirOf(ns));
  try {
    return look(maps);
  } finally {
    maps.close();
  }
}

function stateOf(ns: string): object | undefined {
  if (!isLoaded(ns)) return undefined;
  const hooks = attached(dirOf(ns)).map(({ pin, ifindex, program }) => `${pin} ${ifindex} ${program}`);
  return { hooks, ...withMaps(ns, entriesOf) };
}

// Without what the datapath writes by itself, and without the half of a configuration that is not in force.
function entriesOf(maps: OpenMaps): object {
  const tx = (value: Parameters<typeof activeTx>[0]): object => {
    const { packets, bytes, local_dev } = value;
    return { packets, bytes, local_dev, config: activeTx(value) };
  };
  return {
    devices: text(maps.devices, (value) => value),
    links: text(maps.links, ({ config, fallback }) => ({ config, ...(config.flags & 2 ? tx(fallback) : {}) })),
    link_words: text(maps.link_words, (value) => value),
    tx: text(maps.tx, tx),
    tx_prefix: text(maps.tx_prefix, tx),
    rx: text(maps.rx, (value) => ({ ...value, active: 0, config: activeRx(value) })),
    labels: text(maps.labels, (value) => value),
    underlays: text(maps.underlays, (value) => value),
    endpoints: text(maps.endpoints, ({ flags }) => flags),
    drops: text(maps.drops, (value) => value),
    config: text(maps.config, ({ shim_in, shim_out, ports }) => ({ shim_in, shim_out, ports: ports.filter((bits) => bits) })),
  };
}

function text<V>(map: { entries(): Generator<[unknown, V]> }, pick: (value: V) => unknown): string[] {
  return [...map.entries()].map(([key, value]) => `${json(key)} ${json(pick(value))}`).sort();
}

function json(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => {
    if (each instanceof Uint8Array) return Buffer.from(each).toString('hex');
    return typeof each === 'bigint' ? String(each) : each;
  });
}

async function routesOf(ns: string): Promise<string> {
  // Status 2 where a family has no table yet.
  const [v4, v6] = await Promise.all([run(['ip', '-n', ns, '-4', 'route', 'show', 'table', 'all']), run(['ip', '-n', ns, '-6', 'route', 'show', 'table', 'all'])]);
  return v4.stdout + v6.stdout;
}
