// SPDX-License-Identifier: MIT
// The table of the command line. Parser, request types, help and the generated parts of the man page come from here.
// Order matters: an abbreviated option, object or command means the first row that it fits.
import {
  address,
  choice,
  count,
  hashSize,
  ifname,
  type Kind,
  linkName,
  netns,
  ownTeid,
  port,
  seconds,
  tid,
  version,
} from '../values';
import { TYPES } from './kinds';
import { linkOuter, linkSettings, linkType } from './link-words';
import { onLink, sessionChange, sessionFilter, sessionId, sessionWords, storedWords } from './session-words';
import { type CommandSpec, grouped, isLater, keys, type Later, later, type ObjectSpec, without } from './types';

export * from './kinds';
export { globalOptions } from './options';
export {
  type CommandSpec,
  isLater,
  isShown,
  type Later,
  type ObjectSpec,
  type OptionSpec,
  type Row,
  type Words,
} from './types';

const storedOrLink = choice(['link', ...storedWords], { aliases: { addr: 'remote' } });

/** The objects in the order of the contract. */
export const grammar = {
  link: {
    help: 'where a tunnel meets a namespace',
    commands: {
      add: {
        help: 'make a link, and with SESSION-WORDS its first session',
        changes: true,
        examples: [
          'gtp link add upf0 role upf local 192.0.2.1 netns internet address 10.45.0.1/16',
          'gtp link add gtp1 netns red address 10.0.0.1/24 local-teid 1 remote-teid 2 remote 192.0.2.2',
        ],
        words: {
          ifname: {
            kind: ifname,
            source: 'none',
            placeholder: 'NAME',
            positional: true,
            required: true,
            help: 'the end that stays here',
          },
          type: {
            kind: linkType,
            placeholder: 'TYPE',
            default: 'gtp',
            help: `kind of its sessions, unless they say another: ${TYPES.join(', ')}`,
          },
          ...linkOuter,
          netns: { kind: netns, help: 'network namespace of the inner end; else it stays here' },
          inner: {
            kind: ifname,
            source: 'none',
            help: 'name of the inner end: eth0, or NAME followed by i if it stays here',
          },
          ...linkSettings,
          datapath: {
            kind: choice(['bpf', 'kernel']),
            default: 'bpf',
            help: "what moves the packets: our programs, or the kernel's own gtp driver",
          },
          hsize: {
            kind: hashSize,
            with: 'datapath',
            help: "buckets of the driver's hash tables; else 1024",
          },
          leader: later,
          payload: { ...sessionWords.payload, help: 'what the link carries: IP packets, or whole Ethernet frames' },
          ...grouped(
            'SESSION-WORDS',
            without(sessionWords, [...keys(linkOuter), ...keys(linkSettings), 'type', 'payload']),
          ),
        },
      },
      set: {
        help: 'change a link',
        changes: true,
        examples: ['gtp link set upf0 ttl inherit errind off'],
        some: true,
        words: {
          ifname: { kind: linkName, placeholder: 'NAME', positional: true, required: true, help: 'the link' },
          up: { flag: true, not: ['down'], help: 'bring both ends up' },
          down: { flag: true, not: ['up'], help: 'take the link down' },
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
          type: { kind: linkType, placeholder: 'TYPE', help: 'links of this type' },
          netns: { kind: netns, help: 'links whose inner end is there' },
        },
      },
      flush: { help: 'remove all links', changes: true, words: {} },
    },
  },
  session: {
    help: 'one tunnel',
    commands: {
      add: {
        help: 'make a session; fails if it exists',
        changes: true,
        examples: [
          'gtp session add dev upf0 local-teid auto remote-teid 7 remote 192.0.2.2 ue 10.45.0.2 qfi 9',
          'gtp session add dev room0 type vxlan vni 7 remote 192.0.2.3',
        ],
        words: { ...onLink, ...sessionWords },
      },
      change: {
        help: 'change the words given; fails if the session does not exist',
        changes: true,
        examples: ['gtp session change dev upf0 local-teid 1 remote 192.0.2.9 remote-teid 0x2001'],
        some: true,
        words: {
          ...onLink,
          ...sessionChange,
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
        examples: ['gtp session del dev upf0 local-teid 1 endmarker'],
        words: {
          ...onLink,
          ...sessionId,
          endmarker: { flag: true, help: 'and send an End Marker behind its last packet' },
        },
      },
      get: { help: 'show one session', words: { ...onLink, ...sessionId } },
      show: {
        help: 'show sessions',
        examples: ['gtp -s session show dev upf0', 'gtp -j session show ue 10.45.0.2'],
        words: sessionFilter,
      },
      flush: {
        help: 'remove sessions; without words all of the network namespace',
        changes: true,
        words: sessionFilter,
      },
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
        examples: ['gtp ping 192.0.2.2 count 3', 'gtp ping dev upf0 local-teid 1'],
        either: ['addr', 'dev'],
        words: {
          addr: { kind: address, source: 'session', positional: true, help: 'the peer' },
          dev: { kind: linkName, help: 'the remote of the sessions of this link, from their local address' },
          'local-teid': {
            kind: ownTeid,
            source: 'session',
            with: 'dev',
            not: ['tid'],
            help: 'the remote of this session, where they have several',
          },
          tid: {
            kind: tid,
            source: 'session',
            with: 'dev',
            not: ['local-teid'],
            help: 'the same for a session of version 0',
          },
          local: { kind: address, source: 'address', help: 'address to send from; else the one that the kernel takes' },
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
        examples: ['gtp -s path show remote 192.0.2.2'],
        words: {
          local: { kind: address, source: 'session', help: 'of this local address alone' },
          remote: { kind: address, source: 'session', help: 'to this peer alone' },
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
  completion: {
    help: 'completion of words by TAB in a shell',
    commands: {
      bash: { help: 'print the completion for bash', runs: true, words: {} },
      zsh: { help: 'print the completion for zsh', runs: true, words: {} },
      fish: { help: 'print the completion for fish', runs: true, words: {} },
      values: {
        help: 'print the values that sessions have for a word, or the links',
        hidden: true,
        runs: true,
        words: {
          word: { kind: storedOrLink, positional: true, required: true, help: 'the word; addr: a peer to ping' },
          dev: { kind: linkName, help: 'of the sessions of this link' },
          type: { kind: linkType, help: 'of sessions of this type' },
        },
      },
    },
  },
} as const satisfies { readonly [object: string]: ObjectSpec | Later };

/** Words that people of `ip` type for a command. Exact or shortened, after all the commands themselves. */
export const commandAliases: Readonly<Record<string, string>> = { delete: 'del', list: 'show', lst: 'show' };

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
