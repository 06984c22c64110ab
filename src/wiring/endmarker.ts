// SPDX-License-Identifier: MIT
import type { Stored } from '../datapath/sessions';
import { fromMapped } from '../tunnels/address';
import { endMarker } from '../tunnels/endmarker';
import { formatId } from '../tunnels/tunnels';
import { sendPacket } from '../udp/raw';
import { idOf } from './standing';

/** Tells the peer of a session of version 1 that no more packets will come. Throws KernelError. */
export function sendEndMarker({ txConfig }: Stored): void {
  const tried = `send an End Marker through session ${formatId(idOf(txConfig))}`;
  sendPacket(tried, endMarker(txConfig), fromMapped(txConfig.local), fromMapped(txConfig.remote));
}
