// SPDX-License-Identifier: MIT
// Schemas of the records that -j answers: words as src/grammar has them, the other keys as record-words.ts tells.
import { keysOf } from '../src/commands/words-record';
import { FORMS, type Form, grammar, isLater, keyOf, type Row, typeOfForm, type Words } from '../src/grammar';
import { linkKeys, pathKeys, pingKeys, sessionKeys } from './record-words';
import { choice, integer, type Json, nullable, object, wordSchema } from './schema';

type Keys = { readonly [key: string]: Json };

/** Keys that records have only when it is asked for: by -d, by -s, and of `link add` by SESSION-WORDS. */
const DETAILS = 'details';
const STATS = 'stats';
const FIRST = ['local_teid', 'session'];

/** Words that a record of another type, or of the kernel's own driver, does not have, or that need not be set. */
const UNSET_OF_LINKS: readonly string[] = [
  ...['local', 'netns', 'inner', 'port', 'srcport', 'ttl', 'gso', 'deliver', 'hairpin', 'xdp', 'lladdr', 'echo'],
  ...['udpcsum', 'hsize', 'vrf'],
];

/** Words of the inner end, which `ip address` and `ip route` show. */
const NOT_OF_RECORDS: readonly string[] = ['address', 'route'];

/** Words of sessions that have a value also where nobody gives one. */
const ALWAYS_SET: readonly string[] = ['antispoof', 'seq', 'csum', 'iseq', 'oseq', 'dstport'];

/** A link. */
export const link = object(
  {
    ...linkWords(),
    ...linkKeys,
    local_teid: nullable(integer('in the answer of link add with SESSION-WORDS: TEID of the session', 1, 0xffffffff)),
    session: {
      $ref: 'session.schema.json#/$defs/record',
      description: 'in the answer of link add with SESSION-WORDS: the session',
    },
  },
  'a link',
  [DETAILS, STATS, ...FIRST],
);

/** A session of each type, and of gtp of each version. */
export const sessions: { readonly [name: string]: Json } = Object.fromEntries(
  FORMS.map((form) => [`${typeOfForm(form)}${form.startsWith('version') ? ` ${form}` : ''}`, session(form)]),
);

/** A local address, or a peer of it. */
export const path = object(pathKeys, 'a local address, or a peer of one', [DETAILS, STATS]);

/** What became of a ping. */
export const ping = object(pingKeys, 'what became of the requests');

function linkWords(): Keys {
  const words: Words = grammar.link.commands.add.words;
  const own = Object.entries(words).flatMap(([word, row]): [string, Json][] => {
    if (isLater(row) || row.group !== undefined || NOT_OF_RECORDS.includes(word)) return [];
    return [[keyOf(word), UNSET_OF_LINKS.includes(word) ? nullable(wordSchema(row)) : wordSchema(row)]];
  });
  return Object.fromEntries(own);
}

function session(form: Form): Json {
  const type = typeOfForm(form);
  const { dev, name } = grammar.session.commands.add.words;
  const words = keysOf(type).map(([key, row]) => [key, sessionKey(form, key, row)]);
  const keys = { dev: wordSchema(dev), ...Object.fromEntries(words), name: nullable(wordSchema(name)), ...sessionKeys };
  return object(keys, `a session of type ${type}${type === form ? '' : `, ${form}`}`, [DETAILS, STATS]);
}

function sessionKey(form: Form, key: string, row: Row): Json {
  const type = typeOfForm(form);
  if (key === 'type') return { const: type, description: row.help };
  if (key === 'version') return { const: form === 'version 0' ? 0 : 1, description: row.help };
  if (key === 'rqi') return choice([true, null], row.help);
  if (row.of !== undefined && !row.of.includes(form) && !isOfBothVersions(key, type)) {
    return { type: 'null', description: 'of others alone' };
  }
  const byType = row.defaults?.[type];
  const isSet = row.required || row.repeat || row.default !== undefined || byType !== undefined;
  return isSet || ALWAYS_SET.includes(key) ? wordSchema(row) : nullable(wordSchema(row));
}

// Version 0 has no such word, for it carries packets alone; records say so.
function isOfBothVersions(key: string, type: string): boolean {
  return key === 'payload' && type === 'gtp';
}
