// SPDX-License-Identifier: MIT
import { tolerating } from '../errors';
import { type Address, address as addressKind } from '../values';
import { FAMILIES } from './address';
import { bytes, decodeAttributes, encodeAttributes, string, struct, u8, u32 } from './attributes';
import { type Message, NLM_F_CREATE, NLM_F_EXCL, type RouteSocket } from './socket';

/** A rule of policy routing that leads to a table, for what one selector fits. */
export type Rule = {
  readonly family: 4 | 6;
  readonly table: number;
  /** Packets that come in by this device. */
  readonly iif?: string | undefined;
  /** Packets of programs that are bound to this device. */
  readonly oif?: string | undefined;
  /** Packets from this address. */
  readonly from?: Address | undefined;
};

/** A rule that is there. `detached`: it waits for a device of that name, and fits nothing until there is one. */
export type KnownRule = Rule & { readonly detached: boolean };

/**
 * Adds a rule that bears our protocol number, behind that of local addresses and before that of the main table, where the
 * kernel also has the rule of its VRFs. Throws KernelError, EEXIST when there is such a rule.
 */
export function addRule(sock: RouteSocket, rule: Rule): void {
  sock.request(`add rule ${textOf(rule)}`, RTM_NEWRULE, encodeRule(rule), NLM_F_CREATE | NLM_F_EXCL);
}

/** Takes a rule of ours away. Throws KernelError ENOENT when there is none like it. */
export function deleteRule(sock: RouteSocket, rule: Rule): void {
  sock.request(`delete rule ${textOf(rule)}`, RTM_DELRULE, encodeRule(rule));
}

/** The rules that bear our protocol number, of both families. */
export function listRules(sock: RouteSocket): KnownRule[] {
  return ([4, 6] as const).flatMap((family) => {
    const body = rulehdr.encode({ family: FAMILIES[family] });
    // A kernel without IPv6 has no rules for it.
    const tolerated = family === 6 ? ['EAFNOSUPPORT'] : [];
    const messages = tolerating(tolerated, () => sock.dump('list rules', RTM_GETRULE, body)) ?? [];
    return messages.flatMap((message) => decodeRule(message, family));
  });
}

/** Ours among the numbers of FRA_PROTOCOL and RTA_PROTOCOL: none of linux/rtnetlink.h and of iproute2's rt_protos. */
const PROTOCOL = 215;
/** Where our rules stand: beside the kernel's own for VRFs. */
const PRIORITY = 1000;

const RTM_NEWRULE = 32;
const RTM_DELRULE = 33;
const RTM_GETRULE = 34;
const FR_ACT_TO_TBL = 1;
// FIB_RULE_IIF_DETACHED, FIB_RULE_OIF_DETACHED
const DETACHED = 0x8 | 0x10;

const rulehdr = struct({
  ...{ family: 1, dstLength: 1, srcLength: 1, tos: 1 },
  ...{ table: 1, _res1: 1, _res2: 1, action: 1, flags: 4 },
} as const);
const ruleAttributes = {
  src: [2, bytes],
  iif: [3, string],
  priority: [6, u32],
  table: [15, u32],
  oif: [17, string],
  protocol: [21, u8],
} as const;

function encodeRule({ family, table, iif, oif, from }: Rule): Buffer {
  const header = {
    family: FAMILIES[family],
    srcLength: from === undefined ? 0 : from.bytes.length * 8,
    action: FR_ACT_TO_TBL,
  };
  const values = { src: from?.bytes, iif, priority: PRIORITY, table, oif, protocol: PROTOCOL };
  return Buffer.concat([rulehdr.encode(header), encodeAttributes(ruleAttributes, values)]);
}

function decodeRule(message: Message, family: 4 | 6): KnownRule[] {
  const { values: header, rest } = rulehdr.decode(message.data);
  const { src, iif, oif, table, protocol } = decodeAttributes(ruleAttributes, rest);
  if (protocol !== PROTOCOL || header.action !== FR_ACT_TO_TBL) return [];
  return [
    {
      family,
      table: table ?? header.table,
      ...(iif === undefined ? {} : { iif }),
      ...(oif === undefined ? {} : { oif }),
      ...(src === undefined ? {} : { from: { family, bytes: src } }),
      detached: (header.flags & DETACHED) !== 0,
    },
  ];
}

function textOf({ iif, oif, from, table }: Rule): string {
  const words = [
    ...(from === undefined ? [] : ['from', addressKind.format(from)]),
    ...(iif === undefined ? [] : ['iif', iif]),
    ...(oif === undefined ? [] : ['oif', oif]),
  ];
  return [...words, 'lookup', table].join(' ');
}
