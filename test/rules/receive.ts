// SPDX-License-Identifier: MIT
// The rules of receipt once more, from the wire formats and the order in docs/design.md, not from the C code.

import { readPayload } from './frame';
import { behindExtensions, idOf, type Message, readMessage, versionOf } from './gtp';
import { type Drop, type Fault, fault, isFault, type Outcome, type Sent } from './outcome';
import { type Datagram, readOuter } from './outer';
import { extensionNotice, type Here, takeMessage } from './signalling';
import type { Session, Tables } from './tables';
import { tagOf, takeTagged, takeTunnel } from './tunnel';

const END_MARKER = 254;
const G_PDU = 255;

/** What has to become of a frame that comes in at an underlay. */
export function receive(frame: Buffer, tables: Tables): Outcome {
  const tag = tagOf(frame);
  if (tag !== undefined) return takeTagged(frame, tag, tables) ?? receive(untagged(frame), tables);
  const outer = readOuter(frame, tables);
  if ('kind' in outer) return outer;
  if (isFault(outer)) {
    const { reason, rule, endpoint } = outer;
    return { kind: 'drop', reason, rule, endpoint, session: undefined, sent: undefined };
  }
  return 'tunnel' in outer ? takeTunnel(outer, tables) : takeGtp(outer, tables);
}

function takeGtp(outer: Datagram, tables: Tables): Outcome {
  const version = versionOf(outer.octets);
  const session = version === undefined ? undefined : sessionOf(outer, version, tables);
  const here: Here = { datagram: outer, tables, drop: dropAt(outer, session) };
  const opening = checksumFault(outer, (session ?? outer.endpoint).zeroChecksum);
  if (opening === 'open') return { kind: 'unclaimed', rule: 'open checksum' };
  if (opening !== undefined) return here.drop(opening);
  if (version === undefined || !outer.endpoint.versions.includes(version))
    return here.drop(fault('bad_version', version === undefined ? 'none of ours' : `v${version} not served`));
  const message = readMessage(outer.octets, version);
  if (isFault(message)) return here.drop(message);
  if (session === undefined) return takeMessage(message, here);
  return message.type === G_PDU ? takePdu(message, session, here) : takeEndMarker(message, session, here);
}

/** G-PDUs and End Markers of a session are its own from here on; of version 0 G-PDUs alone. */
function sessionOf({ octets, endpoint }: Datagram, version: 0 | 1, tables: Tables): Session | undefined {
  const type = octets[1];
  if (type !== G_PDU && !(type === END_MARKER && version === 1)) return undefined;
  const id = idOf(octets, version);
  return id === undefined ? undefined : tables.session(version, endpoint.local, endpoint.port, id);
}

function checksumFault({ checksum, isV6 }: Datagram, mayBeZero: boolean): Fault | 'open' | undefined {
  if (checksum === 'open') return 'open';
  if (checksum === 'wrong') return fault('bad_checksum', 'UDP');
  return checksum === 'zero' && isV6 && !mayBeZero ? fault('zero_checksum', 'IPv6') : undefined;
}

function dropAt({ endpoint }: Datagram, session: Session | undefined): Here['drop'] {
  return ({ reason, rule }: Fault, sent?: Sent): Drop => ({ kind: 'drop', reason, rule, endpoint, session, sent });
}

function takePdu(message: Message, session: Session, here: Here): Outcome {
  const { datagram, drop } = here;
  if (session.strict && datagram.source !== session.remote) return drop(fault('wrong_peer', 'G-PDU'));
  const tpdu = behindExtensions(message, true);
  if (isFault(tpdu)) return drop(tpdu, extensionNotice(tpdu, here));
  if (tpdu.length === 0) return drop(fault('empty', 'no T-PDU'));
  const payload = readPayload(tpdu, session.payload, session, datagram);
  if (isFault(payload)) return drop(payload);
  return { kind: 'deliver', session, ...payload, rule: `v${session.version}, ${payload.rule}` };
}

/** A frame whose tag says a priority alone. */
function untagged(frame: Buffer): Buffer {
  return Buffer.concat([frame.subarray(0, 12), frame.subarray(16)]);
}

function takeEndMarker(message: Message, session: Session, { datagram, drop }: Here): Outcome {
  const rest = behindExtensions(message, true);
  if (isFault(rest)) return drop(rest);
  if (session.strict && datagram.source !== session.remote) return drop(fault('wrong_peer', 'End Marker'));
  return { kind: 'consume', rule: 'End Marker', counter: 'end_markers', session };
}
