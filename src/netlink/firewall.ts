// SPDX-License-Identifier: MIT
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { tolerating } from '../errors';
import { type Codec, decodeAttributes, encodeAttributes, nest, string, struct } from './attributes';
import { type NetfilterSocket, openNetfilter } from './socket';

/** A chain of nftables (also behind iptables-nft) that drops what no rule of its own lets pass. */
export type PolicyChain = { readonly table: string; readonly chain: string; readonly hook: 'input' | 'forward' };

/**
 * Such chains at input and forward of IPv4 in the current network namespace, without those of which a rule names the
 * device. None where nftables cannot be asked: that is no reason to do without a link.
 */
export function policyChains(device: string): PolicyChain[] {
  if (!mayBeThere()) return [];
  return tolerating(NOT_TO_ASK, () => askChains(device)) ?? [];
}

// NFNL_SUBSYS_NFTABLES, then the number of linux/netfilter/nf_tables.h
const GETCHAIN = (10 << 8) | 4;
const GETRULE = (10 << 8) | 7;
const NF_DROP = 0;
// NFPROTO_INET, NFPROTO_IPV4
const FAMILIES = new Map([
  [1, 'inet'],
  [2, 'ip'],
]);
// NF_INET_LOCAL_IN, NF_INET_FORWARD
const HOOKS = new Map([
  [1, 'input'],
  [2, 'forward'],
] as const);
// No capability, no nftables in this kernel, not even netfilter.
const NOT_TO_ASK = ['EPERM', 'EINVAL', 'EOPNOTSUPP', 'EPROTONOSUPPORT'];

// The numbers of nftables are in network order.
const be32: Codec<number> = {
  encode: (value) => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value]),
  decode: (data) => data.readUInt32BE(0),
};
const nfgenmsg = struct({ family: 1, version: 1, _resource: 2 });
const chainAttributes = {
  table: [1, string],
  name: [3, string],
  hook: [4, nest({ number: [1, be32] })],
  policy: [5, be32],
} as const;
const ruleAttributes = { table: [1, string], chain: [2, string] } as const;

function askChains(device: string): PolicyChain[] {
  const sock = openNetfilter();
  try {
    const message = nfgenmsg.encode({});
    const chains = sock.dump('list chains of nftables', GETCHAIN, message).flatMap(({ data }) => decodeChain(data));
    return chains.filter((each) => !isNamed(sock, each, device));
  } finally {
    sock.close();
  }
}

type Chain = PolicyChain & { readonly family: number; readonly name: string };

function decodeChain(data: Buffer): Chain[] {
  const { values, rest } = nfgenmsg.decode(data);
  const { table = '', name = '', hook: at, policy } = decodeAttributes(chainAttributes, rest);
  const family = FAMILIES.get(values.family);
  const hook = HOOKS.get((at?.number ?? 0) as 1 | 2);
  if (family === undefined || hook === undefined || policy !== NF_DROP) return [];
  return [{ table: `${family} ${table}`, chain: name, hook, family: values.family, name: table }];
}

// As an interface's name stands in a rule: a value of its own that ends with a zero octet.
function isNamed(sock: NetfilterSocket, { family, name, chain }: Chain, device: string): boolean {
  const body = Buffer.concat([nfgenmsg.encode({ family }), encodeAttributes(ruleAttributes, { table: name, chain })]);
  const wanted = Buffer.from(`\0${device}\0`);
  return sock.dump('list rules of nftables', GETRULE, body).some(({ data }) => data.includes(wanted));
}

// A question would load the module.
function mayBeThere(): boolean {
  if (existsSync('/sys/module/nf_tables')) return true;
  const builtIn = `/lib/modules/${release()}/modules.builtin`;
  return !existsSync(builtIn) || readFileSync(builtIn, 'utf8').includes('/nf_tables.ko');
}
