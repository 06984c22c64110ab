// SPDX-License-Identifier: MIT
// `gtp link` on links of the kernel's own gtp driver.
import type { Context, OutputRecord } from '../cli/command';
import { UsageError } from '../errors';
import type { Request } from '../grammar';
import type { KernelLink } from '../kernel/links';
import { configureDevice, makeKernelLink } from '../kernel/make';
import { deleteLink, IFF_UP, setLink as setDevice } from '../netlink/link';
import { NOBODY } from '../tunnels/address';
import type { Undo } from '../undo';
import type { Address } from '../values';
import { giveAddresses } from '../wiring/pair';
import { kernelLinkRecords, kernelSessionRecord } from './kernel-record';
import { addKernelSession, planned } from './kernel-session';
import { checkWords } from './kernel-words';
import { sessionOf } from './session-words';

type Add = Request<'link', 'add'>;

/** Makes a link of the driver, and its first session along with it. */
export function addKernelLink(words: Add, { options }: Context, undo: Undo): OutputRecord {
  checkWords.linkAdd(words);
  const { ifname: name, role = 'ggsn', hsize, restart_count: restartCount, netns } = words;
  const local = localOf(words);
  const given = sessionOf(words);
  // Before anything is made: `auto` stands for any TEID.
  if (given !== undefined) planned({ name, local }, given, given.local_teid === 'auto' ? 1 : undefined);
  const link = configureDevice(makeKernelLink({ name, role, hsize, restartCount, netns, local }, undo), words);
  const session = given === undefined ? undefined : addKernelSession(link, given, undo);
  const local_teid = session?.id.version === 1 ? session.id.local_teid : null;
  if (!options.json) return local_teid === null ? {} : { local_teid };
  const [record = {}] = kernelLinkRecords([link], options);
  return session === undefined
    ? record
    : { ...record, local_teid, session: kernelSessionRecord(link, session, options) };
}

/** Changes what a device may change; the rest of a link of the driver stays as it was made. */
export function setKernelLink(
  { device, place: { route } }: KernelLink,
  words: Request<'link', 'set'>,
  undo: Undo,
): void {
  checkWords.linkSet(words);
  const { mtu } = words;
  if (mtu !== undefined && mtu !== device.mtu) {
    undo(() => setDevice(route, device, { mtu: device.mtu }));
    setDevice(route, device, { mtu });
  }
  const was = (device.flags & IFF_UP) !== 0;
  const up = words.up === true || (words.down !== true && was);
  if (up !== was) {
    undo(() => setDevice(route, device, { up: was }));
    setDevice(route, device, { up });
  }
  giveAddresses(route, device, words, undefined, undo);
}

/** Removes a link with its sessions and sockets. */
export function deleteKernelLink({ device, place }: KernelLink): void {
  deleteLink(place.route, device);
}

// The driver's own default is every IPv4 address.
function localOf({ local, remote }: Add): Address {
  return local ?? (remote?.family === 6 ? ANY6 : NOBODY);
}

const ANY6: Address = { family: 6, bytes: new Uint8Array(16) };

/** Throws UsageError for a word of the driver's links on another. */
export function refuseKernelWords({ hsize }: Add): void {
  if (hsize === undefined) return;
  throw new UsageError('"hsize" is a word of "datapath kernel", not of "datapath bpf"', {
    hint: 'leave it out: maps of datapath bpf grow as they are filled',
  });
}
