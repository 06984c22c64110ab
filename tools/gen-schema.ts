// SPDX-License-Identifier: MIT
// Writes docs/schema, the JSON Schemas of what -j answers, and the tables of docs/json.md. `--check` only tells whether they are up to
// date.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { link, path, ping, sessions } from './record-schemas';
import type { Json } from './schema';

type Named = { readonly [name: string]: Json };

const OUTPUT = 'docs/schema';
const PAGE = 'docs/json.md';
const NO_DEFS: Named = {};
const NULL = '`null`';

const { shared, records } = sharing(sessions);
const anySession = { oneOf: Object.keys(records).map((name) => ({ $ref: `#/$defs/${defName(name)}` })) };
const SCHEMAS: Named = {
  link: answer('gtp -j link', link, NO_DEFS),
  session: answer('gtp -j session', anySession, {
    ...Object.fromEntries(Object.entries(records).map(([name, record]) => [defName(name), record])),
    ...shared,
  }),
  path: answer('gtp -j path', path, NO_DEFS),
  ping: answer('gtp -j ping', ping, NO_DEFS),
};

const TABLES: { readonly [name: string]: readonly Json[] } = {
  link: [link],
  session: Object.values(sessions),
  path: [path],
  ping: [ping],
  'details of a link': [part(link, 'details')],
  'details of a session': Object.values(sessions).map((each) => part(each, 'details')),
  stats: [part(link, 'stats')],
};

const files = [
  ...Object.entries(SCHEMAS).map(([name, schema]) => [`${OUTPUT}/${name}.schema.json`, jsonText(schema)] as const),
  [PAGE, page(readFileSync(PAGE, 'utf8'))] as const,
];
const stale = files.filter(([file, after]) => !existsSync(file) || readFileSync(file, 'utf8') !== after);
if (process.argv.includes('--check')) {
  for (const [file] of stale)
    console.error(`${file} is not what src/grammar and tools/record-words.ts have: run npm run gen`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  mkdirSync(OUTPUT, { recursive: true });
  for (const [file, after] of stale) {
    writeFileSync(file, after);
    console.log(`wrote ${file}`);
  }
}

function answer(title: string, record: Json, defs: Named): Json {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title,
    description: 'One array of records, also when it is empty.',
    type: 'array',
    items: { $ref: '#/$defs/record' },
    $defs: { record, ...defs },
  };
}

function jsonText(schema: Json): string {
  return `${JSON.stringify(schema, null, 2)}\n`;
}

// What several records have in common stands once, by its key.
function sharing(all: Named): { readonly shared: Named; readonly records: Named } {
  const told = Object.values(all).flatMap((record) => Object.entries(propertiesOf(record)));
  const counts = new Map<string, number>();
  for (const [key, schema] of told) counts.set(idOf(key, schema), (counts.get(idOf(key, schema)) ?? 0) + 1);
  const common = told.filter(([key, schema]) => schema['type'] !== 'null' && (counts.get(idOf(key, schema)) ?? 0) > 1);
  const found = Object.fromEntries(common.reverse());
  const refer = ([key, schema]: [string, Json]): [string, Json] => {
    const isSame = found[key] !== undefined && idOf(key, found[key]) === idOf(key, schema);
    return [key, isSame ? { $ref: `#/$defs/${key}` } : schema];
  };
  const short = Object.entries(all).map(([name, record]) => [
    name,
    { ...record, properties: Object.fromEntries(Object.entries(propertiesOf(record)).map(refer)) },
  ]);
  return { shared: found, records: Object.fromEntries(short) };
}

function idOf(key: string, schema: Json): string {
  return `${key} ${JSON.stringify(schema)}`;
}

function defName(name: string): string {
  return `type_${name.replaceAll(' ', '_')}`;
}

function propertiesOf(record: Json): Named {
  return record['properties'] as Named;
}

function part(record: Json, key: string): Json {
  return propertiesOf(record)[key] as Json;
}

function page(before: string): string {
  return before.replace(/^(<!-- generated ([a-z ]+?) -->)\n(?:.*\n)*?(<!-- end \2 -->)$/gm, (_, start, name, end) => {
    const records = TABLES[name];
    if (records === undefined) throw new Error(`${PAGE}: no table "${name}"`);
    return `${start}\n${table(records)}\n${end}`;
  });
}

// One line for each key that any of the records has.
function table(records: readonly Json[]): string {
  const keys = [...new Set(records.flatMap((record) => Object.keys(propertiesOf(record))))];
  const lines = keys.map((key) => {
    const all = records.map((record) => propertiesOf(record)[key]).filter((schema) => schema !== undefined);
    const values = [...new Set(all.flatMap(valuesOf))].sort((a, b) => Number(a === NULL) - Number(b === NULL));
    const meaning = new Set(all.filter(({ type }) => type !== 'null').map(({ description }) => description));
    return `| \`${key}\` | ${values.join(', ')} | ${[...meaning].join('; ')} |`;
  });
  return ['| Key | Value | Meaning |', '|---|---|---|', ...lines].join('\n');
}

function valuesOf(schema: Json): string[] {
  if ('anyOf' in schema) return (schema['anyOf'] as Json[]).flatMap(valuesOf);
  if ('enum' in schema) return (schema['enum'] as unknown[]).map((value) => `\`${value}\``);
  if ('const' in schema) return [`\`${schema['const']}\``];
  if ('$ref' in schema) return ['object'];
  const types = [schema['type']].flat().map(String);
  return types.map((type) => (type === 'null' ? NULL : typeText(type, schema)));
}

function typeText(type: string, { format, minimum, maximum, items }: Json): string {
  if (format !== undefined) return 'address';
  if (type === 'array') return `list of ${[...new Set(valuesOf(items as Json))].join(' or ')}`;
  return maximum === undefined ? type : `${type} ${minimum}-${maximum}`;
}
