// SPDX-License-Identifier: MIT
// What -j answers, against the schemas of docs/schema.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type { ValidateFunction } from 'ajv';
import { readOptions } from '../src/cli/options';

type Schema = { readonly [key: string]: unknown };

/** The schemas by the object of the command line whose answers they describe. */
export const schemas = (): ReadonlyMap<string, Schema> => {
  const names = readdirSync(FOLDER).map((file) => file.replace(ENDING, ''));
  return new Map(names.map((name) => [name, JSON.parse(readFileSync(`${FOLDER}/${name}${ENDING}`, 'utf8')) as Schema]));
};

/** Says what is wrong with an answer about an object; nothing if it is as the schema has it. */
export function faultsOf(object: string, answer: unknown): string {
  validators ??= load();
  const validate = validators[object];
  if (validate === undefined) throw new Error(`no schema of ${object}`);
  if (validate(answer)) return '';
  return (validate.errors ?? [])
    .map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`)
    .join('\n');
}

/** Throws where the command under test answered with JSON that is not as its schema has it. */
export function checkAnswer(command: readonly string[], stdout: string): void {
  const at = command.findIndex((word) => word === OURS || resolve(word) === OURS);
  if (at < 0 || !stdout.startsWith('[')) return;
  const { options, rest } = readOptions(command.slice(at + 1));
  const object = OBJECTS.find((name) => name.startsWith(rest[0] ?? 'none'));
  if (!options.json || object === undefined) return;
  const faults = faultsOf(object, JSON.parse(stdout));
  if (faults !== '')
    throw new Error(`${command.join(' ')}: its answer is not as docs/schema has it\n${faults}\n${stdout}`);
}

const FOLDER = 'docs/schema';
const ENDING = '.schema.json';
const OURS = resolve('dist/gtp.cjs');
const OBJECTS = ['link', 'session', 'ping', 'path'];
let validators: Validators | undefined;

type Validators = { readonly [object: string]: ValidateFunction };

// Loaded with the first answer: many tests have none. tools/build.mjs has made it.
function load(): Validators {
  return createRequire(__filename)(resolve('dist/schemas.cjs')) as Validators;
}

/** The keys that the schemas tell of, as paths: "link details.mtu". */
export function keysTold(): string[] {
  return [...schemas()].flatMap(([object, schema]) =>
    [...new Set(pathsIn(schema, schema, ''))].map((path) => `${object} ${path}`),
  );
}

/** The keys that an answer has, in the same notation. */
export function keysOf(object: string, answer: unknown): string[] {
  return [...new Set(pathsOf(answer, ''))].map((path) => `${object} ${path}`);
}

function pathsOf(value: unknown, above: string): string[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((each) => pathsOf(each, above));
  return Object.entries(value).flatMap(([key, each]) => [`${above}${key}`, ...pathsOf(each, `${above}${key}.`)]);
}

// A reference to another file is not followed: that one is looked at by itself.
function pathsIn(root: Schema, schema: Schema, above: string): string[] {
  const { $ref, items, properties = {}, oneOf = [], anyOf = [] } = schema as Parts;
  const parts = [
    ...oneOf,
    ...anyOf,
    ...(items === undefined ? [] : [items]),
    ...($ref?.startsWith('#/$defs/') ? [defOf(root, $ref)] : []),
  ];
  const own = Object.entries(properties).flatMap(([key, each]) => [
    `${above}${key}`,
    ...pathsIn(root, each, `${above}${key}.`),
  ]);
  return [...own, ...parts.flatMap((part) => pathsIn(root, part, above))];
}

type Parts = {
  readonly $ref?: string;
  readonly items?: Schema;
  readonly properties?: { readonly [key: string]: Schema };
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
};

function defOf({ $defs }: Schema, reference: string): Schema {
  return ($defs as { readonly [name: string]: Schema })[reference.replace('#/$defs/', '')] ?? {};
}
