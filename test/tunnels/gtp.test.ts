// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { keyOf } from '../../src/datapath/key';
import { kind, rx_flag, tx_flag } from '../../src/datapath/layout.gen';
import { NO_OWN, rxConfig, sessionWords, txConfig } from '../../src/tunnels/config';
import { mtuArithmetic, overhead } from '../../src/tunnels/mtu';
import { formatId } from '../../src/tunnels/tunnels';
import type { LinkWords, SessionId, SessionWords } from '../../src/tunnels/words';
import { address } from '../../src/values';

const local = address.parse('192.0.2.1');
const remote = address.parse('192.0.2.2');
const local6 = address.parse('2001:db8::1');
const remote6 = address.parse('2001:db8::2');
const target = { ifindex: 7, dmac: new Uint8Array(6), smac: new Uint8Array(6), here: false };
const link: LinkWords = {
  type: 'gtp',
  frames: false,
  dev: [2],
  local,
  port: 2152,
  role: 'ggsn',
  srcport: 'fixed',
  ttl: 64,
  tos: 0,
  udpcsum: undefined,
  df: 'set',
  gso: 'auto',
  deliver: 'auto',
  xdp: 'auto',
  hairpin: true,
  errind_action: 'mark',
};
const NOWHERE = { ue: [], from: undefined, to: undefined, lladdr: undefined };
const session: SessionWords = {
  ...NO_OWN,
  ...NOWHERE,
  id: { type: 'gtp', version: 1, local_teid: 1, remote_teid: 2 },
  remote,
  local,
  peer: 'any',
  antispoof: undefined,
  srcport: undefined,
  ttl: undefined,
  tos: undefined,
  udpcsum: undefined,
  payload: 'ip',
};
const v0: SessionWords = {
  ...session,
  id: { type: 'gtp', version: 0, tid: 0xfedcba9876543211n, flow: 0x1234, remote_flow: 0xabcd },
};
const over6 = { local: local6, remote: remote6 } as const;

test('a TID stands in two halves, both flow labels beside it', (t) => {
  const tx = txConfig(link, v0);
  t.deepEqual([tx.teid, tx.local_teid, [...tx.ext], tx.ext_len], [0xfedcba98, 0x76543211, [0xab, 0xcd, 0x12, 0x34], 0]);
  t.is(tx.flags & (tx_flag.v0 | tx_flag.seq), tx_flag.v0 | tx_flag.seq);
  t.is(rxConfig(link, v0, target).flow, 0x1234);
});

test('version 0 has port 3386, unless the link has another one than version 1', (t) => {
  const ports = (port: number, words = v0) => {
    const tx = txConfig({ ...link, port }, words);
    return [keyOf(tx).port, tx.dport, tx.sport];
  };
  t.deepEqual(ports(2152), [3386, 3386, 3386]);
  t.deepEqual(ports(9999), [9999, 9999, 3386]);
  t.deepEqual(ports(2152, { ...v0, srcport: 2152 }), [3386, 3386, 2152]);
  t.deepEqual(ports(2152, session), [2152, 2152, 2152]);
});

test('the receive key of version 0 is the TID, and no TEID of version 1 is the same', (t) => {
  t.like(keyOf(txConfig(link, v0)), { id: 0xfedcba9876543211n, kind: kind.gtp0 });
  t.like(keyOf(txConfig(link, session)), { id: 1n, kind: kind.gtp });
  t.is(formatId(v0.id), 'tid 0xfedcba9876543211');
});

const arithmetic = (t: ExecutionContext, words: Partial<SessionWords>, family: 4 | 6, expected: string) =>
  t.is(mtuArithmetic(1500, overhead(txConfig(link, { ...session, ...words }), family, 0)), expected);

test('a plain header', arithmetic, {}, 4, '1500 - 20 IPv4 - 8 UDP - 8 GTP-U = 1464');
test('a header with seq (G2)', arithmetic, { seq: true }, 4, '1500 - 20 IPv4 - 8 UDP - 12 GTP-U with S = 1460');
test('a header with qfi', arithmetic, { qfi: 9 }, 4, '1500 - 20 IPv4 - 8 UDP - 16 GTP-U with QFI = 1456');
test(
  'a header with seq and ppi',
  arithmetic,
  { seq: true, qfi: 9, ppi: 1 },
  6,
  '1500 - 40 IPv6 - 8 UDP - 20 GTP-U with S and QFI = 1432',
);
test('a header of version 0', arithmetic, { id: v0.id }, 4, '1500 - 20 IPv4 - 8 UDP - 20 GTPv0 = 1452');
test('a header of version 0 over IPv6', arithmetic, { id: v0.id }, 6, '1500 - 40 IPv6 - 8 UDP - 20 GTPv0 = 1432');

const checksum = (
  t: ExecutionContext,
  given: { link?: boolean; session?: boolean; outer?: object },
  sent: boolean,
  zeroTaken: boolean,
) => {
  const words = { ...session, ...given.outer, udpcsum: given.session };
  const own = { ...link, udpcsum: given.link };
  t.is((txConfig(own, words).flags & tx_flag.csum) !== 0, sent);
  t.is((rxConfig(own, words, target).flags & rx_flag.zero_csum) !== 0, zeroTaken);
};

test('over IPv4 there is no checksum by itself', checksum, {}, false, false);
test('over IPv4 there is one with udpcsum', checksum, { session: true }, true, false);
test('over IPv6 there is one, and a zero is refused', checksum, { outer: over6 }, true, false);
test(
  'over IPv6 noudpcsum of the session leaves it out both ways',
  checksum,
  { outer: over6, session: false },
  false,
  true,
);
test('over IPv6 noudpcsum of the link does, too', checksum, { outer: over6, link: false }, false, true);
test('over IPv6 udpcsum of the session wins', checksum, { outer: over6, link: false, session: true }, true, false);

test('errind-action of the link stands in the receive half of its sessions', (t) => {
  const flags = (errind_action: LinkWords['errind_action']) =>
    rxConfig({ ...link, errind_action }, session, target).flags & (rx_flag.errind_none | rx_flag.errind_del);
  t.deepEqual([flags('none'), flags('mark'), flags('del')], [rx_flag.errind_none, 0, rx_flag.errind_del]);
});

test('words come back from what the kernel holds', (t) => {
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const teid = fc.integer({ min: 0, max: 0xffffffff });
  const label = fc.integer({ min: 0, max: 65535 });
  const id: fc.Arbitrary<SessionId> = fc.oneof(
    fc.record({
      type: fc.constant('gtp' as const),
      version: fc.constant(1 as const),
      local_teid: teid,
      remote_teid: teid,
    }),
    fc.record({
      type: fc.constant('gtp' as const),
      version: fc.constant(0 as const),
      tid: fc.bigInt({ min: 1n, max: 0xffffffffffffffffn }),
      flow: label,
      remote_flow: label,
    }),
  );
  const words = fc.record({
    udpcsum: maybe(fc.boolean()),
    ttl: maybe(fc.oneof(fc.constant('inherit' as const), fc.integer({ min: 1, max: 255 }))),
    tos: maybe(fc.oneof(fc.constant('inherit' as const), fc.integer({ min: 0, max: 255 }))),
    srcport: maybe(fc.constantFrom<SessionWords['srcport']>('fixed', 'hash', 4444)),
    peer: fc.constantFrom<SessionWords['peer']>('any', 'strict'),
    antispoof: maybe(fc.boolean()),
  });
  const v1 = fc.record({ seq: fc.boolean(), qfi: maybe(fc.integer({ min: 0, max: 63 })) });
  fc.assert(
    fc.property(id, words, v1, (own, more, one) => {
      const isFirst = own.type === 'gtp' && own.version === 1;
      const all: SessionWords = { ...session, id: own, ...more, ...(isFirst ? one : {}) };
      const held = { tx: txConfig(link, all), rx: rxConfig(link, all, target), detail: undefined };
      t.deepEqual(sessionWords(held, NOWHERE), all);
    }),
  );
});
