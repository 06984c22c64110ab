// SPDX-License-Identifier: MIT
import test from 'ava';
import fc from 'fast-check';
import {
  bytes,
  decodeAttributes,
  encodeAttributes,
  flag,
  list,
  nest,
  s32,
  string,
  struct,
  u8,
  u16,
  u32,
  u64,
} from '../../src/netlink/attributes';

const schema = {
  name: [3, string],
  mtu: [4, u32],
  short: [5, u16],
  mode: [6, u8],
  signed: [7, s32],
  wide: [8, u64],
  raw: [9, bytes],
  on: [10, flag],
  inner: [11, nest({ mode: [1, u8] })],
  items: [12, list(1, nest({ name: [2, string], on: [3, flag] }))],
} as const;

const hex = (values: Parameters<typeof encodeAttributes<typeof schema>>[1]): string =>
  encodeAttributes(schema, values).toString('hex');

test('an attribute is length, type and payload, padded to four octets', (t) => {
  t.is(hex({ name: 'a' }), '06000300' + '6100' + '0000');
});

test('attributes keep the order in which they were given', (t) => {
  t.is(hex({ mtu: 1500, mode: 1 }), '08000400dc050000' + '0500060001000000');
});

test('an undefined attribute is left out', (t) => {
  t.is(hex({ mtu: undefined }), '');
});

test('a flag has no payload', (t) => {
  t.is(hex({ on: true }), '04000a00');
});

test('an attribute that holds attributes has NLA_F_NESTED', (t) => {
  t.is(hex({ inner: { mode: 1 } }), '0c000b80' + '0500010001000000');
});

test('a list repeats one type', (t) => {
  const items = [{ name: 'a' }, { name: 'b', on: true as const }];
  t.is(hex({ items }), '20000c80' + '0c000180' + '0600020061000000' + '10000180' + '0600020062000000' + '04000300');
});

test('attributes of a newer kernel are skipped', (t) => {
  const newer = encodeAttributes({ later: [99, u32], mtu: [4, u32] }, { later: 7, mtu: 1400 });
  t.deepEqual(decodeAttributes(schema, newer), { mtu: 1400 });
});

test('a fixed header is written without holes, absent fields as zero', (t) => {
  const header = struct({ family: 1, _pad: 1, type: 2, index: 4 });
  t.is(header.encode({ family: 10, index: 0x01020304 }).toString('hex'), '0a000000' + '04030201');
});

test('a fixed header gives its fields and what follows', (t) => {
  const header = struct({ family: 1, _pad: 1, type: 2 });
  const { values, rest } = header.decode(Buffer.from('0a000500' + 'ff', 'hex'));
  t.deepEqual([values.family, values.type, rest.toString('hex')], [10, 5, 'ff']);
});

test('what was encoded is decoded again', (t) => {
  const values = fc.record(
    {
      name: fc.string({ unit: 'grapheme-ascii', maxLength: 15 }),
      mtu: fc.nat(0xffffffff),
      short: fc.nat(0xffff),
      signed: fc.integer(),
      wide: fc.bigInt(0n, 0xffffffffffffffffn),
      on: fc.constant(true as const),
      items: fc.array(fc.record({ name: fc.string({ unit: 'grapheme-ascii' }) })),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(values, (value) => t.deepEqual(decodeAttributes(schema, encodeAttributes(schema, value)), value)),
  );
  t.pass();
});
