// SPDX-License-Identifier: MIT
import { closeSync } from 'node:fs';
import { align, formatMessage, HEADER_LENGTH, type NetlinkMessage, parseMessages } from 'netlink/dist/structs';
import { missingHint } from '../bindings/capabilities';
import {
  AF_NETLINK,
  bind,
  check,
  connect,
  getsockname,
  MSG_PEEK,
  MSG_TRUNC,
  recv,
  SO_RCVTIMEO,
  SOCK_RAW,
  SOL_SOCKET,
  send,
  setsockopt,
  socket,
} from '../bindings/libc';
import { errno, KernelError } from '../errors';
import { forget, note } from '../scope';
import { decodeAttributes, string, struct, u32 } from './attributes';

/** One message of an answer: its type and what follows the netlink header. */
export type Message = { readonly type: number; readonly data: Buffer };

/** Sends and receives datagrams of netlink messages; `port` is the sender's own address. A test can stand in for the kernel here. */
export type Transport = {
  readonly port: number;
  send(datagram: Uint8Array): void;
  receive(): Buffer;
  close(): void;
};

/** The modifiers of a request, from linux/netlink.h. */
export const NLM_F_ECHO = 0x8;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;

/**
 * A conversation with one subsystem of the kernel. It stays in the network namespace in which it was opened, and is closed when the
 * command ends, if not before (scope.ts).
 */
export class NetlinkSocket<P extends 'route' | 'generic' | 'netfilter'> {
  /** The subsystem; it also keeps the two kinds of socket apart for the compiler. */
  readonly protocol: P;
  readonly #transport: Transport;
  #sequence = 0;

  constructor(protocol: P, transport: Transport) {
    this.protocol = protocol;
    this.#transport = transport;
    note(this);
  }

  /**
   * Sends one request and waits for its acknowledgement. Returns the messages that came before that: the object of a
   * GET, none for most others. Throws KernelError, `tried` first, with the kernel's own sentence where it sent one.
   */
  request(tried: string, type: number, body: Uint8Array, flags = 0): Message[] {
    return this.#exchange(tried, type, body, flags | NLM_F_ACK).messages;
  }

  /** Reads a whole table. Starts again when it changed meanwhile, so that no entry is missing or there twice. */
  dump(tried: string, type: number, body: Uint8Array): Message[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const { messages, interrupted } = this.#exchange(tried, type, body, NLM_F_DUMP);
      if (!interrupted) return messages;
    }
    throw new KernelError(tried, {
      errno: errno('EAGAIN'),
      said: 'the table kept changing while it was read',
      hint: 'run the command again',
    });
  }

  close(): void {
    forget(this);
    this.#transport.close();
  }

  #exchange(tried: string, type: number, body: Uint8Array, flags: number): Answer {
    const { port } = this.#transport;
    const seq = ++this.#sequence;
    this.#transport.send(Buffer.concat(formatMessage({ type, flags: flags | NLM_F_REQUEST, seq, port, data: body })));
    const messages: Message[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of parseMessages(this.#transport.receive())) {
        // What is left of an earlier request that was given up.
        if (message.seq !== seq || message.port !== port) continue;
        interrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          throwIfRefused(tried, message);
          return { messages, interrupted };
        }
        messages.push({ type: message.type, data: message.data });
      }
    }
  }
}

export type RouteSocket = NetlinkSocket<'route'>;
export type GenericSocket = NetlinkSocket<'generic'>;
export type NetfilterSocket = NetlinkSocket<'netfilter'>;

/** Opens rtnetlink in the current network namespace. */
export function openRoute(): RouteSocket {
  return new NetlinkSocket('route', openTransport(NETLINK_ROUTE));
}

/** Opens generic netlink in the current network namespace. */
export function openGeneric(): GenericSocket {
  return new NetlinkSocket('generic', openTransport(NETLINK_GENERIC));
}

/** Opens nfnetlink in the current network namespace. */
export function openNetfilter(): NetfilterSocket {
  return new NetlinkSocket('netfilter', openTransport(NETLINK_NETFILTER));
}

type Answer = { readonly messages: Message[]; readonly interrupted: boolean };

const NETLINK_ROUTE = 0;
const NETLINK_NETFILTER = 12;
const NETLINK_GENERIC = 16;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

const EPERM = errno('EPERM');

const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLM_F_DUMP = 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;

const DUMP_ATTEMPTS = 20;
const ANSWER_SECONDS = 10;
// The kernel fills at most 32 KiB per datagram of a dump; a single message may be longer.
let scratch = Buffer.alloc(32768);

const sockaddr = struct({ family: 2, _pad: 2, port: 4, groups: 4 });
const extendedAck = { message: [1, string], offset: [2, u32] } as const;

// NLMSG_ERROR holds errno and the request (its header only, if capped), NLMSG_DONE errno alone; the extended ACK's
// attributes follow. Errno 0 may carry a warning, which nobody here reads.
function throwIfRefused(tried: string, message: NetlinkMessage): void {
  const { data, flags, type } = message;
  const number = data.length < 4 ? 0 : -u32.decode(data.subarray(0, 4)) | 0;
  if (number === 0) return;
  const request = flags & NLM_F_CAPPED ? HEADER_LENGTH : type === NLMSG_ERROR ? u32.decode(data.subarray(4, 8)) : 0;
  const said = flags & NLM_F_ACK_TLVS ? decodeAttributes(extendedAck, data.subarray(4 + align(request))) : {};
  const hint = number === EPERM ? missingHint(['CAP_NET_ADMIN']) : undefined;
  throw new KernelError(tried, {
    errno: number,
    ...(said.message === undefined ? {} : { said: said.message }),
    ...(hint === undefined ? {} : { hint }),
    ...(said.offset === undefined ? {} : { detail: `at octet ${said.offset} of the netlink message` }),
  });
}

function openTransport(protocol: number): Transport {
  const fd = check('open a netlink socket', socket(AF_NETLINK, SOCK_RAW, protocol));
  try {
    const port = prepare(fd);
    return {
      port,
      send: (datagram) => sendTo(fd, datagram),
      receive: () => receiveFrom(fd),
      close: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

// Connected to port 0, the socket takes datagrams from the kernel only (net/netlink/af_netlink.c,
// netlink_getsockbyportid), which saves looking at the sender of each.
function prepare(fd: number): number {
  const kernel = sockaddr.encode({ family: AF_NETLINK });
  check('bind a netlink socket', bind(fd, kernel));
  check('connect a netlink socket', connect(fd, kernel));
  for (const option of [NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK, NETLINK_CAP_ACK]) {
    check('set up a netlink socket', setsockopt(fd, SOL_NETLINK, option, u32.encode(1)));
  }
  // The kernel answers within send(); the limit only turns a lost answer into an error. struct timeval: seconds, microseconds.
  const limit = new BigInt64Array([BigInt(ANSWER_SECONDS), 0n]);
  check('set up a netlink socket', setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(limit.buffer)));
  const own = Buffer.alloc(12);
  check('name a netlink socket', getsockname(fd, own));
  return sockaddr.decode(own).values.port;
}

function sendTo(fd: number, datagram: Uint8Array): void {
  check('send a netlink request', send(fd, datagram));
}

function receiveFrom(fd: number): Buffer {
  const length = check('receive a netlink answer', recv(fd, scratch, MSG_PEEK | MSG_TRUNC));
  if (length > scratch.length) scratch = Buffer.alloc(length);
  return Buffer.from(scratch.subarray(0, check('receive a netlink answer', recv(fd, scratch))));
}
