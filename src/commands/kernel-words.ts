// SPDX-License-Identifier: MIT
// Which words the kernel's own gtp driver can follow.
import { textsOf } from '../cli/complete';
import { UsageError } from '../errors';
import { type CommandSpec, grammar, keyOf, PORTS } from '../grammar';

/** What links of the driver do anyway: a word that says so is taken, with another value it is refused. */
export const LINK_ALWAYS = {
  type: 'gtp',
  payload: 'ip',
  port: PORTS.gtp,
  srcport: 'fixed',
  tos: 'inherit',
  udpcsum: true,
  df: 'unset',
  errind: 'off',
  extnotify: 'off',
  errind_action: 'none',
} as const;

/** The same of their sessions. */
export const SESSION_ALWAYS = {
  type: 'gtp',
  payload: 'ip',
  peer: 'any',
  antispoof: true,
  psc: 'none',
  seq: false,
} as const;

const ID = ['version', 'local_teid', 'remote_teid', 'tid', 'flow', 'remote_flow'] as const;
const SESSION = [...ID, 'remote', 'ue'] as const;
const DEVICE = ['ifname', 'mtu', 'address', 'route'] as const;

/** Throws UsageError for a word that the driver cannot follow. */
export const checkWords = {
  linkAdd: (words: { readonly ifname: string }) =>
    refuse(grammar.link.commands.add, words, {
      takes: [...DEVICE, ...SESSION, 'datapath', 'netns', 'local', 'role', 'hsize', 'restart_count'],
      always: { ...SESSION_ALWAYS, ...LINK_ALWAYS, echo: 'on', inner: words.ifname },
    }),
  linkSet: (words: object) =>
    refuse(grammar.link.commands.set, words, {
      takes: [...DEVICE, 'up', 'down'],
      always: LINK_ALWAYS,
      keeps: ['local', 'role', 'restart_count'],
    }),
  session: (words: object) =>
    refuse(grammar.session.commands.add, words, { takes: [...SESSION, 'dev', 'local'], always: SESSION_ALWAYS }),
  sessionDel: (words: object) =>
    refuse(grammar.session.commands.del, words, { takes: [...ID, 'dev', 'local'], always: SESSION_ALWAYS }),
};

type Able = {
  readonly takes: readonly string[];
  readonly always: { readonly [key: string]: unknown };
  /** Words that a link has from `add` for as long as it lives. */
  readonly keeps?: readonly string[];
};

function refuse(spec: CommandSpec, words: object, { takes, always, keeps = [] }: Able): void {
  const values = new Map<string, unknown>(Object.entries(words));
  for (const [word, text] of textsOf(spec, words)) {
    const key = keyOf(word);
    if (takes.includes(key) || always[key] === values.get(key)) continue;
    const typed = spec.words[word] !== undefined && 'flag' in spec.words[word] ? text : `${word} ${text}`;
    if (keeps.includes(key)) {
      throw new UsageError(`the kernel's gtp driver cannot change "${word}"`, {
        hint: 'a link has it from link add: remove the link and make it anew',
      });
    }
    const has = key in always ? `: it always has ${held(word, always[key])}` : '';
    throw new UsageError(`the kernel's gtp driver cannot do "${typed}"${has}`, {
      hint: 'leave it out, or use a link of datapath bpf',
    });
  }
}

function held(word: string, value: unknown): string {
  return typeof value === 'boolean' ? `"${value ? '' : 'no'}${word}"` : `"${word} ${value}"`;
}
