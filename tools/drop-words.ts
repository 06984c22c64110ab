// SPDX-License-Identifier: MIT
import type { drop_reason } from '../src/datapath/layout.gen';

type Reason = Exclude<keyof typeof drop_reason, 'none' | 'reasons'>;

/** What each reason for a drop means to users, for man/gtp.8; the compiler misses one that is not told. */
export const DROP_WORDS: { readonly [R in Reason]: string } = {
  not_ip: 'The inner end sent a frame that holds no IP packet',
  bad_inner: 'The inner packet is cut short, longer than what came, or neither IPv4 nor IPv6',
  no_session: 'No session of the link wants this inner address, or an Error Indication has ended it',
  no_route: 'There is no route to the remote of the session',
  loop: 'The route to the remote leads back into the link, or to the outer end of another',
  too_big: 'The packet is longer than the path takes; its sender was told by ICMP, where that may be',
  no_shim: 'The veth pair gtpshim0, gtpshim1 is missing, which cuts packets',
  no_room: 'The kernel made no room for the headers, or the packet would need more than 32 outer fragments',
  unknown_teid: 'A G-PDU or End Marker whose TEID or TID no session here has',
  bad_version: 'GTP of a version that nothing here receives, or GTP prime',
  bad_length: 'The lengths of IP, UDP and GTP do not fit each other or the frame',
  bad_extension: 'Extension headers that are malformed, or more than eight',
  unknown_extension: 'An extension header that must be understood and is not known',
  empty: 'A G-PDU without a packet in it',
  wrong_peer: 'From another source than the remote, where peer strict holds or in an Error Indication',
  antispoof: 'The inner address is none of the session',
  fragment: 'Outer fragments that never became a datagram: some did not come, or do not fit each other',
  ecn: 'Congestion was marked outside, and the inner packet cannot say so',
  unknown_message: 'A message type that is not for the user plane, or not known',
  no_link: 'The link of the session is gone',
  bad_checksum: 'The outer UDP or IPv4 header checksum is wrong',
  zero_checksum: 'There is no UDP checksum over IPv6, and noudpcsum was not given',
  bad_source: 'The outer source is an address or port that no host sends from',
  bad_message: 'Signalling without what it must have',
  unknown_session: 'An Error Indication about no session of ours',
  unexpected: 'An Echo Response that no program waits for, or a notification from no peer',
  echo_off: 'An Echo Request where echo off holds',
  rate_limited: 'An Echo Request above the rate',
};
