// SPDX-License-Identifier: MIT
import { errno, KernelError } from '../errors';
import { decodeAttributes, encodeAttributes, list, nest, string, struct, u16, u32 } from './attributes';
import type { GenericSocket } from './socket';

/** struct genlmsghdr, which each message of generic netlink begins with. */
export const genlmsghdr = struct({ command: 1, version: 1, _pad: 2 });

/** The message type of a family of generic netlink, which the kernel gives out at run time. Throws KernelError ENOENT. */
export function resolveFamily(sock: GenericSocket, name: string): number {
  return findFamily(sock, name).id;
}

/** Whether a family is there. To ask for it by name would load its module. */
export function hasFamily(sock: GenericSocket, name: string): boolean {
  const body = genlmsghdr.encode({ command: CTRL_CMD_GETFAMILY, version: 1 });
  return sock
    .dump('list generic netlink families', GENL_ID_CTRL, body)
    .some(({ data }) => decodeAttributes(familyName, genlmsghdr.decode(data).rest).familyName === name);
}

/** The number of a multicast group of a family, as openEvents wants it. Throws KernelError ENOENT without the family. */
export function resolveGroup(sock: GenericSocket, name: string, group: string): number {
  const id = findFamily(sock, name).groups.get(group);
  if (id === undefined) throw new KernelError(`find group ${group} of ${name}`, { errno: errno('ENOENT') });
  return id;
}

type Family = { readonly id: number; readonly groups: ReadonlyMap<string, number> };

const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const mcastGroup = nest({ name: [1, string], id: [2, u32] });
const familyName = { familyName: [2, string] } as const;
const controlAttributes = {
  familyId: [1, u16],
  familyName: [2, string],
  mcastGroups: [7, list(1, mcastGroup)],
} as const;

// The same in all network namespaces, as long as the module stays loaded.
const families = new Map<string, Family>();

function findFamily(sock: GenericSocket, name: string): Family {
  const known = families.get(name);
  if (known !== undefined) return known;
  const header = genlmsghdr.encode({ command: CTRL_CMD_GETFAMILY, version: 1 });
  const body = Buffer.concat([header, encodeAttributes(controlAttributes, { familyName: name })]);
  const [message] = sock.request(`find generic netlink family ${name}`, GENL_ID_CTRL, body);
  const { familyId, mcastGroups = [] } =
    message === undefined ? {} : decodeAttributes(controlAttributes, genlmsghdr.decode(message.data).rest);
  if (familyId === undefined) throw new Error(`generic netlink family ${name} has no number`);
  const family = { id: familyId, groups: new Map(mcastGroups.map((each) => [each.name ?? '', each.id ?? 0])) };
  families.set(name, family);
  return family;
}
