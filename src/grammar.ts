// SPDX-License-Identifier: MIT
// The table of the command line. Parser, request types, help and the generated parts of the man page come from here.
// Order matters: an abbreviated option, object or command means the first row that it fits.
import {
  address,
  choice,
  count,
  flow,
  ifname,
  interfaceAddress,
  type Kind,
  label,
  linkName,
  mac,
  mtu,
  netns,
  onOff,
  ownTeid,
  ownTeidOrAuto,
  port,
  ppi,
  prefix,
  prefixOrDefault,
  qfi,
  restartCount,
  seconds,
  srcport,
  teid,
  tid,
  tos,
  ttl,
  version,
} from './values';

/** A word that takes a value, or a flag, or one that is known but refused until it is built. */
export type Row = {
  readonly help: string;
  readonly kind?: Kind<unknown>;
  /** How help calls the value, where the kind's own placeholder says too little. */
  readonly placeholder?: string;
  /** The first word of the command, without a keyword. */
  readonly positional?: true;
  readonly required?: true;
  readonly repeat?: true;
  /** A flag; with `no` it has a negative form with that prefix. */
  readonly flag?: true;
  readonly no?: true;
  /** A word that contradicts this one. */
  readonly not?: string;
  /** A word without which this one means nothing. */
  readonly with?: string;
  /** What holds when the word is not given, as records have it. Text output leaves it out. */
  readonly default?: string | number | boolean;
  /** Rows of one group are optional together: when one is given, the required ones of the group are required. */
  readonly group?: string;
  /** The word and value that this one goes with: words of two forms exclude each other. Where that word has no default, theirs choose. */
  readonly of?: Form;
} & ({ readonly kind: Kind<unknown> } | { readonly flag: true });

/** What a command may be about, each with words of its own. */
export type Form = 'version 0' | 'version 1';

/** A word, command, object or option that a later version brings; known by name and refused. */
export type Later = { readonly later: true; readonly no?: true };

export type Words = { readonly [word: string]: Row | Later };

export type CommandSpec = {
  readonly help: string;
  readonly words: Words;
  /** It changes the kernel's state, so signals wait until it is done. */
  readonly changes?: true;
  /** At most one of its words may be given. */
  readonly exclusive?: true;
  /** At least one word besides the required ones must be given. */
  readonly some?: true;
  /** Exactly one of these words must be given. */
  readonly either?: readonly string[];
  /** It prints while it runs, until it is done or interrupted. */
  readonly runs?: true;
};

export type ObjectSpec = {
  readonly help: string;
  readonly commands: { readonly [command: string]: CommandSpec | Later };
  /** It has one command, whose name nobody types: its words follow the object. */
  readonly bare?: true;
};

export type OptionSpec = {
  readonly name: string;
  /** The least abbreviation, where it has one; help shows it so. */
  readonly short?: string;
  /** "required": the next word; "equals": optional, after "=". */
  readonly value?: { readonly placeholder: string; readonly form: 'required' | 'equals' };
  readonly help: string;
};

const later = { later: true } as const;

const linkTypes = choice(['gtp'], { later: ['gre', 'gretap', 'geneve', 'vxlan', 'l2tp', 'vlan'] });
const roles = choice(['ggsn', 'sgsn'], { aliases: { pgw: 'ggsn', upf: 'ggsn', gnb: 'sgsn', enb: 'sgsn', ue: 'sgsn' } });

const linkOuter = {
  local: { kind: address, help: 'outer address of this end; else the source address towards the remote' },
  dev: {
    kind: ifname,
    placeholder: 'UNDERLAY',
    repeat: true,
    help: 'device to listen on; else the one that holds local',
  },
} as const satisfies Words;

const linkSettings = {
  address: { kind: interfaceAddress, repeat: true, help: 'address of the inner end' },
  route: { kind: prefixOrDefault, repeat: true, help: 'route through the inner end' },
  mtu: { kind: mtu, help: 'MTU of the inner end; else computed from the sessions' },
  role: {
    kind: roles,
    default: 'ggsn',
    help: 'sessions by inner destination (ggsn, pgw, upf) or source (sgsn, gnb, enb, ue)',
  },
  port: { kind: port, default: 2152, help: 'outer UDP port' },
  srcport: { kind: srcport, default: 'fixed', help: 'outer UDP source port: that of the kind, by flow, or a number' },
  ttl: { kind: ttl, default: 64, help: 'outer TTL or hop limit' },
  tos: { kind: tos, default: 0, help: 'outer TOS or traffic class' },
  udpcsum: {
    flag: true,
    no: true,
    help: 'outer UDP checksum; default over IPv6, where noudpcsum also takes packets without one',
  },
  df: { kind: choice(['set', 'unset', 'inherit']), default: 'set', help: 'outer DF bit' },
  gso: { kind: choice(['auto', 'split', 'keep']), default: 'auto', help: 'when to cut super-packets' },
  deliver: { kind: choice(['auto', 'bulk', 'small']), default: 'auto', help: 'through GRO (bulk) or straight (small)' },
  hairpin: { kind: onOff, default: 'on', help: 'short cut between two links of this machine' },
  xdp: { kind: choice(['auto', 'off'], { later: ['on'] }), default: 'auto', help: 'native XDP on underlays that can' },
  lladdr: { kind: mac, help: 'MAC of the end that stays here' },
  echo: {
    kind: onOff,
    default: 'on',
    help: 'answer Echo Requests; like errind and extnotify on when any link at this local address says so',
  },
  errind: { kind: onOff, default: 'on', help: 'answer unknown TEIDs with Error Indications' },
  extnotify: { kind: onOff, default: 'on', help: 'answer unknown extension headers with a notification' },
  'errind-action': {
    kind: choice(['none', 'mark', 'del']),
    default: 'mark',
    help: 'what a received Error Indication does to its session: nothing, show it as the state, or end it',
  },
  restart_count: { kind: restartCount, default: 0, help: 'Recovery in Echo Responses of version 0' },
  vrf: later,
} as const satisfies Words;

const sessionType = {
  type: { kind: linkTypes, help: 'kind of the session; else that of the link' },
} as const;
const v0 = { of: 'version 0' } as const;
const v1 = { of: 'version 1' } as const;
const sessionIds = {
  version: { kind: version, default: 1, help: 'of GTP: 1 with a TEID for each direction, 0 with one TID' },
  'local-teid': { ...v1, kind: ownTeidOrAuto, required: true, help: 'TEID that the peer puts into packets to us' },
  'remote-teid': { ...v1, kind: teid, required: true, help: 'TEID that we put into packets to the peer' },
  tid: { ...v0, kind: tid, required: true, help: 'TID of packets in both directions' },
  flow: { ...v0, kind: flow, default: 0, help: 'flow label that the peer puts into packets to us' },
  'remote-flow': { ...v0, kind: flow, default: 0, help: 'flow label that we put into packets to the peer' },
} as const satisfies Words;
const sessionSettings = {
  remote: { kind: address, required: true, help: 'outer address of the peer' },
  local: { kind: address, help: 'outer address of this end; else that of the link' },
  ue: { kind: prefix, repeat: true, help: 'who lives behind the far (ggsn) or near (sgsn) end' },
  from: later,
  to: later,
  name: { kind: label, help: 'a label' },
  lladdr: later,
  peer: {
    kind: choice(['any', 'strict']),
    default: 'any',
    help: 'take packets from any outer source, or from remote alone',
  },
  antispoof: {
    flag: true,
    no: true,
    help: 'drop packets from the tunnel that are not of ue; default where ue is given',
  },
  srcport: { kind: srcport, help: 'as in link add, for this session' },
  ttl: { kind: ttl, help: 'as in link add, for this session' },
  tos: { kind: tos, help: 'as in link add, for this session' },
  udpcsum: { flag: true, no: true, help: 'as in link add, for this session' },
  qfi: { ...v1, kind: qfi, help: 'send a PDU Session Container with this QoS Flow Identifier' },
  rqi: { ...v1, flag: true, help: 'Reflective QoS Indication in the container' },
  ppi: { ...v1, kind: ppi, help: 'Paging Policy Indicator in the container' },
  psc: {
    ...v1,
    kind: choice(['auto', 'none', 'dl', 'ul']),
    default: 'auto',
    help: 'PDU Session Container: by role, never, or of that type',
  },
  seq: { ...v1, flag: true, no: true, help: 'number the packets that we send; default noseq' },
  payload: later,
  key: later,
  ikey: later,
  okey: later,
  csum: { later: true, no: true },
  iseq: { later: true, no: true },
  oseq: { later: true, no: true },
  vni: later,
  opt: later,
  dstport: later,
  session_id: later,
  peer_session_id: later,
  cookie: later,
  peer_cookie: later,
  l2spec_type: later,
  encap: later,
  udp_sport: later,
  udp_dport: later,
  id: later,
} as const satisfies Words;
const sessionWords = { ...sessionType, ...sessionIds, ...sessionSettings } as const;

const onLink = { dev: { kind: linkName, required: true, help: 'the link of the session' } } as const satisfies Words;
const sessionId = {
  type: sessionType.type,
  version: { kind: version, help: 'of GTP; else as the ID tells' },
  'local-teid': { ...v1, kind: ownTeid, required: true, help: 'the TEID of the session' },
  tid: { ...v0, kind: tid, required: true, help: 'the TID of the session' },
  local: { kind: address, help: 'its local address, where the link has several' },
  key: later,
  ikey: later,
  vni: later,
  session_id: later,
  id: later,
} as const satisfies Words;
const sessionFilter = {
  dev: { kind: linkName, help: 'sessions of this link' },
  remote: { kind: address, help: 'sessions with this peer' },
  ue: { kind: address, help: 'sessions that carry this inner address' },
  type: { kind: linkTypes, help: 'sessions of this kind' },
} as const satisfies Words;

/** The objects in the order of the contract. */
export const grammar = {
  link: {
    help: 'where a tunnel meets a namespace',
    commands: {
      add: {
        help: 'make a link, and with SESSION-WORDS its first session',
        changes: true,
        words: {
          ifname: {
            kind: ifname,
            placeholder: 'NAME',
            positional: true,
            required: true,
            help: 'the end that stays here',
          },
          type: { kind: linkTypes, default: 'gtp', help: 'default kind of the sessions' },
          ...linkOuter,
          netns: { kind: netns, help: 'network namespace of the inner end; else it stays here' },
          inner: { kind: ifname, help: 'name of the inner end: eth0, or NAME followed by i if it stays here' },
          ...linkSettings,
          datapath: { kind: choice(['bpf'], { later: ['kernel'] }), default: 'bpf', help: 'what moves the packets' },
          leader: later,
          hsize: later,
          ...grouped('SESSION-WORDS', without(sessionWords, [...keys(linkOuter), ...keys(linkSettings), 'type'])),
        },
      },
      set: {
        help: 'change a link',
        changes: true,
        some: true,
        words: {
          ifname: { kind: linkName, placeholder: 'NAME', positional: true, required: true, help: 'the link' },
          up: { flag: true, not: 'down', help: 'bring both ends up' },
          down: { flag: true, not: 'up', help: 'take the link down' },
          ...linkOuter,
          ...linkSettings,
        },
      },
      del: {
        help: 'remove a link with its sessions',
        changes: true,
        words: { ifname: { kind: linkName, placeholder: 'NAME', positional: true, required: true, help: 'the link' } },
      },
      show: {
        help: 'show one link, some, or all',
        exclusive: true,
        words: {
          ifname: { kind: linkName, placeholder: 'NAME', positional: true, help: 'this link alone' },
          type: { kind: linkTypes, help: 'links of this type' },
          netns: { kind: netns, help: 'links whose inner end is there' },
        },
      },
      flush: { help: 'remove all links', changes: true, words: {} },
    },
  },
  session: {
    help: 'one tunnel',
    commands: {
      add: { help: 'make a session; fails if it exists', changes: true, words: { ...onLink, ...sessionWords } },
      change: {
        help: 'change the words given; fails if the session does not exist',
        changes: true,
        some: true,
        words: {
          ...onLink,
          ...optional(sessionWords),
          version: sessionId.version,
          'local-teid': sessionId['local-teid'],
          tid: sessionId.tid,
        },
      },
      replace: {
        help: 'make a session, or change it if it exists',
        changes: true,
        words: { ...onLink, ...sessionWords },
      },
      del: {
        help: 'remove a session',
        changes: true,
        words: {
          ...onLink,
          ...sessionId,
          endmarker: { flag: true, help: 'and send an End Marker behind its last packet' },
        },
      },
      get: { help: 'show one session', words: { ...onLink, ...sessionId } },
      show: { help: 'show sessions', words: sessionFilter },
      flush: { help: 'remove sessions', changes: true, words: sessionFilter },
      endmarker: {
        help: 'tell the peer that no more packets will come (End Marker)',
        words: {
          ...onLink,
          ...sessionId,
          tid: { ...sessionId.tid, help: 'refused by name: version 0 has no End Marker' },
        },
      },
      save: later,
      restore: later,
    },
  },
  ping: {
    help: 'whether a peer answers: GTP-U echo',
    bare: true,
    commands: {
      run: {
        help: 'send Echo Requests to a peer and tell what comes back, until Ctrl-C',
        runs: true,
        either: ['addr', 'dev'],
        words: {
          addr: { kind: address, positional: true, help: 'the peer' },
          dev: { kind: linkName, help: 'the remote of the sessions of this link, from their local address' },
          'local-teid': {
            kind: ownTeid,
            with: 'dev',
            not: 'tid',
            help: 'the remote of this session, where they have several',
          },
          tid: { kind: tid, with: 'dev', not: 'local-teid', help: 'the same for a session of version 0' },
          local: { kind: address, help: 'address to send from; else the one that the kernel takes' },
          count: { kind: count, help: 'end when so many requests are answered or have timed out' },
          interval: { kind: seconds, default: 1, help: 'seconds from one request to the next' },
          timeout: { kind: seconds, default: 1, help: 'seconds after which a request counts as lost' },
          port: { kind: port, help: 'UDP port of the peer: 2152, or 3386 for version 0; with dev that of the link' },
          version: { kind: version, help: 'version of GTP: that of the session, or 1' },
        },
      },
    },
  },
  path: {
    help: 'local addresses and the peers that sessions have',
    commands: {
      show: {
        help: 'show local addresses and peers',
        words: {
          local: { kind: address, help: 'of this local address alone' },
          remote: { kind: address, help: 'to this peer alone' },
        },
      },
    },
  },
  monitor: later,
  capture: later,
  top: later,
  check: later,
  gateway: later,
  ue: later,
  completion: later,
} as const satisfies { readonly [object: string]: ObjectSpec | Later };

/** Words that people of `ip` type for a command. Exact or shortened, after all the commands themselves. */
export const commandAliases: Readonly<Record<string, string>> = { delete: 'del', list: 'show', lst: 'show' };

/** The global options in the order of the contract. */
export const globalOptions = [
  { name: 'Version', short: 'V', help: 'print the version' },
  { name: 'help', help: 'print this text' },
  { name: 'json', short: 'j', help: 'answer with one JSON array' },
  { name: 'pretty', short: 'p', help: 'indent the JSON' },
  { name: 'details', short: 'd', help: 'show more; whole verifier logs' },
  { name: 'statistics', short: 's', help: 'show counters; twice: those that are zero as well' },
  { name: 'brief', short: 'br', help: 'one short line a record' },
  { name: 'oneline', short: 'o', help: 'one long line a record' },
  { name: 'human-readable', short: 'h', help: 'counters with k, M, G' },
  { name: 'iec', help: 'the same in powers of 1024' },
  { name: 'timestamp', short: 't', later: true },
  { name: 'color', short: 'c', value: { placeholder: '{auto|always|never}', form: 'equals' }, help: 'colour the text' },
  {
    name: 'netns',
    short: 'n',
    value: { placeholder: '{ NAME | PID | PATH }', form: 'required' },
    help: 'do everything in that network namespace',
  },
  { name: 'batch', short: 'b', later: true },
  { name: 'force', later: true },
] as const satisfies readonly (OptionSpec | (Later & { readonly name: string; readonly short?: string }))[];

/** Objects and commands that work, and the words of each as a command gets them. */
export type ObjectName = { [O in keyof Grammar]: Grammar[O] extends ObjectSpec ? O : never }[keyof Grammar];
export type CommandName<O extends ObjectName> = {
  [C in keyof Commands<O>]: Commands<O>[C] extends CommandSpec ? C : never;
}[keyof Commands<O>];

/** What the user asked of one command: its words with "-" as "_"; undefined where not given. */
export type Request<O extends ObjectName, C extends CommandName<O>> = Commands<O>[C] extends { readonly words: infer W }
  ? RequestOf<W>
  : never;

/** Whether a command prints while it runs. */
export type Runs<O extends ObjectName, C extends CommandName<O>> = Commands<O>[C] extends { readonly runs: true }
  ? true
  : false;

type Grammar = typeof grammar;
type Commands<O extends ObjectName> = Grammar[O]['commands'];

type RequestOf<W> = Flatten<
  { readonly [K in keyof W as W[K] extends Needed ? Key<K> : never]: ValueOf<W[K]> } & {
    readonly [K in keyof W as W[K] extends Needed | Later ? never : Key<K>]?: ValueOf<W[K]> | undefined;
  }
>;
type Needed = { readonly required: true; readonly group?: never; readonly of?: never };
type Flatten<T> = { [K in keyof T]: T[K] };
type Key<K> = K extends `${infer A}-${infer B}` ? Key<`${A}_${B}`> : K;
type ValueOf<R> = R extends { readonly kind: Kind<infer T> }
  ? R extends { readonly repeat: true }
    ? readonly T[]
    : T
  : R extends { readonly no: true }
    ? boolean
    : true;

/** The key of a word in requests and records. */
export function keyOf(word: string): string {
  return word.replaceAll('-', '_');
}

/** What a user types for a command: OBJECT COMMAND, or OBJECT where that has no command words. */
export function titleOf(object: string, command: string): string {
  const spec = (grammar as { readonly [name: string]: ObjectSpec | Later })[object];
  return spec !== undefined && !isLater(spec) && spec.bare ? object : `${object} ${command}`;
}

/** Whether a row, command, object or option is one that a later version brings. */
export function isLater(spec: object): spec is Later {
  return 'later' in spec;
}

function keys<W extends object>(words: W): (keyof W)[] {
  return Object.keys(words) as (keyof W)[];
}

function without<W extends object, const K extends PropertyKey>(words: W, names: readonly K[]): Omit<W, K> {
  return Object.fromEntries(Object.entries(words).filter(([word]) => !names.includes(word as K))) as Omit<W, K>;
}

type Grouped<W> = { readonly [K in keyof W]: W[K] extends Later ? W[K] : W[K] & { readonly group: string } };

function grouped<W extends Words>(group: string, words: W): Grouped<W> {
  return mapRows<Grouped<W>>(words, (row) => ({ ...row, group }));
}

type Optional<W> = { readonly [K in keyof W]: Omit<W[K], 'required'> };

function optional<W extends Words>(words: W): Optional<W> {
  return mapRows<Optional<W>>(words, ({ required: _, ...row }) => row as Row);
}

function mapRows<R>(words: Words, change: (row: Row) => Row): R {
  return Object.fromEntries(Object.entries(words).map(([word, row]) => [word, isLater(row) ? row : change(row)])) as R;
}
