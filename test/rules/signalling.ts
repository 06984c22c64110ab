// SPDX-License-Identifier: MIT
import { echoResponse, echoResponse0, errorIndication, notification } from './answers';
import { type Element, readElements } from './elements';
import { behindExtensions, hasSequence, type Message } from './gtp';
import { type Drop, type Fault, fault, isFault, type Outcome, type Sent } from './outcome';
import type { Datagram } from './outer';
import type { Tables } from './tables';

/** Where a message has come to, and how it is dropped there. */
export interface Here {
  readonly datagram: Datagram;
  readonly tables: Tables;
  drop(why: Fault, sent?: Sent): Drop;
}

/** Everything that is no G-PDU or End Marker of a session. */
export function takeMessage(message: Message, here: Here): Outcome {
  if (message.version === 0) return takeMessage0(message, here);
  switch (message.type) {
    case 1:
      return takeEchoRequest(message, here);
    case 2:
      return here.drop(fault('unexpected', 'Echo Response v1'));
    case 26:
      return takeErrorIndication(message, here);
    case 31:
      return takeNotification(message, here);
    case 254:
      return takeUnknown(message, here);
    case 255:
      return takeUnknownPdu(message, here);
    default:
      return here.drop(fault('unknown_message', 'v1'));
  }
}

function takeMessage0({ type, id, flow, sequence }: Message, here: Here): Outcome {
  if (type === 255) return here.drop(fault('unknown_teid', 'v0'));
  if (type === 2) return here.drop(fault('unexpected', 'Echo Response v0'));
  if (type !== 1) return here.drop(fault('unknown_message', 'v0'));
  if (id !== 0n || flow !== 0) return here.drop(fault('bad_message', 'v0 Echo Request of a tunnel'));
  return answer(here, 'Echo v0', () => echoResponse0(here.datagram, sequence));
}

function takeEchoRequest(message: Message, here: Here): Outcome {
  if (!isPathMessage(message)) return here.drop(fault('bad_message', 'Echo Request without S or with TEID'));
  const elements = behindExtensions(message, true);
  if (isFault(elements)) return here.drop(elements, extensionNotice(elements, here));
  return answer(here, 'Echo v1', () => echoResponse(here.datagram, message.sequence));
}

function answer({ datagram, tables, drop }: Here, rule: string, make: () => Buffer): Outcome {
  const { endpoint, sport } = datagram;
  if (!endpoint.echo) return drop(fault('echo_off', rule));
  if (sport === 0) return drop(fault('bad_source', `${rule} from port 0`));
  if (!tables.hasTokens) return drop(fault('rate_limited', rule));
  return { kind: 'answer', rule, endpoint, packet: make() };
}

function takeErrorIndication(message: Message, { datagram, tables, drop }: Here): Outcome {
  const elements = readPathMessage(message, 'Error Indication');
  if (isFault(elements)) return drop(elements);
  const teid = elements.get(16);
  const peer = elements.get(133);
  if (teid === undefined || peer === undefined) return drop(fault('bad_message', 'Error Indication lacks an IE'));
  if (peer.length !== 4 && peer.length !== 16) return drop(fault('bad_message', 'length of Peer Address'));
  const { local, port } = datagram.endpoint;
  const session = tables.sender(local, port, peer.toString('hex'), teid.readUInt32BE(0));
  if (session === undefined) return drop(fault('unknown_session', 'Error Indication'));
  if (datagram.source !== session.remote) return drop(fault('wrong_peer', 'Error Indication'));
  return { kind: 'consume', rule: 'Error Indication', counter: 'errinds', session };
}

function takeNotification(message: Message, { datagram, tables, drop }: Here): Outcome {
  const elements = readPathMessage(message, 'Notification');
  if (isFault(elements)) return drop(elements);
  if (!elements.has(141)) return drop(fault('bad_message', 'Notification without list'));
  if (!tables.hasPeer(datagram.endpoint.local, datagram.source)) return drop(fault('unexpected', 'Notification'));
  return { kind: 'consume', rule: 'Notification', counter: 'notifications', session: undefined };
}

/** The elements of a message about a path: sequence number and TEID 0 are wanted (G12). */
function readPathMessage(message: Message, name: string): ReadonlyMap<number, Element> | Fault {
  if (!isPathMessage(message)) return fault('bad_message', `${name} without S or with TEID`);
  const octets = behindExtensions(message, true);
  if (isFault(octets)) return { ...octets, rule: `${octets.rule}, ${name}` };
  return readElements(octets, name);
}

function isPathMessage({ flags, id }: Message): boolean {
  return hasSequence(flags) && id === 0n;
}

/** An End Marker of no session is never answered (G11). */
function takeUnknown(message: Message, { drop }: Here): Outcome {
  const rest = behindExtensions(message, false);
  return drop(isFault(rest) ? rest : fault('unknown_teid', 'End Marker'));
}

/** Without a session nobody has to understand the extension headers: only their lengths are looked at. */
function takeUnknownPdu(message: Message, here: Here): Outcome {
  const rest = behindExtensions(message, false);
  if (isFault(rest)) return here.drop(rest);
  const rule = message.id === 0n ? 'v1, TEID 0' : 'v1';
  return here.drop(fault('unknown_teid', rule), errorNotice(message, here));
}

/** The Notification that goes out about an extension header, if one does (G5). */
export function extensionNotice({ reason }: Fault, { datagram, tables }: Here): Sent | undefined {
  if (reason !== 'unknown_extension' || !datagram.endpoint.extnotify || !tables.hasTokens) return undefined;
  return { what: 'extnotify', packet: notification(datagram) };
}

/** The Error Indication that goes out about a G-PDU of no session, if one does (G16). */
function errorNotice({ id }: Message, { datagram, tables }: Here): Sent | undefined {
  if (id === 0n || !datagram.endpoint.errind || !tables.hasTokens) return undefined;
  return { what: 'errind', packet: errorIndication(datagram, id) };
}
