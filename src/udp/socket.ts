// SPDX-License-Identifier: MIT
import { closeSync } from 'node:fs';
import {
  bind,
  check,
  connect,
  getsockname,
  IP_RECVERR,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_RECVERR,
  SO_PRIORITY,
  SOCK_DGRAM,
  SOL_SOCKET,
  setsockopt,
  socket,
} from '../bindings/libc';
import { socket_priority } from '../datapath/layout.gen';
import { errno, KernelError } from '../errors';
import { type Address, address as addressKind, sameAddress } from '../values';
import { decodeSockaddr, type Endpoint, encodeSockaddr, familyOf, SOCKADDR_MAX } from './sockaddr';

/** A UDP socket that takes packets and ICMP errors of one peer alone. Whoever uses it closes it (talk.ts). */
export type UdpSocket = { readonly fd: number; readonly local: Endpoint; readonly peer: Endpoint };

/**
 * Opens a socket in the current network namespace, bound to `local` (else to the address that the kernel would send
 * from) and connected to `peer`. Its own port is the peer's if that is free: some peers answer to no other. A socket
 * must not be its own peer, so towards the same address it is any port. Throws KernelError.
 */
export function connectUdp(peer: Endpoint, local?: Address): UdpSocket {
  const own = local ?? sourceTowards(peer);
  const fd = open(peer);
  try {
    bindTo(fd, own, sameAddress(own, peer.address) ? 0 : peer.port);
    setPriority(fd);
    connectTo(fd, peer, local);
    tellErrors(fd, own);
    return { fd, local: nameOf(fd), peer };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function sourceTowards(peer: Endpoint): Address {
  const fd = open(peer);
  try {
    connectTo(fd, peer);
    return nameOf(fd).address;
  } finally {
    closeSync(fd);
  }
}

function open({ address }: Endpoint): number {
  return check('open a UDP socket', socket(familyOf(address), SOCK_DGRAM, 0));
}

function bindTo(fd: number, address: Address, port: number): void {
  const wanted = bind(fd, encodeSockaddr({ address, port }));
  const result = TAKEN.includes(-wanted) ? bind(fd, encodeSockaddr({ address, port: 0 })) : wanted;
  if (result >= 0) return;
  const hint = -result === errno('EADDRNOTAVAIL') ? { hint: 'local must be an address of this machine' } : {};
  throw new KernelError(`send from ${addressKind.format(address)}`, { errno: -result, ...hint });
}

function connectTo(fd: number, peer: Endpoint, local?: Address): void {
  const result = connect(fd, encodeSockaddr(peer));
  if (result >= 0) return;
  const to = addressKind.format(peer.address);
  const from = local === undefined ? '' : ` from ${addressKind.format(local)}`;
  const hint = NO_WAY.includes(-result) ? { hint: `ip route get ${to}${from} tells the way to it` } : {};
  throw new KernelError(`reach ${to}${from}`, { errno: -result, ...hint });
}

// Without this the kernel keeps quiet about errors that may pass, such as an unreachable host, and about who sent them.
function tellErrors(fd: number, { family }: Address): void {
  const [level, option] = family === 4 ? [IPPROTO_IP, IP_RECVERR] : [IPPROTO_IPV6, IPV6_RECVERR];
  check('ask for ICMP errors', setsockopt(fd, level, option, new Uint8Array(new Int32Array([1]).buffer)));
}

// By it the datapath knows the socket of a ping and leaves only Echo Responses to it (bpf/arrival.h). A user who may not set
// it (it takes CAP_NET_ADMIN or CAP_NET_RAW) has a socket like that of any other program.
function setPriority(fd: number): void {
  const result = setsockopt(fd, SOL_SOCKET, SO_PRIORITY, new Uint8Array(new Int32Array([socket_priority.ping]).buffer));
  if (-result !== errno('EPERM')) check('mark the socket of a ping', result);
}

function nameOf(fd: number): Endpoint {
  const bytes = Buffer.alloc(SOCKADDR_MAX);
  const length = check('read the address of a socket', getsockname(fd, bytes));
  const name = decodeSockaddr(bytes.subarray(0, length));
  if (name === undefined) throw new Error('a UDP socket has no IP address');
  return name;
}

// EACCES: a port below 1024, to a user who is not root.
const TAKEN = ['EADDRINUSE', 'EACCES'].map(errno);
const NO_WAY = ['ENETUNREACH', 'EHOSTUNREACH', 'EINVAL', 'EACCES', 'ENETDOWN'].map(errno);
