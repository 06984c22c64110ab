// SPDX-License-Identifier: MIT
import { KernelError } from '../errors';
import { type Attributes, decodeAttributes, encodeAttributes, flag, list, nest, string, u32 } from './attributes';
import { genlmsghdr, resolveFamily } from './generic';
import { indexOf, type LinkRef, nameOf } from './link';
import type { GenericSocket } from './socket';

/** Whether an offload is on, and whether it could be switched. */
export type Feature = { readonly active: boolean; readonly changeable: boolean };

/** All offloads of a device by the kernel's names ("tx-checksum-ip-generic", "rx-gro"), as `ethtool -k` lists them. */
export function getFeatures(sock: GenericSocket, link: LinkRef): Map<string, Feature> {
  const { hw, active, nochange } = exchange(sock, `read features of ${nameOf(link)}`, FEATURES_GET, link, {});
  const isActive = namesOf(active);
  const isFixed = namesOf(nochange);
  const features = new Map<string, Feature>();
  // HW comes with a mask of all bits: it is the list of all names, with the value set where a switch exists.
  for (const { name = '', value } of hw?.bits ?? []) {
    features.set(name, { active: isActive.has(name), changeable: value === true && !isFixed.has(name) });
  }
  return features;
}

/**
 * Switches offloads. Returns those which changed, with their new value: also others that depend on the ones asked for.
 * Throws KernelError when the device keeps one of them as it was; the others are switched back then.
 */
export function setFeatures(sock: GenericSocket, link: LinkRef, wanted: Record<string, boolean>): Map<string, boolean> {
  const names = Object.keys(wanted);
  if (names.length === 0) return new Map();
  const tried = `set features ${names.join(', ')} of ${nameOf(link)}`;
  const { wanted: refused, active } = exchange(sock, tried, FEATURES_SET, link, { wanted: encodeBits(wanted) });
  const changed = valuesOf(active);
  const kept = [...valuesOf(refused).keys()].filter((name) => name in wanted);
  if (kept.length === 0) return changed;
  const back = Object.fromEntries(
    [...changed].filter(([name]) => name in wanted).map(([name, value]) => [name, !value]),
  );
  setFeatures(sock, link, back);
  throw new KernelError(tried, { said: `the device does not let ${kept.join(', ')} be switched` });
}

const FEATURES_GET = 11;
const FEATURES_SET = 12;
const VERSION = 1;

// Bits go by name (the verbose form): their positions differ from kernel to kernel.
const bit = nest({ index: [1, u32], name: [2, string], value: [3, flag] });
const bitset = nest({ nomask: [1, flag], size: [2, u32], bits: [3, list(1, bit)] });
const featureAttributes = {
  header: [1, nest({ devIndex: [1, u32] })],
  hw: [2, bitset],
  wanted: [3, bitset],
  active: [4, bitset],
  nochange: [5, bitset],
} as const;

type Features = Attributes<typeof featureAttributes>;
type Bitset = Features['active'];

function exchange(sock: GenericSocket, tried: string, command: number, link: LinkRef, values: Features): Features {
  const header = { devIndex: indexOf(link) };
  const body = Buffer.concat([
    genlmsghdr.encode({ command, version: VERSION }),
    encodeAttributes(featureAttributes, { header, ...values }),
  ]);
  const [message] = sock.request(tried, resolveFamily(sock, 'ethtool'), body);
  return message === undefined ? {} : decodeAttributes(featureAttributes, genlmsghdr.decode(message.data).rest);
}

function encodeBits(wanted: Record<string, boolean>): NonNullable<Bitset> {
  const bits = Object.entries(wanted).map(([name, on]) => (on ? { name, value: true as const } : { name }));
  return { bits };
}

// A bitset without mask lists the set bits only; one with a mask lists the bits of the mask, each with its value.
function namesOf(set: Bitset): ReadonlySet<string> {
  return new Set([...valuesOf(set)].filter(([, value]) => value).map(([name]) => name));
}

function valuesOf(set: Bitset): Map<string, boolean> {
  const value = (on: true | undefined): boolean => set?.nomask === true || on === true;
  return new Map((set?.bits ?? []).map((item) => [item.name ?? '', value(item.value)]));
}
