// SPDX-License-Identifier: MIT
import test from 'ava';
import fc from 'fast-check';
import type { Notation } from '../../src/datapath/btf';
import { codecOf, decode, encode, isPadding, type StructName, structOf, zero } from '../../src/datapath/codec';
import { structs } from '../../src/datapath/layout.gen';

const names = Object.keys(structs) as StructName[];

for (const name of names) {
  test(`${name} comes back from its octets as it went in`, (t) => {
    const back = fc.property(arbitrary(name), (value) => {
      const octets = encode(name, value as never);
      t.is(octets.length, structs[name].size);
      t.deepEqual(decode(name, octets), value as never);
    });
    fc.assert(back, { numRuns: 50 });
  });
}

test('numbers have the byte order of their type', (t) => {
  const octets = encode('tx_config', { ...zero('tx_config'), teid: 0x01020304, local_teid: 0x01020304 });
  t.is(octets.toString('hex', 32, 40), '0102030404030201');
});

test('a struct inside a struct lies at its offset', (t) => {
  const second = { ...zero('tx_config'), ttl: 7 };
  const [offset] = structs.tx_session.fields['config'] ?? [0];
  const octets = encode('tx_session', { ...zero('tx_session'), config: [zero('tx_config'), second] });
  t.is(octets[offset + structs.tx_config.size + (structs.tx_config.fields['ttl']?.[0] ?? 0)], 7);
});

test('padding is zero and has no name', (t) => {
  t.false('pad' in zero('rx_key'));
  t.true(isPadding('pad') && isPadding('pad2') && !isPadding('padding'));
});

const refused: [title: string, field: Record<string, unknown>, message: RegExp][] = [
  ['a number that is too large', { ttl: 256 }, /tx_config\.ttl: .*out of range/],
  ['a negative number', { teid: -1 }, /tx_config\.teid: .*out of range/],
  ['an address that is too short', { local: new Uint8Array(4) }, /tx_config\.local: 4 octets instead of 16/],
  ['a field that is missing', { sport: undefined }, /tx_config\.sport: /],
];
for (const [title, field, message] of refused) {
  test(`${title} is refused by name`, (t) => {
    t.throws(() => encode('tx_config', { ...zero('tx_config'), ...field } as never), { message });
  });
}

test('a text that does not fit is refused', (t) => {
  t.throws(() => encode('label', { name: 'x'.repeat(64) }), {
    message: /label\.name: 64 octets of text, at most 63 fit/,
  });
  t.is(decode('label', encode('label', { name: 'ü'.repeat(31) })).name, 'ü'.repeat(31));
});

test('a codec is made once', (t) => {
  t.is(codecOf('tx_session'), codecOf('tx_session'));
});

function arbitrary(type: Notation): fc.Arbitrary<unknown> {
  const struct = structOf(type);
  if (type.endsWith(']')) return arbitraryArray(type);
  if (struct !== undefined) return arbitraryStruct(struct);
  const bits = Number(/\d+/.exec(type)?.[0]);
  if (bits === 64) return type === 's64' ? fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) : fc.bigInt(0n, 2n ** 64n - 1n);
  if (type.startsWith('s')) return fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });
  return fc.integer({ min: 0, max: 2 ** bits - 1 });
}

function arbitraryArray(type: Notation): fc.Arbitrary<unknown> {
  const open = type.lastIndexOf('[');
  const element = type.slice(0, open);
  const length = Number(type.slice(open + 1, -1));
  if (element === 'u8') return fc.uint8Array({ minLength: length, maxLength: length });
  if (element === 'char') return fc.string({ maxLength: length - 1, unit: 'grapheme-ascii' });
  return fc.array(arbitrary(element), { minLength: length, maxLength: length });
}

function arbitraryStruct(name: StructName): fc.Arbitrary<unknown> {
  const fields = Object.entries(structs[name].fields).filter(([field]) => !isPadding(field));
  return fc.record(Object.fromEntries(fields.map(([field, [, type]]) => [field, arbitrary(type)])));
}
