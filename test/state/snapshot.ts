// SPDX-License-Identifier: MIT
import { stateDir } from '../../src/datapath/bpffs';
import { type OpenMaps, openMaps } from '../../src/datapath/maps';
import { attached } from '../../src/datapath/object';
import { activeTx } from '../../src/datapath/places';
import { activeRx } from '../../src/datapath/sessions';
import { listAddresses } from '../../src/netlink/address';
import { getFeatures } from '../../src/netlink/ethtool';
import { findLink, getLink, IFF_NOARP, IFF_UP, listLinks } from '../../src/netlink/link';
import { listRules } from '../../src/netlink/rule';
import { openGeneric, openRoute } from '../../src/netlink/socket';
import { inNetns, netnsCookie } from '../../src/netns';
import { interfaceAddress } from '../../src/values';
import { bpffs, pins } from '../fixture';

/** Everything that a command could change: devices, addresses, routes, rules, queues, offloads, pins, hooks, map entries. */
export function snapshot(machine: string, users: readonly string[], underlays = ['ul']): object {
  const devices = [machine, ...users].map(devicesOf);
  return {
    devices,
    offloads: underlays.map((each) => offloadsOf(machine, each)),
    pins: pins(),
    state: stateOf(machine),
  };
}

/** The state directory of a namespace, in the tests' bpffs unless said otherwise. */
export const dirOf = (ns: string, root = bpffs): string => stateDir(inNetns(`/run/netns/${ns}`, netnsCookie), root);

/** The index of a device, or undefined. */
export function indexOf(ns: string, name: string): number | undefined {
  return inNetns(`/run/netns/${ns}`, () => {
    const route = openRoute();
    try {
      return getLink(route, { name })?.index;
    } finally {
      route.close();
    }
  });
}

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
    const { packets, bytes, local_dev, route_mtu } = value;
    return { packets, bytes, local_dev, route_mtu, config: activeTx(value) };
  };
  return {
    devices: text(maps.devices, (value) => value),
    links: text(maps.links, ({ config, fallback }) => ({ config, ...(config.flags & 2 ? tx(fallback) : {}) })),
    link_words: text(maps.link_words, (value) => value),
    tx: text(maps.tx, tx),
    tx_pair: text(maps.tx_pair, tx),
    tx_prefix: text(maps.tx_prefix, tx),
    rx: text(maps.rx, (value) => ({ ...value, active: 0, config: activeRx(value) })),
    labels: text(maps.labels, (value) => value),
    details: text(maps.details, (value) => value),
    carried: text(maps.carried, (value) => value),
    remotes: text(maps.remotes, (value) => value),
    peers: text(maps.peers, ({ sessions }) => sessions),
    locals: text(maps.locals, (value) => value),
    inner_ends: text(maps.inner_ends, (value) => value),
    unswept: text(maps.unswept, (value) => value),
    underlays: text(maps.underlays, (value) => value),
    endpoints: text(maps.endpoints, ({ flags, restart_count }) => [flags, restart_count]),
    drops: text(maps.drops, (value) => value),
    config: text(maps.config, ({ shim_in, shim_out, ports, tunnel_ports, kinds }) => ({
      shim_in,
      shim_out,
      kinds,
      ports: ports.filter((bits) => bits),
      tunnel_ports: tunnel_ports.filter((bits) => bits),
    })),
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

function devicesOf(ns: string): object {
  return inNetns(`/run/netns/${ns}`, () => {
    const route = openRoute();
    try {
      const links = listLinks(route).map(({ operstate: _, flags, ...link }) => json({ ...link, flags: flags & OURS }));
      const addresses = listAddresses(route).map(({ index, prefix }) => `${index} ${interfaceAddress.format(prefix)}`);
      const routes = route
        .dump('list routes', RTM_GETROUTE, Buffer.alloc(RTMSG_SIZE))
        .map(({ data }) => routeText(data));
      const rules = listRules(route).map(json);
      return { links, addresses: withoutLinkLocal(addresses), routes: withoutLinkLocal(routes), rules };
    } finally {
      route.close();
    }
  });
}

// Whether there is a carrier, and what comes with that, the kernel finds out in its own time.
const OURS = IFF_UP | IFF_NOARP;

// As the kernel tells it, struct rtmsg and attributes, without the flags (carrier).
function routeText(data: Buffer): string {
  return data.toString('hex', 0, 8) + data.toString('hex', RTMSG_SIZE);
}

function withoutLinkLocal(lines: readonly string[]): string[] {
  return lines.filter((line) => !/fe80|ff0{30}/.test(line)).sort();
}

const RTM_GETROUTE = 26;
const RTMSG_SIZE = 12;

function offloadsOf(ns: string, device: string): string[] {
  return inNetns(`/run/netns/${ns}`, () => {
    const [route, generic] = [openRoute(), openGeneric()];
    try {
      const features = getFeatures(generic, findLink(route, device));
      return [...features].filter(([, { active }]) => active).map(([name]) => name);
    } finally {
      route.close();
      generic.close();
    }
  });
}
