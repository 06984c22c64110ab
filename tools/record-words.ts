// SPDX-License-Identifier: MIT
// What the keys of records mean that are no words of the command line, for docs/schema.
import { MAX_OUTER } from '../src/tunnels/mtu';
import { DROP_WORDS } from './drop-words';
import {
  address,
  array,
  choice,
  flag,
  integer,
  type Json,
  nullable,
  number16,
  object,
  octet,
  real,
  text,
} from './schema';

type Keys = { readonly [key: string]: Json };

const count = (help: string): Json => nullable(integer(help));

const counts = (help: string): Json =>
  object({ packets: count('packets'), bytes: count('octets of inner packets: of IP, or of Ethernet frames') }, help);

/** What only the kernel's own driver counts, of its links. */
const DRIVER_DROPS = {
  tx_errors: "packets that the kernel's driver could not send, for another reason",
  tx_dropped: "packets that the kernel's driver did not send",
  rx_errors: "packets that the kernel's driver received with an error",
  rx_dropped: "packets that the kernel's driver did not take",
};

/** What -s adds; of a link with what only the kernel's own driver counts. */
function stats(ofDriver: { readonly [reason: string]: string }): Json {
  const drops = Object.entries({ ...DROP_WORDS, ...ofDriver }).map(([reason, help]) => [reason, count(help)]);
  return object(
    {
      encap: counts('what went into tunnels; a super-packet counts as its segments'),
      decap: counts('what came out of tunnels'),
      answered: count('signalling that was answered or taken note of'),
      passed: count("packets left to another program's socket"),
      sent: object(
        {
          echo: count('Echo Responses'),
          errind: count('Error Indications'),
          extnotify: count('Supported Extension Headers Notifications'),
          icmp: count('ICMP errors to senders whose packets are too big'),
        },
        'answers that went out',
      ),
      received: object(
        {
          end_marker: count('End Markers'),
          errind: count('Error Indications'),
          reordered: count('packets whose number is not behind that of the one before; delivered all the same'),
        },
        'about sessions: signalling that came, and packets out of their order',
      ),
      drops: object(Object.fromEntries(drops), 'packets dropped, by reason', Object.keys(ofDriver)),
    },
    "with -s: counters since it was made; null: the kernel's own driver does not count it",
  );
}

const mtu = {
  mtu: nullable(
    text(
      `how the inner MTU comes about: 1500 - 20 IPv4 - 8 UDP - 16 GTP-U with QFI = 1456; at most ${MAX_OUTER} outside`,
    ),
  ),
  path_mtu: nullable(integer('the longest outer packet that device, route and learned path MTU allow', 68)),
  headers: nullable(
    array(
      object({ name: text('its name'), octets: number16('its length') }, 'a header'),
      'what stands in front of an inner packet, the outermost first',
    ),
  ),
};

const way = {
  oif: nullable(text('the device by which outer packets leave')),
  gateway: nullable(address('the router that they are handed to')),
  neighbour: nullable(
    object(
      {
        lladdr: nullable(text('its MAC address')),
        state: text(
          'in the words of ip neigh: reachable, stale, delay, probe, failed, incomplete, permanent, noarp, none',
        ),
      },
      'what the kernel knows of whom they are handed to; null: nothing yet, or it is this machine',
    ),
  ),
};

const hook = object(
  {
    program: text('the name of the program'),
    dev: text('the device'),
    attach: choice(['tcx/ingress', 'clsact/ingress', 'xdp'], 'where in the device, as bpftool net tells'),
    prog_id: nullable(integer("the kernel's number of the program")),
    link_id: nullable(integer("the kernel's number of the BPF link; a filter of clsact is none")),
    pin: text('where the hook is pinned'),
  },
  'a hook',
);

const linkDetails = object(
  {
    ...mtu,
    offloads_off: array({ type: 'string' }, 'what is turned off on underlays: DEVICE:OFFLOAD as ethtool -k names it'),
    hooks: nullable(choice(['tcx', 'clsact'], 'what hooks of tc are on this kernel')),
    programs: array(hook, 'the hooks that packets of the link pass, with the program behind each'),
    maps: {
      type: 'object',
      additionalProperties: integer('a number'),
      description: "the kernel's number of each map; all links of a network namespace share them",
    },
    pins: nullable(text('the directory with the pins of this network namespace')),
    alias: nullable(text("of a device of the kernel's own driver: its alias")),
  },
  "with -d: what no word says; of the kernel's own driver alias alone",
);

/** Keys of links that no word of `link add` sets. */
export const linkKeys: Keys = {
  ifindex: integer("the kernel's number of the device", 1),
  hook: array({ type: 'string' }, "where our programs stand on the way of the link's packets: PROGRAM@DEVICE"),
  sessions: integer('how many sessions the link has'),
  state: choice(['up', 'down'], 'of the end that stays here'),
  details: linkDetails,
  stats: stats(DRIVER_DROPS),
};

const sessionDetails = object(
  {
    ...mtu,
    ...way,
    seen_qfi: nullable(octet('QoS Flow Identifier of the last PDU Session Container that came')),
    seen_rqi: nullable(flag('its Reflective QoS Indication')),
    seen_ppi: nullable(octet('its Paging Policy Indicator')),
    last_seen: nullable(integer('seconds since the last packet of the peer')),
  },
  "with -d: what no word says; null for sessions of the kernel's own driver",
);

const STATES = ['up', 'no_route', 'no_neighbour', 'error_indicated', 'ended', 'down'];

/** Keys of sessions that no word of `session add` sets. */
export const sessionKeys: Keys = {
  state: nullable(
    choice(STATES, "STATES in gtp(8); null: sockets of the kernel's own driver in another network namespace"),
  ),
  details: sessionDetails,
  stats: stats({}),
};

/** Keys of local addresses and peers. */
export const pathKeys: Keys = {
  local: nullable(address("local address; null: any, of the kernel's own driver")),
  remote: nullable(address('the peer; null: the record is about the local address itself')),
  type: nullable(text('of a local address: the type that is received there')),
  port: nullable(number16('of a local address: the UDP port')),
  version: nullable(choice([0, 1], 'of a local address: the version of GTP')),
  sessions: integer('how many sessions there are'),
  echo: nullable(
    object(
      { requests: integer('Echo Requests from it'), responses: integer('Echo Responses from it') },
      'of a peer: echo',
    ),
  ),
  errinds: nullable(integer('of a peer: Error Indications from it')),
  extnotifies: nullable(integer('of a peer: Supported Extension Headers Notifications from it')),
  last_seen: nullable(integer('of a peer: seconds since anything came from it')),
  mtu: nullable(number16('of a peer: the path MTU that the network told us')),
  state: nullable(choice(['up', 'no_route', 'no_neighbour'], 'of a peer: whether it can be reached')),
  details: object({ path_mtu: mtu.path_mtu, ...way }, 'with -d: the way to a peer'),
  stats: stats({}),
};

const reply = object(
  {
    seq: number16('sequence number'),
    bytes: nullable(integer("its length in octets; null: the kernel's own driver does not tell")),
    rtt: real('round-trip time in milliseconds'),
    restart_count: nullable(octet('its restart counter')),
    late: flag('it came after the timeout'),
    duplicate: flag('the request had been answered before'),
  },
  'an answer',
);

/** Keys of a ping. */
export const pingKeys: Keys = {
  peer: address('who was asked'),
  local: address('the address that asked'),
  port: number16('UDP port of the peer'),
  srcport: number16('UDP port that asked'),
  version: choice([0, 1], 'version of GTP'),
  transmitted: integer('requests sent'),
  received: integer('requests answered in time'),
  late: integer('requests answered after the timeout'),
  duplicates: integer('answers to what had been answered before'),
  errors: integer('requests that the network refused, or the kernel when sending'),
  loss: real('requests not answered in time, in percent', 100),
  restart_count: nullable(octet('restart counter of the peer, from the last answer that has one')),
  rtt: nullable(
    object(
      {
        min: real('the shortest'),
        avg: real('the mean'),
        max: real('the longest'),
        mdev: real('the standard deviation'),
      },
      'round-trip times of the answers in time, in milliseconds; null: there were none',
    ),
  ),
  time: real('how long it all took, in milliseconds'),
  replies: array(reply, 'the answers, in the order in which they came'),
};
