// SPDX-License-Identifier: MIT
import { gtpIn, namespace, wire } from './fixture';
import { must, run, within } from './run';

/** Two machines with a wire, and a user's namespace behind each. */
export interface TwoMachines {
  readonly m1: string;
  readonly m2: string;
  readonly ue1: string;
  readonly ue2: string;
}

/** One machine and three users' namespaces. */
export interface OneMachine {
  readonly m1: string;
  readonly ue1: string;
  readonly ue2: string;
  readonly ue3: string;
}

/** Two machines with two routers between them; m1 and m2 have a switch each, which both routers share. */
export interface Routed extends TwoMachines {
  readonly r1: string;
  readonly r2: string;
}

export type Family = 4 | 6;

/** The addresses of the two ends of the wire. */
export const outer = { 4: ['192.0.2.1', '192.0.2.2'], 6: ['2001:db8:2::1', '2001:db8:2::2'] } as const;

/** The addresses of the two users. */
export const inner = { 4: ['10.45.0.1', '10.45.0.2'], 6: ['fd45::1', 'fd45::2'] } as const;

/** Inner MTU over a wire of 1500 octets, plain header (36 and 56 octets). */
export const innerMtu = { 4: 1464, 6: 1444 } as const;

/** Sysctls of a namespace in which IPv6 addresses are there at once. */
export const quiet = ['net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.all.accept_dad=0'];
const forwarding = [...quiet, 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'];

/** m1 (.1) and m2 (.2) on one subnet, device `ul` on both. */
export async function twoMachines(): Promise<TwoMachines> {
  const [m1, m2] = [await namespace('m1', ...quiet), await namespace('m2', ...quiet)];
  const [ue1, ue2] = [await namespace('ue1', ...quiet), await namespace('ue2', ...quiet)];
  await wire(
    { ns: m1, dev: 'ul', addresses: ['192.0.2.1/24', '2001:db8:2::1/64'] },
    { ns: m2, dev: 'ul', addresses: ['192.0.2.2/24', '2001:db8:2::2/64'] },
  );
  return { m1, m2, ue1, ue2 };
}

/** For `sharing`: both machines, each with an address that no test uses. */
export function keptMachines({ m1, m2 }: TwoMachines): Readonly<Record<string, string>> {
  return { [m1]: '127.0.0.9', [m2]: '127.0.0.9' };
}

/** One machine whose own addresses are .1 and .11 on `ul` (the other end of `ul` is silent). */
export async function oneMachine(): Promise<OneMachine> {
  const m1 = await namespace('m1', ...quiet);
  const [ue1, ue2, ue3] = [
    await namespace('ue1', ...quiet),
    await namespace('ue2', ...quiet),
    await namespace('ue3', ...quiet),
  ];
  await must(['ip', '-n', m1, 'link', 'add', 'ul', 'type', 'veth', 'peer', 'name', 'ul-far']);
  const addresses = ['192.0.2.1/24', '192.0.2.11/24', '2001:db8:2::1/64', '2001:db8:2::11/64'];
  const lines = addresses.map((each) => `addr add ${each} dev ul${each.includes(':') ? ' nodad' : ''}`);
  await must(['ip', '-n', m1, '-b', '-'], { input: `${lines.join('\n')}\nlink set ul up\nlink set ul-far up\n` });
  return { m1, ue1, ue2, ue3 };
}

/** m1 (192.0.2.1) and m2 (198.51.100.2) with r1 (.254) and r2 (.253) between; m1's route goes by r1. */
export async function routed(): Promise<Routed> {
  const [m1, m2] = [await namespace('m1', ...quiet), await namespace('m2', ...quiet)];
  const [ue1, ue2] = [await namespace('ue1'), await namespace('ue2')];
  const [r1, r2] = [await namespace('r1', ...forwarding), await namespace('r2', ...forwarding)];
  await lan('sw1', '192.0.2', '2001:db8:2', [m1, 1], [r1, 254], [r2, 253]);
  await lan('sw2', '198.51.100', '2001:db8:198', [m2, 2], [r1, 254], [r2, 253]);
  await routeBy(m1, '198.51.100.0/24', '192.0.2.254');
  await routeBy(m1, '2001:db8:198::/64', '2001:db8:2::254');
  await routeBy(m2, '192.0.2.0/24', '198.51.100.254');
  await routeBy(m2, '2001:db8:2::/64', '2001:db8:198::254');
  return { m1, m2, ue1, ue2, r1, r2 };
}

/** Sets or changes a route. */
export const routeBy = (ns: string, to: string, gateway: string): Promise<string> =>
  must(['ip', '-n', ns, 'route', 'replace', to, 'via', gateway]);

/** Joins ue1 and ue2 of two machines: link gtp0 on both, TEIDs 0x101 (m1) and 0x202 (m2), no `ue`. */
export async function join(m: TwoMachines, family: Family, words: { m1?: string; m2?: string } = {}): Promise<void> {
  const [a, b] = outer[family];
  await Promise.all([
    gtpIn(m.m1, `link add gtp0 local ${a} netns ${m.ue1} ${user(0)} ${ends(0x101, 0x202, b)} ${words.m1 ?? ''}`.trim()),
    gtpIn(m.m2, `link add gtp0 local ${b} netns ${m.ue2} ${user(1)} ${ends(0x202, 0x101, a)} ${words.m2 ?? ''}`.trim()),
  ]);
}

/** The words for the inner end of user 0 or 1. */
export const user = (which: 0 | 1): string => `address ${inner[4][which]}/24 address ${inner[6][which]}/64`;

/** The words of a session. */
export const ends = (local: number, remote: number, address: string): string =>
  `local-teid ${local} remote-teid ${remote} remote ${address}`;

/** How many of `count` pings were answered. */
export async function ping(ns: string, address: string, count = 3, ...words: readonly string[]): Promise<number> {
  const command = ['ping', '-n', '-c', `${count}`, '-i', '0.02', '-W', '2', ...words, address];
  const { stdout, stderr } = await run(within(ns, ...command));
  const received = /(\d+) received/.exec(stdout)?.[1];
  if (received === undefined) throw new Error(`ping ${address}: ${stdout}${stderr}`);
  return Number(received);
}

async function lan(
  dev: string,
  v4: string,
  v6: string,
  ...members: readonly (readonly [string, number])[]
): Promise<void> {
  const sw = await namespace(dev);
  await must(['ip', '-n', sw, 'link', 'add', 'name', 'br0', 'type', 'bridge']);
  await must(['ip', '-n', sw, 'link', 'set', 'br0', 'up']);
  for (const [index, [ns, host]] of members.entries()) {
    const name = ns.endsWith('m1') || ns.endsWith('m2') ? 'ul' : dev;
    await wire(
      { ns, dev: name, addresses: [`${v4}.${host}/24`, `${v6}::${host}/64`] },
      { ns: sw, dev: `p${index}`, addresses: [] },
    );
    await must(['ip', '-n', sw, 'link', 'set', `p${index}`, 'master', 'br0']);
  }
}

/** Joins ue1 and ue2 of one machine: gtp1 on the address .1 (TEID 0x101) and gtp2 on .11 (0x202). */
export async function joinHairpin(m: OneMachine, family: Family, words = ''): Promise<void> {
  const [a, b] = ownAddresses[family];
  await gtpIn(m.m1, `link add gtp1 local ${a} netns ${m.ue1} ${user(0)} ${ends(0x101, 0x202, b)} ${words}`.trim());
  await gtpIn(m.m1, `link add gtp2 local ${b} netns ${m.ue2} ${user(1)} ${ends(0x202, 0x101, a)} ${words}`.trim());
}

/** The machine's own two addresses in oneMachine. */
export const ownAddresses = { 4: ['192.0.2.1', '192.0.2.11'], 6: ['2001:db8:2::1', '2001:db8:2::11'] } as const;

/** The MTU of a device. */
export async function mtuOf(ns: string, dev = 'eth0'): Promise<number> {
  const [link] = JSON.parse(await must(['ip', '-n', ns, '-j', 'link', 'show', 'dev', dev])) as { mtu: number }[];
  if (link === undefined) throw new Error(`no device ${dev} in ${ns}`);
  return link.mtu;
}

/** The MAC address of a device. */
export async function macOf(ns: string, dev: string): Promise<string> {
  const [link] = JSON.parse(await must(['ip', '-n', ns, '-j', 'link', 'show', 'dev', dev])) as { address: string }[];
  if (link === undefined) throw new Error(`no device ${dev} in ${ns}`);
  return link.address;
}
