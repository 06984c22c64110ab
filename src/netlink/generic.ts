// SPDX-License-Identifier: MIT
import { decodeAttributes, encodeAttributes, string, struct, u16 } from './attributes';
import type { GenericSocket } from './socket';

/** struct genlmsghdr, which each message of generic netlink begins with. */
export const genlmsghdr = struct({ command: 1, version: 1, _pad: 2 });

/** The message type of a family of generic netlink, which the kernel gives out at run time. Throws KernelError ENOENT. */
export function resolveFamily(sock: GenericSocket, name: string): number {
  const known = families.get(name);
  if (known !== undefined) return known;
  const header = genlmsghdr.encode({ command: CTRL_CMD_GETFAMILY, version: 1 });
  const body = Buffer.concat([header, encodeAttributes(controlAttributes, { familyName: name })]);
  const [message] = sock.request(`find generic netlink family ${name}`, GENL_ID_CTRL, body);
  const { familyId } = message ? decodeAttributes(controlAttributes, genlmsghdr.decode(message.data).rest) : {};
  if (familyId === undefined) throw new Error(`generic netlink family ${name} has no number`);
  families.set(name, familyId);
  return familyId;
}

const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const controlAttributes = { familyId: [1, u16], familyName: [2, string] } as const;

// The same in all network namespaces, as long as the module stays loaded.
const families = new Map<string, number>();
