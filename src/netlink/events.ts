// SPDX-License-Identifier: MIT
import { closeSync } from 'node:fs';
import { parseMessages } from 'netlink/dist/structs';
import {
  AF_NETLINK,
  bind,
  check,
  MSG_DONTWAIT,
  POLLIN,
  poll,
  recv,
  SOCK_RAW,
  setsockopt,
  socket,
} from '../bindings/libc';
import { struct, u32 } from './attributes';
import type { Message } from './socket';

/** What the kernel tells a multicast group of generic netlink in the network namespace in which it was opened. */
export type Events = {
  /** Waits at most so many milliseconds until something is there. `at`: when, on the clock of performance.now. */
  hear(milliseconds: number): readonly (Message & { readonly at: number })[];
  close(): void;
};

/** Joins a multicast group of generic netlink (resolveFamily has its number). */
export function openEvents(group: number): Events {
  const fd = check('open a netlink socket', socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC));
  try {
    check('bind a netlink socket', bind(fd, sockaddr.encode({ family: AF_NETLINK })));
    check('join a netlink group', setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, u32.encode(group)));
    const buffer = Buffer.alloc(LONGEST);
    return { hear: (milliseconds) => hear(fd, buffer, milliseconds), close: () => closeSync(fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

const NETLINK_GENERIC = 16;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const LONGEST = 32768;
/** At most so many are taken at once: a flood must not keep the rest waiting. */
const AT_ONCE = 64;

const sockaddr = struct({ family: 2, _pad: 2, port: 4, groups: 4 });

function hear(fd: number, buffer: Buffer, milliseconds: number): (Message & { at: number })[] {
  const heard: (Message & { at: number })[] = [];
  let wait = Math.ceil(milliseconds);
  for (let turn = 0; turn < AT_ONCE && poll(fd, POLLIN, wait) > 0; turn++, wait = 0) {
    const at = performance.now();
    // ENOBUFS: the queue was full, and what it lost is lost.
    const length = recv(fd, buffer, MSG_DONTWAIT);
    if (length < 0) continue;
    for (const { type, data } of parseMessages(Buffer.from(buffer.subarray(0, length)))) heard.push({ type, data, at });
  }
  return heard;
}
