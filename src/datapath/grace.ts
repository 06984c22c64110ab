// SPDX-License-Identifier: MIT
import { closeSync } from 'node:fs';
import { AF_PACKET, check, SOCK_RAW, socket } from '../bindings/libc';

/**
 * Returns when every packet that was inside a BPF program at the time of the call has come out. The kernel lets no packet socket
 * go before that (synchronize_net in packet_release), wherever its packets are.
 */
export function waitForPackets(): void {
  closeSync(check('open a packet socket', socket(AF_PACKET, SOCK_RAW, 0)));
}
