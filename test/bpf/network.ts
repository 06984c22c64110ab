// SPDX-License-Identifier: MIT
import { execFileSync } from 'node:child_process';
import type test from 'ava';
import { inNetns } from '../../src/netns';
import { deleteNamespace, namespace, prefix } from '../fixture';
import type { Family } from './gtp';
import { DEVICE_MAC } from './packet';

/** A namespace with devices and routes of its own, for programs that look them up. */
export interface Network {
  /** The number of a device; -1 if there is none. */
  dev(name: string): number;
  /** Runs lines of `ip -batch` there. */
  ip(lines: string): void;
  /** Does something there that has to be synchronous. */
  inside<T>(act: () => T extends PromiseLike<unknown> ? never : T): T;
}

const DEVICES = ['ul', 'ul-far', 'shim0', 'shim1', 'gtp0', 'gtp0-far', 'gtp9', 'gtp9-far'];

/**
 * Makes one for the tests of a file: `ul` has these addresses, in a /24 and a /64, `shim1` forwards, and all veth pairs are
 * up. It is there when the first test begins, and gone after the last.
 */
export function network(
  ava: Pick<typeof test, 'before' | 'after'>,
  label: string,
  local: Readonly<Record<Family, string>>,
): Network {
  const netns = `/run/netns/${prefix}-${label}`;
  const devices = new Map<string, number>();
  const inside: Network['inside'] = (act) => inNetns(netns, act);
  const ip = (lines: string): void =>
    inside(() => void execFileSync('ip', ['-b', '-'], { input: `${lines.replace(/^\s+/gm, '')}\n` }));
  ava.before(async () => {
    await namespace(label);
    ip(`link add ul address ${DEVICE_MAC} type veth peer name ul-far
      link add shim0 type veth peer name shim1
      link add gtp0 type veth peer name gtp0-far
      link add gtp9 type veth peer name gtp9-far
      addr add ${local[4]}/24 dev ul
      addr add ${local[6]}/64 dev ul nodad
      ${DEVICES.map((dev) => `link set ${dev} up`).join('\n')}`);
    inside(() => {
      execFileSync('sysctl', ['-qw', 'net.ipv4.conf.shim1.forwarding=1', 'net.ipv6.conf.shim1.forwarding=1']);
      const listed = execFileSync('ip', ['-j', 'link'], { encoding: 'utf8' });
      for (const { ifname, ifindex } of JSON.parse(listed) as { ifname: string; ifindex: number }[])
        devices.set(ifname, ifindex);
    });
  });
  ava.after.always(() => deleteNamespace(`${prefix}-${label}`));
  return { dev: (name) => devices.get(name) ?? -1, ip, inside };
}
