// SPDX-License-Identifier: MIT
import { isIPv6 } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { UsageError } from '../../src/errors';
import * as values from '../../src/values';
import { kinds } from './arbitraries';

for (const [name, [kind, arbitrary]] of Object.entries(kinds)) {
  test(`${name}: what format writes, parse reads back`, (t) => {
    fc.assert(fc.property(arbitrary, (value) => isSame(kind.parse(kind.format(value)), value)));
    t.pass();
  });
}

test('every exported kind has random values', (t) => {
  const exported = Object.entries(values).filter(([, value]) => typeof value === 'object' && 'parse' in value);
  t.deepEqual(exported.map(([name]) => name).sort(), Object.keys(kinds).sort());
});

test('random text is read or refused with UsageError, by every kind', (t) => {
  const texts = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789abcdefx:./') }));
  const all = Object.values(kinds).map(([kind]) => kind);
  fc.assert(
    fc.property(texts, fc.constantFrom(...all), (text, kind) => readable(kind, text) !== 'bug'),
    { numRuns: 3000 },
  );
  t.pass();
});

test('IPv6 text is read as node:net reads it, but for zones and IPv4-mapped addresses', (t) => {
  const texts = fc.string({ unit: fc.constantFrom(...'0123ff:::.'), maxLength: 24 });
  fc.assert(
    fc.property(texts, (text) => {
      const ours = readable(values.address, text) === 'yes' && text.includes(':');
      return ours === (isIPv6(text) && !/^(0*:)*:?(0*:)*f{4}:/i.test(text)) || /ffff:/.test(text);
    }),
    { numRuns: 5000 },
  );
  t.pass();
});

const reads = (t: ExecutionContext, kind: values.Kind<unknown>, text: string, written: string) =>
  t.is(kind.format(kind.parse(text)), written);
const refuses = (t: ExecutionContext, kind: values.Kind<unknown>, text: string) => {
  const error = t.throws(() => kind.parse(text), { instanceOf: UsageError });
  t.true(error?.message.includes(`"${text}"`) && error.message.includes('expected'), error?.message);
};

test('an address is written in its shortest form', reads, values.address, '2001:DB8:0:0::1', '2001:db8::1');
test('an IPv4-mapped address is refused', refuses, values.address, '::ffff:10.0.0.1');
test('an address with a zone is refused', refuses, values.address, 'fe80::1%eth0');
test('an address of three parts is refused', refuses, values.address, '10.0.1');
test('an octal address is refused', refuses, values.address, '010.0.0.1');
test('an address is not a prefix', refuses, values.address, '10.0.0.1/8');
test('a prefix without a length is a host', reads, values.prefix, '10.0.0.1', '10.0.0.1/32');
test('an IPv6 prefix without a length is a host', reads, values.prefix, '2001:db8::1', '2001:db8::1/128');
test('host bits of a prefix are cleared', reads, values.prefix, '10.1.2.3/9', '10.0.0.0/9');
test('host bits of an IPv6 prefix are cleared', reads, values.prefix, '2001:db8::1/33', '2001:db8::/33');
test('the whole address space is a prefix', reads, values.prefix, '1.2.3.4/0', '0.0.0.0/0');
test('an interface address keeps its host bits', reads, values.interfaceAddress, '10.1.2.3/9', '10.1.2.3/9');
test('a prefix longer than the address is refused', refuses, values.prefix, '10.0.0.0/33');
test('a prefix with an empty length is refused', refuses, values.prefix, '10.0.0.0/');
test('a prefix with two lengths is refused', refuses, values.prefix, '10.0.0.0/8/8');
test('default is a route', reads, values.prefixOrDefault, 'default', 'default');
test('a decimal TEID is written in hexadecimal', reads, values.teid, '4097', '0x00001001');
test('a hexadecimal TEID is read', reads, values.teid, '0xFFFFFFFF', '0xffffffff');
test('a TID has 64 bits, and none is lost', reads, values.tid, '18446744073709551615', '0xffffffffffffffff');
test('a TID beyond 2^53 keeps its last digit', reads, values.tid, '9007199254740993', '0x0020000000000001');
test('a TID of 65 bits is refused', refuses, values.tid, '18446744073709551616');
test('a TID is not 0', refuses, values.tid, '0');
test('a version of GTP is 0 or 1', refuses, values.version, '2');
test('a peer may have the TEID 0', reads, values.teid, '0', '0x00000000');
test('a TEID of our own is not 0', refuses, values.ownTeidOrAuto, '0');
test('a TEID of 33 bits is refused', refuses, values.teid, '0x100000000');
test('a TEID with a leading zero is refused, for it may mean another base', refuses, values.teid, '010');
test('a negative number is refused', refuses, values.teid, '-1');
test('an empty number is refused', refuses, values.teid, '');
test('a number with a fraction is refused', refuses, values.mtu, '1500.0');
test('an MTU of 67 is refused', refuses, values.mtu, '67');
test('a QFI of 64 is refused', refuses, values.qfi, '64');
test('tos is written as ip does', reads, values.tos, '184', '0xb8');
test('a name of 16 characters is refused', refuses, values.ifname, 'abcdefghijklmnop');
test('a name of 15 characters is read', reads, values.ifname, 'abcdefghijklmno', 'abcdefghijklmno');
test('a name with a slash is refused', refuses, values.ifname, 'a/b');
test('a name with a space is refused', refuses, values.ifname, 'a b');
test('the name .. is refused', refuses, values.ifname, '..');
test('a name that the kernel would take for a template is refused', refuses, values.ifname, 'gtp%d');
test('a multicast MAC is refused', refuses, values.mac, '01:00:5e:00:00:01');
test('a MAC in capitals is read', reads, values.mac, '02:AB:00:00:00:01', '02:ab:00:00:00:01');
test('a label that a shell would take apart is refused', refuses, values.label, 'a;b');

function readable(kind: values.Kind<unknown>, text: string): 'yes' | 'no' | 'bug' {
  try {
    kind.parse(text);
    return 'yes';
  } catch (error) {
    return error instanceof UsageError ? 'no' : 'bug';
  }
}

function isSame(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(a, b);
}
