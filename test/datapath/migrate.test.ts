// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import test from 'ava';
import { createHash, lookup, type RawMap, rawMap, slotBytes, update } from '../../src/bindings/bpf-map';
import { type BpfObject, type ObjectMap, openObject } from '../../src/bindings/bpf-object';
import { type Btf, parseBtf } from '../../src/datapath/btf';
import { Unfit } from '../../src/datapath/convert';
import { grow } from '../../src/datapath/layout.gen';
import { scanRaw } from '../../src/datapath/maps';
import { baseSize, copyEntries, countersOf, type Migration, migration } from '../../src/datapath/migrate';
import { isKept, objectPath } from '../../src/datapath/object';
import { isSameShape, type Shape, shapeIn, shapeOf } from '../../src/datapath/shape';
import { readNumber, type Type, writeNumber } from '../../src/datapath/types';
import { testObject } from './private';

interface Loaded {
  readonly object: BpfObject;
  readonly btf: Btf;
}

const [was, is] = [loaded('was'), loaded('is')];
test.after.always(() => [was, is].forEach(({ object }) => void object.close()));

const VALUE = {
  ...{ wider: 200, sign: -5, host: 0x1234, network: 0x01020304, narrower: 60000, color: 1, flags: 1 | 4 | 8 | 32 },
  ...{ gone: 9, former: 77, text: 'seven', list: [1, 2, 3], packets: 1000, next: 5 },
  inner: [
    { first: 11, second: 12 },
    { first: 21, second: 22 },
  ],
};

test.serial(
  'fields go by name: to other places, sizes, byte orders and numbers; what is new is 0 or what it says',
  (t) => {
    fill('values', { id: 7, gone: 0 }, VALUE);
    const passage = between('values');
    copyEntries(passage);
    const [entry] = entriesOf(passage.is, passage.shapes.is);
    t.deepEqual(entry, [
      { id: 7n },
      {
        ...{ packets: 1000n, next: 5n + 8192n, latter: 77n, text: 'seven', flags: 16n | 8n | 32n, color: 3n },
        ...{ narrower: 60000n, host: 0x1234n, network: 0x01020304n, sign: -5n, wider: 200n, fresh: 255n, zero: 0n },
        list: [1n, 2n, 3n, 0n],
        inner: [
          { first: 11n, third: 3n, second: 12n },
          { first: 21n, third: 3n, second: 22n },
          { first: 0n, third: 0n, second: 0n },
        ],
      },
    ]);
    t.is(lookup(passage.base as RawMap, octetsOf(passage.shapes.is.key, { id: 7 }))?.readBigUInt64LE(0), 1000n);
  },
);

const refused: [title: string, value: object, message: RegExp][] = [
  ['a number that is too large', { narrower: 70000 }, /^value\.narrower: 70000 does not fit u16$/],
  ['a text that is too long', { text: 'eight...' }, /^value\.text: what a char\[16\] holds does not fit char\[8\]$/],
  ['a name that is gone', { color: 3 }, /^value\.color: there is no COLOR_GONE any more$/],
];
for (const [title, value, message] of refused) {
  test.serial(`${title} is refused by the name of its field`, (t) => {
    fill('values', { id: 7, gone: 0 }, { ...VALUE, ...value });
    t.throws(() => copyEntries(between('values')), { instanceOf: Unfit, message });
    fill('values', { id: 7, gone: 0 }, VALUE);
  });
}

test.serial('keys that become the same, and more entries than there is room for, are refused', (t) => {
  fill('values', { id: 7, gone: 1 }, VALUE);
  t.throws(() => copyEntries(between('values')), { message: 'two of its keys would become the same' });
  for (const id of [8, 9]) fill('values', { id, gone: 0 }, VALUE);
  const raw = rawOf(was, 'values');
  t.true([...scanRaw(raw)].length > 2);
  t.throws(() => copyEntries(between('values')), { instanceOf: Unfit });
});

test.serial('maps of every CPU, arrays and maps that forget keep their entries', (t) => {
  const perCpu = rawOf(was, 'counts');
  const values = Buffer.alloc(perCpu.valueBytes);
  for (let at = 0; at < values.length; at += slotBytes(perCpu.info)) values.writeBigUInt64LE(BigInt(at + 1), at);
  update(perCpu, octetsOf(shapeOf(perCpu).key, 5), values);
  const counts = between('counts');
  copyEntries(counts);
  const [[key, copied] = []] = [...scanRaw(counts.is)].map((e) => [e.keys.readBigUInt64LE(e.key), e.values] as const);
  t.is(key, 5n);
  for (let at = 0; at < values.length; at += 8) t.is(copied?.readUInt32LE(at), at + 1);

  fill('slots', 1, 42);
  const slots = between('slots');
  copyEntries(slots);
  t.deepEqual(entriesOf(slots.is, slots.shapes.is), [
    [0n, 0n],
    [1n, 42n],
  ]);
  fill('slots', 3, 1);
  t.throws(() => copyEntries(between('slots')), { message: 'entry 3: there are 2 now' });

  fill('learned', 6, 66);
  const learned = between('learned');
  copyEntries(learned);
  t.deepEqual(entriesOf(learned.is, learned.shapes.is), [[6n, 66n]]);
});

test.serial('a struct cannot become a number, nor a hash an array', (t) => {
  t.throws(() => between('other'), { instanceOf: Unfit, message: 'u32: inner cannot become u32' });
  t.throws(() => between('kind'), { instanceOf: Unfit, message: 'type of map: 1 cannot become 2' });
});

test.serial('a map is the same when names, places and numbers are', (t) => {
  const same = (name: string): boolean => {
    const { was: before, is: after } = shapesOf(name);
    return isSameShape(before, after);
  };
  t.true(same('same'));
  for (const name of ['values', 'counts', 'slots', 'learned', 'other', 'kind']) t.false(same(name), name);
});

test('bpf/grow.h names every map of ours that has counters, and no other', (t) => {
  const object = openObject(readFileSync(objectPath()));
  const btf = parseBtf(object.btf());
  const counting = object.maps.filter((map) => isKept(map) && countersOf(shapeIn(map, btf)).length > 0);
  t.deepEqual(counting.map(({ name }) => name).sort(), Object.keys(grow).sort());
  object.close();
});

function loaded(name: string): Loaded {
  const object = testObject(name);
  object.load();
  return { object, btf: parseBtf(object.btf()) };
}

function mapOf({ object }: Loaded, name: string): ObjectMap {
  const map = object.maps.find((each) => each.name === name);
  if (map === undefined) throw new Error(`no map ${name}`);
  return map;
}

const rawOf = (of: Loaded, name: string): RawMap => rawMap(mapOf(of, name).fd());

function shapesOf(name: string): { was: Shape; is: Shape } {
  return { was: shapeOf(rawOf(was, name)), is: shapeIn(mapOf(is, name), is.btf) };
}

/** From the one to a new map of the other, as each test wants an empty one. */
function between(name: string): Migration {
  const shapes = shapesOf(name);
  const fresh = testObject('is');
  fresh.load();
  const map = fresh.maps.find((each) => each.name === name) as ObjectMap;
  const size = baseSize(shapes.is);
  const base = size > 0 ? rawMap(createHash('base', shapes.is.keySize, size, 8)) : undefined;
  return migration({ name, was: rawOf(was, name), is: rawMap(map.fd()), shapes, base });
}

function fill(name: string, key: unknown, value: unknown): void {
  const { was: shape } = shapesOf(name);
  update(rawOf(was, name), octetsOf(shape.key, key), octetsOf(shape.value, value));
}

function entriesOf(map: RawMap, { key, value }: Shape): unknown[] {
  return [...scanRaw(map)].map((each) => [read(key, each.keys, each.key), read(value, each.values, each.value)]);
}

function octetsOf(type: Type | undefined, value: unknown): Buffer {
  const octets = Buffer.alloc(type?.size ?? 0);
  write(type, octets, 0, value);
  return octets;
}

function write(type: Type | undefined, octets: Buffer, at: number, value: unknown): void {
  if (type === undefined || value === undefined) return;
  if (type.form === 'number') writeNumber(type, octets, at, BigInt(value as number));
  else if (typeof value === 'string') octets.write(value, at);
  else if (type.form === 'array')
    for (const [i, each] of (value as unknown[]).entries())
      write(type.element, octets, at + i * type.element.size, each);
  else
    for (const each of type.fields)
      write(each.type, octets, at + each.at, (value as Record<string, unknown>)[each.name]);
}

function read(type: Type | undefined, octets: Buffer, at: number): unknown {
  if (type === undefined) return undefined;
  if (type.form === 'number') return readNumber(type, octets, at);
  if (type.form === 'array' && type.element.form === 'number' && type.element.isText)
    return octets.toString('latin1', at, octets.indexOf(0, at));
  if (type.form === 'array')
    return Array.from({ length: type.length }, (_, i) => read(type.element, octets, at + i * type.element.size));
  const fields = type.fields.filter(({ name }) => !name.startsWith('pad'));
  return Object.fromEntries(fields.map((each) => [each.name, read(each.type, octets, at + each.at)]));
}
