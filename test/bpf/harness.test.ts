// SPDX-License-Identifier: MIT
import test from 'ava';
import fc from 'fast-check';
import { zero } from '../../src/datapath/codec';
import { internetSum } from './checksum';
import { difference, dissect } from './dissect';
import { loadPrograms, sameFrame } from './harness';
import { A, A6, B, B6, bare, container, eth, mapped, octets, SERVER, SERVER6, UE, UE6 } from './packet';

test('the builder fills in lengths, protocols and checksums', (t) => {
  const frame = eth().ip4(A, B).udp(2152, 2152).gtpu({ teid: 0x1001 }).ip4(UE, SERVER).udp(1000, 53).payload('hello');
  const fields = new Map(dissect(frame.bytes()));
  t.is(fields.get('ip4.length'), '69');
  t.is(fields.get('ip4.protocol'), '17');
  t.is(fields.get('udp.length'), '49');
  t.is(fields.get('gtpu.length'), '33');
  t.is(fields.get('gtpu.teid'), '0x00001001');
  t.is(fields.get('inner.ip4.destination'), SERVER);
  for (const [name, value] of fields) if (name.endsWith('checksum')) t.true(value.endsWith('(right)'), name);
});

test('a header whose checksum is known comes out right', (t) => {
  const header = Buffer.from('450000730000400040110000c0a80001c0a800c7', 'hex');
  t.is(internetSum(header), 0xb861);
});

test('checksums cover the pseudo header of IPv6', (t) => {
  const frame = eth().ip6(A6, B6).icmp({ rest: 0x00010002 }).payload(7);
  t.true(new Map(dissect(frame.bytes())).get('icmp6.checksum')?.endsWith('(right)'));
});

test('a UDP checksum that would be zero is sent as ffff', (t) => {
  const plain = bare().ip4(A, B).udp(0, 0).payload(Buffer.alloc(2)).bytes();
  const filler = Buffer.from([plain[26] ?? 0, plain[27] ?? 0]);
  const frame = bare().ip4(A, B).udp(0, 0).payload(filler).bytes();
  t.is(frame.readUInt16BE(26), 0xffff);
  t.is(bare().ip4(A, B).udp(1, 2, { checksum: 0 }).bytes().readUInt16BE(26), 0);
});

test('extension headers are chained and padded to four octets', (t) => {
  const ext = [{ type: 0xc0, content: Buffer.from([1, 2]) }];
  const frame = bare().gtpu({ teid: 1, seq: 7, qfi: 9, pdu: 1, ext }).bytes();
  t.is(frame.toString('hex'), ['36ff000c00000001', '00070085', '011009c0', '01010200'].join(''));
  t.is(container(9, 1).content.toString('hex'), '1009');
});

test('a wrong field is built as it is told', (t) => {
  const frame = eth().ip4(A, B, { length: 1, checksum: 2 }).udp(1, 2, { length: 3 }).payload(0).bytes();
  const fields = new Map(dissect(frame));
  t.is(fields.get('ip4.checksum'), '0x0002 (wrong)');
  t.is(fields.get('ip4.length'), '1 (of 28)');
});

test('a difference names the field', (t) => {
  const start = eth().ip4(A, B).udp(2152, 2152);
  const found = difference(start.gtpu({ teid: 1 }).bytes(), start.gtpu({ teid: 2 }).bytes()) ?? '';
  t.regex(found, /^! gtpu\.teid: 0x00000001, wanted 0x00000002$/m);
  t.is(difference(start.bytes(), start.bytes()), undefined);
});

test('dissection throws at nothing', (t) => {
  const frames = [
    eth().ip4(A, B).udp(2152, 2152).gtpu({ teid: 1, qfi: 1 }).ip6(UE6, SERVER6).tcp().payload(9).bytes(),
    eth().ip6(A6, B6).fragment6().udp().gtpu({ teid: 1 }).ip4(UE, SERVER).icmp().payload(9).bytes(),
  ];
  const damage = fc.property(
    fc.constantFrom(...frames),
    fc.nat(150),
    fc.nat(150),
    fc.nat(255),
    (frame, length, at, octet) => {
      const damaged = Buffer.from(frame.subarray(0, length));
      if (at < damaged.length) damaged[at] = octet;
      dissect(damaged);
    },
  );
  t.notThrows(() => fc.assert(damage));
});

test('addresses become the keys of the datapath', (t) => {
  t.is(mapped(A).toString('hex'), '00000000000000000000ffffc0000201');
  t.is(mapped(A6).toString('hex'), octets(A6).toString('hex'));
});

test.serial('a frame goes through a program of a privately loaded object', (t) => {
  const programs = loadPrograms();
  t.teardown(() => programs.close());
  const frame = eth().ip4(A, B).tcp().payload(64);
  const run = programs.run('underlay', frame, { mark: 7 });
  t.is(run.verdict, 'unspec');
  t.is(run.skb.mark, 7);
  sameFrame(t, run.frame, frame);
});

test.serial('programs see what a test writes into their maps', (t) => {
  const programs = loadPrograms();
  t.teardown(() => programs.close());
  programs.maps.config.put(0, { ...zero('config'), epoch: 41 });
  t.is(programs.maps.config.get(0)?.epoch, 41);
  const frame = eth().ip4(UE, SERVER).udp().payload(1);
  t.is(programs.run('link', frame, { mark: 5 }).verdict, 'shot');
});
