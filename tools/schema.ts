// SPDX-License-Identifier: MIT
// Words of JSON Schema (draft 2020-12), as far as docs/schema needs them.
import type { Row } from '../src/grammar';
import {
  address as addressKind,
  cookie,
  geneveOption,
  hostPrefix,
  type Kind,
  mac,
  ownTeidOrAuto,
  prefix,
  tid,
  version,
} from '../src/values';

/** A schema, or a part of one. */
export type Json = { readonly [key: string]: unknown };

export const text = (description: string): Json => ({ type: 'string', description });
export const integer = (description: string, minimum = 0, maximum?: number): Json => ({
  type: 'integer',
  minimum,
  ...(maximum === undefined ? {} : { maximum }),
  description,
});
export const octet = (description: string): Json => integer(description, 0, 255);
export const number16 = (description: string): Json => integer(description, 0, 65535);
export const real = (description: string, maximum?: number): Json => ({
  ...integer(description, 0, maximum),
  type: 'number',
});
export const flag = (description: string): Json => ({ type: 'boolean', description });
export const choice = (values: readonly unknown[], description: string): Json => ({ enum: values, description });
export const address = (description: string): Json => ({ ...ADDRESS, description });
export const array = (items: Json, description: string): Json => ({ type: 'array', items, description });

/** An object with these keys and no others; those of `may` need not be there. */
export function object(
  properties: { readonly [key: string]: Json },
  description: string,
  may: readonly string[] = [],
): Json {
  const required = Object.keys(properties).filter((key) => !may.includes(key));
  return { type: 'object', description, properties, required, additionalProperties: false };
}

/** The same, or null. */
export function nullable(schema: Json): Json {
  const { description, ...rest } = schema;
  if ('enum' in schema) return { ...schema, enum: [...(schema['enum'] as unknown[]), null] };
  if (typeof schema['type'] === 'string') return { ...schema, type: [schema['type'], 'null'] };
  return { anyOf: [...((rest['anyOf'] as Json[] | undefined) ?? [rest]), { type: 'null' }], description };
}

/** What a word has as its value in a record. */
export function wordSchema(row: Row): Json {
  const { kind, help: description } = row;
  if (kind === undefined) return flag(description);
  const item = OF_KIND.get(kind) ?? ofChoices(kind);
  return row.repeat ? array(item, description) : { ...item, description };
}

const ADDRESS = {
  anyOf: [
    { type: 'string', format: 'ipv4' },
    { type: 'string', format: 'ipv6' },
  ],
};
const PREFIX = { type: 'string', pattern: '^[0-9a-f.:]+/[0-9]{1,3}$' };

// What the records have is text in the notation of the command, but for numbers.
const OF_KIND = new Map<unknown, Json>([
  [addressKind, ADDRESS],
  [prefix, PREFIX],
  [hostPrefix, PREFIX],
  [mac, { type: 'string', pattern: '^([0-9a-f]{2}:){5}[0-9a-f]{2}$' }],
  [cookie, { type: 'string', pattern: '^([0-9a-f]{8}){1,2}$' }],
  [geneveOption, { type: 'string', pattern: '^[0-9a-f]{4}:[0-9a-f]{2}:([0-9a-f]{8})*$' }],
  [ownTeidOrAuto, { type: 'integer', minimum: 1, maximum: 0xffffffff }],
  [tid, { type: 'integer', minimum: 1 }],
  [version, { enum: [0, 1] }],
]);

function ofChoices({ range, choices, source }: Kind<unknown>): Json {
  const numbers = range === undefined ? [] : [{ type: 'integer', minimum: range[0], maximum: range[1] }];
  // A kind with names among its values has them besides its choices.
  if (source !== undefined || (range === undefined && choices === undefined)) return { type: 'string' };
  if (choices === undefined) return numbers[0] ?? {};
  return numbers.length === 0 ? { enum: choices } : { anyOf: [...numbers, { enum: choices }] };
}
